"""The grammar of rules about institutions and staff: what is measured of their days' counters, and over which days."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from risk.contributions import INSTITUTION, STAFF
from risk.local_time import DAY_MS
from risk.policy_rules import Level, Rule

SUBJECTS: Final = {"institution": INSTITUTION, "staff": STAFF}
LETTERS: Final = {"1": "H", "2": "P"}
"""With which letter the national codes of a type of institution begin (contract.md, "National messages")."""
UNITS: Final = {"percent": 100, "per_mille": 1000}
SPANS: Final = {INSTITUTION: (7, 14, 28, 30, 60, 90), STAFF: (7, 14, 28, 30)}
"""The windows, in local days, of which a running total is kept: no rule may look over another one."""

MEASURES: Final = (
    *("sum", "share", "growth", "over_peers", "growth_over_peers", "year_on_year", "of_year", "over_capacity"),
    *("distinct", "one_prescriber"),
)
"""sum: of one counter. share: one counter of another. growth: a counter, or the mean that two make, against the same
number of days before them. over_peers: a share, or a sum, against the one that its peers in the middle, or nine tenths
of them, do not exceed (peers.py); growth_over_peers: the growth of one counter likewise. year_on_year: one counter's
calendar month so far against the whole of that month a year ago. of_year: one month of its calendar year so far.
over_capacity: a sum against what the institution is approved for (capacities). distinct: persons of one local date.
one_prescriber: of one date, the mean bill of one doctor's patients against that of the other doctors' (prescribers.py).
"""
OF_PEOPLE: Final = frozenset({"distinct", "one_prescriber"})
"""Moved by bills, not by counters; over one local date only."""
OF_THE_CALENDAR: Final = frozenset({"year_on_year", "of_year"})
OF_PEERS: Final = frozenset({"over_peers", "growth_over_peers"})


class DayMeasure(NamedTuple):
    """One measure. `of`: the places of its counters. `scale`: 100 or 1,000 for a share or growth, else 1. `least`: what
    the second number must have come to (of growth: both times), else the measure is 0.
    """

    kind: str
    of: tuple[int, ...]
    scale: int = 1
    least: int = 1
    rank: int = 0  # of peers: 50 or 90 percent of them
    least_peers: int = 0
    capacity: str = ""  # the resource that it is held against
    persons: int = 0  # so many patients of one doctor at least
    month: int = 0  # of_year: which one, 1 to 12

    def value(self, now: list[int], before: list[int]) -> int:
        """The measure of its counters' sums, rounded down; `before` only counts for growth and year_on_year."""
        if self.kind == "sum":
            return now[0]
        if self.kind in ("share", "of_year"):
            return now[0] * self.scale // now[1] if now[1] >= self.least else 0
        per_now, per_before = (now[1], before[1]) if len(now) > 1 else (1, 1)
        base = per_before if len(now) > 1 else before[0]
        if base < self.least or (len(now) > 1 and per_now < self.least) or before[0] <= 0:
            return 0
        return now[0] * per_before * self.scale // (before[0] * per_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRule(Rule):
    """A rule written in the grammar. A level with a window looks over local days that end with the event's, one without
    at that date alone. `types` are those of the institution, `med_types` prefixes of a bill; () = any.
    """

    subject: str
    types: tuple[str, ...] = ()
    med_types: tuple[str, ...] = ()
    known_days: int = 0  # for how long the subject must have been heard of
    precision_percent: int
    measures: tuple[DayMeasure, ...]  # one for each level

    @property
    def looks_back_days(self) -> int:
        """As many local days as a level reads, at least those it must have been heard of; 0: one date only."""
        spans = [level.window_ms // DAY_MS * (2 if "growth" in measure.kind else 1) for level, measure in self.looks]
        return max(self.known_days, *spans)

    @property
    def looks(self) -> list[tuple[Level, DayMeasure]]:
        """Each level with its measure."""
        return list(zip(self.levels, self.measures, strict=True))
