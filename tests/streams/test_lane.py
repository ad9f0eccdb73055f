"""A lane on a good day, and a lane among bad records: nothing stops it but a bug, and that stops one shard only."""

from collections.abc import Callable, Iterator

import pytest

from connectors.codec import decode_fact
from connectors.embedded import RealKafka, RedisServer
from connectors.state_codec import decode_contributed, encode_contributed
from connectors.topology import Topics, partition_of, tags
from streams import person_shard
from tests.streams.lane_world import World, rush, settlements, shelves

pytestmark = pytest.mark.kafka
NewWorld = Callable[..., World]


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


def test_a_lane_drains_a_log_and_what_it_said_is_proved(world: World):
    world.append(rush() + settlements(300))
    world.append_facts(*shelves())
    lane = world.lane()
    world.drain(lane)
    world.turn(lane, until=lambda: world.tallied()["event", "stock.undone", "applied"] == 1)
    findings = world.assert_proved()
    assert findings.shards == 3
    boxes = [body for body in world.outputs(world.topics.alerts) if body["rule_id"] == "D05"]
    assert [(body["subject_id"], body["vola_evid"][0][:3]) for body in boxes] == [("P43050000002", "F15")]
    with world.redis.client() as client:
        kinds = {key.decode().split(":")[2] for key in client.keys("xm:{q*")}
    assert kinds >= {"g", "k", "b", "t", "i", "s"}
    assert findings.outputs > 20
    assert {body["subject_kind"] for body in world.outputs(world.topics.alerts)} >= {"person", "institution"}


def test_every_checkpoint_is_passed_in_the_order_of_the_cycle(world: World):
    passed: list[str] = []
    world.append(settlements(200))
    lane = world.lane(checkpoint=lambda name: passed.append(name) if name not in passed else None)
    world.drain(lane)
    assert passed == ["in_claim", "after_read", "half_sent", "sent", "acknowledged", "committed", "replied"]


def test_the_published_mark_follows_the_commits(world: World):
    world.append(settlements(200))
    lane = world.lane()
    world.drain(lane)
    world.end(lane)
    assert world.marks() == {number: world.end_of(world.topics.events, number) for number in range(world.people)}


def test_a_shard_claimed_again_knows_the_age_of_what_it_applied_last(world: World):
    world.append(settlements(200))
    lane = world.lane()
    world.drain(lane)
    world.turn(lane, until=lambda: has_applied(world))
    world.end(lane)
    world.heard.clear()
    world.turn(world.lane(), until=lambda: has_applied(world))  # how long it stands still is seen before it goes on


def has_applied(world: World) -> bool:
    *_, newest = world.told("pulse") or [{"shards": []}]
    people = [shard for shard in newest["shards"] if shard["family"] == "p"]
    return len(people) == world.people and all(shard["record_ms"] for shard in people)


def test_a_poison_record_among_a_thousand_good_ones_is_a_dead_letter_and_stops_nobody(world: World):
    records = settlements(1000)
    poison = [b"\xff\xfe not json", b"{}", b'{"event_type":"settlement.completed","psn_no":7}', b"", b"[" * 5000]
    world.append(records[:500])
    for value in poison:
        world.append_at(0, value)
    world.append(records[500:])
    unknown = b'{"event_type":"no.such.type","psn_no":"4305","event_id":"e","occurred_at":"2026-03-01T00:00:00Z"}'
    world.append_at(0, unknown)
    world.flush()
    lane = world.lane()
    world.drain(lane)
    letters = world.outputs(world.topics.deadletter)
    assert len(letters) == len(poison) + 1
    assert all(letter["origin"].startswith("p0") and letter["reason"] for letter in letters)
    assert world.told("stopped") == []
    world.assert_proved()


def test_a_record_on_the_wrong_partition_is_appended_to_its_own_and_counted(world: World):
    psn_no, value = settlements(1)[0]
    wrong = 1 - partition_of(psn_no, world.people)
    world.append_at(wrong, value)
    world.flush()
    lane = world.lane()
    world.drain(lane)
    world.turn(lane, until=lambda: world.tallied()["event", "settlement.completed", "applied"] == 1)
    assert world.tallied()["event", "settlement.completed", "rerouted"] == 1
    with world.redis.client() as client:
        assert [key.decode() for key in client.keys("xm:*:a:*")] == [f"xm:{tags('p', 2)[1 - wrong]}:a:{psn_no}"]
    world.drain(lane)
    world.assert_proved()


