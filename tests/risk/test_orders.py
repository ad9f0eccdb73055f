"""Orders to the bank: when they leave, what they ask, what each answer does, and that nobody is asked twice."""

from itertools import product

import pytest

from risk import facts
from risk.decided import order_output
from risk.exposure import funding_of, overdue_fen, repayment_of
from risk.view import order_view
from tests.risk.credit_life import HOSPITAL, Life, at, shaoyang


def signed(mode="card", amount_fen=80_000, now="2024-03-01"):
    """A settlement of so much on credit."""
    life = Life(now).sign(agreements=(mode,))
    life.authorize(amount_fen)
    told = life.settle(amount_fen, authorization_id="A1")
    return life, told


def debited(amount_fen=80_000):
    """…whose debit was sent."""
    life, _ = signed(amount_fen=amount_fen)
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    return life, order


def legs(life, setl_id="S1"):
    (obligation,) = [each for each in life.credit.obligations if each.setl_id == setl_id]
    return funding_of(life.credit, obligation).value, repayment_of(life.credit, obligation, life.now_ms).value


# --- when ------------------------------------------------------------------------------------------------------------


def test_a_visit_is_one_debit_at_eight_after_the_midnight_that_ended_it():
    life = Life("2024-03-01").sign()
    life.authorize(100_000, scope="visit")
    life.settle(30_000, "S1")
    life.now_ms = at("2024-03-01", 16)
    life.settle(20_000, "S2")
    assert life.pass_time(until=("2024-03-02", 7, 59)).orders == []
    told = life.pass_time(until=("2024-03-02", 8))
    (order,) = told.orders
    assert (order["kind"], order["amount_fen"]) == ("debit", 50_000)
    assert order["not_before"] == "2024-03-02T08:00:00.000+08:00"
    assert order["due_at"] == "2024-03-04T02:00:00.000+08:00"
    (decision,) = [each for each in told.decisions if each["kind"] == "after_visit"]
    assert (decision["decision"], decision["order_id"]) == ("withhold", order["order_id"])


def test_a_newer_event_of_the_visit_moves_its_end():
    life, _ = signed(now="2024-03-01")
    life.pass_time(until=("2024-03-02", 1))
    life.visit("M1")  # at one in the morning something happened
    assert life.pass_time(until=("2024-03-02", 23)).orders == []
    assert len(life.pass_time(until=("2024-03-03", 8)).orders) == 1


def test_a_discharge_closes_the_bundle_at_once_in_the_daytime():
    life = Life("2024-03-01").sign()
    life.visit("M1", med_type="21")
    life.authorize(200_000, service="deposit_free", scope="visit")
    life.settle(150_000, med_type="21")
    life.now_ms = at("2024-03-05", 11)
    (order,) = life.close().orders
    assert (order["amount_fen"], order["due_at"]) == (150_000, "2024-03-07T11:00:00.000+08:00")


def test_a_draw_is_sent_at_once():
    _, told = signed("line")
    (order,) = told.orders
    assert (order["kind"], order["amount_fen"]) == ("draw", 80_000)
    assert told.decisions[0]["funding_state"] == "submitted"
    assert told.decisions[0]["order_id"] == order["order_id"]


def test_the_order_id_is_known_before_the_debit_leaves():
    life, told = signed()
    (order,) = life.pass_time(hours=30).orders
    assert told.decisions[0]["order_id"] == order["order_id"]


def test_an_order_says_nothing_about_who_the_person_is():
    _, told = signed("line")
    assert "psn" not in str(told.orders[0]).lower()
    assert set(told.orders[0]) == {
        "order_id", "kind", "attempt", "agreement_no", "bank_code", "payee_fixmedins_code",
        "amount_fen", "items", "not_before", "due_at",
    }  # fmt: skip


def test_before_the_institution_is_live_orders_are_observed_only():
    live = (
        'orders_live_from = 2024-01-01 },\n    { code = "H4305*"',
        'orders_live_from = 2024-03-10 },\n    { code = "H4305*"',
    )
    life = Life("2024-03-01", policy=shaoyang(live=live)).sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    told = life.pass_time(until=("2024-03-09", 23))
    assert told.orders == []
    (decision,) = [each for each in told.decisions if each["kind"] == "after_visit"]
    assert (decision["decision"], decision["observe_only"]) == ("withhold", True)
    assert len(life.pass_time(until=("2024-03-10", 8)).orders) == 1


