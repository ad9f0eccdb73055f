"""The values of credit and place parameters: levels, limits, caps, institutions, hours. Data with a question or two."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple, Protocol, TypeVar

from risk.local_time import day_of

UNRATED = "UNRATED"
UNRATED_REASONS = ("new", "no_use", "no_record", "under_investigation", "other")
SERVICES = ("visit_first", "deposit_free")
ANY = "*"

BandEdge = Literal["lower_inclusive", "upper_inclusive"]


class LevelBand(NamedTuple):
    """One level of a level set and the scores it covers, in hundredths."""

    code: str
    name_zh: str
    name_en: str
    from_x100: int
    to_x100: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedItems:
    """Items that are sold by the box and so with a trace code (D06, H16): by prefix, but for the prefixes `without`."""

    items: tuple[str, ...]
    without: tuple[str, ...]

    def asks(self, med_list_codg: str) -> bool:
        """Does a line of this item need a code?"""
        return med_list_codg.startswith(self.items) and not med_list_codg.startswith(self.without)


class ItemLimit(NamedTuple):
    """Items, by prefix, that are for one sex or some ages only; "" and None: for any."""

    name: str
    items: tuple[str, ...]
    gend: str
    age_least: int | None
    age_most: int | None

    def excludes(self, gend: str | None, age: int | None) -> bool:
        """Is the item not for such a person? What nobody stated excludes nobody."""
        if self.gend and gend is not None and gend != self.gend:
            return True
        if age is None:
            return False
        return age < (self.age_least or 0) or (self.age_most is not None and age > self.age_most)


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """Items that are not for everybody; the longest prefix of a code wins, a code without a row is for everybody."""

    rows: tuple[ItemLimit, ...]
    _by_prefix: dict[str, ItemLimit] = field(init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_prefix = {prefix: row for row in self.rows for prefix in row.items}
        object.__setattr__(self, "_by_prefix", by_prefix)
        object.__setattr__(self, "_lengths", tuple(sorted({len(prefix) for prefix in by_prefix}, reverse=True)))

    def find(self, med_list_codg: str) -> ItemLimit | None:
        """The row that speaks for this item."""
        for length in self._lengths:
            row = self._by_prefix.get(med_list_codg[:length])
            if row is not None:
                return row
        return None

    def excludes(self, med_list_codg: str, gend: str | None, age: int | None) -> bool:
        """Is this item not for a person of this sex and age?"""
        row = self.find(med_list_codg)
        return row is not None and row.excludes(gend, age)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSet:
    """The levels of a place, best first. Their number, names and scale are data (domain.md 1.6 C13, C14)."""

    bands: tuple[LevelBand, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The level codes, best first."""
        return tuple(band.code for band in self.bands)

    @property
    def lowest(self) -> str:
        """The worst level."""
        return self.bands[-1].code

    def level_of(self, score_x100: int, edge: BandEdge) -> str:
        """The level of a score; a score on an edge goes up or down as the policy's `band_edge` says (C1)."""
        assert self.bands[-1].from_x100 <= score_x100 <= self.bands[0].to_x100, score_x100
        for band in self.bands[:-1]:
            if score_x100 > band.from_x100 or (edge == "lower_inclusive" and score_x100 == band.from_x100):
                return band.code
        return self.lowest


def level_is_eligible(eligible_levels: tuple[str, ...], level: str, unrated_reason: str | None = None) -> bool:
    """May this level use credit payment? `UNRATED` in the list means every reason, `UNRATED:new` that reason only."""
    return level in eligible_levels or (level == UNRATED and f"{UNRATED}:{unrated_reason}" in eligible_levels)


