"""What one fee line shows by itself: P05, P06 and P21 about the person, H03, H04 and D13 about the place. Nothing stays
open.

Which lines are remembered, and the rules with episodes, are line_episodes.py's.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec.structs import replace

from risk.activity import Visit, hash32
from risk.care import Above
from risk.facts import Fact, FeeAdded
from risk.heard import Heard, alert_of, is_nobody, rules_of
from risk.kept_lines import Line
from risk.local_time import DAY_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_counters import LETTERS
from risk.policy_measures import MeasuredRule
from risk.policy_rules import Level
from risk.policy_special_items import SpecialItem
from risk.terms import Clause, Terms

SUPPLY_DAYS: Final = 190
"""How far back a line may still cover today: no prescription lasts longer."""
_UNIT_X10000 = 10_000
_MOST_EVIDENCE = 100
_OF_SPECIAL = ("over_allowance", "outside_channel")
_OF_ITSELF = ("over_limit_price", "outside_channel")


class Asked(NamedTuple):
    """A rule that counts lines of one kind, those of its levels that look at their treatment, and as what it finds them
    again: as an item under control, or as itself.
    """

    name: str
    clause: Clause
    levels: tuple[Level, ...]
    special: bool


class Plan(NamedTuple):
    """What is asked of fee lines of one kind: all the `rules` about them, and those that count them.

    `kept`: as what such a line is remembered: itself (False), an item under control (True), both, or not at all.
    """

    rules: Mapping[str, MeasuredRule]
    kept: tuple[bool, ...]
    asked: tuple[Asked, ...]


class Sold(NamedTuple):
    """One line where it is judged, and all remembered lines of its item, itself among them."""

    fact: FeeAdded
    moment: Moment
    line: Line
    of_item: list[Line]

    def heard(self, asked: Asked) -> Heard:
        """A rule that hears of it."""
        return Heard(asked.name, asked.clause, self.fact, self.moment)


def plan_of(visit: Visit, fact: FeeAdded, terms: Terms, excluded: tuple[str, ...]) -> Plan:
    """What is asked of this line, in the order of the rules' names. A code that stands for nobody is no institution."""
    code, item = fact.fixmedins_code, fact.med_list_codg
    named = tuple([items for items in _items(terms) if item.startswith(items)])
    of = code[:1], is_nobody(code, terms), special_of(fact, terms) is not None
    return _plan(terms, (visit.med_type, named, excluded), of)


@lru_cache(maxsize=64)
def _items(terms: Terms) -> tuple[tuple[str, ...], ...]:
    """The prefixes that rules of a day name items by."""
    return tuple({clause.value.items: None for _, clause in rules_of(terms, "fee_line") if clause.value.items})


@lru_cache(maxsize=4_096)
def _plan(
    terms: Terms, care: tuple[str, tuple[tuple[str, ...], ...], tuple[str, ...]], of: tuple[str, bool, bool]
) -> Plan:
    """`care`: the treatment, by which prefixes its item is named, how it is excluded; `of`: the letter of the line's
    place, is it nobody, is the item under control.
    """
    (med_type, named, excluded), (letter, nobody, special) = care, of
    about = {
        name: clause
        for name, clause in rules_of(terms, "fee_line")
        if clause.value.admits_treatment(med_type)
        and (not clause.value.items or clause.value.items in named)
        and _at_its_kind(clause.value, letter)
        and (special or clause.value.measure.kind not in _OF_SPECIAL)
        and (clause.value.subject == "person" or not nobody)
    }
    kinds = [clause.value.measure.kind for clause in about.values()]
    return Plan(
        {name: clause.value for name, clause in about.items()},
        tuple(dict.fromkeys(kind == "over_allowance" for kind in kinds if kind not in _OF_ITSELF)),
        tuple(
            Asked(
                name,
                clause,
                tuple(clause.value.levels_for(med_type)),
                clause.value.measure.kind == "over_allowance",
            )
            for name, clause in about.items()
            if _at_its_kind(clause.value, "" if nobody else letter)
            and not any(each in clause.value.exclusions for each in excluded)
        ),
    )


def _at_its_kind(rule: MeasuredRule, fixmedins_code: str) -> bool:
    """A line has no fixmedins_type: its place's code begins with H or P."""
    return not rule.fixmedins_type or fixmedins_code[:1] == LETTERS[rule.fixmedins_type]


def special_of(fact: Fact, terms: Terms) -> SpecialItem | None:
    """The row of the items under control that names this line's."""
    clause = terms.get("special_items")
    return clause.value.find(fact.med_list_codg) if clause is not None and isinstance(fact, FeeAdded) else None


def under_control(line: Line, fact: FeeAdded, terms: Terms) -> Line:
    """The line under the name of its row, below zero: no item has such a number. Items under control count together."""
    row = special_of(fact, terms)
    assert row is not None, "a plan keeps no other line so"
    return replace(line, item=-hash32(row.name) - 1)


def counts(rule: MeasuredRule, line: Line) -> bool:
    """Does the rule count this remembered line? Rules with items look at one item at a time (policy_measure_shapes)."""
    if (line.item < 0) != (rule.measure.kind == "over_allowance"):
        return False
    if rule.fixmedins_type and not _at_its_kind(rule, line.fixmedins_code):
        return False
    if line.excluded and any(name in rule.exclusions for name in line.excluded):
        return False
    return rule.admits_treatment(line.med_type)


def by_itself(asked: Asked, sold: Sold) -> list[Output]:
    """The alerts of this line, lowest level first; each level looks back over its own window."""
    rule, line = asked.clause.value, sold.line
    item = sold.fact.med_list_codg if rule.measure.kind in _OF_SPECIAL else None
    place = line.fixmedins_code if rule.subject == "institution" else ""
    said = []
    for level in asked.levels:
        observed, earlier = _shown(rule, level, sold)
        if observed >= level.theta:
            above = Above(asked.name, level.level, 0, 0, line.event_id, 0, level.theta)
            evidence = tuple(each.event_id for each in earlier[-_MOST_EVIDENCE:])
            said.append(alert_of(sold.heard(asked), above, observed, evidence, place=place, item=item))
    return said


def _shown(rule: MeasuredRule, level: Level, sold: Sold) -> tuple[int, list[Line]]:
    """The measure of one line by itself, and the earlier lines that it rests on."""
    kind, fact, line = rule.measure.kind, sold.fact, sold.line
    if kind == "over_limit_price":
        return beyond_limit_fen(fact), []
    if kind == "value":
        return line.prd_days, []
    row = special_of(fact, sold.moment.terms) if kind in _OF_SPECIAL else None
    if row is not None and kind == "outside_channel":
        return int(not row.may_sell(line.fixmedins_code)), []
    window_ms = row.days * DAY_MS if row is not None else level.window_ms or SUPPLY_DAYS * DAY_MS
    since_ms = line.at_ms - window_ms
    of_item = [each for each in sold.of_item if since_ms < each.at_ms <= line.at_ms and counts(rule, each)]
    if row is not None:
        # in what its lines count by, pieces (trdn_flag) too: the list allows so many of those; a part of one is one
        bought = -(-sum(each.cnt_x10000 for each in of_item) // _UNIT_X10000)
        more = max(0, bought - row.units) if line.cnt_x10000 else 0
        return more, [each for each in of_item if not each.is_same(line)]
    if kind == "repeated":
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
    """Whole local days, from this one on, that what is left of these lines (in the order of their time) covers."""
    end = 0
    for line in earlier:
        end = max(end, local_day(line.at_ms)) + line.days_left
    return max(0, end - today)
