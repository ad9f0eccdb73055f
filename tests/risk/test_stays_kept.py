"""How long an admission is remembered: until nobody can ask for it any more, and no longer."""

from itertools import product
from typing import Any

import pytest

from connectors.state_codec import unpack_activity
from risk.activity import Activity
from risk.care import (
    COMES_BACK_MS,
    NO_CARE,
    STAYS_MOST,
    UNSETTLED_MS,
    Care,
    Reach,
    Stay,
    forgetting,
    unpacked,
    with_stay,
)
from risk.local_time import DAY_MS, day_start_ms
from tests.oracle.case_log import facts_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

NOW_MS = day_start_ms(20_000)
STAYS_MS, LATE_DAYS = 16 * DAY_MS, 2
REACH = Reach(0, STAYS_MS, UNSETTLED_MS, pairs=True, any_rule=True)
OPEN = None


def stay(number: int, opened: int, ended: int | None, code: str = "H1", *, cancelled: bool = False) -> Stay:
    """Admitted and discharged so many days ago."""
    ended_ms = 0 if ended is OPEN else NOW_MS - ended * DAY_MS
    return Stay(number, code, NOW_MS - opened * DAY_MS, f"e{number}", "21", ended_ms=ended_ms, cancelled=cancelled)


def left(*stays: Stay, settled: tuple[int, ...] = (), pairs: bool = True, forgotten: tuple[int, ...] = ()) -> list[int]:
    """The numbers of those that are still remembered today."""
    care = Care(stays=stays)
    after = forgetting(
        care,
        NOW_MS,
        REACH._replace(pairs=pairs),
        is_settled=lambda mdtrt: mdtrt in settled,
        is_remembered=lambda mdtrt: mdtrt not in forgotten,
    )
    return [each.mdtrt_id for each in after.stays]


@pytest.mark.parametrize(
    ("ended", "settled", "cancelled", "kept"),
    [
        (16 + LATE_DAYS, True, False, True),
        (17 + LATE_DAYS, True, False, False),
        (17 + LATE_DAYS, False, False, True),
        (17 + LATE_DAYS, False, True, False),
        (92 + LATE_DAYS, False, False, True),
        (93 + LATE_DAYS, False, False, False),
        (OPEN, False, False, True),
    ],
)
def test_a_discharge_waits_for_its_settlement(ended: int | None, settled: bool, cancelled: bool, kept: bool) -> None:
    one = stay(1, 200, ended, cancelled=cancelled)
    assert left(one, settled=(1,) if settled else ()) == ([1] if kept else [])


@pytest.mark.parametrize(("gap", "ended"), [*product((0, 15, 16), (OPEN, 10, 30))])
def test_the_discharge_before_an_admission_stays_as_long_as_that_admission(gap: int, ended: int | None) -> None:
    first, second = stay(1, 60, 50 + gap), stay(2, 50, ended)
    needed = [2] if ended != 30 else []
    assert left(first, second, settled=(1, 2)) == ([1, *needed] if needed and gap * DAY_MS <= COMES_BACK_MS else needed)
    assert left(first, second, settled=(1, 2), pairs=False) == needed


def test_a_discharge_of_another_hospital_or_one_that_never_was_is_not_waited_for() -> None:
    second = stay(2, 50, OPEN)
    assert left(stay(1, 60, 51, "H2"), second, settled=(1, 2)) == [2]
    assert left(stay(1, 60, 51, cancelled=True), second, settled=(1, 2)) == [2]


def test_a_discharge_is_not_kept_for_one_that_is_itself_only_kept_for_another() -> None:
    assert left(stay(1, 80, 75), stay(2, 70, 55), stay(3, 50, OPEN), settled=(1, 2, 3)) == [2, 3]


def test_an_admission_that_nobody_ended_goes_with_its_visit() -> None:
    assert left(stay(1, 100, OPEN), stay(2, 50, OPEN), forgotten=(1,)) == [2]
    assert left(stay(1, 20, 10), forgotten=(1,)) == [1], "of one that has ended the stay outlives the visit"


def after(*log: dict[str, Any]) -> Activity:
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(facts_of({"log": log}, {}))
    stored, *_ = engine.stored()
    (value,) = [value for (key, _), value in stored.items() if ":a:" in key]
    return unpack_activity(value)


def known(*log: dict[str, Any]) -> tuple[list[str], int]:
    """The visits that are remembered after all that, and how many stays."""
    activity = after(*log)
    return [visit.mdtrt_id for visit in activity.visits], len(unpacked(activity.care).stays)


def settled(number: int, on: str) -> tuple[dict[str, Any], ...]:
    bill = {"at": f"{on} 09:00", "visit": f"B{number}", "med_type": "21"}
    return {"at": f"{on} 08:00", "admit": f"B{number}"}, bill


def test_an_admission_that_is_settled_and_never_ended_goes_with_its_bill() -> None:
    """A bill keeps its row 90 days (P15), and may be 48 hours late."""
    log = settled(1, "2026-01-01")
    assert known(*log, *settled(2, "2026-04-03"), {"at": "2026-04-04 09:00", "face": "passed"}) == (["B1", "B2"], 2)
    assert known(*log, *settled(2, "2026-04-04"), {"at": "2026-04-05 09:00", "face": "passed"})[0] == ["B2"]
    assert known(*log, *settled(2, "2026-04-04"), *settled(3, "2026-04-05")) == (["B2", "B3"], 2)


def test_one_whose_bill_was_undone_waits_for_the_next_bill() -> None:
    undone = (*settled(1, "2026-01-01"), {"at": "2026-02-01 09:00", "reverse": 2})
    assert known(*undone, *settled(2, "2026-05-01"), *settled(3, "2026-05-02")) == (["B1", "B2", "B3"], 3)


def test_of_too_many_the_settled_ones_go_before_the_one_he_still_lies_in() -> None:
    days = [f"2026-{month}-{day:02}" for month in ("01", "02") for day in range(2, 20)]
    settled_daily = [each for number, day in enumerate(days) for each in settled(number, day)]
    visits, stays = known({"at": "2026-01-01 08:00", "admit": "A"}, *settled_daily)
    assert len(visits) == stays == STAYS_MOST
    assert visits[0] == "A", "whom no bill has settled"


def test_of_too_many_the_oldest_ended_ones_go() -> None:
    open_one, ended = stay(1, 80, OPEN), [stay(n, 90 - n, 90 - n) for n in range(2, STAYS_MOST + 12)]
    care = NO_CARE
    for each in (open_one, *ended):
        care = with_stay(care, each)
    assert [each.mdtrt_id for each in care.stays] == [1, *range(13, STAYS_MOST + 12)]


def test_however_many_admissions_nobody_ends_the_state_does_not_grow() -> None:
    every_day = {"times": 40, "every": "1 d"}
    admitted = [{"at": "2026-01-01 08:00", "admit": "B#", **every_day}, {"at": "2026-02-10 08:00", "face": "passed"}]
    visits, stays = known(*admitted)
    assert visits == [f"B{n}" for n in range(41 - STAYS_MOST, 41)]
    assert stays == STAYS_MOST
