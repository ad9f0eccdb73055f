"""Credit in use: a line spent within a morning (L80, L90, L100); signs of misuse at a live counter (F01-F04, F07), on
several lines (F05); bills that fit two authorizations (Q05); a hospital whose patients do not pay (H15).
"""

from typing import Any

from risk.facts import AgreementSigned, AgreementTerminated, BankCured, BankOverdue, BankRepaid
from risk.local_time import HOUR_MS, MINUTE_MS, local_day, to_datetime
from streams.city.acts.beside import deadline_is_unknown
from streams.city.canonical import signed_up
from streams.city.happenings import Bill, Script, Visit, event_id, happening
from streams.city.stage import Stage, paper
from streams.city.visits import bill_of, checkout, settled
from streams.city.world import Person

SPENDER_LINE_FEN = 100_000
REQUESTS_IN_10_MINUTES = 3
FULL_VISITS = 3
UNDONE_IN_30_DAYS = 2
HOURS_AFTER_LEAVING = 24
SHARED_LINES = 3
BILLS_ON_CREDIT, OVERDUE = 50, 2


def _borrower(stage: Stage, signed_hour: float = -1) -> Person:
    """Somebody with a credit line of 1,000 yuan."""
    person = stage.person()._replace(level="A", funding_mode="credit_line", bank_line_fen=SPENDER_LINE_FEN, signed=True)
    stage.papers(person, stage.at(signed_hour))
    return person


def _pay(stage: Stage, person: Person, at_ms: int, cash_fen: int) -> str:
    return stage.settle(stage.visit(person, "11"), at_ms, 2 * cash_fen, credit=True)


def over_the_limit(stage: Stage) -> None:
    """L80, L90, at a live counter L100: a line of 1,000 yuan used up within a morning, hours after signing (F03)."""
    person, events = _borrower(stage), []
    for rule, cash_fen, hour in (("L80", 82_000, 9), ("L90", 10_000, 10), ("L100", 50_000, 11)):
        events.append(_pay(stage, person, stage.at(hour), cash_fen))
        if rule != "L100" or stage.world.plan.checkout:
            stage.label(rule, person.psn_no, events)
    if stage.world.plan.checkout:
        stage.label("F03", person.psn_no, events[:1])


def well_within_the_limit(stage: Stage) -> None:
    """Twin of L80, L90, L100 and F03: the same line, three small bills, together just below four fifths of it."""
    person = _borrower(stage)
    events = [_pay(stage, person, stage.at(9 + n), cash_fen) for n, cash_fen in enumerate((30_000, 30_000, 19_999))]
    for rule in ("L80", "L90", "L100", "F03"):
        stage.innocent(rule, person.psn_no, "small bills on credit", events)


def asks_again_and_again(stage: Stage) -> None:
    """F01: three requests within ten minutes; below, two."""
    if not stage.world.plan.checkout:
        return
    person, count = _borrower(stage), REQUESTS_IN_10_MINUTES + min(2, stage.excess)
    events = [_pay(stage, person, stage.at(9) + n * 120_000, 4_000 + n) for n in range(count)]
    stage.label("F01", person.psn_no, events, crossing=REQUESTS_IN_10_MINUTES - 1)


def three_bills_of_a_morning(stage: Stage) -> None:
    """Twin of F01: three departments of one hospital, three requests, eleven minutes from the first to the third."""
    if not stage.world.plan.checkout:
        return
    person = _borrower(stage)
    events = [_pay(stage, person, stage.at(9) + n * 330_000, 4_000 + n) for n in range(3)]
    stage.innocent("F01", person.psn_no, "three departments in a morning", events)


def spends_the_line_at_once(stage: Stage) -> None:
    """F03, and L80: more than four fifths of the line at the first visit after signing; below, exactly four fifths."""
    if not stage.world.plan.checkout:
        return
    person = _borrower(stage)
    event = _pay(stage, person, stage.at(9), 80_001 + 500 * stage.excess if stage.excess >= 0 else 80_000)
    stage.label("F03", person.psn_no, [event])
    stage.must("L80", person.psn_no, [event])


def always_at_the_limit(stage: Stage) -> None:
    """F02, and L80, L90: three visits in a row that leave more than 95 percent of the line used; below, two."""
    if not stage.world.plan.checkout:
        return
    person, count = _borrower(stage), FULL_VISITS + min(2, stage.excess)
    events = [
        _pay(stage, person, stage.at(10, 2 + n), 96_000 if n == 0 else 500) for n in range(count)
    ]  # two days after signing: no F03
    stage.label("F02", person.psn_no, events, crossing=FULL_VISITS - 1)
    for rule in ("L80", "L90"):
        stage.must(rule, person.psn_no, events[:1])


