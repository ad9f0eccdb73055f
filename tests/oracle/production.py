"""The only bridge to the engine under test: a log goes through its shards, alerts come back in the oracle's words.

One shard of people and one of subjects, as a lane drives them, over a dictionary instead of Redis and a list for Kafka.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from connectors.codec import encode_fact
from connectors.state_codec import Contributed, encode_contributed
from connectors.store import Address
from risk.contributions import Contribution
from risk.facts import Fact, PeersPublished, PolicyActivated, StockMoved, SubjectFact
from risk.facts.stock import codes_moved
from risk.local_time import to_ms
from risk.outputs import Output, alert_id
from risk.policy import parse_policy
from streams.person_shard import PersonShard
from streams.shards import Effects, Record, Shard
from streams.subject_shard import SubjectShard
from tests.oracle.judge import Alert
from tests.oracle.policy_text import CapRow, policy_files
from tests.oracle.reference import Told
from tests.oracle.rules_oracle import Parameters

SOON = datetime(2020, 1, 1, tzinfo=UTC)
AnyShard = PersonShard | SubjectShard


def _shard_of_people() -> PersonShard:
    return PersonShard("{p0}", 0, partitions=1, subject_partitions=1, clock="log")


def _shard_of_subjects() -> SubjectShard:
    return SubjectShard("{q0}", 0, partitions=1, subject_partitions=1, clock="log")


@lru_cache(maxsize=64)
def _activation(files: frozenset[tuple[str, str]]) -> bytes:
    """The record that puts a policy in force: thousands of engines begin with one of a few."""
    policy = parse_policy(dict(files))
    switch = {"version": policy.version, "digest": policy.digest, "files": dict(sorted(files))}
    return encode_fact(PolicyActivated(event_id="policy", occurred_at=SOON, psn_no="", **switch))


class Engine:
    """Both hops under the oracle's numbers. `outputs` is everything said, alerts or not, in order."""

    def __init__(
        self, parameters: Parameters, caps: Iterable[CapRow] = (), files: dict[str, str] | None = None
    ) -> None:
        self.people, self.subjects = _shard_of_people(), _shard_of_subjects()
        self.store: dict[Address, bytes] = {}
        self.outputs: list[Output] = []
        self.contributed: list[Contribution] = []
        self.offsets = 0
        self.now_ms = to_ms(SOON)
        self.crossings: dict[str, str] = {}
        files = policy_files(parameters, caps) if files is None else files
        activated = _activation(frozenset(files.items()))
        self._apply(self.people, activated)
        self._apply(self.subjects, activated)

    def fold(self, facts: Sequence[Fact], cuts: Iterable[int] = ()) -> list[Told]:
        """Every rule's alert, with the place of the fact that raised it: first hop, then institutions, then doctors.

        After each fact whose place is in `cuts` a batch ends: its values are committed, and another worker goes on.
        """
        told, ends = [], set(cuts)
        for index, fact in enumerate(facts):
            self.now_ms = max(self.now_ms, to_ms(fact.occurred_at))
            said = self._told(fact) if isinstance(fact, SubjectFact | PeersPublished) else self._lived(fact)
            self.outputs += said
            told += [Told(index, self._in_words(output)) for output in said if output.topic == "alerts"]
            if index in ends:
                self.hand_over()
        return told

    def _lived(self, fact: Fact) -> list[Output]:
        """A person's fact, and what it tells the shards of subjects."""
        effects = self._apply(self.people, encode_fact(fact))
        said = list(effects.outputs)
        for numbered in effects.numbered:
            self.contributed.append(numbered.contribution)
            contributed = Contributed(0, numbered.number, (numbered.contribution,))
            said += self._apply(self.subjects, encode_contributed(contributed)).outputs
        return said

    def _told(self, fact: SubjectFact | PeersPublished) -> list[Output]:
        """What is told of a subject, its boxes as the edge appends them, and what these append; or of its peers."""
        boxes = codes_moved(fact) if isinstance(fact, StockMoved) else []
        waiting, said = [encode_fact(each) for each in (fact, *boxes)], list[Output]()
        for value in waiting:
            effects = self._apply(self.subjects, value)
            said += effects.outputs
            waiting += [each.value for each in effects.rerouted]
        return said

    def hand_over(self) -> None:
        """Commit, and let new shards stand where the store stands."""
        self.commit()
        people, subjects = self.people, self.subjects
        self.people, self.subjects = _shard_of_people(), _shard_of_subjects()
        for old, new in ((people, self.people), (subjects, self.subjects)):
            policy = self.store[old.values.address("policy")]
            new.restore(old.state, policy, partial(self._hash, old), f"{old.values.digest:x}")

    def _hash(self, shard: Shard, name: str) -> list[tuple[str, bytes]]:
        """One of the shard's index hashes."""
        hash_key, _ = shard.values.address(name)
        return [(field, value) for (key, field), value in self.store.items() if key == hash_key]

    def commit(self) -> None:
        """Write what changed; an empty value is none."""
        for shard in (self.people, self.subjects):
            self.store.update(shard.take_changes())
        self.store = {address: value for address, value in self.store.items() if value}

    def stored(self) -> tuple[dict[Address, bytes], int, int]:
        """Every value, and both digests."""
        self.commit()
        return dict(self.store), self.people.values.digest, self.subjects.values.digest

    def _apply(self, shard: AnyShard, value: bytes) -> Effects:
        record = Record(self.offsets, self.now_ms, value)
        self.offsets += 1
        decoded: Any = shard.decode(record)
        for address in shard.addresses([decoded]):
            shard.values.load(address, self.store.get(address))
        return shard.apply(record, decoded)

    def _in_words(self, output: Output) -> Alert:
        """An alert as the oracle says it; `closed` names its crossing by the alert_id it repeats."""
        body: dict[str, Any] = output.body
        if body["episode"] == "opened":
            self.crossings[body["alert_id"]] = body["vola_evid"][0]
        crossing = self.crossings[body["alert_id"]]
        named = {key: body[key] for key in ("rule_id", "level", "episode", "subject_kind", "subject_id")}
        subject = (body["subject_kind"], body["subject_id"])
        assert body["alert_id"] == alert_id(
            body["rule_id"], body["level"], subject=subject, service=body.get("service") or "", crossing_id=crossing
        )
        alert = named | {"crossing": crossing}
        if not body["rule_id"].startswith("Q"):
            alert |= {"observed": body["observed"], "allowed": body["allowed"]}
        if body["rule_id"] in ("M03", "P03", "P06", "P10", "P11"):
            alert |= {"evidence": set(body["vola_evid"][1:])}
        return alert
