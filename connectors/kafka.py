"""Kafka as this engine uses it: client settings, topics and their conditions, published marks. It decides nothing."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from connectors.errors import ConnectorError
from connectors.topology import Topics

RECORD_BYTES_MAX = 4 * 1024 * 1024
MOCK_PARTITIONS = 4  # librdkafka's in-process broker gives every topic this many and cannot be told otherwise
MARK_RETENTION_MINUTES_MIN = 60 * 24 * 365  # a published mark that Kafka forgets stops its shard
_DAY_MS = 86_400_000
_RETENTION_MS = {"alerts": 400 * _DAY_MS, "deadletter": 90 * _DAY_MS, "national": 3 * _DAY_MS}
_TIMEOUT_S = 15.0
_QUIET: dict[str, Any] = {"log.connection.close": False, "log_level": 0}  # what matters comes back as an error
_METADATA_TIMEOUT_S = 5.0
_NO_COORDINATOR_YET = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._WAIT_COORD,
)
_HAS_MEMBERS = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION)


def producer_settings(bootstrap: str, **over: Any) -> dict[str, Any]:
    """Nothing is lost or reordered: idempotent, acknowledged by all in-sync replicas, retried without end."""
    return {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "enable.sparse.connections": False,  # with them one was seen never to connect
        "message.timeout.ms": 0,  # a record given up on would be a hole in the log: stop or retry, never skip
        "partitioner": "murmur2_random",  # Java's; librdkafka's own default places keys elsewhere
        "linger.ms": 1,
        "message.max.bytes": RECORD_BYTES_MAX,
        **_QUIET,
        **over,
    }


def consumer_settings(bootstrap: str, group: str, **over: Any) -> dict[str, Any]:
    """A member that never commits by itself and never resets: where it stands is decided by the state, not by Kafka."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 1_500,
        "max.poll.interval.ms": 15_000,
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": RECORD_BYTES_MAX,
        **_QUIET,
        **over,
    }


def producer(bootstrap: str, **over: Any) -> Producer:
    """A producer of `producer_settings`; `over` overrides single settings by their librdkafka names."""
    return Producer(producer_settings(bootstrap, **over))


def consumer(bootstrap: str, group: str, **over: Any) -> Consumer:
    """A consumer of `consumer_settings`; add "group.instance.id" for static membership."""
    return Consumer(consumer_settings(bootstrap, group, **over))


def cluster_identity(bootstrap: str, names: Iterable[str] | None = None) -> tuple[str, dict[str, tuple[str, int]]]:
    """Which cluster this is, and which incarnation of each topic: (cluster id, {topic: (topic id, partitions)}).

    Only topics that exist are in it. The in-process broker has no topic ids; there the id is "mock".
    """
    admin = _admin(bootstrap)
    cluster_id, existing = _metadata(admin, bootstrap)
    wanted = sorted(existing if names is None else set(names) & set(existing))
    if is_mock(cluster_id) or not wanted:
        return cluster_id, {name: ("mock", existing[name]) for name in wanted}
    try:
        described = admin.describe_topics(TopicCollection(wanted), request_timeout=_TIMEOUT_S)
        return cluster_id, {name: (str(described[name].result().topic_id), existing[name]) for name in wanted}
    except KafkaException as e:
        raise _failure(e) from e


def is_mock(cluster_id: str) -> bool:
    """Whether a cluster is librdkafka's in-process broker, which forgets everything and has no administration."""
    return cluster_id.startswith("mockCluster")