# --- the bank's answers ----------------------------------------------------------------------------------------------


def test_card_withhold_a_settled_debit_frees_the_limit():
    life, order = debited()
    life.bank(order, "settled", bank_ref="b1")
    assert life.used == 0
    assert legs(life) == ("settled", "paid")


def test_credit_line_a_settled_draw_makes_the_bank_the_creditor_and_frees_nothing():
    life, told = signed("line")
    life.bank(told.orders[0], "settled")
    assert life.used == 80_000
    assert legs(life) == ("settled", "due")
    life.tell(facts.BankRepaid, agreement_no="line", bank_ref="r1", amount_fen=30_000)
    assert (life.used, legs(life)[1]) == (50_000, "part_paid")
    life.tell(facts.BankRepaid, agreement_no="line", bank_ref="r2", amount_fen=50_000)
    assert (life.used, legs(life)[1]) == (0, "paid")


def test_a_refused_draw_becomes_a_top_up_owed_to_the_institution():
    life, told = signed("line")
    told = life.bank(told.orders[0], "rejected", code="NO_LINE", cause="bank")
    (decision,) = told.decisions
    assert (decision["decision"], decision["top_up_fen"], decision["captured_fen"]) == ("top_up", 80_000, 0)
    assert life.used == 0
    assert told.orders == []


@pytest.mark.parametrize(("lent_fen", "decision"), [(0, "top_up"), (30_000, "split")])
def test_why_a_refused_draw_left_a_top_up_is_told_as_often_as_the_bill_is(lent_fen, decision):
    life = Life("2024-03-01").sign(agreements=("line",))
    life.authorize(80_000)
    (order,) = life.capture(80_000).orders
    life.bank(order, "partial" if lent_fen else "rejected", lent_fen, code="NO_LINE", cause="bank")
    said = life.settle(70_000, authorization_id="A1").decisions
    life.reverse()
    said += life.reinstate().decisions
    told = [(each["decision"], each["captured_fen"], [why["code"] for why in each["reasons"]]) for each in said]
    assert told == [(decision, lent_fen, ["BANK_REFUSED"])] * 2


def test_a_cancelled_draw_of_a_reversed_settlement_is_nobodys_debt_and_reinstated_it_is_drawn_again():
    life, told = signed("line")
    life.reverse()
    assert life.bank(told.orders[0], "cancelled").decisions == []
    (obligation,) = life.credit.obligations
    assert (obligation.captured_fen, obligation.top_up_fen) == (80_000, 0)
    assert life.reinstate().orders[0]["amount_fen"] == 80_000


@pytest.mark.parametrize(("result", "lent_fen"), [("partial", 50_000), ("rejected", 0)])
def test_a_draw_refused_in_part_or_whole_is_drawn_again_when_its_settlement_is_reinstated(result, lent_fen):
    life, told = signed("line")
    if result == "rejected":  # reversed before the bank said no: nobody owes it, and the capture stays as it was
        life.reverse()
        life.bank(told.orders[0], result, code="LINE_FULL", cause="bank")
    else:
        life.bank(told.orders[0], result, amount_fen=lent_fen)
        (refund,) = life.reverse().orders
        life.bank(refund, "settled")
    (again,) = life.reinstate().orders
    assert (again["kind"], again["amount_fen"]) == ("draw", lent_fen or 80_000)
    life.bank(again, "settled")
    assert life.used == (lent_fen or 80_000)


def test_a_draw_in_part_is_split():
    life, told = signed("line")
    (decision,) = life.bank(told.orders[0], "partial", amount_fen=50_000).decisions
    assert (decision["decision"], decision["top_up_fen"], decision["captured_fen"]) == ("split", 30_000, 50_000)
    assert life.used == 50_000


def test_a_refused_debit_is_tried_again_by_the_ladder_under_the_same_id():
    life, order = debited()
    life.bank(order, "rejected", code="INSUFFICIENT_FUNDS", cause="person")
    (again,) = life.pass_time(until=("2024-03-02", 14)).orders
    assert (again["order_id"], again["attempt"], again["amount_fen"]) == (order["order_id"], 2, 80_000)
    life.bank(again, "partial", amount_fen=30_000)
    (third,) = life.pass_time(until=("2024-03-03", 8)).orders
    assert (third["attempt"], third["amount_fen"]) == (3, 50_000)
    life.bank(third, "settled")
    assert life.used == 0
    assert life.pass_time(hours=300).orders == []


