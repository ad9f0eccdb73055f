"""Growth against a place's own past, and admissions on days off (D10, D11, H08, H12)."""

from datetime import date

from risk.local_time import DAY_MS, MINUTE_MS, local_day, to_date
from streams.city.stage import Stage

SATURDAY = 5
DAYS_OFF = {date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 4), date(2026, 5, 5)}
"""Weekdays off in the spring of the bench; no weekend of it is worked (国务院办公厅, 2025-11-04)."""
PEOPLE = 40
ADMITTED, ON_DAYS_OFF = 40, 24


def pharmacy_doubles(stage: Stage) -> None:
    """D10: the funds pay a pharmacy in two weeks twice what they paid in the two before; below, one bill less."""
    code = stage.pharmacy()
    stage.label("D10", code, equal_bills(stage, code, "41", ((14, 14), (14, 28 + stage.excess))))


def pharmacy_does_well(stage: Stage) -> None:
    """Twin of D10: half as much again."""
    code = stage.pharmacy()
    stage.innocent("D10", code, "half as much again", equal_bills(stage, code, "41", ((14, 14), (14, 21))))


def rush_at_the_end(stage: Stage) -> None:
    """D11: more than three times last week; below, exactly three times."""
    code = stage.pharmacy()
    stage.label("D11", code, equal_bills(stage, code, "41", ((7, 14), (7, 43 + stage.excess))))


def busy_week(stage: Stage) -> None:
    """Twin of D11: a week in which everybody coughs is twice the last."""
    code = stage.pharmacy()
    stage.innocent("D11", code, "twice last week", equal_bills(stage, code, "41", ((7, 14), (7, 28))))


def clinic_doubles(stage: Stage) -> None:
    """H12: a hospital's outpatients cost in two weeks twice what they cost in the two before; below, one bill less."""
    code = stage.hospital()
    stage.label("H12", code, equal_bills(stage, code, "11", ((14, 56), (14, 112 + stage.excess))))


def clinic_does_well(stage: Stage) -> None:
    """Twin of H12: half as much again."""
    code = stage.hospital()
    stage.innocent("H12", code, "half as much again", equal_bills(stage, code, "11", ((14, 56), (14, 84))))


def equal_bills(
    stage: Stage, code: str, med_type: str, spans: tuple[tuple[int, int], ...], *, since: int = 0
) -> list[str]:
    """Equal bills from a day on: over so many days so many, then over so many more so many."""
    events = list[str]()
    for length, count in spans:
        for n in range(count):
            day, turn = divmod(n * length, count)
            at_ms = stage.at(9, since + day) + (turn // length + len(events) % 7) * 20 * MINUTE_MS
            visit = stage.visit(stage.person(len(events) % PEOPLE), med_type, code)
            events.append(stage.settle(visit, at_ms, 90_000, 40))
        since += length
    return events


def weekend_ward(stage: Stage) -> None:
    """H08: of forty inpatients twenty-four were admitted on days off; below, twenty-three."""
    code = stage.hospital()
    off = ON_DAYS_OFF + min(8, stage.excess)
    stage.label("H08", code, _admissions(stage, code, ADMITTED - min(off, ON_DAYS_OFF), off))


def accident_ward(stage: Stage) -> None:
    """Twin of H08: twelve of forty come on days off, as accidents do."""
    code = stage.hospital()
    stage.innocent("H08", code, "accidents know no weekday", _admissions(stage, code, 28, 12))


def _admissions(stage: Stage, code: str, working: int, off: int) -> list[str]:
    """All of a working day first, then those of the days off after it."""
    first = next(day for day in range(7) if not is_off(stage, day))
    free = [day for day in range(first, 14) if is_off(stage, day)]
    days = [first] * working + sorted(free[n % len(free)] for n in range(off))
    events = []
    for n, day in enumerate(days):
        visit = stage.visit(stage.person(n), "21", code)._replace(diag="K80")
        at_ms = stage.at(9, day + 2) + n * 5 * MINUTE_MS
        events.append(stage.settle(visit, at_ms, 300_000, 75, stay_ms=2 * DAY_MS))
    return events


def is_off(stage: Stage, day: int) -> bool:
    """Is the act's `day`-th day a day off?"""
    on = to_date(local_day(stage.at(12, day)))
    return on.weekday() >= SATURDAY or on in DAYS_OFF
