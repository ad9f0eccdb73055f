"""The servers that other tests lean on: they keep what was written, die with their owner, and say what they are."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import stamina
from redis import Redis
from redis.cluster import RedisCluster

from connectors.embedded import MockKafka, RealKafka, RealKafkaCluster, RedisClusterServers, RedisServer
from connectors.errors import ConnectorError
from connectors.kafka import (
    check_topics,
    cluster_identity,
    consumer,
    create_topics,
    producer,
    published_marks,
    set_published_mark,
)
from connectors.topology import Topics, partition_of, slot_of, tags


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in open(f"/proc/{pid}/status").read()
    except FileNotFoundError:
        return False


def test_redis_is_append_only_and_never_evicts(redis_url: str) -> None:
    with Redis.from_url(redis_url, protocol=2, decode_responses=True) as client:
        asked = client.config_get("append*") | client.config_get("maxmemory-policy")
    assert asked["appendonly"] == "yes"
    assert asked["appendfsync"] == "everysec"
    assert asked["maxmemory-policy"] == "noeviction"


@pytest.mark.parametrize("version", ["6.2", pytest.param("7", marks=pytest.mark.redis7)])
def test_a_restarted_redis_has_what_it_had_and_a_cut_one_an_earlier_state(
    version: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("redis_62" if version == "6.2" else "redis_7")  # skips or fails where the server is missing
    with RedisServer(version) as server, server.client() as client:  # type: ignore[arg-type]
        client.set("first", "1" * 100)
        client.set("second", "2" * 100)
        server.restart()
        assert client.get("second") == b"2" * 100
        server.stop()
        server.cut_tail(20)
        server.start()
        assert client.get("first") == b"1" * 100
        assert client.get("second") is None


def test_a_replica_follows_and_can_be_promoted() -> None:
    with RedisServer("6.2") as primary, RedisServer("6.2", replica_of=primary) as replica:
        with primary.client() as client:
            client.set("written", "before")
        with replica.client() as client:
            assert _until(lambda: client.get("written") == b"before")
            replica.pause()
            with primary.client() as other:
                other.set("written", "while paused")
            primary.kill9()
            replica.resume()
            replica.promote()
            assert client.set("written", "after")


def test_a_server_dies_with_its_owner() -> None:
    code = "from connectors.embedded import RedisServer; print(RedisServer('6.2').start().pid, flush=True); input()"
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert _alive(pid)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert _until(lambda: not _alive(pid))


@pytest.mark.cluster
def test_the_cluster_holds_every_shard_under_its_own_tag(redis_cluster: RedisClusterServers) -> None:
    with RedisCluster.from_url(redis_cluster.url) as client:
        for tag in tags("p", 12):
            client.set(f"{tag}:meta", tag)
            assert client.keyslot(f"{tag}:meta") == slot_of(tag)
    held = []
    for node in redis_cluster.masters:
        with node.client() as client:
            held.append(client.dbsize())
    assert held == [4, 4, 4]


def _write_and_read_back(bootstrap: str, topics: Topics, partitions: int) -> None:
    create_topics(bootstrap, topics, partitions=partitions, subjects_partitions=partitions)
    people = [f"person-{number}" for number in range(50)]
    sender = producer(bootstrap)
    for person in people:
        sender.produce(topics.events, person.encode(), person.encode())
    assert sender.flush(20) == 0
    reader = consumer(bootstrap, "reader", **{"auto.offset.reset": "earliest"})
    reader.subscribe([topics.events])
    found: dict[str, int | None] = {}
    assert _until(lambda: found.update({str(record.key(), "utf-8"): record.partition() for record in
                  reader.consume(100, 0.5) if not record.error()}) or len(found) == 50)  # fmt: skip
    reader.close()
    assert found == {person: partition_of(person, partitions) for person in people}


def _marks_are_set_and_read(bootstrap: str, topics: Topics, partitions: int) -> None:
    assert published_marks(bootstrap, "lanes", topics.events) == {}
    set_published_mark(bootstrap, "lanes", topics.events, dict.fromkeys(range(partitions), 0))
    set_published_mark(bootstrap, "lanes", topics.events, {1: 7})
    assert published_marks(bootstrap, "lanes", topics.events) == {**dict.fromkeys(range(partitions), 0), 1: 7}


def test_the_in_process_broker_carries_records_and_marks(mock_kafka: MockKafka, topics: Topics) -> None:
    _write_and_read_back(mock_kafka.bootstrap, topics, 4)
    _marks_are_set_and_read(mock_kafka.bootstrap, topics, 4)
    cluster_id, found = cluster_identity(mock_kafka.bootstrap, topics.all)
    assert cluster_id.startswith("mockCluster")
    assert found[topics.events] == ("mock", 4)
    assert "in-process" in check_topics(mock_kafka.bootstrap, topics)[0]


def test_the_in_process_broker_refuses_another_partition_count(mock_kafka: MockKafka, topics: Topics) -> None:
    with pytest.raises(ConnectorError, match="has 4 partitions, not 6"):
        create_topics(mock_kafka.bootstrap, topics, partitions=6)


@pytest.mark.kafka
def test_a_real_kafka_carries_records_and_marks(real_kafka: RealKafka, topics: Topics) -> None:
    _write_and_read_back(real_kafka.bootstrap, topics, 6)
    _marks_are_set_and_read(real_kafka.bootstrap, topics, 6)


@pytest.mark.kafka
def test_topics_are_created_once_as_the_contract_wants_them(real_kafka: RealKafka, topics: Topics) -> None:
    counts = {"partitions": 3, "subjects_partitions": 2}
    assert set(create_topics(real_kafka.bootstrap, topics, **counts)) == set(topics.all)
    assert create_topics(real_kafka.bootstrap, topics, **counts) == ()
    assert check_topics(real_kafka.bootstrap, topics, **counts, replication=1) == []
    _, found = cluster_identity(real_kafka.bootstrap, topics.all)
    assert {name: partitions for name, (_, partitions) in found.items()} == {
        name: 2 if name == topics.subjects else 3 for name in topics.all
    }
    assert len({topic_id for topic_id, _ in found.values()}) == len(topics.all)


@pytest.mark.kafka
@pytest.mark.slow
def test_the_check_passes_on_three_brokers_with_what_production_needs(real_kafka: RealKafka, topics: Topics) -> None:
    # real_kafka is asked for because it says whether a Kafka can run here at all
    with RealKafkaCluster() as kafka:
        create_topics(kafka.bootstrap, topics, replication=3)
        # a broker that had no part in creating them hears of them a moment later
        for attempt in stamina.retry_context(on=AssertionError, timeout=30, attempts=None):
            with attempt:
                assert check_topics(kafka.bootstrap, topics) == []


@pytest.mark.kafka
def test_the_check_names_what_production_must_not_run_on(real_kafka: RealKafka, topics: Topics) -> None:
    problems = check_topics(real_kafka.bootstrap, topics)
    assert f"{topics.events} does not exist: run xinmai topics create" in problems
    create_topics(real_kafka.bootstrap, topics, partitions=3, subjects_partitions=2)
    problems = check_topics(real_kafka.bootstrap, topics, partitions=4)
    assert f"{topics.events} has 3 partitions, expected 4" in problems
    assert f"{topics.events} has 1 replicas, must have 3" in problems
    assert f"{topics.events}: min.insync.replicas is 1, must be at least 2" in problems


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.usefixtures("real_kafka")  # skips or fails where none can start
def test_a_killed_kafka_comes_back_with_its_records(topics: Topics) -> None:
    with RealKafka(heap="256m") as broker:
        _write_and_read_back(broker.bootstrap, topics, 2)
        before = cluster_identity(broker.bootstrap)
        broker.kill9()
        broker.start()
        assert cluster_identity(broker.bootstrap) == before


def test_nobody_home_is_said_in_one_line() -> None:
    with pytest.raises(ConnectorError, match=r"no broker answers at 127\.0\.0\.1:1"):
        cluster_identity("127.0.0.1:1")