def test_a_ladder_has_an_end():
    life, order = debited()
    attempts = []
    while order:
        life.bank(order, "rejected", code="INSUFFICIENT_FUNDS", cause="person")
        order = (life.pass_time(hours=100).orders or [None])[0]
        if order:
            attempts.append(order["attempt"])
    assert attempts == [2, 3, 4, 5, 6, 7][: len(attempts)]
    assert life.used == 80_000


@pytest.mark.parametrize("code", ["MANDATE_CANCELLED", "ACCOUNT_CLOSED"])
@pytest.mark.parametrize("result", ["rejected", "cancelled"])
def test_a_hard_decline_is_not_tried_again_whatever_the_bank_calls_it(result, code):
    life, order = debited()
    (told,) = life.bank(order, result, code=code, cause="person").decisions
    assert (told["decision"], told["order_id"], told["captured_fen"]) == ("hold", order["order_id"], 80_000)
    assert (told["reasons"][0]["code"], told["reasons"][0]["observed"]) == ("BANK_REFUSED", code)
    life.authorize(10_000, "A2")  # nor with the next bill of the visit
    life.settle(10_000, "S2", authorization_id="A2")
    (other,) = life.pass_time(hours=300).orders
    assert [each["setl_id"] for each in other["items"]] == ["S2"]


def given_up(life, order, result):
    """Every attempt is answered so, until there is none any more."""
    attempts, last = [], []
    while order:
        attempts.append(order["attempt"])
        last = life.bank(order, result, code="DOWN", cause="bank").decisions
        hourly = (life.pass_time(hours=1).orders for _ in range(200))
        order = next((orders[0] for orders in hourly if orders), None)
    return attempts, last


@pytest.mark.parametrize("result", ["rejected", "cancelled"])
def test_a_debit_that_the_bank_never_does_ends_with_the_ladder_and_is_told(result):
    life, order = debited()
    attempts, (told,) = given_up(life, order, result)
    assert attempts == list(range(1, 8))
    assert (told["decision"], told["reasons"][0]["code"], life.used) == ("hold", "BANK_REFUSED", 80_000)
    assert len(life.credit.orders) == 1


@pytest.mark.parametrize("result", ["rejected", "cancelled"])
def test_a_refund_that_the_bank_never_does_is_given_back_by_the_institution(result):
    life, order = debited()
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    life.now_ms += 8 * 86_400_000  # the bank was away for longer than the ladder is
    attempts, (told,) = given_up(life, refund, result)
    assert attempts == list(range(1, 8))
    assert (told["kind"], told["decision"], told["given_back_by"]) == ("payment", "release", "institution")
    assert (told["surplus_fen"], told["order_id"], told["reasons"][0]["code"]) == (
        80_000, refund["order_id"], "SURPLUS",
    )  # fmt: skip
    assert len(life.credit.orders) == 2
    life.reinstate()
    (again,) = life.reverse().orders  # undone once more, it is asked for once more
    assert (again["kind"], again["amount_fen"]) == ("refund", 80_000)
    assert again["order_id"] != refund["order_id"]


def test_a_debit_that_we_asked_back_is_ordered_anew_when_its_bill_stands_again():
    life, order = debited()
    life.reverse()
    life.reinstate()
    (again,) = life.bank(order, "cancelled").orders
    assert (again["kind"], again["amount_fen"]) == ("debit", 80_000)
    attempts, _ = given_up(life, again, "cancelled")  # that one nobody asked back
    assert attempts == list(range(1, 8))


def test_an_unknown_answer_is_asked_after_and_never_tried_blindly():
    life, order = debited()
    life.bank(order, "unknown")
    assert life.pass_time(hours=300).orders == []
    assert legs(life)[0] == "unknown"
    life.bank(order, "settled")
    assert life.used == 0


def test_a_late_accepted_or_unknown_takes_nothing_back():
    life, order = debited()
    life.bank(order, "settled")
    before = life.credit
    life.bank(order, "accepted")
    life.bank(order, "unknown")
    assert life.credit == before


def test_an_answer_to_an_order_nobody_sent_changes_nothing():
    life, order = debited()
    before = life.credit
    assert life.bank(order | {"order_id": "or_x"}, "settled") == []
    assert life.credit == before


# --- reversal against orders -----------------------------------------------------------------------------------------


