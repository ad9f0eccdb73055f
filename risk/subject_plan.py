"""What the terms of a day ask of institutions and staff, made ready once: which rule looks at which contribution."""

from functools import lru_cache
from typing import NamedTuple

from risk.contributions import BAD_INSTITUTION_CODE, INSTITUTION, NO_BILL, Contribution
from risk.counters import COUNTERS
from risk.local_time import DAY_MS
from risk.months import january_of, last_day_of
from risk.peers import measure_key
from risk.policy_counters import OF_THE_CALENDAR, SUBJECTS, CounterRule, DayMeasure
from risk.policy_lines import Capacities
from risk.policy_rules import Level
from risk.terms import Terms

_REMEMBERED = 4096


class Look(NamedTuple):
    """One level of a rule in the grammar. It opens at what adds to its first counter (`opening`, a bit) and ends at
    what moves any (`touching`); one of people does both at each of their bills. `days` 0: the date alone, or its month
    and year. `peers`: the measure_key of its baseline. `capacities`: what its subjects are approved for; None: no rule.
    """

    rule_id: str
    level: Level
    measure: DayMeasure
    days: int
    known_days: int
    opening: int
    touching: int
    peers: str
    capacities: Capacities | None = None

    @property
    def is_calendar(self) -> bool:
        """Does it look at months and years?"""
        return self.measure.kind in OF_THE_CALENDAR

    def period(self, date: int) -> int:
        """Of what an episode is that opens on this date: of the date, its month's last one, or (0) of no date."""
        return 0 if self.days else last_day_of(date) if self.is_calendar else date

    def is_part_of(self, period: int, date: int) -> bool:
        """Does an episode of that period measure what this date counts? A share of the year takes all of the year."""
        of_its_year = self.measure.kind == "of_year" and january_of(period) == january_of(date)
        return of_its_year or period == self.period(date)


class Filtered(NamedTuple):
    """What concerns this sort of contribution: the short window, people of the date, the looks that it may open (those
    that need no long acquaintance first), M03 or M09, which look at a doctor's bills one after another, and D08, which
    looks at who prescribed.
    """

    bursts: bool
    people: bool
    opens: tuple[Look, ...]
    signed: bool = False
    prescribed: bool = False

    def moves(self, look: Look, touched: int) -> bool:
        """May a contribution of this sort that touched these counters change what the look sees?"""
        match look.measure.kind:
            case "distinct":
                return self.people
            case "one_prescriber":
                return self.prescribed
        return look.touching & touched != 0


_NOTHING = Filtered(False, False, ())


class Plan:
    """The rules about subjects under one set of terms."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        burst = terms.get("D01")
        self.short_ms = burst.value.levels[0].window_ms if burst is not None else 0
        self.looks = {(look.rule_id, look.level.level): look for look in _looks(terms)}
        self._sorts: dict[tuple[str, str, str, int, int, bool], Filtered] = {}

    def filtered(self, given: Contribution, touched: int) -> Filtered:
        """Remembered by sort and by the counters it `touched`: a province has some dozens."""
        marks = given.marks & (BAD_INSTITUTION_CODE | NO_BILL)
        sort = (given.subject_kind, given.fixmedins_type, given.med_type, marks, touched, given.doctor != 0)
        found = self._sorts.get(sort)
        if found is None:
            if len(self._sorts) >= _REMEMBERED:  # kinds of treatment come from outside
                self._sorts.clear()
            found = self._sorts[sort] = self._filter(given, touched)
        return found

    def _filter(self, given: Contribution, touched: int) -> Filtered:
        institution, bill = given.subject_kind == INSTITUTION, not given.marks & NO_BILL
        if institution and given.marks & BAD_INSTITUTION_CODE:
            return _NOTHING
        bursts = bill and institution and self._admits("D01", given)
        signed = bill and not institution and (self._admits("M03", given) or self._admits("M09", given))
        looks = [look for look in self.looks.values() if self.admits(look, given)]
        people = bill and any(look.measure.kind == "distinct" for look in looks)
        prescribed = bill and given.doctor != 0 and any(look.measure.kind == "one_prescriber" for look in looks)
        moved = Filtered(bursts, people, (), signed, prescribed)
        opens = [look for look in looks if look.opening & touched or (not look.opening and moved.moves(look, touched))]
        return moved._replace(opens=tuple(sorted(opens, key=lambda look: look.known_days)))

    def _admits(self, rule_id: str, given: Contribution) -> bool:
        clause = self.terms.get(rule_id)
        return clause is not None and clause.value.admits(given.med_type, given.fixmedins_type)

    def admits(self, look: Look, given: Contribution) -> bool:
        """Is the rule about this kind of subject and institution, and of people, about this kind of treatment?"""
        rule: CounterRule = self.terms[look.rule_id].value
        if SUBJECTS[rule.subject] != given.subject_kind or (rule.types and given.fixmedins_type not in rule.types):
            return False
        return not rule.med_types or given.med_type.startswith(rule.med_types)


def _looks(terms: Terms) -> list[Look]:
    found = []
    for name in sorted(terms):
        rule = terms[name].value
        if not isinstance(rule, CounterRule):
            continue
        for level, measure in rule.looks:
            days = level.window_ms // DAY_MS
            known = max(rule.known_days, 2 * days - 1 if measure.kind.startswith("growth") else 0)
            bits = [1 << place for place in measure.of]
            beside = counters_beside(measure) if measure.rank else ()
            peers = measure_key(rule.subject, beside, days, measure.least) if beside else ""
            opening, touching = bits[0] if bits else 0, sum(set(bits))
            approved = terms["capacities"].value if measure.capacity and "capacities" in terms else None
            found.append(Look(name, level, measure, days, known, opening, touching, peers, approved))
    return found


def counters_beside(measure: DayMeasure) -> tuple[str, ...]:
    """What a measure is published under: its counters; of growth, its one twice."""
    names = tuple(COUNTERS[place] for place in measure.of)
    return 2 * names if measure.kind == "growth_over_peers" else names


@lru_cache(maxsize=64)
def plan_of(terms: Terms) -> Plan:
    """The plan of these terms; a policy has few."""
    return Plan(terms)
