"""What one fee line shows by itself: P05, P06 and P21 about the person, H03, H04 and D13 about the place. Nothing stays
open.

Which lines are remembered, and the rules with episodes, are care_rules.py's.
"""

from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from risk.activity import Visit, hash32
from risk.care import Above, Care, Line
from risk.facts import Fact, FeeAdded
from risk.heard import Heard, alert_of, is_nobody, rules_of
from risk.local_time import DAY_MS, local_day
from risk.outputs import Output
from risk.policy_counters import LETTERS
from risk.policy_measures import MeasuredRule
from risk.policy_special_items import SpecialItem
from risk.terms import Clause, Terms

SUPPLY_DAYS: Final = 190
"""How far back a line may still cover today: no prescription lasts longer."""
_UNIT_X10000 = 10_000
_MOST_EVIDENCE = 100
_OF_SPECIAL = ("over_allowance", "outside_channel")
_OF_ITSELF = ("over_limit_price", "outside_channel")


def rules_about(visit: Visit, fact: FeeAdded, terms: Terms) -> tuple[tuple[str, Clause], ...]:
    """The rules about this line, in the order of their names. A code that stands for nobody is no institution."""
    code, item = fact.fixmedins_code, fact.med_list_codg
    is_special = special_of(fact, terms) is not None
    return _rules_about(terms, visit.med_type, item, (code[:1], is_nobody(code, terms), is_special))


@lru_cache(maxsize=16_384)
def _rules_about(terms: Terms, med_type: str, item: str, of: tuple[str, bool, bool]) -> tuple[tuple[str, Clause], ...]:
    """`of`: the letter of the line's place, is it nobody, is the item under control."""
    letter, nobody, special = of
    return tuple(
        (name, clause)
        for name, clause in rules_of(terms, "fee_line")
        if clause.value.admits(med_type, item)
        and _at_its_kind(clause.value, letter)
        and (special or clause.value.measure.kind not in _OF_SPECIAL)
        and (clause.value.subject == "person" or not nobody)
    )


def _at_its_kind(rule: MeasuredRule, fixmedins_code: str) -> bool:
    """A line has no fixmedins_type: its place's code begins with H or P."""
    return not rule.fixmedins_type or fixmedins_code[:1] == LETTERS[rule.fixmedins_type]


def special_of(fact: Fact, terms: Terms) -> SpecialItem | None:
    """The row of the items under control that names this line's."""
    clause = terms.get("special_items")
    return clause.value.find(fact.med_list_codg) if clause is not None and isinstance(fact, FeeAdded) else None


def as_remembered(rule: MeasuredRule, line: Line, fact: FeeAdded, terms: Terms) -> Line | None:
    """The line as the rule finds it again; None: it needs no line but this one. Items under control count together, so
    such a line stands a second time under the name of its row, below zero: no item has such a number.
    """
    if rule.measure.kind in _OF_ITSELF:
        return None
    row = special_of(fact, terms) if rule.measure.kind == "over_allowance" else None
    return line if row is None else replace(line, item=-hash32(row.name) - 1)


def counts(rule: MeasuredRule, line: Line) -> bool:
    """Does the rule count this remembered line? Rules with items look at one item at a time (policy_measure_shapes)."""
    if (line.item < 0) != (rule.measure.kind == "over_allowance") or not _at_its_kind(rule, line.fixmedins_code):
        return False
    return rule.admits_treatment(line.med_type) and not any(name in rule.exclusions for name in line.excluded)


def by_itself(heard: Heard, care: Care, line: Line) -> list[Output]:
    """The alerts of this line, lowest level first."""
    rule = heard.clause.value
    observed, earlier = _shown(heard, care, line)
    levels = [level for level in rule.levels_for(line.med_type) if observed >= level.theta]
    if not levels:
        return []
    item = getattr(heard.fact, "med_list_codg", None) if rule.measure.kind in _OF_SPECIAL else None
    evidence = tuple(each.event_id for each in earlier[-_MOST_EVIDENCE:])
    place = line.fixmedins_code if rule.subject == "institution" else ""
    return [
        alert_of(
            heard,
            Above(heard.name, level.level, 0, 0, line.event_id, 0, level.theta),
            observed,
            evidence,
            place=place,
            item=item,
        )
        for level in levels
    ]


def _shown(heard: Heard, care: Care, line: Line) -> tuple[int, list[Line]]:
    """The measure of one line by itself, and the earlier lines that it rests on."""
    rule, fact = heard.clause.value, heard.fact
    if rule.measure.kind == "over_limit_price" and isinstance(fact, FeeAdded):
        return beyond_limit_fen(fact), []
    if rule.measure.kind == "value":
        return line.prd_days, []
    row = special_of(fact, heard.moment.terms) if rule.measure.kind in _OF_SPECIAL else None
    if row is not None and rule.measure.kind == "outside_channel":
        return int(not row.may_sell(line.fixmedins_code)), []
    window_ms = row.days * DAY_MS if row is not None else rule.levels[0].window_ms or SUPPLY_DAYS * DAY_MS
    of_item = [
        each
        for each in care.lines
        if each.item == line.item and line.at_ms - window_ms < each.at_ms <= line.at_ms and counts(rule, each)
    ]
    if row is not None:
        bought = -(-sum(each.cnt_x10000 for each in of_item) // _UNIT_X10000)  # a part of a unit counts as one
        more = max(0, bought - row.units) if line.cnt_x10000 else 0
        return more, [each for each in of_item if not each.is_same(line)]
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
