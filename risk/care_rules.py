"""The rules about fee lines and admissions (P04-P07, P10, P11, P21, H03, H04, D13) in policy_measures.py's grammar.

A line is counted once by its key and judged at its own time when it is applied; a line taken back no longer counts. A
line more than 48 h behind the newest counts and opens nothing. An episode is per rule, level, item and month. It ends
at a later line that its rule counts, or when lines are taken back, below the re-arm point; an earlier month's, at the
first line of a later month that the rule counts. Excluded care is neither counted nor judged. No rule writes a record.
"""

from collections.abc import Mapping
from functools import lru_cache, partial

from msgspec.structs import replace

from risk.activity import COUNTED, LATE_MS, Activity, Visit, hash64, visit_of
from risk.admissions import is_remembered
from risk.care import (
    COMES_BACK_MS,
    UNSETTLED_MS,
    Above,
    Care,
    Reach,
    forgetting,
    line_of,
    packed,
    stay_of,
    unpacked,
    without_lines,
)
from risk.facts import (
    FeeAdded,
    FeeReversed,
    SettlementEstimated,
    VisitClosed,
)
from risk.heard import Heard, alert_of, closed, exclusions_of, is_nobody, rules_of
from risk.idle_days import idle_judged, is_settled, served, unserved
from risk.item_limits import estimated
from risk.kept_lines import Line, lines_of, with_line
from risk.line_rules import SUPPLY_DAYS, Asked, Sold, by_itself, counts, plan_of, under_control
from risk.local_time import DAY_MS, local_day, to_date
from risk.moment import Moment
from risk.outputs import Output
from risk.policy import Policy
from risk.policy_measures import Measure, MeasuredRule
from risk.policy_rules import Level
from risk.policy_special_items import SpecialItems
from risk.stay_rules import stay_told
from risk.visits import VisitFact

_MONTH_DAYS = 31
_MOST_EVIDENCE = 100


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
        after, said = _line_added(served(care, fact, moment), visit, fact, moment)
    elif isinstance(fact, FeeReversed):
        care = unpacked(activity.care)
        after, said = _line_reversed(care, activity, fact, moment)
    else:
        visit = _visit_told(before, activity, fact)
        if visit is None or not visit.admission:
            return activity, []
        care = unpacked(activity.care)
        after, said = stay_told(care, visit, fact, moment, activity=activity)
        if isinstance(fact, VisitClosed) and is_settled(activity, hash64(visit.mdtrt_id)):
            after, idle = idle_judged(after, stay_of(after, visit.mdtrt_id), fact, moment)
            said += idle
    if after is care:
        return activity, said
    asked = {"is_settled": partial(is_settled, activity), "is_remembered": partial(is_remembered, activity)}
    after = forgetting(after, activity.touched_ms, span, **asked)
    return replace(activity, care=packed(after)), said


def _visit_told(before: Activity, activity: Activity, fact: VisitFact) -> Visit | None:
    if fact.mdtrt_id:
        return visit_of(activity, fact.mdtrt_id)
    changed = [visit for visit in activity.visits if visit not in before.visits]
    return changed[0] if changed else None


# --- fee lines -------------------------------------------------------------------------------------------------------


def _line_added(care: Care, visit: Visit | None, fact: FeeAdded, moment: Moment) -> tuple[Care, list[Output]]:
    if visit is None:
        return care, []
    terms = moment.terms
    excluded = exclusions_of(terms, visit)
    plan = plan_of(visit, fact, terms, excluded)
    if not plan.rules:
        return care, []
    placed = replace(fact, fixmedins_code="") if is_nobody(fact.fixmedins_code, terms) else fact
    line = line_of(placed, visit, moment.occurred_ms, excluded)
    own = {special: under_control(line, fact, terms) if special else line for special in plan.kept}
    after = care
    for each in own.values():
        longer = replace(after, messages=with_line(after.messages, each), newest_ms=max(after.newest_ms, each.at_ms))
        after = _kept_up(after, longer, plan.rules, [each])
    if line.at_ms < care.newest_ms - LATE_MS:
        return after, []
    sold = {
        special: Sold(fact, moment, each, lines_of(after.messages, each.item))
        for special, each in ({False: line} | own).items()
    }
    said: list[Output] = []
    for asked in plan.asked:
        if asked.clause.value.period == "event":
            said += by_itself(asked, sold[asked.special])
        else:
            after, more = _episodes(asked, after, sold[asked.special])
            said += more
    return after, sorted(said, key=lambda each: each.body["episode"] == "opened") if said else said