class LimitRow(NamedTuple):
    """A limit for one level, service and insurance type (`*` = every type without its own row)."""

    level: str
    service: str
    insutype: str
    limit_fen: int


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The policy limits, in fen."""

    rows: tuple[LimitRow, ...]
    _exact: dict[tuple[str, str, str], int] = field(init=False, repr=False, compare=False)
    _lowest: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lowest: dict[tuple[str, str], int] = {}
        for row in self.rows:
            key = (row.level, row.service)
            lowest[key] = min(row.limit_fen, lowest.get(key, row.limit_fen))
        object.__setattr__(self, "_exact", {row[:3]: row.limit_fen for row in self.rows})
        object.__setattr__(self, "_lowest", lowest)

    def limit_fen(self, level: str, service: str, insutype: str | None) -> int:
        """The limit; unknown insurance type: the lowest row; a level without a row: 0, nothing is lent by default."""
        if insutype is not None:
            found = self._exact.get((level, service, insutype), self._exact.get((level, service, ANY)))
            if found is not None:
                return found
        return self._lowest.get((level, service), 0)


class CapRow(NamedTuple):
    """The yearly ceiling of the fund for one insured place (prefix) and insurance type."""

    insuplc_prefix: str
    insutype: str
    cap_fen: int


@dataclass(frozen=True, slots=True)
class AnnualCap:
    """Yearly ceilings of the fund; the longest prefix of the insured place wins."""

    rows: tuple[CapRow, ...]
    _caps: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths = {len(row.insuplc_prefix) for row in self.rows}
        object.__setattr__(self, "_caps", {(row.insuplc_prefix, row.insutype): row.cap_fen for row in self.rows})
        object.__setattr__(self, "_lengths", tuple(sorted(lengths, reverse=True)))

    def cap_fen(self, insuplc: str | None, insutype: str | None) -> int | None:
        """The ceiling, or None: then there is no rule."""
        if not insuplc or not insutype:
            return None
        for length in self._lengths:
            cap_fen = self._caps.get((insuplc[:length], insutype))
            if cap_fen is not None:
                return cap_fen
        return None


class Coded(Protocol):
    """A row about one institution, or about all whose code begins so (`H4305*`)."""

    @property
    def code(self) -> str:
        """The code, or its beginning and a star."""


R = TypeVar("R", bound=Coded)


def sorted_by_code(rows: tuple[R, ...]) -> tuple[dict[str, R], tuple[tuple[str, R], ...]]:
    """Rows of whole codes by their code, and of prefixes, the longest first."""
    wide = [(row.code[:-1], row) for row in rows if row.code.endswith(ANY)]
    exact = {row.code: row for row in rows if not row.code.endswith(ANY)}
    return exact, tuple(sorted(wide, key=lambda item: (-len(item[0]), item[0])))


def found_by_code(code: str, exact: dict[str, R], prefixes: tuple[tuple[str, R], ...]) -> R | None:
    """The row that speaks for this institution: its own, else that of the longest prefix."""
    found = exact.get(code)
    if found is not None:
        return found
    return next((row for prefix, row in prefixes if code.startswith(prefix)), None)


class InstitutionRow(NamedTuple):
    """An institution (or all whose code begins so: `H4305*`), what it offers, and from when."""

    code: str
    name: str
    services: tuple[str, ...]
    live_from: date
    orders_live_from: date | None

    def is_live(self, service: str, day: int) -> bool:
        """Does it offer the service on this local day?"""
        return service in self.services and day >= day_of(self.live_from)

    def sends_orders(self, day: int) -> bool:
        """Are its orders really sent on this local day (before: observed only)?"""
        return self.orders_live_from is not None and day >= day_of(self.orders_live_from)


@dataclass(frozen=True, slots=True)
class InstitutionTable:
    """Who takes part: an exact code first, else the longest prefix."""

    rows: tuple[InstitutionRow, ...]
    _exact: dict[str, InstitutionRow] = field(init=False, repr=False, compare=False)
    _prefixes: tuple[tuple[str, InstitutionRow], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact, prefixes = sorted_by_code(self.rows)
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_prefixes", prefixes)

    def find(self, code: str) -> InstitutionRow | None:
        """The row that speaks for this institution."""
        return found_by_code(code, self._exact, self._prefixes)

    def is_live(self, code: str, service: str, day: int) -> bool:
        """Does this institution offer the service on this local day?"""
        row = self.find(code)
        return row is not None and row.is_live(service, day)

    def sends_orders(self, code: str, day: int) -> bool:
        """Are this institution's orders really sent on this local day?"""
        row = self.find(code)
        return row is not None and row.sends_orders(day)


class DebitHours(NamedTuple):
    """Local hours in which a card may be debited: from `first` to before `last`."""

    first: int
    last: int
