"""The proof beside a topic's retention: what it has taken is counted and no difference; anything else absent is one."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics, partition_of
from risk.outputs import Output
from streams import proof_of_outputs
from streams.person_shard import PersonShard
from streams.proof_of_outputs import Derived, compare_outputs
from streams.shards import Effects, Record
from streams.verify import Findings, begun, folded, logs, prove
from tests.streams.lane_world import World, rush, settlements

DAY_MS = 86_400_000
NOW_MS = int(time.time() * 1000)


def letter(key: str) -> dict[str, Any]:
    return {"deadletter_id": f"dl_{key}", "reason": "NOT_JSON"}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch):
    """What the proof finds of letters derived {key: days ago}, on a topic that keeps 90 days, in three partitions of
    which {partition: (low, keys, days ago)} is left.
    """

    def compare(derived: dict[str, int], left: dict[int, tuple[int, list[str], int]]) -> Findings:
        told = Derived()
        for key, days in derived.items():
            said = Effects("unknown", "refused", [Output("deadletter", key, key, letter(key))])
            told.note(0, [(Record(0, NOW_MS - days * DAY_MS, b""), said)])
        letters = Topics().deadletter

        def read_log(_kafka: str, name: str, partition: int, _span: object) -> list[list[tuple[int, int, bytes]]]:
            low, keys, days = left.get(partition, (0, [], 0)) if name == letters else (0, [], 0)
            at_ms = NOW_MS - days * DAY_MS
            return [[(low + each, at_ms, orjson.dumps(letter(key))) for each, key in enumerate(keys)]] if keys else []

        def log_end(_kafka: str, name: str, partition: int) -> tuple[int, int]:
            low, keys, _ = left.get(partition, (0, [], 0)) if name == letters else (0, [], 0)
            return low, low + len(keys)

        fakes = SimpleNamespace(
            cluster_identity=lambda _kafka, names: ("c", dict.fromkeys(names, ("id", 3))),
            log_end=log_end, read_log=read_log, retention_ms=lambda *_: 90 * DAY_MS,
        )  # fmt: skip
        for name, fake in vars(fakes).items():
            monkeypatch.setattr(proof_of_outputs, name, fake)
        findings = Findings()
        compare_outputs("k", Topics(), told, findings, ahead=Derived())
        return findings

    return compare


def key_on(partition: int) -> str:
    return next(f"p0@{n}" for n in range(100) if partition_of(f"p0@{n}", 3) == partition)


@pytest.mark.parametrize(
    ("days_ago", "left", "is_missing"),
    [
        (100, {1: (5, ["other"], 80)}, False),
        (100, {1: (5, [], 0)}, False),
        (100, {1: (5, ["other"], 110)}, True),
        (85, {1: (5, ["other"], 80)}, True),
        (85, {1: (5, [], 0)}, True),
        (100, {2: (5, ["other"], 80)}, True),
        (100, {}, True),
    ],
    ids=[
        "taken by retention", "the whole partition too", "older ones are still there", "younger than the retention",
        "younger, and all is gone", "another partition's head", "nothing was taken",
    ],
)  # fmt: skip
def test_only_what_retention_has_taken_may_be_absent(compared, days_ago, left, is_missing):
    findings = compared({key_on(1): days_ago}, left)
    assert findings.differences == ([f"xinmai.deadletter.v1: dl_{key_on(1)} is missing"] if is_missing else [])
    assert findings.expired == (not is_missing)


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


@pytest.mark.kafka
def test_a_real_topic_whose_head_retention_has_taken_is_proved_by_the_rest(world: World):
    world.append(settlements(200))
    world.drain(lane := world.lane())
    world.end(lane)
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap})
    cut_at = world.end_of(world.topics.alerts, 0) // 2
    (cut,) = admin.delete_records([TopicPartition(world.topics.alerts, 0, cut_at)]).values()
    cut.result()
    early = world.proof()
    assert any("is missing" in each for each in early.differences), "400 days have not passed: somebody cut it"
    assert early.expired == 0
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    shorter = ConfigResource(ResourceType.TOPIC, world.topics.alerts, incremental_configs=[entry])
    (altered,) = admin.incremental_alter_configs([shorter]).values()
    altered.result()
    late = world.assert_proved()
    assert late.expired >= len(early.differences)  # the broker may have taken more by now


class Killed(Exception):
    """The lane's process is gone, between the acknowledgements and the commit."""


def killed_before_a_commit(world: World) -> None:
    """What a batch says is on the topics, and Redis knows nothing of it; what follows was never said."""

    def checkpoint(passed: str) -> None:
        if passed == "acknowledged" and all(world.position(tag) >= 0 for _, _, tag in world.logs()):
            raise Killed

    world.append(settlements(1_200) + rush(150))
    lane = world.lane(checkpoint=checkpoint, batch_records_max=60)
    with pytest.raises(Killed):
        world.drain(lane)
    world.drop(lane)


@pytest.mark.kafka
def test_what_a_killed_lane_said_of_records_not_applied_yet_is_no_difference(world: World):
    killed_before_a_commit(world)
    findings = world.assert_proved()
    applied = Derived()
    for log in logs(world.kafka.bootstrap, world.topics, "log"):
        shard = log.make()
        for said in folded(world.kafka.bootstrap, log, shard, (begun(shard, None), world.position(log.tag) + 1)):
            applied.note(log.partition, said)
    assert findings.outputs > sum(len(bodies) for bodies in applied.bodies.values())
    false = orjson.dumps({"alert_id": "al_0", "episode": "opened"})
    world.append_at(0, false, world.topics.alerts)
    world.flush()
    assert world.proof().differences == [f"{world.topics.alerts}: al_0/opened was said by no record"]


@pytest.mark.kafka
def test_a_snapshot_written_beside_the_proof_of_outputs_is_of_the_position_redis_stands_at(
    world: World, tmp_path: Path
):
    killed_before_a_commit(world)
    where = (world.kafka.bootstrap, world.redis.url, world.topics)
    assert prove(*where, clock="log", outputs=True, snapshots=tmp_path).told == []
    assert len(list(tmp_path.glob("*.snapshot"))) == len(world.logs())
    assert prove(*where, clock="log", outputs=False, snapshots=tmp_path).told == []


@pytest.mark.kafka
def test_a_record_that_no_rule_can_judge_ends_the_proof_of_what_follows_it(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    killed_before_a_commit(world)
    topic, partition, tag = world.logs()[0]
    judged, last = PersonShard.apply, world.end_of(topic, partition) - 1
    seen: list[int] = []

    def apply(shard: PersonShard, record: Record, meaning: Any) -> Effects:
        if shard.values.tag == tag and record.offset == last:
            seen.append(record.offset)
            raise ZeroDivisionError
        return judged(shard, record, meaning)

    monkeypatch.setattr(PersonShard, "apply", apply)
    world.assert_proved()
    assert seen == [last]
