"""What is told beside the bills: a capture at the counter (Q06), a discharge at the end of the known calendar (Q07), a
bank's refusal (F06), and whoever asks about many persons (T01).
"""

from datetime import date, timedelta
from typing import Literal

from risk.facts import BankOrderResult, QueryLogged
from risk.facts.query import Purpose
from risk.local_time import HOUR_MS, day_of, to_date, to_datetime
from risk.outputs import derived_id
from risk.queries import person_of
from streams.city.happenings import Script, Visit, captured, event_id, happening
from streams.city.plan import CityPlan
from streams.city.stage import Stage, paper
from streams.city.visits import bill_of, checkout
from streams.city.world import Person

ASKED_IN_AN_HOUR, DENIED_IN_AN_HOUR = 51, 3
PATIENTS_OF_AN_HOUR = 120
CAPTURED_FEN = 12_000
WORKING_DAYS_TO_SETTLE = 3
ANY_DAY = 10_000
"""As long as any city: an act that asks for so many days may shrink, begins on the first, and chooses its own."""
_SATURDAY = 5


# --- Q06: the counter captured, the bill says otherwise --------------------------------------------------------------


def captured_another_sum(stage: Stage) -> None:
    """Q06: captured at the counter, and the bill that follows is a fen and more smaller; below, it is the same."""
    if stage.world.plan.checkout:
        visit = _visit(stage, "credit_line")
        stage.label("Q06", visit.fixmedins_code, [_captured(stage, visit, less_fen=1 + stage.excess)])


