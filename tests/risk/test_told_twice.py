"""A checkout's capture and the bill's own event: booked once, and the event wins, whichever comes first."""

import pytest

from tests.risk.credit_life import Life


@pytest.mark.parametrize("comes_first", ["bill", "capture"])
@pytest.mark.parametrize("level", ["B", "C"])
@pytest.mark.parametrize("cash_fen", [30_000, 80_000, 90_000, 150_000])
def test_the_bill_wins_whichever_comes_first(comes_first, level, cash_fen):
    """The bill names no authorization, so of itself it captures nothing."""
    life = Life("2024-03-01").sign(level=level)
    life.authorize(80_000)
    steps = [lambda: life.settle(cash_fen), lambda: life.capture(80_000, final=True)]
    told = [step() for step in (steps if comes_first == "bill" else steps[::-1])]
    alerts = [each for each in told[0].alerts + told[1].alerts if each[0] == "Q06"]
    assert alerts == ([] if cash_fen == 80_000 else [("Q06", "opened")])
    (bill,) = life.credit.obligations
    assert (bill.due_fen, bill.captured_fen, bill.confirmed) == (cash_fen, min(cash_fen, 80_000), True)
    assert (life.held, life.credit.unbooked) == (0, ())
    assert sum(order["amount_fen"] for order in life.pass_time(hours=30).orders) == min(cash_fen, 80_000)


def test_what_was_paid_otherwise_cannot_be_captured():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(30_000, credit_fen=0)
    told = life.capture(80_000).reply
    assert (told["status"], told["code"], told["field"]) == (409, "PAID_OTHERWISE", "setl_id")
    assert life.capture(80_000, "S2").reply["captured_fen"] == 80_000
    assert [each.setl_id for each in life.credit.obligations] == ["S2"]


def test_a_bill_that_does_not_add_up_is_captured_as_the_checkout_says_and_not_debited():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(30_000, add_up=False)
    told = life.capture(80_000)
    assert told.reply["captured_fen"] == 80_000
    assert [each["reasons"][0]["code"] for each in told.decisions] == ["DATA_QUALITY"]
    assert life.pass_time(hours=30).orders == []


def test_of_two_holds_that_fit_the_checkout_says_which_and_the_bill_how_much():
    life = Life().sign()
    life.authorize(100_000, "A1", scope="visit")
    life.authorize(100_000, "A2", scope="visit", service="deposit_free")
    assert life.settle(50_000).alerts == [("Q05", "opened")]
    assert life.capture(60_000, authorization_id="A2").reply["captured_fen"] == 50_000


def test_bills_of_which_nothing_was_captured_are_remembered_while_something_is_held_and_no_more_than_so_many():
    life = Life("2024-03-01").sign()
    life.settle(1_000, "S0")
    assert life.credit.unbooked == ()
    life.authorize(80_000)
    for number in range(40):
        life.settle(1_000 + number, f"S{number}")
    assert [each.tender_fen for each in life.credit.unbooked] == list(range(1_008, 1_040))
    life.release()
    assert life.credit.unbooked == ()


def test_a_new_capture_of_what_was_undone_is_refused_and_the_old_one_hears_how_it_stands():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.capture(80_000)
    life.reverse()
    told = life.capture(80_000, request_id="R2").reply
    assert (told["status"], told["code"], told["field"]) == (409, "REVERSED", "setl_id")
    again = life.capture(80_000).reply
    assert (again["status"], again["captured_fen"]) == (200, 0)
    assert life.held == 80_000
    assert life.capture(50_000, "S2", request_id="R3").reply["captured_fen"] == 50_000
    life.reinstate()
    assert life.capture(80_000, request_id="R4").reply["captured_fen"] == 80_000