def test_before_the_order_amounts_net_and_nothing_is_sent():
    life, _ = signed()
    life.reverse()
    assert life.pass_time(hours=48).orders == []


def test_after_a_settled_debit_a_reversal_refunds_to_the_card():
    life, order = debited()
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    assert (refund["kind"], refund["amount_fen"]) == ("refund", 80_000)
    assert refund["original_order_id"] == order["order_id"]
    life.bank(refund, "settled")
    assert legs(life) == ("refunded", "none")
    assert life.used == 0


def test_an_order_under_way_is_cancelled_and_what_came_in_anyway_is_refunded():
    life, order = debited()
    (wish,) = life.reverse().orders
    assert (wish["kind"], wish["original_order_id"]) == ("cancel", order["order_id"])
    life.bank(wish, "rejected", code="ALREADY_SETTLED", cause="bank")
    (refund,) = life.bank(order, "settled").orders
    assert (refund["kind"], refund["amount_fen"]) == ("refund", 80_000)


def test_a_cancelled_order_moves_nothing():
    life, _ = debited()
    (wish,) = life.reverse().orders
    life.bank(wish, "cancelled")
    assert legs(life)[0] == "cancelled"
    assert life.pass_time(hours=300).orders == []


def test_an_unknown_order_waits_for_the_query_before_anything_is_called_back():
    life, order = debited()
    life.bank(order, "unknown")
    assert life.reverse().orders == []
    (refund,) = life.bank(order, "settled").orders
    assert refund["kind"] == "refund"


def test_a_refund_after_repayment_still_goes_the_way_the_draw_came():
    life, told = signed("line")
    (draw,) = told.orders
    life.bank(draw, "settled")
    life.tell(facts.BankRepaid, agreement_no="line", bank_ref="r1", amount_fen=80_000)
    (refund,) = life.reverse().orders
    assert (refund["amount_fen"], refund["original_order_id"]) == (80_000, draw["order_id"])


def test_a_refund_is_sent_once():
    life, order = debited()
    life.bank(order, "settled")
    life.reverse()
    life.visit("M1")
    assert life.tell(facts.VisitUpdated, mdtrt_id="M1").orders == []
    assert life.pass_time(hours=100).orders == []


def test_reinstated_after_its_refund_it_is_debited_again():
    life, order = debited()
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    life.bank(refund, "settled")
    told = life.reinstate() + life.pass_time(hours=48)
    (again,) = [each.body for each in told if getattr(each, "topic", "") == "withholding"]
    assert (again["kind"], again["amount_fen"]) == ("debit", 80_000)
    assert again["order_id"] != order["order_id"]


# --- held back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("about", ["S1", "M1"])
def test_a_dispute_holds_the_order_and_its_end_sends_it(about):
    life, _ = signed()
    life.tell(facts.CreditDisputeOpened, dispute_id="d1", about=about)
    told = life.pass_time(hours=40)
    assert told.orders == []
    assert [each["reasons"][0]["code"] for each in told.decisions if each["decision"] == "hold"] == ["DISPUTED"]
    assert life.tell(facts.CreditDisputeClosed, dispute_id="d1", about=about).orders == []  # two in the morning
    told = life.pass_time(until=("2024-03-03", 8))
    assert [each["amount_fen"] for each in told.orders] == [80_000]
    assert told.decisions[0]["decision"] == "withhold"


def test_nobody_who_died_is_debited():
    life, _ = signed()
    life.tell(facts.InsuredStatusChanged, status="deceased")
    told = life.pass_time(hours=40)
    assert told.orders == []
    assert told.decisions[-1]["reasons"][0]["code"] == "INSURED_ABNORMAL"


def test_a_debit_needs_a_valid_mandate():
    life, _ = signed()
    life.tell(facts.AgreementTerminated, agreement_no="card")
    told = life.pass_time(hours=40)
    assert told.orders == []
    assert told.decisions[-1]["reasons"][0]["code"] == "MANDATE_INVALID"
    life.now_ms += 1
    life.sign(level="", commitment=False, status="")
    life.pass_time(until=("2024-03-03", 8))
    assert [order.kind for order in life.credit.orders] == ["debit"]


# --- not paid --------------------------------------------------------------------------------------------------------


