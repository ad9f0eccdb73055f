"""How big a simulated city is, which local days it lives, and from which seed: everything that decides its bytes."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from risk.local_time import day_of, day_start_ms, to_date
from risk.workdays import Workdays

DAYS_PER_YEAR = 365
ANNUAL_CAP_FEN = 15_000_000
"""Where the plan is not told the policy's cap: 150,000 yuan a year, which P12's plants then approach."""
LAST_KNOWN_YEAR = 2026
"""Where the plan is not told how far the policy's table of working days goes: beyond it Q07's plants leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CityPlan:
    """The whole input of the simulator. Equal plans give equal bytes."""

    people: int
    institutions: int
    first_day: int
    days: int
    seed: int = 1
    visits_per_year: float = 4.8
    signed_percent: float = 30.0
    late_percent: float = 1.0
    duplicate_percent: float = 1.0
    plants: int = 1
    annual_cap_fen: int = ANNUAL_CAP_FEN
    checkout: bool = False
    """True when a live API stands by: bills of signed persons are then authorized first, not merely booked."""
    alone: bool = False
    """True where no bank and no asker is at work: what they would bring into the log is then played too."""
    last_known_year: int = LAST_KNOWN_YEAR

    def __post_init__(self) -> None:
        if self.people < 1 or self.institutions < 1 or self.days < 1 or self.seed < 0:
            raise ValueError(
                "a city needs people, institutions and days of at least 1, and a seed that is not negative"
            )

    @property
    def visits_per_day(self) -> float:
        """Honest visits on a weekday."""
        return self.people * self.visits_per_year / DAYS_PER_YEAR

    @property
    def start_ms(self) -> int:
        """The local midnight at which the city begins."""
        return day_start_ms(self.first_day)

    @property
    def end_ms(self) -> int:
        """The local midnight after its last day. Discharges may come later."""
        return day_start_ms(self.first_day + self.days)

    def with_years_of(self, workdays: Workdays) -> Self:
        """The same city, its plants told how far a policy's table of working days goes."""
        return replace(self, last_known_year=workdays.last_year_from(to_date(self.first_day).year))

    def date_of(self, day: int) -> date:
        """A day of the plan as a calendar date."""
        return to_date(day)


def first_day_of(start: str | None, days: int, today: int) -> int:
    """The first local day: the one given, else such that yesterday is the last."""
    return day_of(date.fromisoformat(start)) if start else today - days
