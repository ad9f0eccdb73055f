"""The rules about fee lines with episodes (P04, P07), and what a line, or its being taken back, does to all of them.

A line is counted once by its key and judged at its own time when it is applied; a line taken back no longer counts. A
line more than 48 h behind the newest counts and opens nothing. An episode is per rule, level, item and month. It ends
at a later line that its rule counts, or when lines are taken back, or their visit turns out to be care that the rule
leaves out (a diagnosis told after them), below the re-arm point; an earlier month's, at the first line of a later month
that the rule counts. What one line shows by itself is line_rules.py's.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from risk.activity import COUNTED, LATE_MS, Activity, Visit, hash64
from risk.care import Above, Care, line_of, named_by, without_lines
from risk.facts import Fact, FeeAdded, FeeReversed
from risk.heard import Heard, alert_of, closed, exclusions_of, is_nobody, rules_of
from risk.idle_days import unserved
from risk.kept_lines import Line, gathered, lines_of, with_line
from risk.line_rules import Asked, Sold, by_itself, counts, plan_of, under_control
from risk.local_time import local_day, to_date
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_measures import Measure, MeasuredRule
from risk.policy_rules import Level

_MOST_EVIDENCE = 100


def line_added(care: Care, visit: Visit | None, fact: FeeAdded, moment: Moment) -> tuple[Care, list[Output]]:
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
            reached = observed if month else 0
            risen = Above(*key, line.event_id, level.rearm, level.theta, reached, sold.fact.fixmedins_code)
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
    if measure.kind == "distinct":
        return len({value for line in lines if (value := getattr(line, measure.of)) != ""})
    boxes = [line for line in lines if not line.by_unit] if measure.of == "cnt_x10000" else lines  # pills are none
    return sum([getattr(line, measure.of) for line in boxes])


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


def line_reversed(care: Care, activity: Activity, fact: FeeReversed, moment: Moment) -> tuple[Care, list[Output]]:
    visit = hash64(fact.mdtrt_id)
    settled_ms = max((row.at_ms for row in activity.rows if row.mdtrt == visit and row.state == COUNTED), default=-1)
    part = fact.cnt_x10000 if fact.feedetl_sn else None
    care = unserved(care, fact, settled_ms)
    return taken_back(care, named_by(fact, settled_ms), fact, moment=moment, part=part)


def taken_back(
    care: Care, named: Callable[[Line], bool], fact: Fact, *, moment: Moment, part: int | None = None
) -> tuple[Care, list[Output]]:
    """Lines taken back leave every window; a reversal that itself comes too late closes nothing."""
    after, taken = without_lines(care, named, part)
    return _fallen(care, after, taken, fact, moment=moment) if taken else (care, [])


def left_out(care: Care, visit: Visit, fact: Fact, moment: Moment) -> tuple[Care, list[Output]]:
    """A record says of its visit what it is excluded as, or no longer: its lines are counted by that, as if they were
    taken back or had counted always; none is judged again.
    """
    mdtrt, excluded = hash64(visit.mdtrt_id), exclusions_of(moment.terms, visit)
    lines = lines_of(care.messages)
    told = [replace(line, excluded=excluded) if line.mdtrt_id == mdtrt else line for line in lines]
    if told == lines:
        return care, []
    changed = [line for line in (*lines, *told) if line.mdtrt_id == mdtrt]
    return _fallen(care, replace(care, messages=gathered(told)), changed, fact, moment=moment)


def _fallen(care: Care, after: Care, changed: list[Line], fact: Fact, *, moment: Moment) -> tuple[Care, list[Output]]:
    """What ends now that these lines count no longer."""
    rules = {name: clause.value for name, clause in rules_of(moment.terms, "fee_line")}
    after = _kept_up(care, after, rules, changed)
    if moment.occurred_ms < care.newest_ms - LATE_MS:
        return after, []
    said = []
    for above in after.above:
        clause = moment.terms.get(above.rule_id)
        if clause is None or not any(_touches(clause.value, above, line) for line in changed):
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
