"""Beside the peers of the night before: a key drug (M02), dear stays (H17), a pharmacy's growth (D10, level 2).

Each play brings twenty peers of its own, all alike, so that the line is known to the fen; whoever is beyond it stays
rare among them. Somebody must publish them: an operator (`xinmai peers publish`), or the bench.
"""

from streams.city.acts.growth import equal_bills, is_off
from streams.city.happenings import happening
from streams.city.stage import Stage
from streams.city.visits import bill_of

PEERS = 20
KEY_DRUG = "XA10BJ0001"
ORDERED_FEN, PATIENTS = 100_000, 40
STAY_FEN, STAYS = 1_000_000, 30
_MINUTE_MS = 60_000


def key_drug_by_the_load(stage: Stage) -> None:
    """M02: forty patients of one doctor get twenty times what each of his peers ordered; below, a fen less."""
    _peers_order(stage)
    last_fen = 20 * ORDERED_FEN // PATIENTS + (1_000 * stage.excess if stage.excess >= 0 else -1)
    stage.label("M02", stage.doctor(), _orders(stage, PATIENTS, last_fen))


def endocrinologist(stage: Stage) -> None:
    """Twin of M02: whose patients all need it, ten times as much as others order."""
    _peers_order(stage)
    stage.innocent("M02", stage.doctor(), "diabetes is his trade", _orders(stage, PATIENTS // 2, 50_000))


def _peers_order(stage: Stage) -> None:
    """On the act's first day, each once: another doctor each time, five at a hospital."""
    for n in range(PEERS):
        visit = stage.visit(stage.person(100 + n), "11", stage.hospital(1 + n // 5))
        at_ms = stage.at(9) + n * 10 * _MINUTE_MS
        stage.settle(visit, at_ms, ORDERED_FEN, lines=[stage.line(visit, KEY_DRUG, ORDERED_FEN)])


def _orders(stage: Stage, count: int, last_fen: int) -> list[str]:
    """The next day, for one patient after another."""
    events = []
    for n in range(count):
        fen = last_fen if n == count - 1 else 20 * ORDERED_FEN // PATIENTS
        visit = stage.visit(stage.person(n), "11", stage.hospital(), doctor=stage.doctor())
        at_ms = stage.at(8, 1) + n * 12 * _MINUTE_MS
        events.append(stage.settle(visit, at_ms, fen, lines=[stage.line(visit, KEY_DRUG, fen)]))
    return events


def dearer_than_nine_tenths(stage: Stage) -> None:
    """H17: thirty stays cost half as much again as at any of twenty hospitals; below, a fen less."""
    day = _peers_bill(stage)
    fees = [STAY_FEN * 3 // 2 + 10_000 * max(0, stage.excess)] * (STAYS - 1)
    events = _stays(stage, [*fees, fees[0] - (stage.excess < 0)], day)
    stage.label("H17", stage.hospital(), events)


def one_transplant(stage: Stage) -> None:
    """Twin of H17: one transplant among forty ordinary stays."""
    day = _peers_bill(stage)
    events = _stays(stage, [STAY_FEN] * 39 + [8 * STAY_FEN], day)
    stage.innocent("H17", stage.hospital(), "one transplant", events)


def _peers_bill(stage: Stage) -> int:
    """Thirty stays of each on a working day, told by their bills alone; the day."""
    day = next(day for day in range(7) if not is_off(stage, day))
    for n in range(PEERS * STAYS):
        visit = stage.visit(stage.person(100 + n), "21", _place(stage, "H", n // STAYS))
        at_ms = stage.at(9, day) + n * _MINUTE_MS // 2
        stage.add(iter([happening(visit, at_ms, "2304", bill=bill_of(visit, 1, STAY_FEN, 75))]))
    return day


def _stays(stage: Stage, fees: list[int], day: int) -> list[str]:
    """Admitted on that day, billed on the next."""
    events = []
    for n, fen in enumerate(fees):
        visit = stage.visit(stage.person(n), "21", stage.hospital())._replace(diag="K80")
        events.append(stage.settle(visit, stage.at(9, day + 1) + n * 5 * _MINUTE_MS, fen, 75))
    return events


def pharmacy_grows_slowly(stage: Stage) -> None:
    """D10, level 2: in a month twice what the funds paid in the month before, while others sold what they had sold;
    below, a bill less.
    """
    _peers_sell(stage)
    spans = ((30, 60), (10, 30), (10, 40), (10, 50 + stage.excess))
    stage.label("D10", stage.pharmacy(), equal_bills(stage, stage.pharmacy(), "41", spans), level=2)


def pharmacy_of_a_new_estate(stage: Stage) -> None:
    """Twin of D10, level 2: half as much again as the month before."""
    _peers_sell(stage)
    events = equal_bills(stage, stage.pharmacy(), "41", ((30, 60), (30, 90)))
    stage.innocent("D10", stage.pharmacy(), "half as much again in a month", events)


def _peers_sell(stage: Stage) -> None:
    """The same every other day."""
    for n in range(PEERS):
        for day in range(0, 60, 2):
            visit = stage.visit(stage.person(100 + (n + day) % 200), "41", _place(stage, "P", n))
            stage.settle(visit, stage.at(10, day) + n * _MINUTE_MS, 90_000, 40)


def _place(stage: Stage, letter: str, number: int) -> str:
    """More places of the act's own than `Stage` gives it: five in each of the districts that no city has."""
    return f"{letter}4305{98 - number // 5}{stage.own_place % 100_000 + number % 5:05d}"
