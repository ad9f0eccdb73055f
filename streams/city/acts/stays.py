"""Admissions that are none, that are two, or that overlap (P09, P10, P11, H01), and the admissions that look so."""

from typing import Literal

from risk.facts import InsuredStatusChanged, TransferFiled
from risk.local_time import DAY_MS, HOUR_MS, to_datetime
from streams.city.stage import Stage, paper
from streams.city.world import Person

READMITTED_WITHIN_DAYS = 15
IDLE_AFTER_DAYS = 3


def clinic_while_in_bed(stage: Stage) -> None:
    """P09: he lies in one hospital and settles at another's clinic; below, the day after discharge."""
    person = stage.person()
    stay = stage.visit(person, "21", stage.hospital())
    stage.settle(stay, stage.at(12, 4), 400_000, 70, stay_ms=4 * DAY_MS)
    day, hour = (2, 10) if stage.excess >= 0 else (5, 10)
    event = stage.settle(stage.visit(person, "11", stage.hospital(1)), stage.at(hour, day), 15_000)
    stage.label("P09", person.psn_no, [event])


def clinic_before_the_bed(stage: Stage) -> None:
    """Twin of P09: the clinic's bill of the same morning, settled an hour before he is admitted."""
    person, stay_ms = stage.person(), 3 * DAY_MS
    event = stage.settle(stage.visit(person, "11", stage.hospital()), stage.at(9), 15_000)
    stage.settle(stage.visit(person, "21", stage.hospital()), stage.at(10) + stay_ms, 400_000, 70, stay_ms=stay_ms)
    stage.innocent("P09", person.psn_no, "admitted from the clinic", [event])


def two_beds_at_once(stage: Stage) -> None:
    """P10: admitted at a second hospital while the first has not discharged him; below, at the hour after it did."""
    person = stage.person()
    left_ms = stage.at(11, 4)
    first = stage.settle(
        stage.visit(person, "21", stage.hospital())._replace(diag="K80"), left_ms + HOUR_MS, 400_000, 70,
        stay_ms=4 * DAY_MS,
    )  # fmt: skip
    overlap_ms = HOUR_MS * (12 + 12 * stage.excess) if stage.excess >= 0 else -60 * 60_000
    opened_ms = left_ms - min(overlap_ms, 3 * DAY_MS)
    stay_ms = 5 * DAY_MS
    second = stage.settle(
        stage.visit(person, "21", stage.hospital(1))._replace(diag="S72"), opened_ms + stay_ms, 500_000, 70,
        stay_ms=stay_ms,
    )  # fmt: skip
    stage.label("P10", person.psn_no, [first, second])


def moved_to_the_city(stage: Stage) -> None:
    """Twin of P10 and P11: the county hospital discharges him into the city's the same morning (transfer filed)."""
    person = stage.person()
    left_ms = stage.at(9, 3)
    filed = TransferFiled(
        event_id=f"2501:{person.psn_no}:0",
        occurred_at=to_datetime(left_ms - HOUR_MS),
        psn_no=person.psn_no,
        fixmedins_code=stage.hospital(),
        valid_from=to_datetime(left_ms - HOUR_MS),
        to_fixmedins_code=stage.hospital(1),
    )
    stage.add(iter([paper(filed, left_ms - HOUR_MS)]))
    first = stage.settle(
        stage.visit(person, "21", stage.hospital())._replace(diag="I21"), left_ms + HOUR_MS, 300_000, 70,
        stay_ms=3 * DAY_MS,
    )  # fmt: skip
    second = stage.settle(
        stage.visit(person, "21", stage.hospital(1))._replace(diag="I63"), left_ms + 2 * HOUR_MS + 5 * DAY_MS, 900_000,
        70, stay_ms=5 * DAY_MS,
    )  # fmt: skip
    stage.innocent("P10", person.psn_no, "transferred the same morning", [first, second])


def stay_cut_in_two(stage: Stage) -> None:
    """P11: discharged, and back in the same hospital within fifteen days; below, after sixteen."""
    person, days = stage.person(), 2 * DAY_MS
    away = READMITTED_WITHIN_DAYS - max(0, stage.excess) if stage.excess >= 0 else READMITTED_WITHIN_DAYS + 1
    left_ms = stage.at(9, 2)
    opened_ms = left_ms + away * DAY_MS - (HOUR_MS if stage.excess >= 0 else 0)
    events = [
        stage.settle(stage.visit(person, "21", stage.hospital())._replace(diag="J44"), at_ms, 300_000, 70, stay_ms=days)
        for at_ms in (left_ms + HOUR_MS, opened_ms + days)
    ]
    stage.label("P11", person.psn_no, events)


