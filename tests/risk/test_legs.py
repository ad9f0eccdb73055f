"""The tables of the two legs: every state × every answer of the bank, every state × every change of what is owed."""

from itertools import product

import pytest

from risk import facts
from risk.exposure import Repayment, funding_of, moved, repayment_of
from risk.legs import EFFECTS, FUNDING, REPAYMENT, FundingAction, RepaymentAction, funded_after, may_become
from risk.ordered import FundingState
from tests.risk.credit_life import HOSPITAL, Life, shaoyang

ANSWERS = [each for each in FundingAction if each is not FundingAction.RETRY]
KINDS = ["debit", "draw", "refund"]
IN_FLIGHT = {FundingState.SUBMITTED, FundingState.UNKNOWN}
OVER = {FundingState.PARTIAL, FundingState.REJECTED, FundingState.CANCELLED}
MONEY = {FundingAction.SETTLED, FundingAction.PARTIAL}
SENT = [each for each in FundingState if each not in (FundingState.PENDING, FundingState.REFUNDED)]


@pytest.mark.parametrize(("state", "action"), list(product(FundingState, FundingAction)), ids=str)
def test_an_order_moves_exactly_where_it_may(state, action):
    if action is FundingAction.RETRY:
        allowed = state in OVER  # never while the bank may still move it, never when it did
    elif action in MONEY:
        allowed = state in IN_FLIGHT | OVER  # money counts however late
    else:
        allowed = state in IN_FLIGHT
    assert (funded_after(state, action) is not None) == allowed


def ordered(kind):
    """A settlement whose order was just sent, and a later attempt where there is one."""
    life = Life("2024-03-01").sign(agreements=("line",) if kind == "draw" else ("card",))
    life.authorize(80_000)
    told = life.settle(80_000, authorization_id="A1")
    if kind != "draw":
        told = life.pass_time(until=("2024-03-02", 8))
    (order,) = told.orders
    if kind == "refund":
        life.bank(order, "settled")
        (order,) = life.reverse().orders
    return life, order


def reached(kind, state):
    """…brought into a state by the bank's own answers."""
    life, order = ordered(kind)
    amounts = {"settled": 80_000, "partial": 30_000}
    if state is not FundingState.SUBMITTED:
        life.bank(order, state.value, amounts.get(state.value, 0), code="X", cause="person")
    (stored,) = [each for each in life.credit.orders if each.order_id == order["order_id"]]
    assert stored.state is state
    return life, order


@pytest.mark.parametrize(
    ("kind", "state", "answer"), list(product(["debit", "draw", "refund"], SENT, ANSWERS)), ids=str
)
def test_every_answer_in_every_state_does_what_the_table_says_and_sends_nothing_twice(kind, state, answer):
    life, order = reached(kind, state)
    amount = {"settled": 80_000, "partial": 50_000}.get(answer.value, 0)
    told = life.bank(order, answer.value, amount, code="Y", cause="bank")
    (stored,) = [each for each in life.credit.orders if each.order_id == order["order_id"]]
    assert stored.state is (funded_after(state, answer) or state)
    assert not (stored.in_flight and stored.retry_ms), "an open answer is queried, never tried blindly"
    assert order["order_id"] not in [each["order_id"] for each in told.orders]
    sums = moved(life.credit)["S1"]
    assert sums.funded_fen - sums.refunded_fen >= 0
    if stored.state is FundingState.UNKNOWN:
        assert life.pass_time(hours=24 * 20).orders == []
    if kind == "draw" and stored.state in OVER:
        assert not stored.retry_ms, "a refused draw is not asked again"


def test_every_row_of_the_funding_table_is_reached_by_an_answer_or_the_ladder():
    assert {state for state, _ in FUNDING} | set(FUNDING.values()) == set(SENT)
    assert {action for _, action in FUNDING} == set(FundingAction)


def test_money_told_for_an_earlier_attempt_never_starts_another_one():
    life, order = ordered("debit")
    life.bank(order, "rejected", code="X", cause="person")
    (again,) = life.pass_time(until=("2024-03-02", 14)).orders
    life.bank(order, "partial", 30_000)
    (stored,) = life.credit.orders
    assert (stored.state, stored.retry_ms, life.used) == (FundingState.SUBMITTED, 0, 50_000)
    (refund,) = life.bank(again, "settled").orders
    assert (refund["kind"], refund["amount_fen"], life.used) == ("refund", 30_000, 0)


def test_both_attempts_paid_in_the_end_and_one_goes_back():
    life, order = ordered("debit")
    life.bank(order, "rejected", code="X", cause="bank")
    (again,) = life.pass_time(until=("2024-03-02", 14)).orders
    life.bank(again, "settled")
    (refund,) = life.bank(order, "settled").orders
    assert (refund["kind"], refund["amount_fen"], life.used) == ("refund", 80_000, 0)