def captured_and_made_anew(stage: Stage) -> None:
    """Twin of Q06: captured and settled alike; then that bill is undone, and a smaller one comes in its place."""
    if stage.world.plan.checkout:
        visit = _visit(stage, "credit_line")
        event = _captured(stage, visit, less_fen=0, anew_fen=CAPTURED_FEN // 2)
        stage.innocent("Q06", visit.fixmedins_code, "another bill in its place", [event])


def _captured(stage: Stage, visit: Visit, *, less_fen: int, anew_fen: int = 0) -> str:
    stage.add(_at_the_counter(stage, visit, less_fen, anew_fen))
    return _event(stage, visit, "2207", stage.at(9))


def _at_the_counter(stage: Stage, visit: Visit, less_fen: int, anew_fen: int) -> Script:
    """Whoever pays at the counter has the capture before the bill: 25 seconds before."""
    bill, at_ms = bill_of(visit, 1, CAPTURED_FEN, 0), stage.at(9)
    yield happening(visit, at_ms - HOUR_MS, "2201")
    asked = checkout(at_ms - 25_000, visit, bill)
    yield asked
    yield captured(at_ms - 20_000, asked)
    told = bill_of(visit, 1, CAPTURED_FEN - less_fen, 0)
    yield happening(visit, at_ms, "2207", bill=told._replace(authorization_id=f"A{bill.setl_id}"))
    if anew_fen:
        yield happening(visit, stage.at(10), "2208", original_setl_id=bill.setl_id, bill=bill)
        anew = bill_of(visit, 2, anew_fen, 0)._replace(authorization_id=f"A{bill.setl_id}")
        yield happening(visit, stage.at(10.1), "2207", bill=anew)


# --- Q07: the table of working days ends -----------------------------------------------------------------------------


def left_at_the_end_of_the_calendar(stage: Stage) -> None:
    """Q07: leaves without having settled, two working days before the last year that is known ends; below, three."""
    _leaves(stage, WORKING_DAYS_TO_SETTLE - (1 if stage.excess >= 0 else 0))


def settled_at_the_end_of_the_calendar(stage: Stage) -> None:
    """Twin of Q07: the same day, but he settles before he leaves: nothing waits for a working day."""
    _leaves(stage, WORKING_DAYS_TO_SETTLE - 1, innocent=True)


def _leaves(stage: Stage, days_left: int, *, innocent: bool = False) -> None:
    plan = stage.world.plan
    last = date(plan.last_known_year, 12, 31)
    leaves = day_of(last) - plan.first_day
    while _working_days_after(plan.date_of(plan.first_day + leaves), last) < days_left:
        leaves -= 1
    if not plan.checkout or not 2 <= leaves < plan.days - 2:
        return
    visit = _visit(stage, "card_withhold", med_type="21", day=leaves - 2)
    left_ms = stage.at(18, leaves)
    stage.add(_stay(visit, stage.at(8, leaves - 1), left_ms, left_ms - HOUR_MS if innocent else left_ms + 20 * HOUR_MS))
    event = _event(stage, visit, "2402", left_ms)
    if innocent:
        stage.innocent("Q07", visit.fixmedins_code, "settled before he left", [event])
    else:
        stage.label("Q07", visit.fixmedins_code, [event])


def deadline_is_unknown(plan: CityPlan, day: int) -> bool:
    """Whether somebody who leaves on this local day has until a working day that no notice has fixed yet."""
    left = to_date(day)
    last = date(plan.last_known_year, 12, 31)
    return left.year > last.year or _working_days_after(left, last) < WORKING_DAYS_TO_SETTLE


def _working_days_after(day: date, last: date) -> int:
    """How many working days follow until `last`; no holiday is in the last week of a year."""
    following = (day + timedelta(n) for n in range(1, (last - day).days + 1))
    return sum(each.weekday() < _SATURDAY for each in following)


def _stay(visit: Visit, opened_ms: int, left_ms: int, settled_ms: int) -> Script:
    yield happening(visit, opened_ms, "2401")
    asked = checkout(opened_ms + 600_000, visit, bill_of(visit, 1, 200_000, 70))
    yield asked
    for at_ms, infno in sorted([(left_ms, "2402"), (settled_ms, "2304")]):
        yield happening(visit, at_ms, infno, bill=asked.bill if infno == "2304" else None)


# --- F06: the bank refuses a debit -----------------------------------------------------------------------------------


def closed_account(stage: Stage) -> None:
    """F06: the debit of a visit is refused for good; below, for today: there is no money in the account."""
    _refused(stage, "ACCOUNT_CLOSED" if stage.excess >= 0 else "INSUFFICIENT_FUNDS")


def bank_out_of_order(stage: Stage) -> None:
    """Twin of F06: the bank cannot answer, which is nobody's fault; the next attempt brings the money."""
    _refused(stage, "DOWN", cause="bank", innocent=True)


def _refused(
    stage: Stage, code: str, *, cause: Literal["person", "bank"] = "person", innocent: bool = False
) -> None:  # fmt: skip
    """What a bank answers the next morning to the order of a visit. Where a bank is at work it answers itself."""
    if not stage.world.plan.alone:
        return
    visit, person = _visit(stage, "card_withhold"), _card(stage)
    stage.settle(visit, stage.at(10), CAPTURED_FEN, credit=True)
    order_id = derived_id("or_", person.agreement_no, "debit", visit.fixmedins_code, visit.mdtrt_id, 1)
    at_ms, event = stage.at(9, 1), f"bank:{order_id}:1"
    refused = BankOrderResult(
        event_id=event, occurred_at=to_datetime(at_ms), psn_no=person.psn_no, order_id=order_id,
        attempt=1, result="rejected", amount_fen=0, code=code, cause=cause,
    )  # fmt: skip
    stage.add(iter([paper(refused, at_ms)]))
    stage.times[event] = at_ms
    if code != "ACCOUNT_CLOSED":
        again_ms = stage.at(17, 1)
        paid = BankOrderResult(
            event_id=f"bank:{order_id}:2", occurred_at=to_datetime(again_ms), psn_no=person.psn_no, order_id=order_id,
            attempt=2, result="settled", amount_fen=CAPTURED_FEN // 2,
        )  # fmt: skip
        stage.add(iter([paper(paid, again_ms)]))
    if innocent:
        stage.innocent("F06", person.psn_no, "the bank was out of order", [event])
    else:
        stage.label("F06", person.psn_no, [event])


# --- T01: who asks about whom ----------------------------------------------------------------------------------------


def asks_about_many(stage: Stage) -> None:
    """T01: a third party asks about 51 persons within 51 minutes; below, about 50."""
    count = ASKED_IN_AN_HOUR + stage.excess
    _asks(stage, count, "supervision", level=1, crossing=ASKED_IN_AN_HOUR - 1)


def asks_where_he_may_not(stage: Stage) -> None:
    """T01, level 3: three persons whom an asker may not ask about are denied to him; below, two."""
    count = DENIED_IN_AN_HOUR + stage.excess
    _asks(stage, count, "audit", level=3, crossing=DENIED_IN_AN_HOUR - 1, outcome="denied")


def busy_counter(stage: Stage) -> None:
    """Twin of T01: a checkout asks about 120 patients of an hour, and says of each under which authorization."""
    if stage.world.plan.alone:
        events = _queries(stage, PATIENTS_OF_AN_HOUR, "checkout", step_ms=30_000, names_authorization=True)
        stage.innocent("T01", _asker(stage), "each patient with his authorization", events)


def _asks(
    stage: Stage, count: int, purpose: Purpose, *, level: int, crossing: int,
    outcome: Literal["answered", "denied"] = "answered",
) -> None:  # fmt: skip
    if stage.world.plan.alone:
        events = _queries(stage, count, purpose, step_ms=60_000, outcome=outcome)
        stage.label("T01", _asker(stage), events, level=level, crossing=crossing)


def _asker(stage: Stage) -> str:
    return f"third-party-{stage.serial}"


def _queries(
    stage: Stage, count: int, purpose: Purpose, *, step_ms: int,
    outcome: Literal["answered", "denied"] = "answered", names_authorization: bool = False,
) -> list[str]:  # fmt: skip
    """As an API logs them: it knows its askers by their tokens, so a city plays them only where there is none."""
    told = {}
    for n in range(count):
        at_ms = stage.at(9) + n * step_ms
        asked = QueryLogged(
            event_id=f"query:{stage.serial}:{n}", occurred_at=to_datetime(at_ms), asked_by=_asker(stage),
            person=person_of(stage.person(n).psn_no), purpose=purpose, outcome=outcome,
            names_authorization=names_authorization,
        )  # fmt: skip
        told[asked.event_id] = paper(asked, at_ms)
        stage.times[asked.event_id] = at_ms
    stage.add(iter(told.values()))
    return list(told)


# --- who -------------------------------------------------------------------------------------------------------------


def _card(stage: Stage) -> Person:
    return stage.person()._replace(level="A", funding_mode="card_withhold", signed=True)


def _visit(stage: Stage, funding_mode: str, *, med_type: str = "11", day: int = 0) -> Visit:
    """A visit at the act's own hospital by somebody who signed the evening before."""
    person = _card(stage)._replace(funding_mode=funding_mode, bank_line_fen=100_000)
    stage.papers(person, stage.at(-1, day))
    return stage.visit(person, med_type, stage.hospital())


def _event(stage: Stage, visit: Visit, infno: str, at_ms: int) -> str:
    event = event_id(infno, happening(visit, at_ms, infno).msgid)
    stage.times[event] = at_ms
    return event