def test_a_rule_that_raises_stops_its_shard_and_pages_while_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    records = settlements(600)
    victim = [psn_no for psn_no, _ in records if partition_of(psn_no, world.people) == 0][100]
    ordinary = person_shard.ordinary

    def broken(activity: object, fact: object, moment: object) -> object:
        if fact.psn_no == victim:
            raise ZeroDivisionError("a rule with a bug")
        return ordinary(activity, fact, moment)

    monkeypatch.setattr(person_shard, "ordinary", broken)
    world.append(records)
    lane = world.lane(batch_records_max=50)
    other = tags("p", 2)[1]
    world.turn(
        lane,
        until=lambda: bool(world.told("stopped")) and world.position(other) + 1 == world.end_of(world.topics.events, 1),
    )
    for _ in range(20):
        lane.turn()
    (stopped,) = world.told("stopped")
    assert stopped["shard"] == tags("p", 2)[0].strip("{}")
    assert "a rule with a bug" in stopped["detail"]
    first_bad = _offset_of(world, victim)
    assert f"@{first_bad}" in stopped["detail"]
    assert world.position(tags("p", 2)[0]) == first_bad - 1, "everything before the record is committed"
    assert world.outputs(world.topics.deadletter) == [], "a valid fact is never dead-lettered"

    monkeypatch.setattr(person_shard, "ordinary", ordinary)  # the bug is repaired, the worker started again
    world.end(lane)
    world.drain(world.lane())
    world.assert_proved()


def _offset_of(world: World, psn_no: str) -> int:
    values = world.values(world.topics.events, [0])
    return next(offset for offset, value in enumerate(values) if decode_fact(value).psn_no == psn_no)


def test_two_contributions_of_one_record_to_one_shard_are_both_applied_once(world: World):
    """A hospital and its doctor share the only subject shard here, so every consultation contributes twice to it."""
    world.append([each for each in settlements(300) if b'"dr_code"' in each[1]])
    lane = world.lane()
    world.drain(lane)
    contributed = [given for value in world.values(world.topics.subjects) if (given := decode_contributed(value))]
    kinds = {each.subject_kind for given in contributed for each in given.contributions}
    assert len(kinds) > 1
    assert world.tallied()["event", "subject.contributed", "gap"] == 0
    world.assert_proved()


def test_a_repeated_contribution_is_a_duplicate_and_a_leap_is_a_gap_that_changes_nothing(world: World):
    world.append(settlements(300))
    lane = world.lane()
    world.drain(lane)
    alerts = len(world.outputs(world.topics.alerts))
    values = [value for value in world.values(world.topics.subjects) if decode_contributed(value)]
    last = decode_contributed(values[-1])
    assert last is not None
    leap = last._replace(first=last.first + 1_000)
    for value in (values[0], values[-1], encode_contributed(leap)):
        world.append_at(0, value, world.topics.subjects)
    world.flush()
    world.drain(lane)
    world.turn(lane, until=lambda: world.tallied()["event", "subject.contributed", "gap"] == 1)
    assert world.tallied()["event", "subject.contributed", "duplicate"] == 2
    assert len(world.outputs(world.topics.alerts)) == alerts
    findings = world.proof()
    assert len(findings.differences) == len(leap.contributions), "the proof names what no record said, and nothing else"
    assert all("was said by no record" in each for each in findings.differences)


def test_the_same_log_gives_the_same_alerts_in_two_live_runs(
    real_kafka: RealKafka, redis_62: RedisServer, fresh_topics: Callable[[], Topics]
):
    runs = []
    for batch in (37, 400):
        redis_62.flush()
        world = World(real_kafka, redis_62, fresh_topics())
        world.append(settlements(400))
        lane = world.lane(batch_records_max=batch)
        world.drain(lane)
        alerts = world.outputs(world.topics.alerts)
        people = {body["alert_id"] for body in alerts if body["subject_kind"] == "person"}
        with redis_62.client() as client:
            runs.append((people, [client.hget(f"xm:{tag}:meta", "digest") for tag in tags("p", 2)]))
        world.close()
    assert runs[0] == runs[1]
    assert len(runs[0][0]) > 20
