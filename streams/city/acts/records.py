"""Records that cannot be right, beside those that only look so (Q01, Q03, Q04). They accuse nobody."""

from typing import Any

from msgspec.structs import replace

from streams.city.canonical import facts_of
from streams.city.happenings import Visit, happening
from streams.city.stage import Stage, paper
from streams.city.visits import bill_of

PLACEHOLDERS = ("未知", "无", "0000", "999999", "n/a")
MEDFEE_FEN = 10_000
BILLS_ENOUGH = 100  # for H13, a share of bills


def place_unknown(stage: Stage) -> None:
    """Q01: the institution is a placeholder."""
    code = f"{PLACEHOLDERS[stage.ordinal % len(PLACEHOLDERS)]}"
    visit = stage.visit(stage.person(), "11", stage.hospital())
    stage.label("Q01", code, [_told(stage, visit, 10, fixmedins_code=code)])


def place_with_nines(stage: Stage) -> None:
    """Twin of Q01: a code that ends in nines, and one with a zero in it, are codes."""
    visit = stage.visit(stage.person(), "11", stage.hospital())
    code = f"{visit.fixmedins_code[:-3]}999"
    stage.innocent("Q01", code, "a code that ends in nines", [_told(stage, visit, 10, fixmedins_code=code)])


def doctor_left_empty(stage: Stage) -> None:
    """Q02, and a twin of M01: 110 patients whose bills carry a doctor's field with nothing in it."""
    code = stage.hospital()
    events = [_told(stage, stage.visit(stage.person(n), "11", code), 8 + n / 12, dr_code="") for n in range(110)]
    stage.label("Q02", code, events, crossing=0)
    stage.must("H13", code, events[:BILLS_ENOUGH])
    stage.innocent("M01", "", "an empty field is no person", events)


def sum_that_does_not_add_up(stage: Stage) -> None:
    """Q03: the parts are two fen or more beside the whole; below, one fen, which rounding may cost."""
    visit = stage.visit(stage.person(), "11", stage.hospital())
    beside_fen = 1 if stage.excess < 0 else 2 + 100 * stage.excess
    event = _told(stage, visit, 10, medfee_sumamt_fen=MEDFEE_FEN + beside_fen)
    stage.label("Q03", visit.fixmedins_code, [event])


def hospital_bears_a_part(stage: Stage) -> None:
    """Twin of Q03: what is missing, the hospital bears."""
    visit = stage.visit(stage.person(), "11", stage.hospital())
    event = _told(stage, visit, 10, medfee_sumamt_fen=MEDFEE_FEN + 700, hosp_part_amt_fen=700)
    stage.innocent("Q03", visit.fixmedins_code, "the hospital bears a part", [event])


def same_bill_another_sum(stage: Stage) -> None:
    """Q04: one settlement's key comes again with another sum."""
    visit = stage.visit(stage.person(), "11", stage.hospital())
    _told(stage, visit, 10)
    changed = {"medfee_sumamt_fen": MEDFEE_FEN + 100, "fund_pay_sumamt_fen": MEDFEE_FEN // 2 + 100}
    stage.label(
        "Q04", visit.fixmedins_code, [_told(stage, visit, 11, setl_id=bill_of(visit, 1, 1, 1).setl_id, **changed)]
    )


def same_bill_sent_twice(stage: Stage) -> None:
    """Twin of Q04: the line was slow, and the same message is sent again."""
    visit = stage.visit(stage.person(), "11", stage.hospital())
    event = _told(stage, visit, 10)
    _told(stage, visit, 10)
    stage.innocent("Q04", visit.fixmedins_code, "the same message sent twice", [event])


def _told(stage: Stage, visit: Visit, hour: float, **changed: Any) -> str:
    """A settlement as no sender's software should spell it: canonical only. Its event id."""
    at_ms = stage.at(hour)
    made = happening(visit, at_ms, "2207", bill=bill_of(visit, 1, MEDFEE_FEN, 50))
    fact: Any = replace(facts_of(made)[0], **changed)
    stage.add(iter([paper(fact, at_ms)]))
    stage.times[fact.event_id] = at_ms
    return str(fact.event_id)
