"""Hospitals as a whole: readmissions, dear months, own pay, blanks (H02, H05, H11, H13)."""

from risk.local_time import DAY_MS, MINUTE_MS
from streams.city.stage import Stage

READMITTED, DISCHARGED = 4, 20
BLANK_PERCENT, BILLS = 1, 200
OWN_FEN = 48_000


def revolving_door(stage: Stage) -> None:
    """H02, and P11 for each: of twenty discharges of a hospital four come back within two weeks; below, one."""
    back = READMITTED + min(6, stage.excess) if stage.excess >= 0 else 1
    _ward(stage, back)


def quiet_ward(stage: Stage) -> None:
    """Twin of H02: twenty discharges, and nobody comes back before a month is over."""
    code = stage.hospital()
    events = [_lies(stage, code, n, stage.at(10, 2 + n // 3), diag="K80") for n in range(DISCHARGED)]
    stage.innocent("H02", code, "nobody comes back", events)


def _ward(stage: Stage, back: int) -> None:
    code = stage.hospital()
    events = [_lies(stage, code, n, stage.at(10, 2 + n // 3), diag="J44") for n in range(DISCHARGED)]
    for n in range(back):
        again = _lies(stage, code, n, stage.at(15, 11 + n // 3), diag="J44")
        stage.must("P11", stage.person(n).psn_no, [events[n], again])
        events.append(again)
    stage.label("H02", code, events)


def _lies(stage: Stage, code: str, who: int, at_ms: int, *, diag: str, fee_fen: int = 300_000, days: int = 2) -> str:
    visit = stage.visit(stage.person(who), "21", code)._replace(diag=diag)
    return stage.settle(visit, at_ms + who * 7 * MINUTE_MS, fee_fen, 75, stay_ms=days * DAY_MS)


def dear_month(stage: Stage) -> None:
    """H05: admissions cost 7,000 yuan where they cost 3,000 before; below, as much as before."""
    code = stage.hospital()
    after_fen = 300_000 if stage.excess < 0 else 700_000 + 20_000 * stage.excess
    events = [_lies(stage, code, n, stage.at(10, 2 + n // 3), diag="K80") for n in range(45)]
    events += [_lies(stage, code, 45 + n, stage.at(10, 18 + n // 3), diag="K80", fee_fen=after_fen) for n in range(45)]
    stage.label("H05", code, events)


def one_dear_operation(stage: Stage) -> None:
    """Twin of H05: the same ward, and one transplant among ninety admissions."""
    code = stage.hospital()
    events = [
        _lies(stage, code, n, stage.at(10, 2 + n // 3), diag="K80", fee_fen=4_000_000 if n == 70 else 300_000)
        for n in range(90)
    ]
    stage.innocent("H05", code, "one transplant", events)


def dear_rooms(stage: Stage) -> None:
    """H11: of twenty inpatients' 120,000 yuan more than eight percent is all their own; below, exactly eight."""
    code = stage.hospital()
    own_fen = [OWN_FEN] * (DISCHARGED - 1) + [OWN_FEN + 12_000 * (1 + stage.excess)]
    stage.label("H11", code, _own_pay(stage, code, own_fen))


def one_private_room(stage: Stage) -> None:
    """Twin of H11: one of twenty lies in a private room."""
    code = stage.hospital()
    stage.innocent("H11", code, "one private room", _own_pay(stage, code, [200_000] + [20_000] * (DISCHARGED - 1)))


def _own_pay(stage: Stage, code: str, own_fen: list[int]) -> list[str]:
    events = []
    for n, own in enumerate(own_fen):
        visit = stage.visit(stage.person(n), "21", code)._replace(diag="K80")
        at_ms = stage.at(10, 2 + n // 3) + n * 7 * MINUTE_MS
        events.append(stage.settle(visit, at_ms, 600_000, 60, own_fen=own, stay_ms=2 * DAY_MS))
    return events


def blank_doctors(stage: Stage) -> None:
    """H13, and Q02: of two hundred bills three name no doctor; below, two, which is one percent."""
    code, blanks = stage.hospital(), BILLS * BLANK_PERCENT // 100 + 1 + stage.excess
    events = []
    for n in range(BILLS):
        doctor = "未知" if n >= BILLS - blanks else stage.doctor(n % 8)
        visit = stage.visit(stage.person(n), "11", code, doctor=doctor)
        events.append(stage.settle(visit, stage.at(8) + n * 2 * MINUTE_MS, 8_000 + n))
    stage.label("H13", code, events)
    stage.must("Q02", code, events[: BILLS - blanks + 1])


def one_slip(stage: Stage) -> None:
    """Twin of H13: one slip of the pen among a hundred and fifty bills."""
    code, events = stage.hospital(), []
    for n in range(150):
        visit = stage.visit(stage.person(n), "11", code, doctor="无" if n == 120 else stage.doctor(n % 8))
        events.append(stage.settle(visit, stage.at(8) + n * 3 * MINUTE_MS, 8_000 + n))
    stage.innocent("H13", code, "one slip", events)
    stage.must("Q02", code, events[:121])
