"""The values of rule parameters: thresholds, re-arm points, filters, severities and the sentences people read."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from risk.facts.query import QueryLogged
from risk.local_time import DAY_MS

Kind = Literal["warning", "over_limit", "suspicion", "data_quality", "sla"]
QUERIES_COUNTED = ("asked", "denied")
PERSONS_ASKED_MOST = 1_000
"""Of so many persons an asker's newest queries are kept, sixteen bytes each: no line can be drawn above it."""


class Level(NamedTuple):
    """One step of a rule. `window_ms` 0 = one local date or year, or a single event; `rearm` 0 = no episodes."""

    level: int
    theta: int
    rearm: int
    window_ms: int
    kind: Kind
    sev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule has: levels, lowest first, and a sentence (policy_reading.py, FILLED_IN), or a level's own."""

    levels: tuple[Level, ...]
    text_zh: str
    text_en: str
    exclusions: tuple[str, ...] = ()  # names of `exclusions`: such care is neither counted nor judged
    level_texts: tuple[tuple[str, str] | None, ...] = ()  # a level's own (zh, en); None: the rule's

    def texts(self, level: int) -> tuple[str, str]:
        """The sentence of this level, (zh, en); of one that the rule has not, its own."""
        own = self.level_texts[level - 1] if 0 < level <= len(self.level_texts) else None
        return own or (self.text_zh, self.text_en)

    @property
    def kind(self) -> Kind:
        """The kind of the first level (all of it for a rule with one level)."""
        return self.levels[0].kind

    @property
    def sev(self) -> int:
        """The severity of the first level (all of it for a rule with one level)."""
        return self.levels[0].sev


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredRule(Rule):
    """A rule that looks at some settlements only, by kind of treatment and of institution."""

    med_types: tuple[str, ...] = ()  # prefixes, for str.startswith; () = any
    fixmedins_type: str | None = None  # None = any
    precision_percent: int = 0  # what a measured rule is held to; 0 = not stated

    def admits(self, med_type: str, fixmedins_type: str) -> bool:
        """Does a settlement pass the rule's filter?"""
        if self.fixmedins_type is not None and fixmedins_type != self.fixmedins_type:
            return False
        return not self.med_types or med_type.startswith(self.med_types)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule(FilteredRule):
    """A count or distinct count reaches theta, over a moving window or a local date (P01, P02, P17, D01, M01)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRule(FilteredRule):
    """Two events closer than the gap (P03, M03). The level's theta is the gap in seconds, as alerts show it."""

    @property
    def gap_ms(self) -> int:
        """Closer than this is too close."""
        return self.levels[0].window_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceRule(FilteredRule):
    """Of the gaps between the latest `persons` patients of a window, theta are shorter than the line (M09)."""

    persons: int
    gap_ms: int

    @property
    def window_ms(self) -> int:
        """How far back the latest patients are looked for."""
        return self.levels[0].window_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyRule(FilteredRule):
    """The same theta people settle at one place within the gap on so many dates of the window (P18).

    A half hour in which more than `crowd` settlements of regulars were told says nothing.
    """

    days: int
    gap_ms: int
    crowd: int

    @property
    def window_days(self) -> int:
        """The window is of whole local dates."""
        return self.levels[0].window_ms // DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRule(FilteredRule):
    """A bill signed while the doctor has a status: each level names its own, and perhaps which bills (M04)."""

    statuses: tuple[tuple[str, ...], ...]
    level_filters: tuple[tuple[tuple[str, ...], str | None], ...]  # a level's own med_types, () = any, and type
    excepts_emergency: bool

    def level_of(self, status: str, med_type: str, fixmedins_type: str) -> Level | None:
        """The level that names this status, if it looks at such a bill."""
        for level, named, (med_types, of_type) in zip(self.levels, self.statuses, self.level_filters, strict=True):
            if status in named:
                looks = of_type in (None, fixmedins_type) and (not med_types or med_type.startswith(med_types))
                return level if looks else None
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRule(Rule):
    """Points determined in one calendar year reach theta (M07)."""

    precision_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRule(Rule):
    """One event of at least the amount (P13)."""

    med_types: tuple[str, ...]  # prefixes, for str.startswith

    @property
    def threshold_fen(self) -> int:
        """This much and more."""
        return self.levels[0].theta