def one_large_bill_on_credit(stage: Stage) -> None:
    """Twin of F02: a tooth is expensive once, and he does not come again."""
    if not stage.world.plan.checkout:
        return
    person = _borrower(stage)
    event = _pay(stage, person, stage.at(10, 2), 96_000)
    stage.innocent("F02", person.psn_no, "one large bill", [event])
    for rule in ("L80", "L90"):
        stage.must(rule, person.psn_no, [event])


def captured_and_undone(stage: Stage) -> None:
    """F04: two settlements on credit are taken back within thirty days; below, one."""
    if not stage.world.plan.checkout:
        return
    person, events = _borrower(stage), []
    for n in range(UNDONE_IN_30_DAYS + min(1, stage.excess)):
        visit = stage.visit(person, "11")
        events.append(stage.settle(visit, stage.at(9, n), 12_000, credit=True))
        stage.undo(visit, stage.at(11, n), 12_000)
    stage.label("F04", person.psn_no, events, crossing=UNDONE_IN_30_DAYS - 1)


def one_bill_corrected(stage: Stage) -> None:
    """Twin of F04: one bill is taken back and settled anew, smaller; the next stands."""
    if not stage.world.plan.checkout:
        return
    person, events = _borrower(stage), []
    for n in range(2):
        visit = stage.visit(person, "11")
        events.append(stage.settle(visit, stage.at(9, n), 12_000, credit=True))
        if n == 0:
            stage.undo(visit, stage.at(11), 12_000)
    stage.innocent("F04", person.psn_no, "one bill corrected", events)


def two_bills_made_one(stage: Stage) -> None:
    """Q05, and F04: two bills of a visit on credit are undone, and one comes in their place that names neither
    authorization; below, one of them is undone.
    """
    if stage.world.plan.checkout:
        _made_anew(stage, UNDONE_IN_30_DAYS if stage.excess >= 0 else 1, named=False)


def two_bills_made_anew(stage: Stage) -> None:
    """Twin of Q05: both are undone, and each is made anew under its own authorization."""
    if stage.world.plan.checkout:
        _made_anew(stage, UNDONE_IN_30_DAYS, named=True)


def _made_anew(stage: Stage, undone: int, *, named: bool) -> None:
    visit = stage.visit(_borrower(stage), "11", stage.hospital())
    bills = [bill_of(visit, number, 8_000, 50) for number in (1, 2)]
    anew = [bill_of(visit, 3 + n, 6_000, 50)._replace(authorization_id=f"A{bills[n].setl_id}") for n in range(2)]
    if not named:
        anew = [bill_of(visit, 3, 7_000 * undone, 50)]
    stage.add(_billed_and_undone(stage, visit, bills, undone=undone, anew=anew))
    events = [_at(stage, visit, "2208", stage.at(11) + n * MINUTE_MS) for n in range(undone)]
    events += [_at(stage, visit, "2207", stage.at(12) + n * MINUTE_MS) for n in range(len(anew))]
    if named:
        stage.innocent("Q05", stage.hospital(), "each under its own authorization", events)
    else:
        stage.label("Q05", stage.hospital(), events)
    if undone == UNDONE_IN_30_DAYS:
        stage.must("F04", visit.psn_no, events[:undone])


def _billed_and_undone(stage: Stage, visit: Visit, bills: list[Bill], *, undone: int, anew: list[Bill]) -> Script:
    yield happening(visit, stage.at(8), "2201")
    for n, bill in enumerate(bills):
        yield from settled(visit, stage.at(9 + n), ("2206", "2207"), bill, ask=True)
    for n, bill in enumerate(bills[:undone]):
        yield happening(visit, stage.at(11) + n * MINUTE_MS, "2208", original_setl_id=bill.setl_id, bill=bill)
    for n, bill in enumerate(anew):
        yield happening(visit, stage.at(12) + n * MINUTE_MS, "2207", bill=bill)


def _at(stage: Stage, visit: Visit, infno: str, at_ms: int) -> str:
    event = event_id(infno, happening(visit, at_ms, infno).msgid)
    stage.times[event] = at_ms
    return event


def left_without_paying(stage: Stage) -> None:
    """F07: discharged from a deposit-free stay, and a day later not settled; below, settled an hour before that."""
    _stay_on_credit(stage, None if stage.excess >= 0 else HOURS_AFTER_LEAVING - 1)


def paid_the_next_morning(stage: Stage) -> None:
    """Twin of F07: the window was closed in the evening, he settles in the morning."""
    _stay_on_credit(stage, 14, innocent=True)


def _stay_on_credit(stage: Stage, settles_after_h: int | None, *, innocent: bool = False) -> None:
    if not stage.world.plan.checkout:
        return
    person = stage.person()._replace(level="A", funding_mode="card_withhold", signed=True)
    stage.papers(person, stage.at(-1))
    visit = stage.visit(person, "21", stage.hospital())
    left_ms = stage.at(18, 1)
    stage.add(_admitted_on_credit(visit, stage.at(8), left_ms, settles_after_h))
    event = f"2402:{happening(visit, left_ms, '2402').msgid}:0"
    stage.times[event] = left_ms + HOURS_AFTER_LEAVING * HOUR_MS
    if deadline_is_unknown(stage.world.plan, local_day(left_ms)):
        stage.must("Q07", visit.fixmedins_code, [event])
    if innocent:
        stage.innocent("F07", person.psn_no, "settled the next morning", [event])
    else:
        stage.label("F07", person.psn_no, [event])


