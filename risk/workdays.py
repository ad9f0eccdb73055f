"""Working days of the State Council's yearly notices, weekend exchanges (调休) included. Unknown years fail closed."""

from typing import TYPE_CHECKING, NamedTuple

from risk.local_time import to_date

if TYPE_CHECKING:
    from risk.policy import Policy

_SATURDAY = 5


class WorkdayUnknown(LookupError):
    """The table does not cover a year: nobody may guess when a working-day obligation ends."""

    def __init__(self, year: int) -> None:
        super().__init__(
            f"workdays has no entry for {year}. The State Council's notice for it decides which days are worked. "
            f"Add [[workdays]] with effective_from = {year}-01-01 and that notice as its source."
        )
        self.year = year


class WorkdayYear(NamedTuple):
    """One year's exceptions to Monday-Friday, as local days."""

    year: int
    holidays: frozenset[int]
    workdays: frozenset[int]


class Workdays(NamedTuple):
    """All years a policy knows, oldest first."""

    years: dict[int, WorkdayYear]

    def is_working(self, day: int) -> bool:
        """Is this local day worked?"""
        calendar_date = to_date(day)
        year = self.years.get(calendar_date.year)
        if year is None:
            raise WorkdayUnknown(calendar_date.year)
        return day in year.workdays or (calendar_date.weekday() < _SATURDAY and day not in year.holidays)

    def last_year_from(self, year: int) -> int:
        """The last year that is known without a gap from `year` on; the one before `year` if that is not known."""
        while year in self.years:
            year += 1
        return year - 1

    def add(self, day: int, count: int) -> int:
        """The `count`-th working day after `day`; `day` itself does not count, 0 is `day`."""
        assert count >= 0, count
        while count:
            day += 1
            count -= self.is_working(day)
        return day


def terms_add_working_days(policy: "Policy", day: int, count: int) -> int:
    """The `count`-th working day after `day` by the policy's table; raises WorkdayUnknown beyond it."""
    return policy.workdays.add(day, count)
