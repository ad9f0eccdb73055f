"""The rules about admissions (P10, P11, P20): two at once, again soon after discharge, and handed on from hospital to
hospital. Each speaks once of a stay.

They are judged when an admission is registered, with the diagnosis that it names (2401), and when its record says more
(2403), over the admissions that began before it. Excluded stays (policy: `exclusions`) are neither judged nor counted.
An admission that names no diagnosis is judged as it stands: to wait for one would spare whoever never tells it.
"""

from msgspec.structs import replace

from risk.activity import Activity, Visit
from risk.admissions import is_open
from risk.care import Above, Care, Stay, admitted, stay_of, with_stay
from risk.facts import Fact, VisitOpened, VisitUpdated
from risk.heard import Heard, alert_of, exclusions_of, is_nobody, rules_of
from risk.insured import Insured, was_transferred
from risk.local_time import DAY_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_measures import MeasuredRule
from risk.terms import Terms


def stay_told(care: Care, visit: Visit, fact: Fact, moment: Moment, *, activity: Activity) -> tuple[Care, list[Output]]:
    """An admission begins, is recorded, ends, or never was. `activity`: its person's, for bills and transfers."""
    known = stay_of(care, visit.mdtrt_id)
    if known is None:
        if not isinstance(fact, VisitOpened | VisitUpdated) or not visit.fixmedins_type:
            return care, []
        # who is kept for observation is admitted by his record
        at_ms = moment.occurred_ms if isinstance(fact, VisitOpened) else visit.opened_ms
        known = admitted(fact, visit, at_ms, max(visit.newest_ms, care.found_ms))
    stay = replace(
        known,
        med_type=visit.med_type,
        ended_ms=visit.ended_ms,
        diag_group=visit.diag_group,
        emergency=visit.emergency,
        cancelled=visit.cancelled,
    )
    said = []
    if isinstance(fact, VisitOpened | VisitUpdated) and not stay.cancelled:
        for name, clause in rules_of(moment.terms, "admission"):
            if clause.value.measure.kind == "idle_days":
                continue  # judged when it has ended and is settled
            alert = None if name in stay.told else _stay_judged(Heard(name, clause, fact, moment), care, stay, activity)
            if alert is not None:
                said.append(alert)
                stay = replace(stay, told=(*stay.told, name))
    return with_stay(care, stay), said


def _stay_judged(heard: Heard, care: Care, stay: Stay, activity: Activity) -> Output | None:
    rule, terms, insured = heard.clause.value, heard.moment.terms, activity.insured
    if not rule.admits_treatment(stay.med_type) or _is_excluded(rule, terms, stay, insured):
        return None
    others = [
        each
        for each in care.stays
        if each.mdtrt_id != stay.mdtrt_id
        and not each.cancelled
        and each.opened_ms <= stay.opened_ms
        and rule.admits_treatment(each.med_type)
        and not _is_excluded(rule, terms, each, insured)
    ]
    level = rule.levels[0]
    above = Above(heard.name, level.level, 0, 0, heard.moment.event_id, 0, level.theta)
    if rule.measure.kind == "overlap":
        if is_nobody(stay.fixmedins_code, terms):
            return None
        there = [
            each
            for each in others
            if each.fixmedins_code != stay.fixmedins_code and not is_nobody(each.fixmedins_code, terms)
        ]
        open_ones = [each for each in there if is_open(activity, each, stay.opened_ms)]
        if len(open_ones) < level.theta:
            return None
        return alert_of(heard, above, len(open_ones), (stay.event_id, *(each.event_id for each in open_ones)))
    if rule.measure.kind == "sequence":
        before = _handed_on(stay, others, level.window_ms, terms)
        if 1 + len(before) < level.theta:
            return None
        return alert_of(heard, above, 1 + len(before), (stay.event_id, *(each.event_id for each in before)))
    longest_ms = level.theta * DAY_MS
    ended = [
        each
        for each in others
        if each.ended_ms and 0 <= stay.opened_ms - each.ended_ms <= longest_ms and _same(stay, each, terms)
    ]
    if not ended:
        return None
    last = max(ended, key=lambda each: (each.ended_ms, each.mdtrt_id))
    return alert_of(heard, above, (stay.opened_ms - last.ended_ms) // DAY_MS, (stay.event_id, last.event_id))


def _handed_on(stay: Stay, others: list[Stay], window_ms: int, terms: Terms) -> list[Stay]:
    """The longest row of stays that led to this one, newest first: each ended on the date on which the next began
    elsewhere, or on the eve, and none before the window. Of several as long, the one whose newest stay ended last.
    """
    rows: dict[int, list[Stay]] = {}
    for later in (*others, stay):  # in the order in which they began
        before = [
            [each, *rows[each.mdtrt_id]]
            for each in others
            if each.opened_ms < later.opened_ms
            and each.fixmedins_code != later.fixmedins_code
            and not any(is_nobody(one.fixmedins_code, terms) for one in (each, later))
            and stay.opened_ms - window_ms <= each.ended_ms <= later.opened_ms
            and local_day(later.opened_ms) - local_day(each.ended_ms) <= 1
        ]
        rows[later.mdtrt_id] = max(
            before, key=lambda row: (len(row), row[0].ended_ms, row[0].mdtrt_id), default=list[Stay]()
        )
    return rows[stay.mdtrt_id]


def _same(one: Stay, other: Stay, terms: Terms) -> bool:
    """One hospital, or one group of diagnoses; 未知 is no illness that two stays could share."""
    if one.fixmedins_code == other.fixmedins_code and not is_nobody(one.fixmedins_code, terms):
        return True
    return one.diag_group == other.diag_group != "" and not is_nobody(one.diag_group, terms)


def _is_excluded(rule: MeasuredRule, terms: Terms, stay: Stay, insured: Insured | None) -> bool:
    transfer = was_transferred(insured, stay.opened_ms, stay.fixmedins_code)
    return any(name in rule.exclusions for name in exclusions_of(terms, stay, transfer=transfer))