def _admitted_on_credit(visit: Visit, opened_ms: int, left_ms: int, settles_after_h: int | None) -> Script:
    bill = bill_of(visit, 1, 200_000, 70)
    yield happening(visit, opened_ms, "2401")
    asked = checkout(opened_ms + 600_000, visit, bill)
    yield asked
    yield happening(visit, left_ms, "2402")
    if settles_after_h is not None:
        yield happening(visit, left_ms + settles_after_h * HOUR_MS, "2304", bill=asked.bill)


def owes_on_every_line(stage: Stage) -> None:
    """F05: owes on three shared lines, each of which its bank had ended before the next was signed; below, on two."""
    events = _on_lines(stage, SHARED_LINES + min(2, stage.excess))
    stage.label("F05", stage.person().psn_no, events, crossing=SHARED_LINES - 1)


def changes_his_bank(stage: Stage) -> None:
    """Twin of F05: three lines one after another, and each paid before the next is used."""
    events = _on_lines(stage, SHARED_LINES, repays=True)
    stage.innocent("F05", stage.person().psn_no, "each line paid in time", events)


def _on_lines(stage: Stage, count: int, *, repays: bool = False) -> list[str]:
    """One line a day: signed in the morning, used at noon, ended in the evening."""
    person, cash_fen, events = stage.person()._replace(level="A", signed=True), 4_000, []
    stage.add(paper(fact, stage.at(-1)) for fact in signed_up(person, stage.at(-1))[:3])  # no line of the usual kind
    for day in range(count):
        number = f"{person.agreement_no}-{day}"
        lent = {"funding_mode": "credit_line", "line_kind": "shared", "bank_line_fen": SPENDER_LINE_FEN}
        more = {"bank_code": person.bank_code, "services": ("visit_first",)}
        _of_line(stage, person, AgreementSigned, stage.at(8, day), agreement_no=number, **lent, **more)
        events.append(_pay(stage, person, stage.at(12, day), cash_fen))
        if repays:
            paid = {"amount_fen": cash_fen, "bank_ref": f"repaid:{number}"}
            _of_line(stage, person, BankRepaid, stage.at(16, day), agreement_no=number, **paid)
        _of_line(stage, person, AgreementTerminated, stage.at(18, day), agreement_no=number, requested_by="bank")
    return events


def _of_line(stage: Stage, person: Person, kind: type[Any], at_ms: int, **said: Any) -> None:
    event_id = f"line:{kind.__name__}:{said['agreement_no']}"
    fact = kind(event_id=event_id, occurred_at=to_datetime(at_ms), psn_no=person.psn_no, **said)
    stage.add(iter([paper(fact, at_ms)]))


def patients_do_not_pay(stage: Stage) -> None:
    """H15: of fifty bills on credit two are overdue a week later; below, one."""
    _lends(stage)
    events = [_bank_says(stage, BankOverdue, n, 8 + n / 10) for n in range(OVERDUE + stage.excess)]
    stage.label("H15", stage.hospital(), events, crossing=OVERDUE - 1)


def patients_pay_when_reminded(stage: Stage) -> None:
    """Twin of H15: of fifty three fall overdue, one after another, and each pays before the next does."""
    _lends(stage)
    events = []
    for n in range(3):
        events.append(_bank_says(stage, BankOverdue, n, 8 + n))
        _bank_says(stage, BankCured, n, 8.5 + n)
    stage.innocent("H15", stage.hospital(), "paid when reminded", events)


def _lends(stage: Stage) -> None:
    for n in range(BILLS_ON_CREDIT):
        person = stage.person(n)._replace(level="A", funding_mode="credit_line", bank_line_fen=500_000, signed=True)
        stage.papers(person, stage.at(-1))
        stage.settle(stage.visit(person, "11", stage.hospital()), stage.at(8) + n * 9 * MINUTE_MS, 16_000, credit=True)


def _bank_says(stage: Stage, word: type[BankOverdue] | type[BankCured], who: int, after_days: float) -> str:
    """Its id. At an hour of its own for each, so that none comes before the one that it answers."""
    person, at_ms = stage.person(who), stage.at(8 + 24 * after_days)
    fact = word(
        event_id=f"notice:{word.__name__}:{person.psn_no}",
        occurred_at=to_datetime(at_ms),
        psn_no=person.psn_no,
        agreement_no=person.agreement_no,
        bank_ref=f"{word.__name__}:{person.agreement_no}",
    )
    stage.times[fact.event_id] = at_ms
    stage.add(iter([paper(fact, at_ms)]))
    return fact.event_id
