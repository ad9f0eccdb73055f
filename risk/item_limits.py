"""Fee lines of items that are not for everybody, held against the sex and age that their bill states (P14, M06).

A visit remembers such a line until a bill counts it or all of it is taken back. An estimate warns the doctor while
the line can still be corrected; a bill says what was settled all the same. Sex and age are compared and kept nowhere.
An item without a row, a sex or an age that nobody stated: nothing is said.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import LATE_MS, Activity, Visit, visit_of, with_visit
from risk.alerts import Crossing
from risk.facts import FeeAdded, FeeReversed, SettlementCompleted, SettlementEstimated
from risk.heard import is_nobody
from risk.line_keys import left_by, line_key
from risk.moment import Moment
from risk.outputs import Output
from risk.terms import Terms

_MOST = 64
"""A visit that orders more of such items has said enough."""


class Limited(NamedTuple):
    """A waiting line, by hashes of its number and batch. `warned`: its doctor was told that it does not fit (M06)."""

    line: int
    batch: int
    event_id: str
    med_list_codg: str
    dr_code: str
    warned: bool


def with_limited(visit: Visit, fact: FeeAdded, terms: Terms) -> Visit:
    """The visit that remembers this line, if its item is not for everybody."""
    clause = terms.get("item_limits")
    if clause is None or clause.value.find(fact.med_list_codg) is None:
        return visit
    line = Limited(*line_key(fact), fact.event_id, fact.med_list_codg, fact.dr_code or "", False)
    return replace(visit, limited=(*visit.limited, line)[-_MOST:])


def without_limited(visit: Visit, fact: FeeReversed) -> Visit:
    """The visit without what a reversal takes back: a line, a batch, or all."""
    return replace(visit, limited=left_by(fact, visit.limited))


def misfits(visit: Visit | None, fact: SettlementEstimated | SettlementCompleted, terms: Terms) -> tuple[Limited, ...]:
    """The visit's waiting lines whose item is not for a person of this sex and age."""
    clause = terms.get("item_limits")
    if visit is None or not visit.limited or clause is None:
        return ()
    waiting = (Limited(*each) for each in visit.limited)
    return tuple(each for each in waiting if clause.value.excludes(each.med_list_codg, fact.gend, fact.age))


def estimated(activity: Activity, fact: SettlementEstimated, moment: Moment) -> tuple[Activity, list[Output]]:
    """M06 at an estimate: each line is told of once."""
    visit = visit_of(activity, fact.mdtrt_id)
    lines = misfits(visit, fact, moment.terms)
    if visit is None or not lines or moment.occurred_ms < activity.newest_ms - LATE_MS:
        return activity, []
    said = misfits_told(visit, lines, fact, moment)
    if not said:
        return activity, []
    told = tuple((*each[:5], True) if each in lines else each for each in visit.limited)
    return with_visit(activity, replace(visit, limited=told)), said


def misfits_told(
    visit: Visit | None, lines: tuple[Limited, ...], fact: SettlementEstimated | SettlementCompleted, moment: Moment
) -> list[Output]:
    """M06: what doctors are told of those lines, each of his own; a code that stands for nobody is told nothing."""
    clause = moment.terms.get("M06")
    if clause is None or visit is None:
        return []
    of_doctors: dict[str, list[Limited]] = {}
    for line in lines:
        doctor = line.dr_code or visit.dr_code
        if not line.warned and doctor and not is_nobody(doctor, moment.terms):
            of_doctors.setdefault(doctor, []).append(line)
    said = []
    for doctor, his in of_doctors.items():
        for level in clause.value.levels:
            if len(his) < level.theta:
                continue
            named = ("M06", level.level, level.kind, level.sev, "staff", doctor, moment.event_id)
            times = (moment.occurred_ms, moment.stamp_ms)
            said.append(
                moment.alert(
                    clause,
                    Crossing(*named, *times, len(his), level.theta),
                    evidence=tuple(each.event_id for each in his),
                    mdtrt_id=fact.mdtrt_id,
                    fixmedins_code=fact.fixmedins_code,
                    med_list_codg=his[0].med_list_codg,
                )
            )
    return said
