"""Proof that everything the fold says is on its topic: every id, with equal content, and nothing else.

Consumers dedupe by id; so does this proof. Duplicates must carry equal content.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from connectors.kafka import cluster_identity
from connectors.log_reader import log_end, read_log
from connectors.state_codec import decode_contributed
from connectors.topology import Topics
from risk.contributions import Contribution
from streams.shards import Effects

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


class Derived:
    """What the fold says, as ids and hashes of content."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, bytes]] = {topic: {} for topic in _ID_FIELDS}
        self.contributions: dict[tuple[int, int, int], Contribution] = {}

    def note(self, partition: int, said: Iterable[Effects]) -> None:
        """Remember what these records say."""
        for effects in said:
            for output in effects.outputs:
                self.bodies[output.topic][_identity(output.topic, output.body)] = _content(output.body)
            for each in effects.numbered:
                self.contributions[partition, each.target, each.number] = each.contribution


def compare_outputs(kafka: str, topics: Topics, derived: Derived, findings: "Findings") -> None:
    """Name each output that is missing, that differs, or that no record made."""
    names = {
        "alerts": topics.alerts,
        "decisions": topics.decisions,
        "withholding": topics.withholding,
        "deadletter": topics.deadletter,
    }
    for topic, name in names.items():
        expected = dict(derived.bodies[topic])
        found: set[str] = set()
        for value in _values(kafka, name):
            body = orjson.loads(value)
            identity = _identity(topic, body)
            wanted = expected.get(identity)
            if wanted is None:
                if topic != "deadletter":  # the edge writes there too
                    findings.differences.append(f"{name}: {identity} was said by no record")
            elif wanted != _content(body):
                findings.differences.append(f"{name}: {identity} differs from what the fold says")
            found.add(identity)
        findings.outputs += len(found)
        findings.differences += [f"{name}: {identity} is missing" for identity in expected.keys() - found]
    _compare_contributions(kafka, topics.subjects, derived, findings)


def _compare_contributions(kafka: str, name: str, derived: Derived, findings: "Findings") -> None:
    missing = dict(derived.contributions)
    _, found = cluster_identity(kafka, (name,))
    for target in range(found[name][1]):
        for batch in read_log(kafka, name, target, log_end(kafka, name, target)):
            for _, _, value in batch:
                given = decode_contributed(value)
                if given is None:
                    continue
                for number, contribution in enumerate(given.contributions, given.first):
                    wanted = derived.contributions.get((given.source, target, number))
                    missing.pop((given.source, target, number), None)
                    if wanted is None:
                        findings.differences.append(f"{name}[{target}]: {given.source}/{number} was said by no record")
                    elif wanted != contribution:
                        findings.differences.append(
                            f"{name}[{target}]: {given.source}/{number} differs from the fold's"
                        )
    findings.differences += [f"{name}[{target}]: {source}/{number} is missing" for source, target, number in missing]


def _values(kafka: str, name: str) -> Iterable[bytes]:
    _, found = cluster_identity(kafka, (name,))
    for partition in range(found[name][1]):
        for batch in read_log(kafka, name, partition, log_end(kafka, name, partition)):
            yield from (value for _, _, value in batch)