def test_refused_for_the_persons_cause_and_past_due_stops_new_credit_and_payment_restores_it():
    life, order = debited()
    while order:
        life.bank(order, "rejected", code="INSUFFICIENT_FUNDS", cause="person")
        order = (life.pass_time(hours=100).orders or [None])[0]
    assert overdue_fen(life.credit, life.now_ms) == 80_000
    told = life.authorize(1, "A2", "M2").reply
    assert told["reasons"][0]["code"] == "SUSPENDED_OVERDUE"
    life.tell(
        facts.TopupReceived, mdtrt_id="M1", setl_id="S1", amount_fen=80_000, channel="counter", ref="1",
        fixmedins_code=HOSPITAL,
    )  # fmt: skip
    assert life.used == 0
    assert life.authorize(1, "A3", "M3").reply["decision"] == "approve"


@pytest.mark.parametrize(("result", "cause"), [*product(["rejected"], ["bank", None]), ("unknown", None)])
def test_an_outage_suspends_nobody(result, cause):
    life, order = debited()
    life.bank(order, result, code="DOWN", cause=cause)
    life.now_ms += 20 * 86_400_000
    assert overdue_fen(life.credit, life.now_ms) == 0
    assert life.authorize(1, "A2", "M2").reply["decision"] == "approve"


def test_a_credit_line_is_overdue_only_when_the_bank_says_so():
    life, told = signed("line")
    life.bank(told.orders[0], "settled")
    life.now_ms += 60 * 86_400_000
    assert life.authorize(1, "A2", "M2").reply["decision"] == "approve"
    life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1", amount_fen=80_000)
    assert life.authorize(1, "A3", "M3").reply["reasons"][0]["code"] == "SUSPENDED_OVERDUE"
    life.now_ms += 1
    life.tell(facts.BankCured, agreement_no="line", bank_ref="o1")
    assert life.authorize(1, "A4", "M4").reply["decision"] == "approve"


def test_a_top_up_pays_first_what_was_above_the_line():
    life = Life().sign()
    life.authorize(300_000)
    life.settle(350_000, authorization_id="A1")
    pay = {"mdtrt_id": "M1", "channel": "counter", "fixmedins_code": HOSPITAL}
    life.tell(facts.TopupReceived, amount_fen=50_000, ref="1", **pay)
    assert life.used == 300_000
    life.tell(facts.TopupReceived, amount_fen=20_000, ref="2", **pay)
    assert life.used == 280_000


def test_a_top_up_that_names_its_settlement_pays_it_before_what_the_visit_still_asks():
    life = Life().sign()
    life.authorize(300_000)
    life.settle(350_000, authorization_id="A1")
    life.authorize(100_000, "A2")  # the visit asks for more, and gets less
    uncovered_fen = life.uncovered
    assert uncovered_fen
    pay = {"mdtrt_id": "M1", "channel": "counter", "fixmedins_code": HOSPITAL}
    life.tell(facts.TopupReceived, amount_fen=50_000, ref="1", setl_id="S1", **pay)
    assert (life.credit.obligations[0].topped_up_fen, life.uncovered) == (50_000, uncovered_fen)
    life.tell(facts.TopupReceived, amount_fen=10_000, ref="2", **pay)
    assert life.uncovered == uncovered_fen - 10_000


def test_money_is_forgotten_400_days_after_its_end_and_not_before():
    life, order = debited()
    life.bank(order, "settled")
    life.now_ms += 400 * 86_400_000
    life.tell(facts.VisitUpdated, mdtrt_id="M1")
    assert life.credit.obligations
    assert life.credit.orders
    life.now_ms += 86_400_000
    life.tell(facts.VisitUpdated, mdtrt_id="M1")
    assert not life.credit.obligations
    assert not life.credit.orders


def test_an_order_can_be_looked_up():
    life, order = debited()
    seen = order_view(life.credit, order["order_id"], life.context())
    assert (seen["state"], seen["amount_fen"], seen["moved_fen"]) == ("submitted", 80_000, 0)
    assert order_view(life.credit, "or_x", life.context()) is None


def test_an_order_driven_again_from_the_record_is_the_order_that_was_sent():
    life, order = debited()
    assert order_output(life.context(), life.credit.orders[0]).body == order
    life.bank(order, "rejected", cause="person")
    (again,) = life.pass_time(hours=7).orders
    assert order_output(life.context(), life.credit.orders[0]).body == again
    assert again["not_before"] == "2024-03-02T14:00:00.000+08:00"
