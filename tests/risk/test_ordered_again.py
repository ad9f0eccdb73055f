"""What is ordered again after its refund: an order of its own, as much as went back; and what never is: given up."""

import pytest

from tests.risk.credit_life import Life
from tests.risk.test_orders import legs, signed


def drawn_again_while_its_refund_comes_in_parts():
    """Drawn, undone, stood again, 40,000 of the refund came: a second draw of 40,000 is on its way."""
    life, told = signed("line", 100_000)
    life.bank(told.orders[0], "settled")
    (refund,) = life.reverse().orders
    assert life.reinstate().orders == []
    (again,) = life.bank(refund, "partial", 40_000).orders
    assert (again["kind"], again["amount_fen"]) == ("draw", 40_000)
    return life, told.orders[0], refund, again


def test_two_draws_of_one_capture_are_two_orders():
    life, first, refund, second = drawn_again_while_its_refund_comes_in_parts()
    life.bank(second, "settled")
    (third,) = life.bank(refund, "settled", 100_000).orders
    assert (third["kind"], third["amount_fen"]) == ("draw", 60_000)
    assert len({first["order_id"], second["order_id"], third["order_id"]}) == 3
    life.bank(third, "settled")
    assert life.used == 100_000
    assert life.pass_time(hours=999).orders == []


@pytest.mark.parametrize("mode", ["card", "line"])
def test_what_a_refund_took_back_while_the_new_order_was_on_its_way_is_ordered_too(mode):
    life, told = signed(mode, 100_000)
    (order,) = told.orders or life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    life.bank(refund, "partial", 40_000)
    (rest,) = life.pass_time(hours=24).orders
    (again,) = life.reinstate().orders
    life.bank(rest, "settled")
    (last,) = life.bank(again, "settled").orders
    assert (again["amount_fen"], last["kind"], last["amount_fen"]) == (40_000, order["kind"], 60_000)
    life.bank(last, "settled")
    assert life.used == (0 if mode == "card" else 100_000)
    assert legs(life)[0] == "settled"


def test_a_repayment_counts_no_more_once_the_bank_got_its_money_back_whatever_is_on_its_way():
    life, _, refund, again = drawn_again_while_its_refund_comes_in_parts()
    life.repaid(100_000)
    life.bank(refund, "settled", 100_000)
    assert life.used == 100_000
    life.bank(again, "settled")
    assert life.used == 100_000


@pytest.mark.parametrize(("hour", "paid_fen"), [(10, 0), (23, 0), (10, 80_000)])
def test_a_debit_that_was_given_up_stays_so_and_that_is_told_when_its_bill_stands_again(hour, paid_fen):
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")
    life.pass_time(until=("2024-03-04", hour))
    life.reverse()
    (decision,) = [each for each in life.reinstate().decisions if each["kind"] == "capture"]
    assert (decision["decision"], decision["order_id"], decision["captured_fen"]) == ("hold", order["order_id"], 80_000)
    assert [each["code"] for each in decision["reasons"]] == ["BANK_REFUSED"]
    if paid_fen:  # at the counter, as it was told: nothing is refused any more
        life.top_up(paid_fen)
        assert life.used == 0
    assert life.pass_time(hours=24 * 20).orders == []


def test_another_amount_of_a_bill_whose_debit_was_given_up_is_not_withheld_either():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.capture(80_000)
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")
    (decision,) = life.settle(70_000, authorization_id="A1").decisions
    assert (decision["decision"], decision["captured_fen"]) == ("hold", 70_000)
    assert [each["code"] for each in decision["reasons"]] == ["BANK_REFUSED"]
