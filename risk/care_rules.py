"""The rules about fee lines and admissions (P04-P07, P10, P11, P21, H03, H04, D13) in policy_measures.py's grammar.

What single facts do to the care that a person's activity carries; lines are counted in line_episodes.py, admissions in
stay_rules.py. Excluded care is neither counted nor judged. No rule writes a record.
"""

from functools import lru_cache, partial

from msgspec.structs import replace

from risk.activity import Activity, Row, Visit, hash32, hash64, visit_of, visit_of_row
from risk.admissions import is_remembered
from risk.care import (
    COMES_BACK_MS,
    UNSETTLED_MS,
    Care,
    Reach,
    forgetting,
    packed,
    stay_of,
    unpacked,
)
from risk.facts import (
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReversed,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitUpdated,
)
from risk.heard import exclusions_of
from risk.idle_days import idle_judged, is_settled, served
from risk.item_limits import estimated
from risk.line_episodes import left_out, line_added, line_reversed, taken_back
from risk.line_rules import SUPPLY_DAYS
from risk.local_time import DAY_MS
from risk.moment import Moment
from risk.outputs import Output
from risk.policy import Policy
from risk.policy_measures import MeasuredRule
from risk.policy_special_items import SpecialItems
from risk.stay_rules import stay_told
from risk.terms import Terms
from risk.visits import VisitFact

_MONTH_DAYS = 31


@lru_cache(maxsize=16)
def kept(policy: Policy) -> Reach:
    """What the state must hold for any version of any rule in this policy."""
    lines, stays, unsettled, any_rule = 0, 0, 0, False
    for dated in policy.entries.values():
        for rule in (entry.clause.value for entry in dated if entry.clause is not None):
            if isinstance(rule, SpecialItems):
                lines = max(lines, *(row.days * DAY_MS for row in rule.rows))
            if not isinstance(rule, MeasuredRule):
                continue
            asks_back = rule.counts == "settlement" and (bool(rule.exclusions) or rule.measure.kind == "not_insured")
            unsettled = max(unsettled, UNSETTLED_MS if asks_back else 0)  # how the stay began, whenever it is settled
            any_rule |= asks_back or rule.counts in ("fee_line", "admission")
            for level in rule.levels:
                if rule.counts == "fee_line":
                    lines = max(lines, level.window_ms, _days_back(rule) * DAY_MS)
                elif rule.counts == "admission":
                    stays = max(stays, (level.window_ms or level.theta * DAY_MS) + DAY_MS)
                    unsettled = max(unsettled, UNSETTLED_MS if rule.measure.kind == "idle_days" else 0)
    if "H02" in policy.entries:
        stays, unsettled = max(stays, COMES_BACK_MS + DAY_MS), UNSETTLED_MS
    return Reach(lines, stays, unsettled, "H02" in policy.entries, any_rule)


def _days_back(rule: MeasuredRule) -> int:
    if rule.measure.kind == "supply_left":
        return SUPPLY_DAYS
    return _MONTH_DAYS if rule.period == "month" else 0


def cared(before: Activity, activity: Activity, fact: VisitFact, moment: Moment) -> tuple[Activity, list[Output]]:
    """Fold one applied fact about a visit or a line into the care that the activity after it keeps."""
    if isinstance(fact, SettlementEstimated):
        return estimated(activity, fact, moment)
    span = kept(moment.policy)
    if not span.any_rule:
        return activity, []
    if isinstance(fact, FeeAdded):
        care = unpacked(activity.care)
        visit = visit_of(activity, fact.mdtrt_id)
        after, said = line_added(served(care, fact, moment), visit, fact, moment)
    elif isinstance(fact, FeeReversed):
        care = unpacked(activity.care)
        after, said = line_reversed(care, activity, fact, moment)
    else:
        visit = _visit_told(before, activity, fact)
        is_moved = visit is not None and (
            visit.admission or isinstance(fact, VisitCancelled) or _is_other_care(before, visit, moment.terms)
        )
        if visit is None or not is_moved:
            return activity, []
        care = unpacked(activity.care)
        after, said = _visit_moved(care, visit, activity, fact, moment=moment)
    return (activity if after is care else _with_care(activity, after, span)), said


def bill_undone(
    activity: Activity, row: Row | None, fact: SettlementReversed | SettlementCompleted, moment: Moment
) -> tuple[Activity, list[Output]]:
    """A pharmacy's bill is the batch of its own lines, which go with it; one that comes later is not counted at all
    (visits.py). A hospital's lines stay: they are billed anew. A bill that is reinstated brings no lines back, for a
    doubt is a return (boxes.py); one whose reversal names its message only leaves the lines that came before.
    """
    span = kept(moment.policy)
    if not activity.care or not fact.setl_id or not span.any_rule:
        return activity, []
    visit = visit_of_row(activity, row) if row is not None else None
    known = visit or row
    if known is not None and known.fixmedins_type == "1":
        return activity, []
    batch, mdtrt = hash32(fact.setl_id), row.mdtrt if row is not None else 0
    care = unpacked(activity.care)
    after, said = taken_back(
        care, lambda line: line.batch == batch and mdtrt in (0, line.mdtrt_id), fact, moment=moment
    )
    return (activity if after is care else _with_care(activity, after, span)), said


def _with_care(activity: Activity, care: Care, span: Reach) -> Activity:
    asked = {"is_settled": partial(is_settled, activity), "is_remembered": partial(is_remembered, activity)}
    return replace(activity, care=packed(forgetting(care, activity.touched_ms, span, **asked)))


def _visit_moved(
    care: Care, visit: Visit, activity: Activity, fact: VisitFact, *, moment: Moment
) -> tuple[Care, list[Output]]:
    """The lines of a visit that is other care than was known, or never was; and an admission's own rules."""
    said: list[Output] = []
    if isinstance(fact, VisitOpened | VisitUpdated) and care.messages:
        care, said = left_out(care, visit, fact, moment)
    if visit.admission:
        care, more = stay_told(care, visit, fact, moment, activity=activity)
        said += more
    if isinstance(fact, VisitClosed) and is_settled(activity, hash64(visit.mdtrt_id)):
        care, more = idle_judged(care, stay_of(care, visit.mdtrt_id), fact, moment)
        said += more
    if isinstance(fact, VisitCancelled):
        mdtrt = hash64(visit.mdtrt_id)
        care, more = taken_back(care, lambda line: line.mdtrt_id == mdtrt, fact, moment=moment)
        said += more
    return care, said


def _is_other_care(before: Activity, visit: Visit, terms: Terms) -> bool:
    """Is it excluded otherwise than it was? Most records say nothing of that, and his lines stay unread."""
    known = visit_of(before, visit.mdtrt_id)
    return known is not None and exclusions_of(terms, known) != exclusions_of(terms, visit)


def _visit_told(before: Activity, activity: Activity, fact: VisitFact) -> Visit | None:
    if fact.mdtrt_id:
        return visit_of(activity, fact.mdtrt_id)
    changed = [visit for visit in activity.visits if visit not in before.visits]
    return changed[0] if changed else None
