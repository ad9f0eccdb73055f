"""Credit in use: a line spent within a morning (L80, L90, L100), and one that is not."""

from risk.local_time import HOUR_MS
from streams.city.stage import Stage

SPENDER_LINE_FEN = 100_000


def over_the_limit(stage: Stage) -> None:
    """L80, L90, and at a live counter L100: a line of 1,000 yuan used up within a morning."""
    person = stage.person()._replace(level="A", funding_mode="credit_line", bank_line_fen=SPENDER_LINE_FEN, signed=True)
    stage.papers(person, stage.at(-1))
    events = []
    for rule, cash_fen, hour in (("L80", 82_000, 9), ("L90", 10_000, 10), ("L100", 50_000, 11)):
        events.append(stage.settle(stage.visit(person, "11"), stage.at(hour), 2 * cash_fen, credit=True))
        if rule != "L100" or stage.world.plan.checkout:
            stage.label(rule, person.psn_no, events)


def well_within_the_limit(stage: Stage) -> None:
    """Twin of L80, L90 and L100: the same line, three small bills, together just below four fifths of it."""
    person = stage.person()._replace(level="A", funding_mode="credit_line", bank_line_fen=SPENDER_LINE_FEN, signed=True)
    stage.papers(person, stage.at(0) - HOUR_MS)
    bills = (30_000, 30_000, 19_999)
    events = [
        stage.settle(stage.visit(person, "11"), stage.at(9 + n), 2 * cash_fen, credit=True)
        for n, cash_fen in enumerate(bills)
    ]
    for rule in ("L80", "L90", "L100"):
        stage.innocent(rule, person.psn_no, "small bills on credit", events)
