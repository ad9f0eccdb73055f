"""Both hops folded in memory, as a lane drives them: no Kafka, no Redis, no batch. What they said comes back."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.codec import decode_fact, encode_fact
from connectors.policy_files import read_policy_dir
from connectors.state_codec import Contributed, unpack_history, unpack_subject
from connectors.store import Address
from risk.facts import Fact, PolicyActivated, StockMoved, SubjectFact
from risk.facts.engine import AuthorizationCaptureRequested, AuthorizationRequested
from risk.facts.stock import codes_moved
from risk.local_time import local_day, to_datetime, to_ms
from risk.outputs import Output
from risk.policy import parse_policy
from risk.policy_counters import SUBJECTS
from risk.subjects import History
from streams.city.canonical import facts_of
from streams.city.happenings import CAPTURE, CHECKOUT, Happening, message_id
from streams.city.plan import CityPlan
from streams.city.stream import Deliveries
from streams.city.traffic import SETTLES_AFTER_MS
from streams.peers import Member, baselines_of, looks_of
from streams.peers import facts_of as facts_of_peers
from streams.person_shard import PersonShard
from streams.shards import Effects, Record
from streams.subject_shard import SubjectShard

POLICIES = Path("config/policies")
_BEGAN = datetime(2020, 1, 1, tzinfo=UTC)


class BothHops:
    """One shard of people and one of subjects. `records`: how many both hops applied.

    `nightly`: an operator publishes at midnight what peers had in common (`xinmai peers publish`).
    """

    def __init__(self, files: dict[str, str], *, nightly: bool = False) -> None:
        self.people = PersonShard("{p0}", 0, partitions=1, subject_partitions=1, clock="log")
        self.subjects = SubjectShard("{q0}", 0, partitions=1, subject_partitions=1, clock="log")
        self.records = 0
        self._now_ms = to_ms(_BEGAN)
        policy = self._policy = parse_policy(files)
        self._nightly, self._stored = nightly, dict[Address, bytes]()
        switch = PolicyActivated(
            event_id="policy", occurred_at=_BEGAN, psn_no="", version=policy.version, digest=policy.digest, files=files
        )
        for shard in (self.people, self.subjects):
            self._apply(shard, shard.decode(Record(0, self._now_ms, encode_fact(switch))))

    def fold(self, facts: Iterable[Fact]) -> Iterator[Output]:
        """What both hops say, record by record; timers are judged when the log's clock has passed them."""
        for fact in facts:
            before, self._now_ms = local_day(self._now_ms), max(self._now_ms, to_ms(fact.occurred_at))
            if self._nightly and local_day(self._now_ms) > before:
                self._publish(local_day(self._now_ms))
            for timer in self.people.due_timers(self._now_ms):
                yield from self._person(timer)
            yield from self._subject(fact) if isinstance(fact, SubjectFact) else self._person(fact)

    def _publish(self, day: int) -> None:
        self._stored |= self.subjects.take_changes()
        looks = looks_of([self._policy], day)
        for fact in facts_of_peers(looks, baselines_of(self._stored_subjects(), looks, day), day):
            self._apply(self.subjects, fact)

    def _stored_subjects(self) -> Iterator[Member]:
        start, _ = self.subjects.values.address("")
        for (key, name), value in self._stored.items():
            kind, _, code = key.removeprefix(start).partition(":")
            if name == "w" and kind in SUBJECTS.values():
                history = self._stored.get((key, "h"))
                yield Member(kind, code, unpack_subject(value), unpack_history(history) if history else History())

    def _subject(self, fact: SubjectFact) -> Iterator[Output]:
        """What is told of a subject, and a sale's boxes, as the edge appends them; and what that appends."""
        waiting: list[Fact] = [fact, *(codes_moved(fact) if isinstance(fact, StockMoved) else ())]
        for each in waiting:
            effects = self._apply(self.subjects, each)
            yield from effects.outputs
            waiting += [decode_fact(rerouted.value) for rerouted in effects.rerouted]

    def _person(self, fact: Fact) -> Iterator[Output]:
        effects = self._apply(self.people, fact)
        yield from effects.outputs
        for each in effects.numbered:
            yield from self._apply(self.subjects, Contributed(0, each.number, (each.contribution,))).outputs

    def _apply(self, shard: Any, meaning: Any) -> Effects:
        record = Record(self.records, self._now_ms, b"")
        self.records += 1
        for address in shard.addresses([meaning]):
            shard.values.load(address, None)
        effects: Effects = shard.apply(record, meaning)
        return effects


def policy_texts(place: str) -> dict[str, str]:
    """A shipped policy's files."""
    return dict(read_policy_dir(POLICIES / place))


def city_facts(plan: CityPlan) -> Iterator[Fact]:
    """The city as its log would be, requests at the counter included (they are appended by the API)."""
    for _, happening in Deliveries(plan):
        if happening.infno == CHECKOUT:
            yield from _requested(happening)
        elif happening.infno == CAPTURE:
            yield _capture(happening)
        else:
            yield from facts_of(happening)


def _requested(happening: Happening) -> Iterator[Fact]:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    if bill.authorization_id is not None and bill.cash_fen:
        yield AuthorizationRequested(
            event_id=f"auth:{visit.fixmedins_code}:{bill.authorization_id}",
            occurred_at=to_datetime(happening.at_ms),
            psn_no=visit.psn_no,
            source="engine",
            authorization_id=bill.authorization_id,
            fixmedins_code=visit.fixmedins_code,
            attempt=f"at-{bill.authorization_id}",
            mdtrt_id=visit.mdtrt_id,
            service="deposit_free" if visit.med_type.startswith("2") else "visit_first",
            med_type=visit.med_type,
            amount_fen=bill.cash_fen,
            medins_setl_id=message_id(visit.fixmedins_code, happening.at_ms + SETTLES_AFTER_MS, visit.number),
        )


def _capture(happening: Happening) -> Fact:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    assert bill.authorization_id is not None
    request_id = f"C{bill.setl_id}"
    return AuthorizationCaptureRequested(
        event_id=f"auth:{visit.fixmedins_code}:{bill.authorization_id}:{request_id}",
        occurred_at=to_datetime(happening.at_ms),
        psn_no=visit.psn_no,
        source="engine",
        authorization_id=bill.authorization_id,
        fixmedins_code=visit.fixmedins_code,
        attempt=f"at-{request_id}",
        request_id=request_id,
        setl_id=bill.setl_id,
        psn_cash_pay_fen=bill.cash_fen,
    )
