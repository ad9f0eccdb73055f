"""Rules about a bill, written in the grammar: P09 and P19, over what risk/activity.py remembers."""

from collections.abc import Iterator

from risk.activity import COUNTED, Activity, Row
from risk.local_time import local_day
from risk.person_rules import Reading, counted_on, evidence_of, most_alike
from risk.terms import Terms


def same_amounts(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P19: equal or round pharmacy bills on one local date."""
    clause = terms.get("P19")
    if clause is None or not clause.value.admits_treatment(row.med_type):
        return
    day = local_day(row.at_ms)
    on_day = [each for each in counted_on(activity, day) if clause.value.admits_treatment(each.med_type)]
    observed = most_alike(on_day, clause.value.round_fen)
    before = most_alike([each for each in on_day if each.setl != row.setl], clause.value.round_fen)
    for level in clause.value.levels:
        yield Reading(
            "P19", level.level, day, before, observed, level.theta, level.rearm, level.theta, evidence_of(on_day)
        )


def inside_admission(activity: Activity, row: Row, terms: Terms, *, emergency: bool) -> Iterator[Reading]:
    """P09: settled at one institution while admitted at another; no evidence but the visit ids of the log."""
    clause = terms.get("P09")
    if clause is None or not activity.visits or row.state != COUNTED or not row.fixmedins_type:
        return
    rule = clause.value
    if not rule.admits_treatment(row.med_type) or (emergency and "emergency" in rule.exclusions):
        return
    stays = [
        visit
        for visit in activity.visits
        if visit.admission
        and not visit.cancelled
        and visit.fixmedins_code not in ("", row.fixmedins_code)
        and visit.opened_ms <= row.at_ms
        and (not visit.ended_ms or row.at_ms < visit.ended_ms)
    ]
    for level in rule.levels:
        if len(stays) >= level.theta:
            yield Reading("P09", level.level, 0, 0, len(stays), 0, 0, level.theta, ())
