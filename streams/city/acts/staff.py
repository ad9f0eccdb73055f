"""Doctors in two places, suspended, or fond of one drug (M02, M03, M09)."""

from risk.local_time import MINUTE_MS
from streams.city.stage import Stage

APART_MINUTES = 30
PATIENTS_TOGETHER = 30


def two_hospitals_in_half_an_hour(stage: Stage) -> None:
    """M03: one doctor's bills at two hospitals less than half an hour apart; below, exactly half an hour."""
    doctor = stage.doctor()
    gap_ms = APART_MINUTES * MINUTE_MS - {-1: 0, 0: 1_000}.get(stage.excess, 150_000 * max(0, stage.excess))
    events = [
        stage.settle(stage.visit(stage.person(n), "11", stage.hospital(n), doctor=doctor), at_ms, 9_000 + n)
        for n, at_ms in enumerate((stage.at(10), stage.at(10) + gap_ms))
    ]
    stage.label("M03", doctor, events)


def guest_doctor(stage: Stage) -> None:
    """Twin of M03: in the county by morning, a guest in the township after lunch (多点执业)."""
    doctor = stage.doctor()
    events = [
        stage.settle(
            stage.visit(stage.person(n), "11", stage.hospital(n // 10), doctor=doctor),
            stage.at(8 if n < 10 else 14) + n * 9 * MINUTE_MS, 9_000 + n,
        )
        for n in range(20)
    ]  # fmt: skip
    stage.innocent("M03", doctor, "two hospitals, half a day each", events)


def one_patient_a_minute(stage: Stage) -> None:
    """M09: thirty patients and more under one doctor's code, 50 seconds apart; below, one patient fewer."""
    doctor, count = stage.doctor(), PATIENTS_TOGETHER + stage.excess
    events = _consultations(stage, doctor, count, gap_ms=50_000)
    stage.label("M09", doctor, events, crossing=PATIENTS_TOGETHER - 1)


def quick_clinic(stage: Stage) -> None:
    """Twin of M09: forty prescriptions renewed every two minutes, which is quick and no crime."""
    doctor = stage.doctor()
    stage.innocent("M09", doctor, "prescriptions renewed", _consultations(stage, doctor, 40, gap_ms=2 * MINUTE_MS))


def _consultations(stage: Stage, doctor: str, count: int, *, gap_ms: int) -> list[str]:
    return [
        stage.settle(
            stage.visit(stage.person(n), "11", stage.hospital(), doctor=doctor), stage.at(9) + n * gap_ms, 9_000 + n
        )
        for n in range(count)
    ]
