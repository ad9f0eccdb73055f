"""Pharmacies and doctors as a whole: bursts, more patients than one can see, codes that are none (D01, M01, Q02)."""

from risk.local_time import MINUTE_MS
from streams.city.stage import Stage

BURST_IN_5_MINUTES = 10
PATIENTS_A_DAY = 101
BILLS_ENOUGH = 100  # for H13, a share of bills
PLACEHOLDERS = ("未知", "999", "无", "0", "999999", "null")


def burst_at_a_pharmacy(stage: Stage) -> None:
    """D01: ten cards at one pharmacy within four minutes."""
    code, count = stage.pharmacy(), BURST_IN_5_MINUTES + stage.excess
    events = [
        stage.settle(stage.visit(stage.person(n), "41", code), stage.at(14) + n * 20_000, 9_000 + n, 20)
        for n in range(count)
    ]
    stage.label("D01", code, events, crossing=BURST_IN_5_MINUTES - 1)


def flu_evening(stage: Stage) -> None:
    """Twin of D01: a pharmacy on duty in a flu week sells to one customer a minute for an hour."""
    code = stage.pharmacy()
    events = [
        stage.settle(stage.visit(stage.person(n % 30), "41", code), stage.at(19) + n * MINUTE_MS, 3_900 + n, 20)
        for n in range(60)
    ]
    stage.innocent("D01", code, "a flu evening at the pharmacy on duty", events)


def beyond_human_capacity(stage: Stage) -> None:
    """M01: one doctor's code under the bills of 101 persons on one date."""
    doctor, code, count = stage.doctor(), stage.hospital(), PATIENTS_A_DAY + stage.excess
    events = [
        stage.settle(
            stage.visit(stage.person(n), "11", code, doctor=doctor), stage.at(8) + n * 4 * MINUTE_MS, 11_000 + n
        )
        for n in range(count)
    ]
    stage.label("M01", doctor, events, crossing=PATIENTS_A_DAY - 1)


def shared_clinic(stage: Stage) -> None:
    """Twin of M01: a clinic's day with 120 bills of 80 patients, and a room two doctors share."""
    first, second, code = stage.doctor(), stage.doctor(1), stage.hospital()
    bills: dict[str, list[str]] = {first: [], second: []}
    for n in range(120):
        doctor = first if n % 3 else second
        visit = stage.visit(stage.person(n % 80), "11", code, doctor=doctor)
        bills[doctor].append(stage.settle(visit, stage.at(8) + n * 5 * MINUTE_MS, 9_000 + n))
    for doctor, events in bills.items():
        stage.innocent("M01", doctor, "many bills, fewer patients: results are discussed in the afternoon", events)


def names_left_empty(stage: Stage) -> None:
    """Q02, and a twin of M01: a hospital whose software writes the same placeholder under 120 patients a day."""
    code, doctor = stage.hospital(), PLACEHOLDERS[stage.ordinal % len(PLACEHOLDERS)]
    events = [
        stage.settle(
            stage.visit(stage.person(n), "11", code, doctor=doctor), stage.at(8) + n * 4 * MINUTE_MS, 8_000 + n
        )
        for n in range(120)
    ]
    stage.label("Q02", code, events, crossing=0)
    stage.must("H13", code, events[:BILLS_ENOUGH])
    stage.innocent("M01", doctor, "no name is no person", events)


def names_all_there(stage: Stage) -> None:
    """Twin of Q02: a pharmacy's bills have no doctor at all, and need none."""
    code = stage.pharmacy()
    events = [
        stage.settle(stage.visit(stage.person(n), "41", code), stage.at(9) + n * 7 * MINUTE_MS, 4_000 + n, 20)
        for n in range(20)
    ]
    stage.innocent("Q02", code, "a purchase names no doctor", events)