def create_topics(
    bootstrap: str,
    topics: Topics,
    *,
    partitions: int = MOCK_PARTITIONS,
    subjects_partitions: int = MOCK_PARTITIONS,
    replication: int = 1,
    retention_ms: Mapping[str, int] | None = None,
) -> tuple[str, ...]:
    """Create the topics that are missing and name them; one that exists with another partition count is refused.

    With fewer brokers than `replication` each gets a replica: a single node can be tried, and check_topics says so.
    `retention_ms` overrides the retention of "alerts", "deadletter" and "national"; the rest is kept for ever.
    """
    admin = _admin(bootstrap)
    cluster_id, existing = _metadata(admin, bootstrap)
    counts = {name: subjects_partitions if name == topics.subjects else partitions for name in topics.all}
    missing = tuple(name for name in topics.all if name not in existing)
    if is_mock(cluster_id):
        existing |= {name: len(admin.list_topics(name, _TIMEOUT_S).topics[name].partitions) for name in missing}
    wrong = [
        f"{name} has {existing[name]} partitions, not {count}; a count cannot change, people would move"
        for name, count in counts.items()
        if existing.get(name, count) != count
    ]
    if wrong:
        raise ConnectorError("kafka", "; ".join(wrong), retryable=False)
    if missing and not is_mock(cluster_id):
        replication = min(replication, len(admin.list_topics(timeout=_METADATA_TIMEOUT_S).brokers))
        kept_ms = _RETENTION_MS | dict(retention_ms or {})
        settings = {name: _topic_settings(name, topics, replication, kept_ms) for name in missing}
        _create(admin, [NewTopic(name, counts[name], replication, config=settings[name]) for name in missing])
    return missing


def check_topics(
    bootstrap: str,
    topics: Topics,
    *,
    partitions: int | None = None,
    subjects_partitions: int | None = None,
    replication: int = 3,
) -> list[str]:
    """What is wrong with the topics, one sentence each; empty when production may run on them."""
    admin = _admin(bootstrap)
    cluster_id, existing = _metadata(admin, bootstrap)
    if is_mock(cluster_id):
        return ["this is the in-process broker: it forgets everything when it stops; production needs Apache Kafka"]
    problems = [f"{name} does not exist: run xinmai topics create" for name in topics.all if name not in existing]
    present = [name for name in topics.all if name in existing]
    for name in present:
        count = subjects_partitions if name == topics.subjects else partitions
        if count is not None and existing[name] != count:
            problems.append(f"{name} has {existing[name]} partitions, expected {count}")
    metadata = admin.list_topics(timeout=_TIMEOUT_S)
    for name, settings in _settings_of(admin, ResourceType.TOPIC, present).items():
        replicas = min(len(partition.replicas) for partition in metadata.topics[name].partitions.values())
        expected = _expected_settings(min(2, replication), forever=name in topics.unlimited)
        problems += _setting_problems(name, settings, expected)
        if replicas < replication:
            problems.append(f"{name} has {replicas} replicas, must have {replication}")
    # a group that stands still for longer than this loses its published marks, and a missing mark stops its shard
    remembered = {"offsets.retention.minutes": MARK_RETENTION_MINUTES_MIN}
    for node in sorted(metadata.brokers):  # one by one: each answers for itself only
        for name, settings in _settings_of(admin, ResourceType.BROKER, [str(node)]).items():
            problems += _setting_problems(f"broker {name}", settings, remembered)
    return problems


def set_published_mark(bootstrap: str, group: str, topic: str, marks: Mapping[int, int]) -> None:
    """Say below which offset of each partition a group's outputs are published; Kafka refuses while it has members."""
    offsets = [TopicPartition(topic, partition, offset) for partition, offset in marks.items()]
    if not offsets:
        return
    answered = _as_bystander(
        bootstrap, group, lambda client: client.commit(offsets=offsets, asynchronous=False), again_on=_HAS_MEMBERS
    )
    failed = [str(mark.error) for mark in answered or () if mark.error]
    if failed:
        raise ConnectorError("kafka", f"mark of {topic} not set: {failed[0]}", retryable=True)


def published_marks(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """The published mark of each partition that has one."""
    _, existing = _metadata(_admin(bootstrap), bootstrap)
    asked = [TopicPartition(topic, partition) for partition in range(existing.get(topic, 0))]
    if not asked:
        return {}
    marks = _as_bystander(bootstrap, group, lambda client: client.committed(asked, timeout=_TIMEOUT_S))
    return {mark.partition: mark.offset for mark in marks if mark.offset >= 0}


def group_has_members(bootstrap: str, group: str) -> bool:
    """Whether anybody reads in the name of a group; a lane that has just ended still counts, for its session."""
    admin = _admin(bootstrap)  # by name: one that is collected never answers
    try:
        return bool(admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group].result().members)
    except KafkaException as e:
        raise _failure(e) from e