def test_a_late_word_on_a_debit_asks_again_only_for_what_no_later_debit_asks_for():
    life = Life("2024-03-01").sign()
    life.authorize(100_000, scope="visit")
    life.settle(60_000, "S1")
    life.settle(40_000, "S2")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    wishes = life.reverse("S1").orders + life.reverse("S2").orders
    life.bank(wishes[0], "cancelled")
    (again,) = life.reinstate("S1").orders
    life.bank(order, "partial", 10_000)  # too late to forget all of it
    life.reinstate("S2")
    (third,) = life.pass_time(until=("2024-03-02", 14)).orders
    assert (third["order_id"], third["attempt"]) == (order["order_id"], 2)
    assert third["items"] == [{"setl_id": "S2", "amount_fen": 40_000}]
    life.bank(third, "settled")
    (refund,) = life.bank(again, "settled").orders
    assert (refund["kind"], refund["amount_fen"], life.used) == ("refund", 10_000, 0)


def refunded_by_the_second_attempt():
    life, first = ordered("refund")
    life.bank(first, "rejected", code="DOWN", cause="bank")
    (second,) = life.pass_time(hours=24).orders
    life.bank(second, "settled")
    return life, first


def test_what_a_bank_returned_beyond_what_came_is_told_once_and_stops_nobody():
    life, first = refunded_by_the_second_attempt()
    (told,) = life.bank(first, "settled").decisions
    assert (told["kind"], told["decision"], told["reasons"][0]["code"]) == ("payment", "release", "SURPLUS")
    assert (told["order_id"], told["surplus_fen"], told["given_back_by"]) == (first["order_id"], 80_000, "bank")
    assert moved(life.credit)["S1"].refunded_fen == 80_000
    assert life.bank(first, "settled") == []
    assert life.pass_time(hours=999).orders == []


def refunding():
    """A bill whose refund was refused, that stood again and was undone once more: two refunds for one debit."""
    life, first = ordered("refund")
    life.bank(first, "rejected", code="DOWN", cause="bank")
    life.reinstate()
    assert life.pass_time(hours=24).orders == []  # nothing is to go back
    (second,) = life.reverse().orders
    return life, first, second


def test_a_refund_that_came_through_after_all_calls_the_next_one_back():
    life, first, second = refunding()
    (wish,) = life.bank(first, "settled").orders
    assert (wish["kind"], wish["original_order_id"], wish["amount_fen"]) == ("cancel", second["order_id"], 80_000)
    life.bank(wish, "cancelled")
    assert (moved(life.credit)["S1"].refunded_fen, life.pass_time(hours=999).orders) == (80_000, [])


def test_an_answer_to_a_refund_that_another_one_overtook_is_told_as_surplus():
    life, first, second = refunding()
    life.bank(first, "settled")
    (told,) = life.bank(second, "settled").decisions
    assert (told["surplus_fen"], told["given_back_by"], told["order_id"]) == (80_000, "bank", second["order_id"])
    assert moved(life.credit)["S1"].refunded_fen == 80_000


def test_a_refund_that_comes_through_for_a_bill_that_stands_again_is_debited_again():
    life, first = ordered("refund")
    life.bank(first, "rejected", code="DOWN", cause="bank")
    life.reinstate()
    life.pass_time(hours=24)
    (again,) = life.bank(first, "settled").orders
    assert (again["kind"], again["amount_fen"], life.used) == ("debit", 80_000, 80_000)


def test_a_refund_is_not_sent_again_when_the_bill_stands_again_whatever_went_back_at_the_counter():
    life, order = ordered("debit")
    life.top_up(30_000)  # the reversal says that the counter gives it back
    life.reverse()
    (refund,) = life.bank(order, "settled").orders
    assert refund["amount_fen"] == 80_000
    life.bank(refund, "rejected", code="DOWN", cause="bank")
    life.reinstate()
    assert life.pass_time(hours=24).orders == []
    assert life.used == 0, "the debit has paid it"


def test_two_attempts_of_a_refund_that_both_came_through_are_both_booked_as_far_as_money_is_there():
    life, order = ordered("debit")
    life.bank(order, "rejected", code="X", cause="bank")
    (again,) = life.pass_time(until=("2024-03-02", 14)).orders
    life.bank(again, "settled")
    (refund,) = life.bank(order, "settled").orders  # 160,000 came for a bill of 80,000
    life.bank(refund, "rejected", code="DOWN", cause="bank")
    (other,) = life.pass_time(hours=24).orders
    life.bank(other, "settled")
    (debit,) = life.bank(refund, "settled").orders  # and all of it went back
    assert (debit["kind"], debit["amount_fen"], life.used) == ("debit", 80_000, 80_000)


def test_one_attempt_told_twice_is_booked_by_its_total():
    life, order = ordered("debit")
    life.bank(order, "partial", 30_000)
    told = life.bank(order, "settled", 80_000)
    assert (life.used, told.orders) == (0, [])


def test_a_refused_draw_is_topped_up_once_however_often_the_bank_says_so():
    life, order = ordered("draw")
    life.bank(order, "partial", 50_000)
    before = life.credit
    life.bank(order, "rejected", code="X")
    life.bank(order, "cancelled")
    assert life.credit == before
    (refund,) = life.bank(order, "settled", 80_000).orders  # what came after all was not waited for
    assert (refund["amount_fen"], life.used) == (30_000, 50_000)


