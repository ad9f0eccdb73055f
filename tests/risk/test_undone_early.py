"""What a checkout captured is undone by its bill's reversal, in whatever order the bill and its reversal come."""

import pytest

from risk import facts
from risk.activity import COUNTED, SILENCED
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


@pytest.mark.parametrize("mode", ["card", "line"])
def test_what_was_undone_stays_undone_however_late_its_bill_comes_until_somebody_takes_that_back(mode):
    life = captured(mode)
    orders = life.reverse().orders
    for order in orders:
        life.bank(order, "settled")
    life.pass_time(hours=24 * 41)
    life.settle(500, "S9", mdtrt_id="M9", credit_fen=0)
    assert life.person.activity.tombstones == ()
    orders = life.settle(80_000, authorization_id="A1").orders + life.pass_time(hours=48).orders
    assert (orders, life.used, [row.state for row in life.person.activity.rows]) == ([], 0, [COUNTED, SILENCED])
    orders = life.reinstate().orders + life.pass_time(hours=48).orders
    assert [each["kind"] for each in orders] == ["debit" if mode == "card" else "draw"]
    assert (life.used, [row.state for row in life.person.activity.rows]) == (80_000, [COUNTED, COUNTED])


def test_who_takes_back_the_reversal_by_its_message_lets_the_capture_stand_at_once():
    life = captured()
    life.tell(facts.SettlementReversed, event_id="2208:M8:0", setl_id="S1")
    theirs = "institution:H43050200002/t"
    life.tell(facts.SettlementReinstated, event_id="2601:M7:0", original_msgid="M8", source=theirs)
    assert (life.result, life.used) == ("refused", 0)
    life.tell(facts.SettlementReinstated, event_id="2601:M9:0", original_msgid="M8")
    assert life.used == 80_000
    assert len(life.pass_time(hours=48).orders) == 1


def test_reversed_twice_before_its_bill_it_is_undone_once():
    life = captured()
    life.reverse()
    before = life.credit
    assert life.reverse() == []
    assert (life.result, life.credit) == ("duplicate", before)
    life.settle(80_000, authorization_id="A1")
    assert life.reverse() == []
    assert life.used == 0


# --- and that reversal is undone itself ------------------------------------------------------------------------------


def asked(mode="card"):
    """800 yuan held for the visit, and nothing captured."""
    life = WholeLife("2024-03-01").sign(agreements=(mode,))
    life.authorize(80_000, scope="visit")
    return life


@pytest.mark.parametrize("begun", [asked, captured])
@pytest.mark.parametrize("mode", ["card", "line"])
@pytest.mark.parametrize("names", [{"setl_id": "S1"}, {"medins_setl_id": "HIS-1"}], ids=["bill", "its message"])
@pytest.mark.parametrize("by", [{"setl_id": "S1"}, {"original_msgid": "M8"}], ids=["bill", "reversal's message"])
@pytest.mark.parametrize("steps", [("undo", "redo", "bill"), ("undo", "bill", "redo"), ("bill", "undo", "redo")])
def test_it_is_booked_once_in_whatever_order_they_come(begun, mode, names, by, steps):
    if "medins_setl_id" in names and by == {"setl_id": "S1"} and steps[:2] == ("undo", "redo"):
        by = {"original_msgid": "M8"}  # nobody knows yet that both mean one bill
    life, orders = begun(mode), []
    for step in steps:
        if step == "bill":
            orders += life.settle(80_000, authorization_id="A1", medins_setl_id="HIS-1").orders
        elif step == "undo":
            orders += life.tell(facts.SettlementReversed, event_id="2208:M8:0", **names).orders
        else:
            orders += life.tell(facts.SettlementReinstated, event_id="2601:M9:0", **by).orders
        while orders:
            orders += life.bank(orders.pop(0), "settled").orders
    for order in life.pass_time(hours=60).orders:
        life.bank(order, "settled")
    assert [each.claim_fen for each in life.credit.obligations] == [80_000]
    assert (net_fen(life), life.held) == (80_000, 0)


def test_what_it_was_to_come_out_of_has_ended_so_a_person_is_told():
    life = asked()
    life.reverse()
    life.settle(80_000, authorization_id="A1")
    life.release()
    (alert,) = life.reinstate().on("alerts")
    assert (alert["rule_id"], alert["observed"], alert["allowed"]) == ("Q06", 0, 80_000)
    assert (life.used, life.credit.unbooked) == (0, ())
    life.reverse()
    assert life.reinstate().alerts == []


@pytest.mark.parametrize("told", [{"credit_fen": 0, "authorization_id": "A1"}, {"mdtrt_id": "M2"}])
def test_a_bill_that_was_not_on_credit_is_not_afterwards(told):
    life = asked()
    life.reverse()
    life.settle(80_000, **told)
    assert life.reinstate() == []
    assert life.used == 0


def test_it_is_forgotten_when_no_reversal_would_be_waited_for_any_more():
    life = asked()
    life.reverse()
    life.settle(80_000, authorization_id="A1")
    life.release()
    assert [each.setl_id for each in life.credit.unbooked] == ["S1"]
    life.pass_time(hours=24 * 41)
    life.visit("M2")
    assert life.credit.unbooked == ()


def test_a_bill_undone_before_it_came_that_no_checkout_captured_moves_nothing():
    life = WholeLife("2024-03-01").sign()
    life.authorize(80_000)
    life.reverse()
    assert life.result == "waiting"
    assert life.settle(80_000, authorization_id="A1").decisions == []
    assert (life.held, life.used) == (80_000, 0)