def _as_bystander(bootstrap: str, group: str, ask: Callable[[Consumer], Any], *, again_on: tuple[int, ...] = ()) -> Any:
    """Ask in the name of a group without becoming a member; a young cluster has no coordinator yet: ask again.

    Lanes that have just ended stay members for their session: then again too, and the end says what to do.
    """
    client = Consumer(consumer_settings(bootstrap, group))
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while True:
            try:
                return ask(client)
            except KafkaException as e:
                code = e.args[0].code()
                if code in again_on and time.monotonic() > deadline:
                    raise ConnectorError(
                        "kafka",
                        f"group {group} still has members, and its marks can only be set without them. "
                        "Stop its workers, wait ten seconds for Kafka to notice, and run this again.",
                        retryable=True,
                    ) from e
                if code not in (*_NO_COORDINATOR_YET, *again_on) or time.monotonic() > deadline:
                    raise _failure(e) from e
                time.sleep(0.1 if code not in again_on else 0.5)
    finally:
        client.close()


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, **_QUIET})


def _metadata(admin: AdminClient, bootstrap: str) -> tuple[str, dict[str, int]]:
    try:
        metadata = admin.list_topics(timeout=_METADATA_TIMEOUT_S)
    except KafkaException as e:
        raise ConnectorError("kafka", f"no broker answers at {bootstrap} ({e.args[0]})", retryable=True) from e
    existing = metadata.topics.items()
    return str(metadata.cluster_id), {name: len(topic.partitions) for name, topic in existing if not topic.error}


def _topic_settings(name: str, topics: Topics, replication: int, retention_ms: Mapping[str, int]) -> dict[str, str]:
    kind = name.removeprefix(topics.prefix).removesuffix(".v1")
    kept_ms = -1 if name in topics.unlimited else retention_ms.get(kind, _RETENTION_MS[kind])
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(kept_ms),
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "unclean.leader.election.enable": "false",
    }


def _create(admin: AdminClient, wanted: list[NewTopic]) -> None:
    for created in admin.create_topics(wanted, operation_timeout=_TIMEOUT_S).values():
        try:
            created.result()
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another worker was a moment faster
                raise _failure(e) from e


@stamina.retry(on=ConnectorError, timeout=5.0, attempts=None)  # a topic just created is not yet known to every broker
def _settings_of(admin: AdminClient, kind: ResourceType, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = admin.describe_configs([ConfigResource(kind, name) for name in names], request_timeout=_TIMEOUT_S)
    try:
        return {
            resource.name: {key: str(entry.value) for key, entry in answer.result().items()}
            for resource, answer in asked.items()
        }
    except KafkaException as e:
        raise _failure(e) from e


def _expected_settings(replicas_in_sync: int, *, forever: bool) -> dict[str, str | int]:
    expected: dict[str, str | int] = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
        "min.insync.replicas": replicas_in_sync,
        "max.message.bytes": RECORD_BYTES_MAX,
    }
    return expected | {"retention.ms": "-1", "retention.bytes": "-1"} if forever else expected


def _setting_problems(name: str, settings: Mapping[str, str], expected: Mapping[str, str | int]) -> list[str]:
    problems = []
    for key, wanted in expected.items():
        found = settings.get(key, "not set")
        good = found == wanted if isinstance(wanted, str) else found.isdigit() and int(found) >= wanted
        if not good:
            problems.append(
                f"{name}: {key} is {found}, must be {'' if isinstance(wanted, str) else 'at least '}{wanted}"
            )
    return problems


def _failure(e: KafkaException) -> ConnectorError:
    return ConnectorError("kafka", str(e.args[0]), retryable=bool(e.args[0].retriable()))
