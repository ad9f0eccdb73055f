"""Pharmacies by night, with large sums, with strangers, with one doctor's patients (D02, D03, D04, D08, D12)."""

from risk.local_time import MINUTE_MS
from streams.city.stage import Stage

NIGHT_BILLS = 10
LARGE_FEN = 100_000
BILLS_OF_ONE_A_DAY = 3
PATIENTS_OF_ONE_DOCTOR = 10
STRANGERS = 31
KNOWN = 30  # customers of one day elsewhere: no more, or they would be D12's strangers


def night_trade(stage: Stage) -> None:
    """D02: ten settlements between midnight and five; below, nine among forty-two by day, a fifth of none."""
    code, count = stage.pharmacy(), NIGHT_BILLS + stage.excess
    events = [_sold(stage, code, stage.at(0.5) + n * 13 * MINUTE_MS, 8_000 + n, customer=n) for n in range(count)]
    for n in range(count, count + 42):
        _sold(stage, code, stage.at(8) + n * 12 * MINUTE_MS, 4_000 + n, customer=n % KNOWN)
    stage.label("D02", code, events, crossing=NIGHT_BILLS - 1)


def night_duty(stage: Stage) -> None:
    """Twin of D02: on duty by night it serves six, after a full day."""
    code = stage.pharmacy()
    events = [_sold(stage, code, stage.at(0.5) + n * 40 * MINUTE_MS, 3_000 + n, customer=n) for n in range(6)]
    events += [
        _sold(stage, code, stage.at(8) + n * 12 * MINUTE_MS, 4_000 + n, customer=(6 + n) % KNOWN) for n in range(50)
    ]
    stage.innocent("D02", code, "the pharmacy on duty", events)


def large_sale(stage: Stage) -> None:
    """D03: one purchase of more than 1,000 yuan; below, of exactly 1,000."""
    code = stage.pharmacy()
    medfee_fen = LARGE_FEN + (1 + 5_000 * stage.excess if stage.excess >= 0 else 0)
    stage.label("D03", code, [_sold(stage, code, stage.at(15), medfee_fen)])


def large_sale_undone(stage: Stage) -> None:
    """Twin of D03: three purchases of three people come to more than 1,000 yuan."""
    code = stage.pharmacy()
    events = [_sold(stage, code, stage.at(15) + n * 5 * MINUTE_MS, 45_000 + n, customer=n) for n in range(3)]
    stage.innocent("D03", code, "three customers", events)


def one_card_again(stage: Stage) -> None:
    """D04, and P17: one person settles three times a day at one pharmacy."""
    code, count = stage.pharmacy(), BILLS_OF_ONE_A_DAY + min(3, stage.excess)
    events = [_sold(stage, code, stage.at(9 + 2 * n), 5_100 + 170 * n) for n in range(count)]
    stage.label("D04", code, events, crossing=BILLS_OF_ONE_A_DAY - 1)
    stage.label("P17", stage.person().psn_no, events, crossing=BILLS_OF_ONE_A_DAY - 1)


def couple_at_the_counter(stage: Stage) -> None:
    """Twin of D04: two people of one household, two purchases each."""
    code = stage.pharmacy()
    events = [_sold(stage, code, stage.at(9 + 2 * n), 5_300 + n, customer=n % 2) for n in range(4)]
    stage.innocent("D04", code, "two people, two purchases each", events)


def only_strangers(stage: Stage) -> None:
    """D12: thirty-one people in a day, all of them for the first time, at a shop a month old; below, thirty."""
    code, count = stage.pharmacy(), STRANGERS + stage.excess
    _sold(stage, code, stage.at(9), 5_900, customer=900)
    events = [_sold(stage, code, stage.at(8, 31) + n * 15 * MINUTE_MS, 6_000 + n, customer=n) for n in range(count)]
    stage.label("D12", code, events, crossing=STRANGERS - 1)


def regulars(stage: Stage) -> None:
    """Twin of D12: forty people a day, the same who come every other day."""
    code = stage.pharmacy()
    events = []
    for day in range(0, 8, 2):
        for n in range(min(40, 20 + 10 * day)):  # known little by little, never forty new ones at once
            events.append(_sold(stage, code, stage.at(8, day) + n * 15 * MINUTE_MS, 3_000 + n, customer=n))
    stage.innocent("D12", code, "regular customers", events)


def _sold(stage: Stage, code: str, at_ms: int, medfee_fen: int, *, customer: int = 0) -> str:
    return stage.settle(stage.visit(stage.person(customer), "41", code), at_ms, medfee_fen, 20)