def _episodes(asked: Asked, care: Care, sold: Sold) -> tuple[Care, list[Output]]:
    """P04, P07: close what has fallen, then open what has risen."""
    rule, line = asked.clause.value, sold.line
    month = month_of(line.at_ms) if rule.period == "month" else 0
    item = line.item if rule.each else 0
    said: list[Output] = []
    for old in [each for each in care.above if each.rule_id == asked.name and each.period < month]:
        care = _without(care, old)
        said.append(closed(sold.heard(asked), old, _left(rule, care, old, line.at_ms)))
    lines = [each for each in (sold.of_item if rule.each else lines_of(care.messages)) if counts(rule, each)]
    for level in asked.levels:
        counted = _within(lines, level, month, line.at_ms)
        observed = measured(rule, counted)
        if observed < level.theta and not care.above:
            continue
        without = measured(rule, [each for each in counted if not each.is_same(line)])
        key = (asked.name, level.level, item, month)
        found = next((each for each in care.above if (each.rule_id, each.level, each.item, each.period) == key), None)
        if found is not None and without < found.ends_below:
            care = _without(care, found)
            said.append(closed(sold.heard(asked), found, without))
            found = None
        if found is None and observed >= level.theta:
            risen = Above(*key, line.event_id, level.rearm, level.theta, observed if month else 0)
            care = replace(care, above=tuple(sorted((*care.above, risen))))
            evidence = tuple(each.event_id for each in counted[-_MOST_EVIDENCE:])
            said.append(alert_of(sold.heard(asked), risen, observed, evidence))
    return care, said


def _without(care: Care, above: Above) -> Care:
    return replace(care, above=tuple(each for each in care.above if each != above))


def month_of(at_ms: int) -> int:
    """The local calendar month, counted through the years."""
    date = to_date(local_day(at_ms))
    return date.year * 12 + date.month - 1


def _counted(rule: MeasuredRule, care: Care, of: tuple[Level, int, int], until_ms: int) -> list[Line]:
    """The lines of one item (0: of any), in a month or in (until - W, until], that the rule counts."""
    level, item, month = of
    return _within(_of_rule(rule, care, item), level, month, until_ms)


def _of_rule(rule: MeasuredRule, care: Care, item: int) -> list[Line]:
    return [each for each in lines_of(care.messages, item) if counts(rule, each)]


def _within(lines: list[Line], level: Level, month: int, until_ms: int) -> list[Line]:
    if month:
        return [each for each in lines if month_of(each.at_ms) == month]
    return [each for each in lines if until_ms - level.window_ms < each.at_ms <= until_ms]


def measured(rule: MeasuredRule, lines: list[Line]) -> int:
    """The rule's measure over these lines; 0 where what must hold beside it does not."""
    if rule.beside and any(_measure(bound, lines) < bound.least for bound in rule.beside):
        return 0
    return _measure(rule.measure, lines)


def _measure(measure: Measure, lines: list[Line]) -> int:
    values = [getattr(line, measure.of) for line in lines]
    return len({each for each in values if each != ""}) if measure.kind == "distinct" else sum(values)


def _kept_up(before: Care, after: Care, rules: Mapping[str, MeasuredRule], changed: list[Line]) -> Care:
    """What an open month has reached moves with its lines, so that its end does not depend on what was forgotten."""
    if not after.above:
        return after
    moved = []
    for above in after.above:
        rule = rules.get(above.rule_id)
        if above.period and rule is not None and any(_touches(rule, above, line) for line in changed):
            of = (rule.levels[0], above.item, above.period)
            was, now = (measured(rule, _counted(rule, care, of, 0)) for care in (before, after))
            above = replace(above, reached=above.reached + now - was)
        moved.append(above)
    return replace(after, above=tuple(moved))


def _left(rule: MeasuredRule, care: Care, above: Above, at_ms: int) -> int:
    if above.period:
        return above.reached
    level = next((each for each in rule.levels if each.level == above.level), rule.levels[0])
    return measured(rule, _counted(rule, care, (level, above.item, above.period), at_ms))


def _line_reversed(care: Care, activity: Activity, fact: FeeReversed, moment: Moment) -> tuple[Care, list[Output]]:
    """Lines taken back leave every window; a reversal that itself comes too late closes nothing."""
    visit = hash64(fact.mdtrt_id)
    settled_ms = max((row.at_ms for row in activity.rows if row.mdtrt == visit and row.state == COUNTED), default=-1)
    care = unserved(care, fact, settled_ms)
    after, taken = without_lines(care, fact, settled_ms)
    if not taken:
        return care, []
    rules = {name: clause.value for name, clause in rules_of(moment.terms, "fee_line")}
    after = _kept_up(care, after, rules, taken)
    if moment.occurred_ms < care.newest_ms - LATE_MS:
        return after, []
    said = []
    for above in after.above:
        clause = moment.terms.get(above.rule_id)
        if clause is None or not any(_touches(clause.value, above, line) for line in taken):
            continue
        left = _left(clause.value, after, above, moment.occurred_ms)
        if left < above.ends_below:
            after = _without(after, above)
            said.append(closed(Heard(above.rule_id, clause, fact, moment), above, left))
    return after, said


def _touches(rule: MeasuredRule, above: Above, line: Line) -> bool:
    if above.item and above.item != line.item:
        return False
    return counts(rule, line) and (not above.period or month_of(line.at_ms) == above.period)
