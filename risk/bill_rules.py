"""Rules about a person's bills, written in the grammar: P09, P14-P16 and P19 about him, D03, D04, H14 about the place.

What is counted and measured is bills.py's. A rule whose subject is an institution is judged here all the same, because
one person's bills are all that it looks at; its alert names the institution.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from risk.activity import COUNTED, Activity, Row, visit_of_row
from risk.admissions import admission_of, is_open
from risk.bills import OF_A_COUNT, admits_bill, bill_measure, bills_of, evidence_of, in_the_same_minute
from risk.heard import is_nobody, rules_of
from risk.insured import abnormal_since, failed_checks
from risk.item_limits import Limited
from risk.local_time import local_day
from risk.person_rules import Reading
from risk.policy_measures import Measure, MeasuredRule
from risk.policy_rules import Level
from risk.terms import Terms


def bill_readings(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P15, P19, D04: what the episodic rules measure at this settlement."""
    for name, clause in rules_of(terms, "settlement"):
        rule = clause.value
        if rule.period == "event" or not admits_bill(rule, row):
            continue
        of = (local_day(row.at_ms) if rule.period == "date" else 0, _place(rule, row))
        for level in rule.levels:
            if rule.measure.kind in OF_A_COUNT and len(activity.rows) < level.theta and not activity.episodes:
                continue
            found = bills_of(activity, rule, level, at_ms=row.at_ms, of=of)
            yield Reading(
                name,
                level.level,
                of[0],
                bill_measure(rule, [each for each in found if each.setl != row.setl]),
                bill_measure(rule, found),
                level.theta,
                level.rearm,
                level.theta,
                evidence_of(found),
                of[1],
            )


def bill_singles(activity: Activity, row: Row, terms: Terms, misfits: tuple[Limited, ...]) -> Iterator[Reading]:
    """P09, P14, P16, D03, H14: what is found in this settlement by itself; `misfits` are item_limits.py's."""
    if row.state != COUNTED:
        return
    bill = _Bill(activity, row, terms, misfits)
    for name, clause in rules_of(terms, "settlement"):
        rule = clause.value
        if rule.period != "event" or not admits_bill(rule, row):
            continue
        for level in rule.levels:
            observed, evidence = _found(rule.measure_of(level), level, bill)
            if observed >= level.theta:
                yield Reading(name, level.level, 0, 0, observed, 0, 0, level.theta, evidence, _place(rule, row))


def _place(rule: MeasuredRule, row: Row) -> str:
    return row.fixmedins_code if rule.subject == "institution" else ""


class _Bill(NamedTuple):
    """One bill, its person's activity with it, the terms of its day, and the lines that do not fit him."""

    activity: Activity
    row: Row
    terms: Terms
    misfits: tuple[Limited, ...]


def _found(measure: Measure, level: Level, bill: _Bill) -> tuple[int, Sequence[Row | Limited]]:
    """The measure of one event by itself, and what it rests on; no evidence where that is the event alone."""
    activity, row, terms, misfits = bill
    match measure.kind:
        case "amount":
            return row.medfee_fen, ()
        case "same_minute":
            found = in_the_same_minute(activity, row)
            return len(found), evidence_of([each for each in found if each.setl != row.setl])
        case "not_insured":
            return int(_not_insured(activity, row)), ()
        case "failed_checks":
            after_ms = row.at_ms - level.window_ms
            return failed_checks(activity.insured, after_ms, row.at_ms, row.fixmedins_code), ()
        case "inside_admission":
            return _admissions_elsewhere(activity, row, terms), ()
        case "misfits":
            return len(misfits), misfits
    raise AssertionError(f"no measure of one bill: {measure.kind}")


def _not_insured(activity: Activity, row: Row) -> bool:
    """P16: dead, terminated or suspended when it was settled; a visit that began before is settled by right."""
    since_ms = abnormal_since(activity.insured, row.at_ms)
    if since_ms is None:
        return False
    visit = admission_of(activity, visit_of_row(activity, row), row.mdtrt, row.med_type)
    return visit is None or visit.opened_ms >= since_ms


def _admissions_elsewhere(activity: Activity, row: Row, terms: Terms) -> int:
    """P09: the admissions at another institution that are open at this settlement."""
    if not row.fixmedins_type:
        return 0
    return sum(
        visit.admission
        and not visit.cancelled
        and visit.fixmedins_code not in ("", row.fixmedins_code)
        and not is_nobody(visit.fixmedins_code, terms)
        and visit.opened_ms <= row.at_ms
        and is_open(activity, visit, row.at_ms)
        for visit in activity.visits
    )
