"""Doctors in two places, suspended, with points, or with a patient a minute (M03, M04, M07, M09)."""

from typing import Any

from risk.facts import StaffPointsDetermined, StaffStatusChanged
from risk.local_time import MINUTE_MS, to_datetime
from streams.city.stage import Stage, paper

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


def bills_while_suspended(stage: Stage) -> None:
    """M04, level 2: suspended for a month, he goes on signing; below, the day before it begins."""
    doctor, hour = stage.doctor(), 9 if stage.excess >= 0 else -6
    _said(stage, StaffStatusChanged, doctor, status="suspended", since=stage.at(0, 1), until=stage.at(0, 31))
    events = [
        stage.settle(
            stage.visit(stage.person(n), "11", stage.hospital(), doctor=doctor), stage.at(hour + n, 1), 9_000 + n
        )
        for n in range(1 + max(0, stage.excess))
    ]
    stage.label("M04", doctor, events, level=2, crossing=0)


def rescued_while_on_leave(stage: Stage) -> None:
    """Twin of M04: on leave, called to an emergency at night, and back at work the morning after the leave."""
    doctor = stage.doctor()
    _said(stage, StaffStatusChanged, doctor, status="on_leave", since=stage.at(0, 1), until=stage.at(0, 3))
    events = [
        stage.settle(stage.visit(stage.person(n), kind, stage.hospital(), doctor=doctor), at_ms, 12_000 + n)
        for n, (kind, at_ms) in enumerate((("13", stage.at(23, 1)), ("11", stage.at(9, 3))))
    ]
    stage.innocent("M04", doctor, "an emergency, and the day after the leave", events)


def points_to_nine(stage: Stage) -> None:
    """M07: three determinations of three points each in one year open levels 1 and 2; below, the last one is of two."""
    doctor, last = stage.doctor(), 3 + min(2, stage.excess)
    events = [
        _said(stage, StaffPointsDetermined, doctor, points=points, determined_at=stage.at(10, 2 * n), on_day=2 * n)
        for n, points in enumerate((3, 3, last))
    ]
    stage.must("M07", doctor, events[:2])
    stage.label("M07", doctor, events, level=2)


def points_withdrawn(stage: Stage) -> None:
    """Twin of M07: three points, withdrawn on review, and four of another document."""
    doctor = stage.doctor()
    said = ((3, "a"), (0, "a"), (4, "b"))
    events = [
        _said(
            stage, StaffPointsDetermined, doctor, points=points, determined_at=stage.at(10), on_day=n, document=document
        )
        for n, (points, document) in enumerate(said)
    ]
    stage.innocent("M07", doctor, "withdrawn on review", events)


def _said(
    stage: Stage, kind: type[StaffStatusChanged] | type[StaffPointsDetermined], doctor: str, *, on_day: int = 0,
    document: str = "", **said: Any,
) -> str:  # fmt: skip
    """Script one word of the authority at ten o'clock; its event id."""
    at_ms = stage.at(10, on_day)
    instants = {name: to_datetime(value) for name, value in said.items() if name in ("since", "until", "determined_at")}
    number = document or str(on_day)
    fact = kind(
        event_id=f"staff:{doctor}:{at_ms}:{number}",
        occurred_at=to_datetime(at_ms),
        dr_code=doctor,
        document_no=f"邵医保记〔2026〕{stage.serial}-{number}",
        **{**said, **instants},
    )
    stage.times[fact.event_id] = at_ms
    stage.add(iter([paper(fact, at_ms)]))
    return fact.event_id
