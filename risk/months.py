"""What an institution's calendar months came to: a year back and the year so far, for what compares with a year ago.

A month is the sum of its days, whatever came in which order; a reversal lands in the month of its original, with its
day. Twenty-five months of four amounts are kept beside the days, and are read when a date turns or an earlier one
changes; what today's bills are judged by stands with the subject as three rows: this month and this year before today,
and the same month a year ago.
"""

from calendar import monthrange
from datetime import date
from functools import lru_cache

from risk.activity import Stored
from risk.counters import place_of
from risk.local_time import day_of, to_date

MONTHS_KEPT = 25
MONTHLY = ("medfee_fen", "fund_fen", "inpatient_fee_fen", "outpatient_fee_fen")
"""The counters of which months are kept."""
_PLACES = tuple(place_of(name) for name in MONTHLY)
_SLOTS = {place: slot for slot, place in enumerate(_PLACES)}
_NOTHING = [0] * len(MONTHLY)


class Month(Stored, frozen=True):
    """One calendar month, as year * 12 + month - 1, and its amounts in the order of MONTHLY."""

    month: int
    amounts: tuple[int, ...]


class Sums(Stored, frozen=True):
    """Of one counter: the month, the same month a year ago, and the calendar year, each as applied so far."""

    month: int
    year_ago: int
    year: int


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """The month of a local day."""
    on = to_date(day)
    return on.year * 12 + on.month - 1


def month_number(day: int) -> int:
    """1 to 12."""
    return month_of(day) % 12 + 1


def january_of(day: int) -> int:
    """The first month of a day's year."""
    return month_of(day) // 12 * 12


@lru_cache(maxsize=4096)
def last_day_of(day: int) -> int:
    """The last local day of a day's month."""
    on = to_date(day)
    return day_of(on.replace(day=monthrange(on.year, on.month)[1]))


@lru_cache(maxsize=4096)
def year_ago(day: int) -> int:
    """The first local day of the same month a year ago."""
    on = to_date(day)
    return day_of(date(on.year - 1, on.month, 1))


def with_day(months: list[Month], day: int, counters: list[int], newest_day: int) -> list[Month]:
    """The months after a day's counters, or what changed of them, were added; those too old by the newest day leave."""
    wanted, more = month_of(day), [counters[place] for place in _PLACES]
    amounts = {each.month: each.amounts for each in months}
    amounts[wanted] = tuple(map(sum, zip(amounts.get(wanted, _NOTHING), more, strict=True)))
    floor = month_of(newest_day) - MONTHS_KEPT
    return [Month(month, amounts[month]) for month in sorted(amounts) if month > floor and any(amounts[month])]


def rows_of(months: list[Month], day: int) -> list[list[int]]:
    """What stands with the subject on this day; [] where all is 0."""
    if not months:
        return []
    this = month_of(day)
    of_year = range(january_of(day), this + 1)
    wanted = ((this,), (this - 12,), of_year)
    rows = [[sum(column) for column in zip(*_of(months, each), strict=True)] or _NOTHING.copy() for each in wanted]
    return rows if any(map(any, rows)) else []


def sums_of(rows: list[list[int]], place: int, today: list[int]) -> Sums:
    """Of one counter (its place), with the day's own `today`."""
    month, ago, year = (row[_SLOTS[place]] for row in rows or [_NOTHING] * 3)
    return Sums(month + today[place], ago, year + today[place])


def _of(months: list[Month], wanted: tuple[int, ...] | range) -> list[tuple[int, ...]]:
    return [each.amounts for each in months if each.month in wanted]
