"""The log of the chaos run: a city with agreements, authorizations, reversals, late messages, repetitions, plants."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from connectors.codec import encode_fact
from risk.facts import Fact, SettlementCompleted, SubjectFact, VisitOpened
from risk.facts.engine import AuthorizationRequested
from risk.local_time import day_of, to_datetime
from streams.city.acts.second_hop import BURST_IN_5_MINUTES, PATIENTS_A_DAY
from streams.city.canonical import facts_of
from streams.city.happenings import CHECKOUT, Happening, message_id
from streams.city.labels import Label
from streams.city.plan import CityPlan
from streams.city.stream import Deliveries, labels
from streams.city.traffic import SETTLES_AFTER_MS

PLANTED = {"D01": BURST_IN_5_MINUTES, "M01": PATIENTS_A_DAY}
_NEVER = 10**9


def plan_of(events: int, seed: int) -> CityPlan:
    """A city that says so many things in four days, and a little more."""
    return CityPlan(
        people=max(300, events // 5),
        institutions=12,
        first_day=day_of(date(2026, 3, 2)),
        days=4,
        seed=seed,
        visits_per_year=58,
        signed_percent=30,
        plants=4,
        checkout=True,
    )


def records(plan: CityPlan) -> Iterator[tuple[str, bytes]]:
    """(psn_no, canonical JSON) of the persons' log in the order of arrival."""
    return ((fact.psn_no, encode_fact(fact)) for fact in _facts(plan) if not isinstance(fact, SubjectFact))


def _facts(plan: CityPlan) -> Iterator[Fact]:
    last_of: dict[str, Happening] = {}
    newest_ms = 0
    for _, happening in Deliveries(plan):
        newest_ms = max(newest_ms, happening.at_ms)
        if happening.infno == CHECKOUT:
            last_of[happening.visit.psn_no] = happening
            yield from _requested(happening, happening.at_ms)
        else:
            yield from facts_of(happening)
    for happening in last_of.values():  # one more visit each, still open when the log ends
        yield from _requested(happening, newest_ms, again="last-")


def _requested(happening: Happening, at_ms: int, again: str = "") -> Iterator[Fact]:
    """What the API appends when the counter asks."""
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    assert bill.authorization_id is not None
    authorization_id = f"{again}{bill.authorization_id}"
    if bill.cash_fen:
        yield AuthorizationRequested(
            event_id=f"auth:{visit.fixmedins_code}:{authorization_id}",
            occurred_at=to_datetime(at_ms),
            psn_no=visit.psn_no,
            source="engine",
            authorization_id=authorization_id,
            fixmedins_code=visit.fixmedins_code,
            attempt=f"at-{authorization_id}",
            reply_to="xinmai:reply:chaos",
            mdtrt_id=f"{again}{visit.mdtrt_id}",
            service="deposit_free" if visit.med_type.startswith("2") else "visit_first",
            med_type=visit.med_type,
            amount_fen=1_000 if again else bill.cash_fen,
            medins_setl_id=again + message_id(visit.fixmedins_code, at_ms + SETTLES_AFTER_MS, visit.number),
        )


def planted(plan: CityPlan) -> list[Label]:
    """What the second hop must find in whatever order it hears several shards.

    An event is judged at its own time over those applied before it (design.md 4): where the people of a burst live on
    several shards and it is no larger than the threshold, the last one heard may be an early one, before which there
    were not yet enough. Two more than the threshold bear that.
    """
    people: dict[str, set[str]] = defaultdict(set)
    for fact in _facts(plan):
        if isinstance(fact, VisitOpened | SettlementCompleted):  # a bill may leave its doctor to the visit
            for subject in (fact.fixmedins_code, fact.dr_code or ""):
                people[subject].add(fact.psn_no)
    return [
        label
        for label in labels(plan)
        if label.verdict == "planted" and len(people[label.subject]) >= PLANTED.get(label.rule, _NEVER) + 2
    ]