def test_no_more_than_two_attempts_leave_on_one_day():
    life, order = ordered("debit")
    ladder = life.policy.on(20_000)["debit_retry_ms"].value
    assert len(ladder) >= 3
    sent = [order]
    for hours in (0, 6, 24, 48):
        life.now_ms = max(life.now_ms, life.credit.orders[0].first_ms + hours * 3_600_000)
        flying = life.credit.orders[0]
        if flying.in_flight:
            life.bank(sent[-1], "rejected", code="X", cause="person")
        sent += life.pass_time(hours=1).orders
    days = [each["not_before"][:10] for each in sent]
    assert max(days.count(day) for day in days) <= 2


def test_a_third_attempt_of_a_day_waits_for_the_next_morning():

    steep = (
        "value = [{ hours = 6 }, { hours = 24 }",
        "value = [{ hours = 1 }, { hours = 2 }, { hours = 3 }, { hours = 24 }",
    )
    life = Life("2024-03-01", policy=shaoyang(steep=steep)).sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code="X", cause="person")
    (order,) = life.pass_time(until=("2024-03-02", 9)).orders
    life.bank(order, "rejected", code="X", cause="person")
    assert life.pass_time(until=("2024-03-03", 7, 59)).orders == []
    (order,) = life.pass_time(until=("2024-03-03", 8)).orders
    assert order["attempt"] == 3


# --- repayment -------------------------------------------------------------------------------------------------------


def owing(state, mode):
    """A settlement of 80,000 whose repayment leg is in that state."""
    life = Life("2024-03-01").sign(agreements=(mode,))
    life.authorize(80_000)
    told = life.settle(80_000, authorization_id="A1")
    (order,) = told.orders or life.pass_time(until=("2024-03-02", 8)).orders
    pay = {"agreement_no": mode, "bank_ref": "r0"}
    if mode == "line":
        life.bank(order, "settled")
    if state is Repayment.NONE:
        life.reverse()
    elif state is Repayment.PART_PAID:
        life.tell(facts.BankRepaid, amount_fen=30_000, **pay)
    elif state is Repayment.PAID:
        if mode == "card":
            life.bank(order, "settled")
        else:
            life.tell(facts.BankRepaid, amount_fen=80_000, **pay)
    elif state is Repayment.OVERDUE:
        life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")
        life.now_ms += 5 * 86_400_000
        life.tell(facts.BankOverdue, **pay)
    assert where(life) is state
    return life, order


def where(life):
    (obligation,) = life.credit.obligations
    return repayment_of(life.credit, obligation, life.now_ms)


REPORTS = {
    "bank.repaid a part": (facts.BankRepaid, {"amount_fen": 10_000}),
    "bank.repaid all": (facts.BankRepaid, {"amount_fen": 80_000}),
    "bank.refunded a part": (facts.BankRefunded, {"amount_fen": 10_000}),
    "bank.refunded all": (facts.BankRefunded, {"amount_fen": 80_000}),
    "bank.overdue": (facts.BankOverdue, {}),
    "bank.cured": (facts.BankCured, {}),
}


@pytest.mark.parametrize(("state", "mode", "report"), list(product(Repayment, ["card", "line"], REPORTS)), ids=str)
def test_every_report_of_the_bank_moves_what_is_owed_as_the_table_allows(state, mode, report):
    life, _ = owing(state, mode)
    kind, fields = REPORTS[report]
    life.now_ms += 1
    life.tell(kind, agreement_no=mode, bank_ref="r1", **fields)
    assert where(life) in may_become(state, EFFECTS[kind])
    assert life.used >= 0
    (obligation,) = life.credit.obligations
    assert funding_of(life.credit, obligation) in FundingState


@pytest.mark.parametrize(("state", "mode", "answer"), list(product(Repayment, ["card", "line"], ANSWERS)), ids=str)
def test_every_answer_moves_what_is_owed_as_the_table_allows(state, mode, answer):
    life, order = owing(state, mode)
    life.bank(
        order, answer.value, {"settled": 80_000, "partial": 50_000}.get(answer.value, 0), code="Y", cause="person"
    )
    assert where(life) in may_become(state, EFFECTS[facts.BankOrderResult])


@pytest.mark.parametrize(("state", "mode"), list(product(Repayment, ["card", "line"])), ids=str)
def test_every_payment_at_the_counter_moves_what_is_owed_as_the_table_allows(state, mode):
    life, _ = owing(state, mode)
    pay = {"mdtrt_id": "M1", "channel": "counter", "fixmedins_code": HOSPITAL, "amount_fen": 80_000}
    life.tell(facts.TopupReceived, ref="t1", **pay)
    assert where(life) in may_become(state, EFFECTS[facts.TopupReceived])


def test_the_repayment_table_leaves_no_state_out():
    assert {state for state, _ in REPAYMENT} == set(Repayment)
    assert {action for _, action in REPAYMENT} == set(RepaymentAction)
