"""What one fee line shows by itself: P05 and P06 about the person, H03 and H04 about the place. Nothing stays open.

Which lines are remembered, and the rules with episodes, are care_rules.py's.
"""

from typing import Final

from risk.care import Above, Care, Line
from risk.facts import FeeAdded
from risk.heard import Heard, alert_of, is_nobody
from risk.local_time import DAY_MS, local_day
from risk.outputs import Output
from risk.policy_measures import MeasuredRule
from risk.terms import Terms

SUPPLY_DAYS: Final = 190
"""How far back a line may still cover today: no prescription lasts longer."""
_UNIT_X10000 = 10_000
_MOST_EVIDENCE = 100


def has_a_subject(rule: MeasuredRule, fact: FeeAdded, terms: Terms) -> bool:
    """A code that stands for nobody is no institution."""
    return rule.subject == "person" or not is_nobody(fact.fixmedins_code, terms)


def counts(rule: MeasuredRule, line: Line) -> bool:
    """Does the rule count this remembered line? Rules with items look at one item at a time (policy_measure_shapes)."""
    return rule.admits_treatment(line.med_type) and not any(name in rule.exclusions for name in line.excluded)


def by_itself(heard: Heard, care: Care, line: Line) -> list[Output]:
    """The alerts of this line, lowest level first."""
    rule = heard.clause.value
    observed, earlier = _shown(heard, care, line)
    evidence = tuple(each.event_id for each in earlier[-_MOST_EVIDENCE:])
    place = line.fixmedins_code if rule.subject == "institution" else ""
    return [
        alert_of(
            heard, Above(heard.name, level.level, 0, 0, line.event_id, 0, level.theta), observed, evidence, place=place
        )
        for level in rule.levels_for(line.med_type)
        if observed >= level.theta
    ]


def _shown(heard: Heard, care: Care, line: Line) -> tuple[int, list[Line]]:
    """The measure of one line by itself, and the earlier lines that it rests on."""
    rule, fact = heard.clause.value, heard.fact
    if rule.measure.kind == "over_limit_price" and isinstance(fact, FeeAdded):
        return beyond_limit_fen(fact), []
    if rule.measure.kind == "value":
        return line.prd_days, []
    window_ms = rule.levels[0].window_ms or SUPPLY_DAYS * DAY_MS
    of_item = [
        each
        for each in care.lines
        if each.item == line.item and line.at_ms - window_ms < each.at_ms <= line.at_ms and counts(rule, each)
    ]
    if rule.measure.kind == "repeated":
        again = [each for each in of_item if each.mdtrt_id == line.mdtrt_id]
        return len(again), [each for each in again if not each.is_same(line)]
    earlier = [each for each in of_item if each.mdtrt_id != line.mdtrt_id]
    return (supply_left(earlier, local_day(line.at_ms)) if line.prd_days else 0), earlier


def beyond_limit_fen(fact: FeeAdded) -> int:
    """By how much a line is dearer than its units may be (pric_uplmt_amt); a part of a fen is the seller's."""
    if not fact.pric_uplmt_fen:
        return 0
    return max(0, fact.amount_fen + -fact.pric_uplmt_fen * fact.cnt_x10000 // _UNIT_X10000)


def supply_left(earlier: list[Line], today: int) -> int:
    """Whole local days, from this one on, that these lines (in the order of their time) still cover."""
    end = 0
    for line in earlier:
        end = max(end, local_day(line.at_ms)) + line.prd_days
    return max(0, end - today)
