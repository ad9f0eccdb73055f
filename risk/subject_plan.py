"""What the terms of a day ask of institutions and staff, made ready once: which rule looks at which contribution."""

from functools import lru_cache
from typing import NamedTuple

from risk.contributions import BAD_INSTITUTION_CODE, INSTITUTION, Contribution
from risk.terms import Terms

_REMEMBERED = 4096


class Filtered(NamedTuple):
    """Which rules count this sort of contribution. `people`: from how many people on it is worth a look (0: none).
    `signed`: M03 or M09 looks at a doctor's bills one after another.
    """

    bursts: bool
    people: int
    small_hours: bool = False
    signed: bool = False


class Plan:
    """The rules about subjects under one set of terms."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        burst = terms.get("D01")
        self.short_ms = burst.value.levels[0].window_ms if burst is not None else 0
        self._sorts: dict[tuple[str, str, str, int], Filtered] = {}

    def filtered(self, given: Contribution) -> Filtered:
        """Remembered by sort: a province has a handful."""
        sort = (given.subject_kind, given.fixmedins_type, given.med_type, given.marks & BAD_INSTITUTION_CODE)
        found = self._sorts.get(sort)
        if found is None:
            if len(self._sorts) >= _REMEMBERED:  # kinds of treatment come from outside
                self._sorts.clear()
            found = self._sorts[sort] = self._filter(given)
        return found

    def _filter(self, given: Contribution) -> Filtered:
        if given.subject_kind == INSTITUTION:
            if given.marks & BAD_INSTITUTION_CODE:
                return Filtered(False, 0)
            return Filtered(self._admits("D01", given), 0, self._admits("D02", given))
        signed = self._admits("M03", given) or self._admits("M09", given)
        capacity = self.terms.get("M01")
        if capacity is None or not self._admits("M01", given):
            return Filtered(False, 0, signed=signed)
        return Filtered(False, capacity.value.levels[0].theta, signed=signed)

    def _admits(self, rule_id: str, given: Contribution) -> bool:
        clause = self.terms.get(rule_id)
        return clause is not None and clause.value.admits(given.med_type, given.fixmedins_type)


@lru_cache(maxsize=64)
def plan_of(terms: Terms) -> Plan:
    """The plan of these terms; a policy has few."""
    return Plan(terms)
