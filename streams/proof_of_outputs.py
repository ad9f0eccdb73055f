"""Proof that everything the fold says is on its topic: every id, with equal content, and nothing else.

Consumers dedupe by id; so does this proof. Duplicates must carry equal content. Of what a topic's retention has taken
nothing can be proved: that much is counted, and is no difference.
"""

import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import orjson

from connectors.kafka import cluster_identity
from connectors.log_reader import log_end, read_log, retention_ms
from connectors.state_codec import decode_contributed
from connectors.topology import Topics, partition_of
from risk.contributions import Contribution
from streams.shards import Effects, Record

if TYPE_CHECKING:
    from streams.verify import Findings

_ID_FIELDS = {
    "alerts": ("alert_id", "episode"),
    "decisions": ("decision_id",),
    "withholding": ("order_id", "attempt"),
    "deadletter": ("deadletter_id",),
}


def _content(body: dict[str, object]) -> bytes:
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _identity(topic: str, body: dict[str, object]) -> str:
    return "/".join(str(body.get(name, "")) for name in _ID_FIELDS[topic])


class Said(NamedTuple):
    """An output as the fold says it: a hash of its content, the key that chose its partition, and when the record that
    says it came: the output cannot be older.
    """

    content: bytes
    key: str
    at_ms: int


class Derived:
    """What the fold says, as ids and hashes of content."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, Said]] = {topic: {} for topic in _ID_FIELDS}
        self.contributions: dict[tuple[int, int, int], Contribution] = {}

    def note(self, partition: int, said: Iterable[tuple[Record, Effects]]) -> None:
        """Remember what these records say."""
        for record, effects in said:
            for output in effects.outputs:
                self.bodies[output.topic][_identity(output.topic, output.body)] = Said(
                    _content(output.body), output.key, record.timestamp_ms
                )
            for each in effects.numbered:
                self.contributions[partition, each.target, each.number] = each.contribution


def compare_outputs(kafka: str, topics: Topics, derived: Derived, findings: "Findings", *, ahead: Derived) -> None:
    """Name each output that is missing, that differs, or that no record made. What only `ahead` has may be missing."""
    names = {
        "alerts": topics.alerts,
        "decisions": topics.decisions,
        "withholding": topics.withholding,
        "deadletter": topics.deadletter,
    }
    for topic, name in names.items():
        expected = derived.bodies[topic]
        found: set[str] = set()
        kept_from_ms: list[float] = []
        for body in _bodies(kafka, name, kept_from_ms):
            identity = _identity(topic, body)
            found.add(identity)
            if wrong := _wrong(topic, body, expected.get(identity) or ahead.bodies[topic].get(identity)):
                findings.differences.append(f"{name}: {identity} {wrong}")
        findings.outputs += len(found)
        absent = {identity: said for identity, said in expected.items() if identity not in found}
        expired = _expired(kafka, name, absent, kept_from_ms)
        findings.expired += len(expired)
        findings.differences += [f"{name}: {identity} is missing" for identity in absent.keys() - expired]
    _compare_contributions(kafka, topics.subjects, derived, findings, ahead=ahead)


def _bodies(kafka: str, name: str, kept_from_ms: list[float]) -> Iterator[dict[str, object]]:
    """Everything on a topic; fills in from when each partition is there: always, where nothing has gone."""
    _, existing = cluster_identity(kafka, (name,))
    for partition in range(existing[name][1]):
        low, high = log_end(kafka, name, partition)
        kept_from_ms.append(inf if low else -inf)
        for batch in read_log(kafka, name, partition, (low, high)):
            kept_from_ms[-1] = min(kept_from_ms[-1], batch[0][1])
            yield from (orjson.loads(value) for _, _, value in batch)


def _wrong(topic: str, body: dict[str, object], said: Said | None) -> str:
    """What is wrong with a record of the topic; nothing, where it is empty."""
    if said is None:
        return "" if topic == "deadletter" else "was said by no record"  # the edge writes dead letters too
    return "" if said.content == _content(body) else "differs from what the fold says"


def _expired(kafka: str, name: str, absent: dict[str, Said], kept_from_ms: list[float]) -> set[str]:
    """Of the absent ids those that the topic's retention has taken: their record is older than what it keeps, and than
    the first that is left where they stood. Heads that went before their time are missing.
    """
    if not absent or max(kept_from_ms) == -inf:
        return set()
    kept_ms = retention_ms(kafka, name)
    until_ms = -inf if kept_ms < 0 else time.time() * 1000 - kept_ms
    places = len(kept_from_ms)
    return {
        identity
        for identity, said in absent.items()
        if said.at_ms <= min(until_ms, kept_from_ms[partition_of(said.key, places)])
    }


def _compare_contributions(kafka: str, name: str, derived: Derived, findings: "Findings", *, ahead: Derived) -> None:
    missing = dict(derived.contributions)
    known = ahead.contributions | derived.contributions
    _, found = cluster_identity(kafka, (name,))
    for target in range(found[name][1]):
        for batch in read_log(kafka, name, target, log_end(kafka, name, target)):
            for _, _, value in batch:
                given = decode_contributed(value)
                if given is None:
                    continue
                for number, contribution in enumerate(given.contributions, given.first):
                    wanted = known.get((given.source, target, number))
                    missing.pop((given.source, target, number), None)
                    if wanted is None:
                        findings.differences.append(f"{name}[{target}]: {given.source}/{number} was said by no record")
                    elif wanted != contribution:
                        findings.differences.append(
                            f"{name}[{target}]: {given.source}/{number} differs from the fold's"
                        )
    findings.differences += [f"{name}[{target}]: {source}/{number} is missing" for source, target, number in missing]
