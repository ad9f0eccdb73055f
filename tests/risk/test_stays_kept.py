"""How long an admission is remembered: until nobody can ask for it any more, and no longer."""

from itertools import product

import pytest

from risk.care import COMES_BACK_MS, UNSETTLED_MS, Care, Reach, Stay, forgetting
from risk.local_time import DAY_MS, day_start_ms

NOW_MS = day_start_ms(20_000)
STAYS_MS, LATE_DAYS = 16 * DAY_MS, 2
REACH = Reach(0, STAYS_MS, UNSETTLED_MS, pairs=True, any_rule=True)
OPEN = None


def stay(number: int, opened: int, ended: int | None, code: str = "H1", *, cancelled: bool = False) -> Stay:
    """Admitted and discharged so many days ago."""
    ended_ms = 0 if ended is OPEN else NOW_MS - ended * DAY_MS
    return Stay(number, code, NOW_MS - opened * DAY_MS, f"e{number}", "21", ended_ms=ended_ms, cancelled=cancelled)


def left(*stays: Stay, settled: tuple[int, ...] = (), pairs: bool = True) -> list[int]:
    """The numbers of those that are still remembered today."""
    care = Care(stays=stays)
    after = forgetting(care, NOW_MS, REACH._replace(pairs=pairs), is_settled=lambda mdtrt: mdtrt in settled)
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
