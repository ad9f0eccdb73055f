"""Redis on a bad day: down, slow, empty, short, failed over, fenced. What it lost the log gives back, unsaid."""

import time
from collections.abc import Callable, Iterator
from threading import Timer

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.kafka import set_published_mark
from connectors.state_codec import value_hash
from connectors.store import Store, meta_key
from connectors.topology import Topics, tags
from tests.streams.lane_world import World, by_identity, rush, settlements, shelves

pytestmark = pytest.mark.kafka
P0 = tags("p", 2)[0]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis that a test may hurt."""
    with RedisServer("6.2") as server:
        yield server


@pytest.fixture
def world(real_kafka: RealKafka, redis: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis, topics)
    yield opened
    if not redis.running:
        redis.start()
    opened.close()


def once(name: str, act: Callable[[], None], *, after: int = 0) -> Callable[[str], None]:
    """A checkpoint that acts the first time `name` is passed after being passed `after` times."""
    left = [after]

    def checkpoint(passed: str) -> None:
        if passed == name and left[0] >= 0:
            left[0] -= 1
            if left[0] < 0:
                act()

    return checkpoint


@pytest.mark.parametrize("place", ["after_read", "half_sent", "sent", "acknowledged", "committed"])
def test_redis_dies_anywhere_in_the_cycle_and_comes_back(world: World, redis: RedisServer, place: str):
    world.append(settlements(300) + rush(150))

    lane = world.lane(batch_records_max=60, checkpoint=once(place, redis.kill9, after=2))
    world.turn(lane, until=lambda: not redis.running)
    ended_at = time.monotonic() + 0.3
    world.turn(lane, until=lambda: time.monotonic() > ended_at)  # it waits, or has lost its shards; it must not end
    redis.start()
    world.drain(lane)
    world.assert_proved()


def test_a_slow_redis_only_makes_the_lane_slow(world: World, redis: RedisServer):
    world.append(settlements(300))

    def stop_for_200_ms() -> None:
        redis.pause()
        Timer(0.2, redis.resume).start()

    lane = world.lane(batch_records_max=50, checkpoint=once("sent", stop_for_200_ms, after=1))
    world.drain(lane)
    assert world.told("reclaim") == []
    world.assert_proved()


@pytest.mark.slow
def test_a_redis_that_hangs_for_longer_than_kafka_waits_for_a_poll_costs_the_lane_no_shard(
    world: World, redis: RedisServer
):
    world.append(settlements(100))
    lane = world.lane()
    world.drain(lane)
    world.append(settlements(50, seed=7))
    redis.pause()  # it accepts and says nothing
    hangs_until, longest_s = time.monotonic() + 17.0, 0.0
    while (begun_at := time.monotonic()) < hangs_until:
        lane.turn()
        longest_s = max(longest_s, time.monotonic() - begun_at)
    redis.resume()
    world.drain(lane)
    assert longest_s < 15.0  # max.poll.interval.ms
    assert len(world.told("owned")) == 1, "it was thrown out of the group and came back"
    world.assert_proved()


def test_a_redis_that_restarts_empty_is_filled_again_and_nothing_is_said_twice(world: World, redis: RedisServer):
    world.append(settlements(300) + rush(150))
    lane = world.lane()
    world.drain(lane)
    lane._pulse()
    before = {topic: len(world.values(topic)) for topic in _output_topics(world)}
    world.turn(lane, until=lambda: sum(world.marks().values()) == _ends(world))
    redis.kill9()
    for path in redis.directory.rglob("*aof*"):
        if path.is_file():
            path.unlink()
    redis.start()
    world.append(settlements(20, seed=7))
    world.drain(lane)
    assert world.told("stopped") == []
    added = {topic: len(world.values(topic)) - count for topic, count in before.items()}
    assert added[world.topics.subjects] <= 60, "only the twenty new records speak"
    assert added[world.topics.alerts] <= 40
    world.assert_proved()


def _output_topics(world: World) -> tuple[str, ...]:
    topics = world.topics
    return topics.alerts, topics.decisions, topics.withholding, topics.subjects


def _ends(world: World) -> int:
    return sum(world.end_of(world.topics.events, number) for number in range(world.people))


@pytest.mark.parametrize("place", ["committed", "after_read", "sent"])
def test_redis_restarted_short_between_a_commit_and_the_next_read_says_nothing_wrong(
    world: World, redis: RedisServer, place: str
):
    world.append(settlements(400) + rush(200))

    def lose_the_tail() -> None:
        redis.stop()
        redis.cut_tail(3_000)
        redis.start()

    lane = world.lane(batch_records_max=60, checkpoint=once(place, lose_the_tail, after=3))
    world.drain(lane)
    assert world.reclaims("moved") + world.reclaims("redis") >= 1
    world.assert_proved()
    _assert_duplicates_are_equal(world)


@pytest.mark.parametrize("lost", [400, 900])
def test_no_shard_stands_between_two_commits_when_redis_is_started_again_after_a_torn_tail(
    world: World, redis: RedisServer, lost: int
):
    world.append(settlements(400) + rush(200))
    passed: list[str] = []
    broken: list[str] = []

    def hurt(name: str) -> None:
        passed.append(name)
        if name == "committed" and passed.count(name) in (3, 4):
            redis.stop()
            if passed.count(name) == 3:
                redis.cut_tail(lost)
            redis.start()
            broken.extend(tag for _, _, tag in world.logs() if not _is_whole(redis, tag))

    lane = world.lane(batch_records_max=60, checkpoint=hurt)
    world.drain(lane)
    assert passed.count("committed") > 4
    assert broken == []
    world.assert_proved()


def _is_whole(redis: RedisServer, tag: str) -> bool:
    """Are the values those of the commit that meta names?"""
    store = Store(redis.url)
    digest = 0
    for key in store.keys_of(tag):
        for address, value in store.values_at(key):
            digest ^= value_hash(*address, value)
    known = dict(store.hash_values(meta_key(tag))).get("digest", b"0")
    store.close()
    return digest == int(known, 16)


def test_a_redis_that_comes_back_without_the_right_to_write_its_file_anew_stops_the_shards(
    world: World, redis: RedisServer
):
    world.append(settlements(50))
    lane = world.lane()
    world.drain(lane)
    redis.stop()
    settings = {"user": "default on nopass ~* &* +@all -bgrewriteaof"}
    with RedisServer("6.2", directory=redis.directory, port=redis.port, settings=settings):
        world.turn(lane, until=lambda: len(world.told("stopped")) == len(world.logs()))
    assert all("+bgrewriteaof" in each["detail"] for each in world.told("stopped"))


def _assert_duplicates_are_equal(world: World) -> None:
    for bodies in by_identity(world.outputs(world.topics.alerts), "alert_id", "episode").values():
        assert len(set(bodies)) == 1


def test_a_flushed_redis_between_two_turns_is_claimed_again_and_filled(world: World, redis: RedisServer):
    world.append(settlements(300))
    world.append_facts(*shelves())
    lane = world.lane(batch_records_max=60, checkpoint=once("acknowledged", redis.flush, after=2))
    world.drain(lane)
    assert world.reclaims("moved") >= 1
    world.assert_proved()


def test_a_fail_over_that_lost_commits_is_an_earlier_prefix(real_kafka: RealKafka, topics: Topics):
    with RedisServer("6.2") as primary, RedisServer("6.2", replica_of=primary) as replica:
        world = World(real_kafka, primary, topics)
        world.append(settlements(400))
        with primary.client() as client:
            assert client.execute_command("WAIT", 1, 5000) == 1
        front = _Front(primary, replica)
        lane = world.lane(batch_records_max=50, checkpoint=once("committed", front.fail_over, after=4))
        world.turn(lane, until=lambda: front.failed_over)
        world.drain(lane)
        assert world.reclaims("redis") + world.reclaims("moved") >= 1
        world.assert_proved()
        world.close()


class _Front:
    """The address moves with the primary: the replica, promoted short of what was committed last, takes its port."""

    def __init__(self, primary: RedisServer, replica: RedisServer) -> None:
        self._primary, self._replica = primary, replica
        self.failed_over = False

    def fail_over(self) -> None:
        self._primary.kill9()
        self._replica.promote()
        self._replica.stop()
        source = self._replica.append_only_file()
        source.rename(self._primary.append_only_file())
        with self._primary.append_only_file().open("r+b") as file:
            file.truncate(max(0, file.seek(0, 2) - 2_000))  # what replication had not carried yet
        self._primary.start()
        self.failed_over = True


def test_a_zombie_says_nothing_after_its_read_and_commits_nothing(world: World, redis: RedisServer):
    passed: list[str] = []
    lane = world.lane(checkpoint=passed.append)
    world.drain(lane)
    owner = Store(redis.url, writes=True)
    for _, _, tag in world.logs():
        owner.claim(tag, 2_000_000_000_000)
    before = [redis.client().hgetall(f"xm:{tag}:meta") for _, _, tag in world.logs()]
    said = [len(world.values(topic)) for topic in _output_topics(world)]
    world.append(settlements(200))
    passed.clear()
    world.turn(lane, until=lambda: "after_read" in passed)
    assert world.told("reclaim")[-1]["cause"] == "moved"
    assert [len(world.values(topic)) for topic in _output_topics(world)] == said
    assert [redis.client().hgetall(f"xm:{tag}:meta") for _, _, tag in world.logs()] == before
    world.drain(lane)  # Kafka still assigns the shards to this lane, so it claims them again
    world.assert_proved()


def test_a_zombie_fenced_between_its_read_and_its_commit_commits_nothing(world: World, redis: RedisServer):
    world.append(settlements(300))
    owner = Store(redis.url, writes=True)
    seen: dict[str, int] = {}

    def steal() -> None:
        seen["at"] = world.position(P0)
        seen["epoch"] = int(owner.claim(P0, 2_000_000_000_000).epoch)

    def look(name: str) -> None:
        steal_once(name)
        if name == "committed" and "epoch" in seen and "after" not in seen:
            seen["after"] = world.position(P0)

    steal_once = once("sent", steal, after=1)
    lane = world.lane(batch_records_max=40, checkpoint=look)
    world.drain(lane)
    assert seen["after"] == seen["at"]
    assert world.reclaims("moved") >= 1
    world.assert_proved()
    _assert_duplicates_are_equal(world)


def test_two_lanes_of_two_groups_fight_over_a_shard_and_the_state_stays_right(world: World):
    world.append(settlements(300))
    one = world.lane("one", batch_records_max=50)
    world.turn(one, until=lambda: world.position(P0) > 20)
    for topic, partitions in ((world.topics.events, [0, 1]), (world.topics.subjects, [0])):
        set_published_mark(world.kafka.bootstrap, f"{world.group}2", topic, dict.fromkeys(partitions, 0))
    other = world.lane("two", group=f"{world.group}2", batch_records_max=50)
    world.turn(other, until=lambda: len(world.told("owned")) >= 2)
    for _ in range(30):
        one.turn()
        other.turn()
    world.end(other)
    world.drain(one)
    world.assert_proved()
    _assert_duplicates_are_equal(world)