def fallen_down_the_stairs(stage: Stage) -> None:
    """Twin of P11: ten days after his appendix came out elsewhere he breaks a leg: other hospital, other illness."""
    person, days = stage.person(), 2 * DAY_MS
    left_ms = stage.at(9, 2)
    events = [
        stage.settle(stage.visit(person, "21", stage.hospital(n))._replace(diag=diag), at_ms, 300_000, 70, stay_ms=days)
        for n, (diag, at_ms) in enumerate((("K35", left_ms + HOUR_MS), ("S82", left_ms + 12 * DAY_MS)))
    ]
    stage.innocent("P11", person.psn_no, "another illness at another hospital", events)


def oncology_cycles_in_bed(stage: Stage) -> None:
    """Twin of P11: chemotherapy (Z51) every two weeks, each time two days in bed."""
    person, days = stage.person(), 2 * DAY_MS
    events = [
        stage.settle(
            stage.visit(person, "21", stage.hospital())._replace(diag="Z51"), stage.at(10, 2 + 14 * n), 500_000, 80,
            stay_ms=days,
        )
        for n in range(2)
    ]  # fmt: skip
    stage.innocent("P11", person.psn_no, "an oncology cycle", events)


def handed_on(stage: Stage) -> None:
    """P20: three hospitals, one after another, each on the day on which the one before let him go; below, two."""
    person = stage.person()
    stage.label("P20", person.psn_no, _one_after_another(stage, person, 3 if stage.excess >= 0 else 2))


def handed_on_by_paper(stage: Stage) -> None:
    """Twin of P20: the same three stays, and the county hospital had filed the transfer."""
    person = stage.person()
    filed = TransferFiled(
        event_id=f"2501:{person.psn_no}:0",
        occurred_at=to_datetime(stage.at(8, 2)),
        psn_no=person.psn_no,
        fixmedins_code=stage.hospital(),
        valid_from=to_datetime(stage.at(8, 2)),
        to_fixmedins_code=stage.hospital(1),
    )
    stage.add(iter([paper(filed, stage.at(8, 2))]))
    stage.innocent("P20", person.psn_no, "transferred on paper", _one_after_another(stage, person, 3))


def _one_after_another(stage: Stage, person: Person, count: int) -> list[str]:
    """Stays of two days at so many hospitals, each for another illness, and begun two hours after the one before."""
    events, opened_ms = [], stage.at(9)
    for n, diag in enumerate(("K80", "M51", "I63")[:count]):
        visit = stage.visit(person, "21", stage.hospital(n))._replace(diag=diag)
        events.append(stage.settle(visit, opened_ms + 2 * DAY_MS, 300_000, 70, stay_ms=2 * DAY_MS))
        opened_ms += 2 * DAY_MS + HOUR_MS
    return events


def empty_bed(stage: Stage) -> None:
    """H01: four days in a bed, and on one or two whole days nothing at all was done; below, something each day."""
    code, person = stage.hospital(), stage.person()
    idle = {-1: (), 0: (2,)}.get(stage.excess, (2, 3))
    event = stage.settle(
        stage.visit(person, "21", code), stage.at(18, 6), 300_000, 70, stay_ms=6 * DAY_MS, idle_days=idle
    )
    stage.label("H01", code, [event])


def short_stay(stage: Stage) -> None:
    """Twin of H01: a night in bed, with a bill only in the morning."""
    code, person = stage.hospital(), stage.person()
    event = stage.settle(stage.visit(person, "21", code), stage.at(11, 1), 120_000, 70, stay_ms=18 * HOUR_MS)
    stage.innocent("H01", code, "one night", [event])


def bills_of_the_dead(stage: Stage) -> None:
    """P16: a settlement after the scheme said that he died, or that his insurance ended; below, just before."""
    person = stage.person()
    word: Literal["deceased", "terminated"] = "deceased" if stage.ordinal % 2 == 0 else "terminated"
    event = stage.settle(stage.visit(person, "11", stage.hospital()), stage.at(15), 15_000)
    told_ms = stage.at(14) - HOUR_MS * 4 * max(0, stage.excess) if stage.excess >= 0 else stage.at(16)
    fact = InsuredStatusChanged(
        event_id=f"ins:{person.psn_no}:{told_ms}", occurred_at=to_datetime(told_ms), psn_no=person.psn_no, status=word
    )
    stage.add(iter([paper(fact, told_ms)]))
    stage.label("P16", person.psn_no, [event])


def insurance_resumed(stage: Stage) -> None:
    """Twin of P16: suspended for arrears in the morning, paid and normal again at noon, treated in the afternoon."""
    person = stage.person()
    told: tuple[tuple[int, Literal["suspended", "normal"]], ...] = ((9, "suspended"), (12, "normal"))
    for hour, status in told:
        at_ms = stage.at(hour)
        fact = InsuredStatusChanged(
            event_id=f"ins:{person.psn_no}:{at_ms}", occurred_at=to_datetime(at_ms), psn_no=person.psn_no, status=status
        )
        stage.add(iter([paper(fact, at_ms)]))
    event = stage.settle(stage.visit(person, "11", stage.hospital()), stage.at(15), 15_000)
    stage.innocent("P16", person.psn_no, "arrears paid before the visit", [event])
