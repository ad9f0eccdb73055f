"""Medicines: too often, too much at a time, too early, from too many hands (P04, P05, P06, P07, M05)."""

from collections.abc import Sequence

from risk.local_time import DAY_MS, local_day, to_date
from streams.city.stage import Stage

FILLS_A_MONTH = 5
ORDINARY_DAYS, EMERGENCY_DAYS, CHRONIC_DAYS = 7, 3, 30
STOCK_DAYS = 7
HOARD_PLACES, HOARD_BOXES = 3, 60
LONG_PERCENT = 5


def _fill(stage: Stage, person_number: int, at_ms: int, drug: str, **how: int | str) -> str:
    """One prescription: `days`, `count`, `med_type`, `place`, `diag`, `doctor` as told."""
    person = stage.person(person_number)
    med_type, place, diag = str(how.get("med_type", "11")), int(how.get("place", 0)), str(how.get("diag", ""))
    doctor = str(how["doctor"]) if "doctor" in how else None
    visit = stage.visit(person, med_type, stage.hospital(place), doctor=doctor)._replace(diag=diag)
    amount_fen = int(how.get("amount_fen", 6_000))
    line = stage.line(visit, drug, amount_fen, days=int(how.get("days", 5)), count=int(how.get("count", 1)))
    return stage.settle(visit, at_ms, amount_fen, lines=[line])


def _one_month(stage: Stage, days: int) -> int:
    """The first day offset from which `days` days lie in one calendar month, if the plan has room for them."""
    for offset in range(31):
        first = local_day(stage.at(12, offset))
        if to_date(first).month == to_date(first + days - 1).month:
            return offset
    return 0


def same_drug_again_and_again(stage: Stage) -> None:
    """P04: the same drug a fifth time within a calendar month, always when the last box is used up."""
    count, first = min(9, FILLS_A_MONTH + stage.excess), _one_month(stage, 2 * (FILLS_A_MONTH + stage.excess) + 1)
    events = [_fill(stage, 0, stage.at(9, first + 2 * n), stage.drug(), days=2) for n in range(count)]
    stage.label("P04", stage.person().psn_no, events, crossing=FILLS_A_MONTH - 1)


def chemotherapy_cycles(stage: Stage) -> None:
    """Twin of P04: an oncology cycle (C34) with the same infusion on six days of one month."""
    first = _one_month(stage, 13)
    events = [
        _fill(stage, 0, stage.at(9, first + 2 * n), stage.drug(), days=1, med_type="14", diag="C34") for n in range(6)
    ]
    stage.innocent("P04", stage.person().psn_no, "an oncology cycle", events)


def too_much_at_once(stage: Stage) -> None:
    """P05: eight days on an ordinary prescription, four on one of an emergency; below, seven and three."""
    for number, (med_type, most) in enumerate((("11", ORDINARY_DAYS), ("13", EMERGENCY_DAYS))):
        days = most + 1 + stage.excess
        event = _fill(stage, number, stage.at(10), stage.drug(), days=days, med_type=med_type)
        stage.label("P05", stage.person(number).psn_no, [event], level=1 + number)


def chronic_month(stage: Stage) -> None:
    """Twin of P05: thirty days of a chronic disease's medicine, on the chronic scheme."""
    event = _fill(stage, 0, stage.at(10), stage.drug(), days=CHRONIC_DAYS, med_type="14", diag="I10")
    stage.innocent("P05", stage.person().psn_no, "a month's supply on the chronic scheme", [event])


def next_box_too_early(stage: Stage) -> None:
    """P06: thirty days' supply, and again while eight days of it are left; below, while seven are."""
    left = STOCK_DAYS + 1 + min(12, stage.excess)
    events = [
        _fill(stage, 0, stage.at(10, day), stage.drug(), days=CHRONIC_DAYS, med_type="14", diag="I10")
        for day in (0, CHRONIC_DAYS - left)
    ]
    stage.label("P06", stage.person().psn_no, events)


def next_box_in_time(stage: Stage) -> None:
    """Twin of P06: two medicines of one disease, each again when it is used up, with five days to spare."""
    events = [
        _fill(stage, 0, stage.at(9 + drug, day), stage.drug(drug), days=CHRONIC_DAYS, med_type="14", diag="I10")
        for day in (0, CHRONIC_DAYS - 5)
        for drug in (0, 1)
    ]
    stage.innocent("P06", stage.person().psn_no, "refilled with five days to spare", events)


def hoard_of_many_hospitals(stage: Stage) -> None:
    """P07: 61 boxes of one drug from three hospitals."""
    boxes = HOARD_BOXES + 1 + stage.excess
    shares = (20, 20, boxes - 40)
    events = [
        _fill(stage, 0, stage.at(10, 9 * n), stage.drug(), days=7, count=share, place=n, amount_fen=30_000)
        for n, share in enumerate(shares)
    ]
    stage.label("P07", stage.person().psn_no, events)


def long_treatment_at_one_hospital(stage: Stage) -> None:
    """Twin of P07: as many boxes, all from the hospital that treats him."""
    events = [_fill(stage, 0, stage.at(10, 9 * n), stage.drug(), days=7, count=24, amount_fen=30_000) for n in range(3)]
    stage.innocent("P07", stage.person().psn_no, "one hospital treats him all along", events)


def generous_doctor(stage: Stage) -> None:
    """M05: of a doctor's hundred prescriptions six are too long; below, five. The patients are P05's."""
    doctor, count = stage.doctor(), 100
    long = LONG_PERCENT + 1 + stage.excess
    events = _prescriptions(stage, doctor, [9 if n >= count - long else 5 for n in range(count)])
    stage.label("M05", doctor, events)
    for n in range(count - long, count):
        stage.must("P05", stage.person(n).psn_no, [events[n]])


def careful_doctor(stage: Stage) -> None:
    """Twin of M05: a chronic clinic, where a month's supply is the rule."""
    doctor = stage.doctor()
    events = _prescriptions(stage, doctor, [28] * 60, med_type="14")
    stage.innocent("M05", doctor, "a chronic clinic", events)


def _prescriptions(stage: Stage, doctor: str, days: Sequence[int], med_type: str = "11") -> list[str]:
    """So many patients of one doctor, ten a day."""
    step_ms = 30 * 60_000
    return [
        _fill(
            stage, n, stage.at(8) + n // 10 * DAY_MS + n % 10 * step_ms, stage.drug(n), days=each, med_type=med_type,
            doctor=doctor,
        )
        for n, each in enumerate(days)
    ]  # fmt: skip
