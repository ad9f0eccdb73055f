"""More than there is room for: beds and dialysis machines (H10), and the day of who executes (M08)."""

from collections.abc import Sequence

from risk.local_time import DAY_MS, MINUTE_MS
from streams.city.acts.growth import is_off
from streams.city.stage import Stage

IN_HOUSE = 44  # a tenth more than the forty beds that the policy gives hospitals of no district (H430599)
DIALYSES = 13  # one more than four machines in three shifts
MASSAGES = 97  # ten minutes each: more than sixteen hours
DIALYSIS, MASSAGE, INJECTION = "00311000006", "0045", "001204"
_STAY_DAYS = 4


def beds_in_the_corridor(stage: Stage) -> None:
    """H10, level 1: forty-four patients lie in a house of forty beds; below, forty-three."""
    code, count = _house(stage), IN_HOUSE + min(6, stage.excess)
    stage.label("H10", code, _admitted(stage, code, count, _working_day(stage)), crossing=IN_HOUSE - 1)


def full_house(stage: Stage) -> None:
    """Twin of H10: seventy patients in two weeks, of whom thirty-five lie there at a time."""
    code, day = _house(stage), _working_day(stage)
    events = [*_admitted(stage, code, 35, day), *_admitted(stage, code, 35, day + 7, first=35)]
    stage.innocent("H10", code, "never more than thirty-five at a time", events)


def dialysis_by_night(stage: Stage) -> None:
    """H10, level 2: thirteen dialyses of one date on four machines in three shifts; below, twelve."""
    code = _house(stage)
    events = _treated(stage, code, DIALYSES + min(6, stage.excess), 0)
    stage.label("H10", code, events, level=2, crossing=DIALYSES - 1)


def dialysis_in_three_shifts(stage: Stage) -> None:
    """Twin of H10: twelve dialyses a day, two days in a row, none in a fourth shift."""
    code = _house(stage)
    events = [*_treated(stage, code, DIALYSES - 1, 0), *_treated(stage, code, DIALYSES - 1, 1, first=20)]
    stage.innocent("H10", code, "three shifts a day", events)


def masseur_of_a_hundred(stage: Stage) -> None:
    """M08: ninety-seven massages of ten minutes under one code on one date; below, ninety-six."""
    masseur = stage.doctor(9)
    events = _executed(stage, MASSAGE, MASSAGES + stage.excess, by=masseur)
    stage.label("M08", masseur, events)


def busy_nurse(stage: Stage) -> None:
    """Twin of M08: two hundred injections of one nurse, which are quick; and a doctor who massages himself."""
    nurse = stage.doctor(9)
    events = _executed(stage, INJECTION, 200, by=nurse)
    stage.innocent("M08", nurse, "injections are quick", events)
    stage.innocent(
        "M08", stage.doctor(), "ordered by himself", _executed(stage, MASSAGE, 100, by=stage.doctor(), first=300)
    )


def _house(stage: Stage) -> str:
    """One of the hospitals of which the policy of a sandbox states beds and machines."""
    return f"H430599{stage.own_place % 100_000:05d}"


def _working_day(stage: Stage) -> int:
    """The first one on which to admit: many on a day off would be H08's."""
    return next(day for day in range(7) if not is_off(stage, day))


def _admitted(stage: Stage, code: str, count: int, day: int, *, first: int = 0) -> Sequence[str]:
    """So many within a morning, each for some days."""
    events = []
    for n in range(first, first + count):
        visit = stage.visit(stage.person(n), "21", code)._replace(diag="K80")
        at_ms = stage.at(8, day + _STAY_DAYS) + (n - first) * 5 * MINUTE_MS
        events.append(stage.settle(visit, at_ms, 300_000, 75, stay_ms=_STAY_DAYS * DAY_MS))
    return events


def _treated(stage: Stage, code: str, count: int, day: int, *, first: int = 0) -> Sequence[str]:
    events = []
    for n in range(first, first + count):
        visit = stage.visit(stage.person(n), "14", code)._replace(diag="N18")
        line = stage.line(visit, f"{DIALYSIS}0000", 40_000)._replace(trace_codes=(), prd_days=None)
        events.append(stage.settle(visit, stage.at(7, day) + (n - first) * 45 * MINUTE_MS, 40_000, 80, lines=[line]))
    return events


def _executed(stage: Stage, item: str, count: int, *, by: str, first: int = 0) -> Sequence[str]:
    """Ten different items of its kind to a visit, ordered by one doctor."""
    events = []
    for start in range(0, count, 10):
        visit = stage.visit(stage.person(first + start), "11", stage.hospital(), doctor=stage.doctor())
        lines = [
            stage.line(visit, f"{item}{n:06d}00000"[:15], 1_000, serial=n + 1)._replace(
                trace_codes=(), prd_days=None, executed_by=by
            )
            for n in range(min(10, count - start))
        ]
        events.append(stage.settle(visit, stage.at(8) + start * 3 * MINUTE_MS, 1_000 * len(lines), lines=lines))
    return events
