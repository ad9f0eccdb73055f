"""What takes a year to see: a month beside the one a year ago (H12, level 2), December of a year (D11, level 2).

A city that is too short for it, or begins in the wrong month, does not play it.
"""

from datetime import date

from risk.local_time import local_day, to_date
from streams.city.acts.growth import equal_bills
from streams.city.stage import Stage

SPAN_DAYS = 427
"""From any day to the end of a month that begins within the next, a year later."""
A_YEAR_AGO, THIS_YEAR = 56, 113
BEFORE_DECEMBER, IN_DECEMBER = 111, 39
_JANUARY, _DECEMBER = 1, 12


def clinic_beside_last_year(stage: Stage) -> None:
    """H12, level 2: outpatients cost 201 % of the same month a year ago; below, twice."""
    since = _next(stage, day=1)
    if since is None:
        return
    spans = _year_apart(stage, since, THIS_YEAR + stage.excess)
    events = equal_bills(stage, stage.hospital(), "11", spans, since=since)
    stage.label("H12", stage.hospital(), events, level=2, crossing=A_YEAR_AGO + THIS_YEAR - 1)


def clinic_new_last_year(stage: Stage) -> None:
    """Twin of H12, level 2: it opened in the course of the month that it would be held against."""
    since = _next(stage, day=1)
    if since is None:
        return
    spans = _year_apart(stage, since, THIS_YEAR)
    first, *rest = spans
    events = equal_bills(stage, stage.hospital(), "11", ((first[0] - 2, first[1]), *rest), since=since + 2)
    stage.innocent("H12", stage.hospital(), "it opened in that month", events)


def _year_apart(stage: Stage, since: int, count: int) -> tuple[tuple[int, int], ...]:
    """A month, eleven without a bill, and as many days as the month has."""
    days = next(day for day in range(28, 32) if _date(stage, since + day).day == 1)
    return (days, A_YEAR_AGO), (365 - days, 0), (days, count)


def rush_of_december(stage: Stage) -> None:
    """D11, level 2: 26 % of what the funds paid in a year was paid in December; below, a bill less."""
    _year(stage, innocent=False)


def rush_of_may(stage: Stage) -> None:
    """Twin of D11, level 2: its best month was May."""
    _year(stage, innocent=True)


def _year(stage: Stage, *, innocent: bool) -> None:
    january, december = _next(stage, month=_JANUARY), _next(stage, month=_DECEMBER)
    if january is None or december is None or december < january:
        return
    code = stage.pharmacy()
    if innocent:
        may = 120 - _date(stage, january).timetuple().tm_yday + 1
        spans: tuple[tuple[int, int], ...] = ((may, 46), (31, 13), (december - january - may - 31, 82), (31, 11))
        events = equal_bills(stage, code, "41", spans, since=january)
        stage.innocent("D11", code, "its best month was May", events)
        return
    spans = ((december - january, BEFORE_DECEMBER), (31, IN_DECEMBER + stage.excess))
    events = equal_bills(stage, code, "41", spans, since=january)
    stage.label("D11", code, events, level=2, crossing=BEFORE_DECEMBER + IN_DECEMBER - 1)


def _next(stage: Stage, *, month: int = 0, day: int = 0) -> int | None:
    """The first day of the act of that month, or of that number; None where too few follow in the city."""
    room = stage.world.plan.days - stage.day
    least = {_JANUARY: 335, _DECEMBER: 31}.get(month, 365 + 31)
    for number in range(max(0, room - least + 1)):
        on = _date(stage, number)
        if on.month == month or on.day == day:
            return number
    return None


def _date(stage: Stage, day: int) -> date:
    return to_date(local_day(stage.at(12, day)))