class Slope(NamedTuple):
    """How much of a year's sum came lately: theta percent of it within the level's window, by `least_bills` and more.

    It opens from the `from_day`-th day of the year on, when the sum has come to `least_percent` of the cap.
    """

    level: Level
    from_day: int
    least_percent: int
    least_bills: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRule(Rule):
    """A sum reaches theta percent of a cap in the calendar year, or most of it came lately (P12)."""

    slope: Slope | None = None  # its level is the last one

    @property
    def of_cap(self) -> tuple[Level, ...]:
        """The levels that are percents of the cap."""
        return self.levels if self.slope is None else self.levels[:-1]

    def is_slope(self, level: int) -> bool:
        """Is the level of this number a part of the year's sum, no part of the cap?"""
        return self.slope is not None and self.slope.level.level == level

    @property
    def least_percent(self) -> int:
        """Below this share of the cap the rule opens nothing."""
        lowest = self.of_cap[0].theta
        return lowest if self.slope is None else min(lowest, self.slope.least_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRule(Rule):
    """Demand on a credit pool against its limit, percent (L80, L90: reaches theta; L100: goes beyond it)."""

    @property
    def theta(self) -> int:
        """Percent of the limit at which it opens."""
        return self.levels[0].theta

    @property
    def rearm(self) -> int:
        """Percent of the limit below which it closes."""
        return self.levels[0].rearm


USES_REMEMBERED = 16
"""Of what F01 and F04 count; a line lies at a handful, and more of the same day tell nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRule(Rule):
    """A sign in how credit is used (F01-F07): a count, or a share of the limit beyond `percent` (0 = no share)."""

    percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule(Rule):
    """A record that cannot be right (Q01-Q06)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRule(Rule):
    """A price of an item, by prefixes of its code, so many per cent from what others pay (W01), or from what all paid
    on at least `known_days` of the `window_days` before (E01). Fewer than `least_places` others are no market.
    """

    items: tuple[str, ...]
    least_places: int
    window_days: int = 0
    known_days: int = 0
    precision_percent: int

    def asks(self, med_list_codg: str) -> bool:
        """Is the rule about this item?"""
        return med_list_codg.startswith(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfRule(Rule):
    """A line beyond the amount, of an item, by prefixes of its code, that did not come in on the `window_days`
    dates up to its own, at a hospital that told of its stock on them: never silent for `silent_days` (H06).
    """

    items: tuple[str, ...]
    window_days: int
    silent_days: int
    precision_percent: int

    @property
    def over_fen(self) -> int:
        """More than this."""
        return self.levels[0].theta

    def asks(self, med_list_codg: str, amount_fen: int) -> bool:
        """Is the rule about this line?"""
        return amount_fen > self.over_fen and med_list_codg.startswith(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRule(Rule):
    """Different persons that one asker asked for in a window, or was denied: each level says which it counts (T01)."""

    counts: tuple[str, ...]  # of QUERIES_COUNTED, one for each level
    ordinary: tuple[str, ...]  # purposes that are never counted once answered
    ordinary_with_authorization: tuple[str, ...]  # nor these, if the query names an authorization
    precision_percent: int

    def is_ordinary(self, query: QueryLogged) -> bool:
        """Is this what the asker is there for?"""
        if query.outcome == "denied":
            return False
        at_a_counter = query.names_authorization and query.purpose in self.ordinary_with_authorization
        return at_a_counter or query.purpose in self.ordinary


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRule(Rule):
    """A person's rolling sum of one amount reaches the threshold (X01, the benchmark's rule)."""

    field: str

    @property
    def window_ms(self) -> int:
        """The length of the window (t - W, t]."""
        return self.levels[0].window_ms

    @property
    def threshold_fen(self) -> int:
        """The sum at which it opens."""
        return self.levels[0].theta


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceholderCodes:
    """Codes that stand for "we do not know" (Q01, Q02): compared without case and outer blanks; empty is one."""

    codes: frozenset[str]
    all_nines: bool

    def matches(self, code: str) -> bool:
        """Is this code no code at all?"""
        plain = code.strip().casefold()
        if not plain or plain in self.codes:
            return True
        return self.all_nines and not plain.strip("9")
