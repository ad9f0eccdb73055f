"""Policies, folds and published marks in the logs: what `topics create` puts there first, and what `policy activate`
and `fold activate` append later.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import stamina

from connectors.codec import decode_fact, encode_fact
from connectors.errors import ConnectorError
from connectors.kafka import cluster_identity, create_topics, producer, published_marks, set_published_mark
from connectors.log_reader import log_end, read_log
from connectors.policy_files import read_policy_dir
from connectors.store import KEY_PREFIX, Store
from connectors.topology import Topics, tags
from risk.facts import FoldActivated, PolicyActivated
from risk.person_fold import FOLD_VERSION
from risk.policy import Policy, PolicyError, credit_questions_dropped, parse_policy
from streams.ownership import GROUP
from streams.shards import FIRST_FOLD

if TYPE_CHECKING:
    from streams.settings import Settings

_ACK_S = 30.0


def prepare_logs(
    kafka: str,
    topics: Topics,
    directory: Path,
    *,
    partitions: int,
    subjects_partitions: int,
    replication: int = 1,
    group: str = GROUP,
) -> Policy:
    """Create what is missing; the first policy is record 0 of every partition, and the published mark stands at 0.
    (A later fold than the first is named before it.)

    Running it again changes nothing that is there, and finishes what an interrupted run left.
    """
    files = read_policy_dir(directory)
    policy = parse_policy(files)
    create_topics(
        kafka, topics, partitions=partitions, subjects_partitions=subjects_partitions, replication=replication
    )
    opening = [*_switches(), _activation(policy, files)]
    empty = [place for place in _created(kafka, topics) if log_end(kafka, *place)[1] == 0]
    _append(kafka, empty, *opening)
    for topic in (topics.events, topics.subjects):
        marked = published_marks(kafka, group, topic)
        missing = [
            partition for each, partition in _partitions(kafka, topics) if each == topic and partition not in marked
        ]
        old = [partition for partition in missing if log_end(kafka, topic, partition)[1] > len(opening)]
        if old:
            raise ConnectorError(
                "kafka",
                f"{topic}{old} has records but group {group} has no published mark: "
                "all its outputs would be said again. Set the group's offsets to where its outputs ended "
                "(kafka-consumer-groups --reset-offsets), then start.",
                retryable=False,
            )
        if missing:
            set_published_mark(kafka, group, topic, dict.fromkeys(missing, 0))
    return policy


def activate_policy(settings: "Settings", directory: Path) -> Policy:
    """Append the policy to every partition of both logs; each switches at that record, and a repetition changes
    nothing. Raises PolicyError where it would leave holds and debts without an answer.
    """
    files = read_policy_dir(directory)
    policy = parse_policy(files)
    for active in _policies_in_force(settings):
        if dropped := credit_questions_dropped(active, policy):
            raise PolicyError(
                f"{policy.version} does not answer {', '.join(dropped)} on every day on which {active.version}, which "
                f"is in force, does. Open holds, captures and debts need them to their end. "
                f"Keep those entries, and end the offer with services_on alone."
            )
    _append(settings.kafka, _partitions(settings.kafka, settings.topics), _activation(policy, files))
    return policy


def activate_fold(settings: "Settings") -> int:
    """Append the switch to this release's fold to every partition of both logs: older releases stop at it. Said again
    it changes nothing. Returns the fold; the first needs no switch.
    """
    _append(settings.kafka, _partitions(settings.kafka, settings.topics), *_switches())
    return FOLD_VERSION


def _switches() -> list[bytes]:
    """The record that names this release's fold; none for the first."""
    if FOLD_VERSION == FIRST_FOLD:
        return []
    name = f"fold:{FOLD_VERSION}"
    return [
        encode_fact(
            FoldActivated(
                event_id=name, occurred_at=datetime.now(UTC), psn_no="", source="engine", fold_version=FOLD_VERSION
            )
        )
    ]


def _policies_in_force(settings: "Settings") -> Iterator[Policy]:
    """What the shards stand under, more than one within a switch; before any of them has begun, the log's first."""
    log = settings.topics.events
    _, found = cluster_identity(settings.kafka, (log,))
    if log not in found:
        return  # _partitions says so
    store = Store(settings.redis)
    shards = tags("p", found[log][1])
    texts = {value for tag in shards for _, value in store.values_at(f"{KEY_PREFIX}{tag}:policy")}
    if texts:
        yield from (parse_policy(orjson.loads(text)["files"]) for text in sorted(texts))
        return
    first, end = log_end(settings.kafka, log, 0)
    for batch in read_log(settings.kafka, log, 0, (first, min(first + 2, end))):
        for _, _, value in batch:
            fact = decode_fact(value)
            if isinstance(fact, PolicyActivated):
                yield parse_policy(fact.files)


def _activation(policy: Policy, files: dict[str, str]) -> bytes:
    return encode_fact(
        PolicyActivated(
            event_id=f"policy:{policy.version}",
            occurred_at=datetime.now(UTC),
            psn_no="",
            source="engine",
            version=policy.version,
            digest=policy.digest,
            files=files,
        )
    )


@stamina.retry(on=ConnectorError, timeout=_ACK_S, attempts=None)
def _created(kafka: str, topics: Topics) -> list[tuple[str, int]]:
    """The partitions just created; a broker that had no part in that hears of them a moment later."""
    return _partitions(kafka, topics)


def _partitions(kafka: str, topics: Topics) -> list[tuple[str, int]]:
    names = (topics.events, topics.subjects)
    _, found = cluster_identity(kafka, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise ConnectorError("kafka", f"{', '.join(missing)} does not exist: run xinmai topics create", retryable=False)
    return [(name, partition) for name in names for partition in range(found[name][1])]


def _append(kafka: str, places: Iterable[tuple[str, int]], *values: bytes) -> None:
    """To each place, in this order; done only when Kafka has acknowledged every one."""
    client = producer(kafka, **{"message.timeout.ms": int(_ACK_S * 1000)})
    failed: list[str] = []
    for (topic, partition), value in product(places, values):
        client.produce(
            topic,
            value,
            partition=partition,
            on_delivery=lambda error, _message: failed.append(str(error)) if error else None,
        )
    if client.flush(_ACK_S) or failed:
        raise ConnectorError(
            "kafka", f"not every partition has the policy ({failed[:1]}); run it again", retryable=True
        )
