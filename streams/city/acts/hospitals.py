"""Hospitals: charged twice, too dear, split, blank, all admitted at once (H03, H04, H09, H11, H13, H14, H16)."""

from risk.local_time import HOUR_MS, MINUTE_MS
from streams.city.stage import Stage

SPLIT_BILLS = 2
ADMITTED_TOGETHER = 5
CODES_SINCE = "2026-01-01"


def charged_twice(stage: Stage) -> None:
    """H03: the same item twice in one visit within 24 hours; below, two different items."""
    person, code = stage.person(), stage.hospital()
    visit = stage.visit(person, "11", code)
    drugs = (stage.drug(), stage.drug(0 if stage.excess >= 0 else 1))
    lines = [stage.line(visit, drug, 5_000, serial=n + 1) for n, drug in enumerate(drugs)]
    stage.label("H03", code, [stage.settle(visit, stage.at(10), 10_000, lines=lines)])


def line_corrected(stage: Stage) -> None:
    """Twin of H03: the same item in two visits of one day."""
    person, code = stage.person(), stage.hospital()
    events = []
    for n in range(2):
        visit = stage.visit(person, "11", code)
        events.append(stage.settle(visit, stage.at(9 + 5 * n), 5_000, lines=[stage.line(visit, stage.drug(), 5_000)]))
    stage.innocent("H03", code, "two visits, one item each", events)


def above_the_limit_price(stage: Stage) -> None:
    """H04: a unit dearer than the platform allows, by one fen or more; below, exactly as dear."""
    person, code = stage.person(), stage.hospital()
    visit = stage.visit(person, "11", code)
    price_fen = 4_000 + (1 + 500 * stage.excess if stage.excess >= 0 else 0)
    line = stage.line(visit, stage.drug(), 2 * price_fen, count=2)._replace(highest_price_fen=4_000)
    stage.label("H04", code, [stage.settle(visit, stage.at(11), 2 * price_fen, lines=[line])])


def price_that_changed(stage: Stage) -> None:
    """Twin of H04: the price went up, and the limit with it."""
    code, events = stage.hospital(), []
    for n, (price_fen, limit_fen) in enumerate(((3_900, 4_000), (4_400, 4_500))):
        visit = stage.visit(stage.person(n), "11", code)
        line = stage.line(visit, stage.drug(), price_fen)._replace(highest_price_fen=limit_fen)
        events.append(stage.settle(visit, stage.at(9 + n), price_fen, lines=[line]))
    stage.innocent("H04", code, "the limit rose with the price", events)


def split_bill(stage: Stage) -> None:
    """H14: two settlements of one person in the same minute with equal amounts; below, two minutes apart."""
    person, code = stage.person(), stage.hospital()
    gap_ms = 20_000 if stage.excess >= 0 else 2 * MINUTE_MS
    count = SPLIT_BILLS + min(1, max(0, stage.excess))
    events = [stage.settle(stage.visit(person, "11", code), stage.at(10) + n * gap_ms, 18_000) for n in range(count)]
    stage.label("H14", code, events, crossing=SPLIT_BILLS - 1)


def two_departments(stage: Stage) -> None:
    """Twin of H14: eyes and teeth on one morning, an hour apart, at the same registration fee."""
    person, code = stage.person(), stage.hospital()
    events = [stage.settle(stage.visit(person, "11", code), stage.at(9 + n), 2_600) for n in range(2)]
    stage.innocent("H14", code, "two departments, an hour apart", events)


def coach_of_patients(stage: Stage) -> None:
    """H09: five people of one district are admitted on one day for a cold; below, four."""
    code, count = stage.hospital(), ADMITTED_TOGETHER + min(6, stage.excess)
    events = [
        stage.settle(
            stage.visit(stage.person(n), "21", code)._replace(diag="J06"),
            stage.at(9, 3) + n * 9 * MINUTE_MS, 200_000, 80, stay_ms=3 * 24 * HOUR_MS,
        )
        for n in range(count)
    ]  # fmt: skip
    stage.label("H09", code, events, crossing=ADMITTED_TOGETHER - 1)


def bus_accident(stage: Stage) -> None:
    """Twin of H09: eight people of one accident (S06) are admitted within an hour."""
    code = stage.hospital()
    events = [
        stage.settle(
            stage.visit(stage.person(n), "21", code)._replace(diag="S06"),
            stage.at(9, 3) + n * 9 * MINUTE_MS, 600_000, 80, stay_ms=3 * 24 * HOUR_MS,
        )
        for n in range(8)
    ]  # fmt: skip
    stage.innocent("H09", code, "an accident", events)


def boxes_without_codes(stage: Stage) -> None:
    """H16: a dispensed drug without its trace code, after the day from which all must be scanned."""
    code = stage.hospital()
    visit = stage.visit(stage.person(), "11", code)
    codes = stage.line(visit, stage.drug(), 5_000).trace_codes if stage.excess < 0 else ()
    line = stage.line(visit, stage.drug(), 5_000)._replace(trace_codes=codes)
    stage.label("H16", code, [stage.settle(visit, stage.at(10), 5_000, lines=[line])])


def consultation_without_a_box(stage: Stage) -> None:
    """Twin of H16: an examination has no box and no code."""
    code = stage.hospital()
    visit = stage.visit(stage.person(), "11", code)
    item = stage.line(visit, "002201000010000", 8_000)._replace(trace_codes=(), prd_days=None)
    stage.innocent("H16", code, "an examination is no box", [stage.settle(visit, stage.at(10), 8_000, lines=[item])])
