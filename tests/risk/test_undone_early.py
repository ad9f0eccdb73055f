"""What a checkout captured is undone by its bill's reversal, in whatever order the bill and its reversal come."""

import pytest

from risk import facts
from tests.risk.whole_life import WholeLife


def captured(mode="card", **asked):
    """800 yuan captured at the counter; its bill has not come. A draw is settled, a debit waits for the night."""
    life = WholeLife("2024-03-01").sign(agreements=(mode,))
    life.authorize(80_000, **asked)
    for order in life.capture(80_000).orders:
        life.bank(order, "settled")
    return life


def net_fen(life):
    """What all orders moved to the institution, less what went back."""
    moved = {"debit": 1, "draw": 1, "refund": -1, "cancel": 0}
    return sum(moved[order.kind] * item.moved_fen for order in life.credit.orders for item in order.items)


@pytest.mark.parametrize("mode", ["card", "line"])
@pytest.mark.parametrize(
    ("steps", "by"),
    [
        (("undo",), "setl_id"),
        (("undo", "bill"), "setl_id"),
        (("bill", "undo"), "setl_id"),
        (("undo", "bill"), "medins_setl_id"),
        (("bill", "undo"), "medins_setl_id"),
    ],
)
def test_a_reversal_undoes_what_a_checkout_captured_whenever_the_bill_itself_comes(mode, steps, by):
    life, orders = captured(mode), []
    for step in steps:
        if step == "bill":
            orders += life.settle(80_000, authorization_id="A1", medins_setl_id="HIS-1").orders
        else:
            names = {"setl_id": "S1"} if by == "setl_id" else {"medins_setl_id": "HIS-1"}
            orders += life.tell(facts.SettlementReversed, **names).orders
    for order in orders:
        assert order["kind"] == "refund"
        life.bank(order, "settled")
    assert life.pass_time(hours=60).orders == []
    assert (life.used, net_fen(life)) == (0, 0)


def test_what_was_held_for_it_is_held_again_and_the_new_bill_takes_it():
    life = captured()
    life.reverse()
    assert life.held == 80_000
    life.settle(50_000, "S2", authorization_id="A1")
    (order,) = life.pass_time(hours=30).orders
    assert (order["amount_fen"], [each["setl_id"] for each in order["items"]]) == (50_000, ["S2"])


@pytest.mark.parametrize("steps", [("undo", "redo", "bill"), ("undo", "bill", "redo")])
def test_if_the_reversal_was_undone_the_bill_stands_with_the_amounts_of_its_event(steps):
    life, alerts = captured(), []
    for step in steps:
        if step == "bill":
            alerts += life.settle(30_000, authorization_id="A1").alerts
        else:
            (life.reverse if step == "undo" else life.reinstate)()
    assert ("Q06", "opened") in alerts
    (order,) = life.pass_time(hours=30).orders
    assert order["amount_fen"] == life.used == 30_000


def test_reversed_twice_before_its_bill_it_is_undone_once():
    life = captured()
    life.reverse()
    before = life.credit
    assert life.reverse() == []
    assert (life.result, life.credit) == ("duplicate", before)
    life.settle(80_000, authorization_id="A1")
    assert life.reverse() == []
    assert life.used == 0


def test_a_bill_undone_before_it_came_that_no_checkout_captured_moves_nothing():
    life = WholeLife("2024-03-01").sign()
    life.authorize(80_000)
    life.reverse()
    assert life.result == "waiting"
    assert life.settle(80_000, authorization_id="A1").decisions == []
    assert (life.held, life.used) == (80_000, 0)
