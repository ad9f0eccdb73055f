"""A reversal races the emission of its bill's order: whichever the log has first, the money ends where it began."""

from itertools import permutations

import pytest

from tests.risk.credit_life import Life

EIGHT = ("2024-03-02", 8)


def billed(mode):
    """A bill of 80,000 fen at eight the next morning: a draw has left, a debit is due this very instant."""
    life = Life("2024-03-01").sign(agreements=(mode,))
    life.authorize(80_000)
    told = life.settle(80_000, authorization_id="A1")
    told += life.pass_time(until=("2024-03-02", 7, 59))
    return life, told.orders


def net_fen(life):
    """What all orders moved to the institution, less what went back."""
    moved = {"debit": 1, "draw": 1, "refund": -1, "cancel": 0}
    return sum(moved[order.kind] * item.moved_fen for order in life.credit.orders for item in order.items)


def assert_ended(life):
    assert (life.used, net_fen(life)) == (0, 0)
    assert not any(order.in_flight or order.retry_ms for order in life.credit.orders)
    assert sum(order.kind == "debit" for order in life.credit.orders) <= 1


def test_a_reversal_that_the_log_has_first_leaves_nothing_to_emit():
    life, _ = billed("card")
    life.reverse()
    assert life.pass_time(until=("2024-03-09",)).orders == []
    assert_ended(life)


@pytest.mark.parametrize("before", [(), ("unknown",), ("accepted",)])
@pytest.mark.parametrize("debit", ["settled", "partial", "rejected", "cancelled"])
@pytest.mark.parametrize("cancel", ["settled", "cancelled", "rejected"])
@pytest.mark.parametrize("mode", ["card", "line"])
@pytest.mark.parametrize("order_of_answers", list(permutations(["order", "cancel"])))
def test_one_that_comes_after_it_is_called_back_or_refunded(mode, debit, cancel, before, order_of_answers):
    life, sent = billed(mode)
    sent += life.pass_time(until=EIGHT).orders
    (order,) = sent
    for word in before:
        life.bank(order, word)
    # the same instant, one record later
    told = life.reverse().orders
    amount_fen = {"settled": 80_000, "partial": 30_000}.get(debit, 0)
    for which in order_of_answers:
        if which == "order":
            told += life.bank(order, debit, amount_fen).orders
        else:
            for wish in [each for each in told if each["kind"] == "cancel"]:
                told += life.bank(wish, cancel, 0).orders
    assert {each["kind"] for each in told} <= {"cancel", "refund"}, "what was reversed is not asked for again"
    for refund in [each for each in told if each["kind"] == "refund"]:
        told += life.bank(refund, "settled").orders
    told += life.pass_time(until=("2024-03-09",)).orders
    assert sum(each["amount_fen"] for each in told if each["kind"] == "refund") == amount_fen
    assert_ended(life)
