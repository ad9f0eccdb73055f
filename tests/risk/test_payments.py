"""Money that comes and goes beside our orders: where it is booked, what is given back and by whom, nothing twice."""

import pytest

from risk import facts
from risk.decided import order_output
from risk.exposure import funding_of, moved, used_of
from risk.lifecycle import next_due
from tests.risk.credit_life import Life


def bills(*amounts, mode="card", now="2024-03-01"):
    """Settlements on credit of one visit, not ordered yet."""
    life = Life(now).sign(level="A", agreements=(mode,))
    for number, amount_fen in enumerate(amounts, 1):
        life.authorize(amount_fen, f"A{number}")
        life.settle(amount_fen, f"S{number}", authorization_id=f"A{number}")
        life.now_ms += 60_000
    return life


def debited(*amounts):
    """...whose one debit is on its way."""
    life = bills(*amounts)
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    return life, order


def owed(life):
    return [used_of(each, moved(life.credit)) for each in life.credit.obligations]


# --- allocation ------------------------------------------------------------------------------------------------------


def test_a_part_payment_pays_the_oldest_bill_first():
    life = bills(30_000, 20_000)
    (decision,) = life.top_up(40_000).decisions
    assert owed(life) == [0, 10_000]
    assert decision["kind"] == "payment"
    assert decision["items"] == [
        {"setl_id": "S1", "top_up_fen": 0, "paid_fen": 30_000},
        {"setl_id": "S2", "top_up_fen": 0, "paid_fen": 10_000},
    ]
    assert (decision["decision"], decision["surplus_fen"]) == ("nothing_due", 0)


def test_a_named_bill_is_paid_before_an_older_one():
    life = bills(30_000, 20_000)
    life.top_up(20_000, setl_id="S2")
    assert owed(life) == [30_000, 0]


def test_what_repays_the_bank_goes_to_the_order_it_names_else_to_the_oldest():
    life = bills(30_000, 20_000, mode="line")
    orders = [each.order_id for each in life.credit.orders]
    life.repaid(5_000, order_id=orders[1])
    assert owed(life) == [30_000, 15_000]
    life.repaid(35_000)
    assert owed(life) == [0, 10_000]


def test_more_than_everything_owed_is_surplus_and_whoever_took_it_gives_it_back():
    life = bills(30_000)
    (decision,) = life.top_up(30_001).decisions
    assert (decision["decision"], decision["surplus_fen"], decision["given_back_by"]) == ("release", 1, "institution")
    assert decision["reasons"][0]["code"] == "SURPLUS"
    life = bills(30_000, mode="line")
    decision = life.repaid(30_002).decisions[0]
    assert (decision["surplus_fen"], decision["given_back_by"]) == (2, "bank")


def test_a_counter_takes_no_repayment_for_the_bank():
    life = bills(30_000, mode="line")
    (decision,) = life.top_up(30_000).decisions
    assert (owed(life), decision["surplus_fen"]) == ([30_000], 30_000)


def test_a_payment_for_a_visit_without_credit_is_nothing_of_ours():
    assert bills(30_000).top_up(5_000, mdtrt_id="M9") == []


@pytest.mark.parametrize(("asked", "kept", "paid"), [(0, 0, 60_000), (1_000, 1_000, 59_000), (90_000, 60_000, 0)])
def test_the_visit_takes_no_more_than_it_still_asks_and_the_rest_pays_its_bills(asked, kept, paid):
    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000, scope="visit")
    life.settle(100_000, "S1", authorization_id="A1")
    if asked:
        assert life.increase(asked).reply["decision"] == "deny"
    (decision,) = life.top_up(60_000).decisions
    assert (decision["waiting_fen"], owed(life)) == (kept, [100_000 - paid])


def test_what_neither_the_visit_asks_nor_a_bill_is_owed_waits_for_the_bill():
    life = Life("2024-03-01").sign(level="C")
    life.authorize(120_000, scope="visit")
    (decision,) = life.top_up(60_000).decisions
    assert (decision["waiting_fen"], decision["surplus_fen"]) == (60_000, 0)


# --- paid early ------------------------------------------------------------------------------------------------------


def test_what_was_paid_before_the_bill_is_not_debited_again():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    (decision,) = life.top_up(30_000).decisions
    assert decision["waiting_fen"] == 30_000
    (decision,) = life.settle(80_000, authorization_id="A1").decisions
    assert (decision["paid_fen"], decision["counter_return_fen"]) == (30_000, 0)
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    assert order["amount_fen"] == 50_000


def test_it_outlives_the_discharge_and_what_is_too_much_is_given_back_at_the_last_bill():
    life = Life("2024-03-01").sign()
    life.visit("M1", med_type="21")
    life.authorize(80_000, service="deposit_free", scope="visit", med_type="21")
    life.top_up(100_000)
    life.settle(50_000, "S1", med_type="21", mid_setl_flag="1")
    life.close()
    decision = life.settle(20_000, "S2", med_type="21").decisions[0]
    assert (decision["paid_fen"], decision["counter_return_fen"]) == (20_000, 30_000)
    assert life.used == 0
    assert life.pass_time(hours=100).orders == []


@pytest.mark.parametrize(
    "first",
    [
        lambda life: life.settle(30_000, "S1", authorization_id="A1"),
        lambda life: life.capture(30_000, "S1", final=False),
        lambda life: life.settle(0, "S1", authorization_id="A1"),
        lambda life: life.capture(0, "S1", final=False),
        lambda life: life.settle(30_000, "S1", credit_fen=0),
    ],
    ids=["an event", "a checkout", "an event of nothing", "a checkout of nothing", "one that is paid otherwise"],
)
def test_what_the_first_bill_leaves_of_it_waits_for_the_next_whoever_tells_of_the_first(first):
    life = Life("2024-03-01").sign()
    life.authorize(200_000, scope="visit")
    life.top_up(90_000)
    booked = sum(each.get("paid_fen", 0) for each in first(life).decisions)
    (decision,) = life.settle(100_000, "S2", authorization_id="A1").decisions
    assert booked + decision["paid_fen"] == 90_000
    assert sum(order["amount_fen"] for order in life.pass_time(hours=24).orders) == life.used
    assert life.used == sum(each.captured_fen for each in life.credit.obligations) - 90_000


def test_paid_between_a_capture_and_its_bill_it_waits_for_the_bill_after_it():
    life = Life("2024-03-01").sign()
    life.authorize(80_000, "A1")
    life.authorize(50_000, "A2", scope="visit")
    life.top_up(90_000)
    life.capture(80_000, "S1", final=False)
    life.settle(80_000, "S1", authorization_id="A1")
    (decision,) = life.settle(50_000, "S2", authorization_id="A2").decisions
    assert (decision["paid_fen"], life.used) == (10_000, 40_000)


def test_a_last_bill_of_nothing_gives_back_what_was_paid_for_it():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.top_up(30_000)
    decision = next(each for each in life.capture(0).decisions if each["kind"] == "capture")
    assert (decision["decision"], decision["counter_return_fen"], life.credit.wants) == ("nothing_due", 30_000, ())


def test_an_estimate_below_the_hold_forgets_no_payment():
    life = Life().sign()
    life.authorize(80_000)
    life.top_up(30_000)
    life.estimate(10_000)
    assert life.credit.wants[0].topped_up_fen == 30_000


def paid_early(mdtrt_id="M1", *, known=True):
    """500 yuan for a visit that has a hold, and no bill yet."""
    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000, mdtrt_id=mdtrt_id)
    life.top_up(50_000, mdtrt_id=mdtrt_id)
    if not known:
        life.visits.clear()
    return life


def given_back(told):
    return [(each["surplus_fen"], each["given_back_by"]) for each in told.decisions if each["kind"] == "payment"]


def test_paid_early_for_a_visit_that_is_cancelled_it_is_given_back_at_once():
    life = paid_early()
    assert given_back(life.cancel()) == [(50_000, "institution")]
    assert life.credit.wants == ()


@pytest.mark.parametrize(("known", "until"), [(True, ("2024-03-04", 2)), (False, ("2024-03-03", 10, 1))])
@pytest.mark.parametrize("ends", ["released", "expired"])
def test_where_no_bill_comes_it_is_given_back_two_days_after_the_visit(known, until, ends):
    """Of a registered visit its end is known, 02:00; of another, when the hold ended: after ten, or half past."""
    life = paid_early(known=known)
    if ends == "released":
        life.release()
    else:
        life.pass_time(hours=0.5)
        until = until if known else (until[0], 10, 31)
    assert given_back(life.pass_time(until=(*until[:1], until[1] - 1, 59))) == []
    assert given_back(life.pass_time(until=until)) == [(50_000, "institution")]
    assert (life.credit.wants, next_due(life.credit)) == ((), None)


def test_while_it_waits_without_a_hold_its_visit_asks_for_nothing():
    life = paid_early()
    assert life.increase(70_000).reply["decision"] == "deny"
    assert life.uncovered == 20_000
    life.release()
    assert life.uncovered == 20_000, "a refusal counts for a day"
    life.pass_time(hours=24)
    assert (life.uncovered, life.credit.wants[0].topped_up_fen) == (0, 50_000)


def test_a_late_bill_still_takes_it():
    life = paid_early()
    life.pass_time(until=("2024-03-03", 12))
    (decision,) = life.settle(80_000, authorization_id="A1").decisions
    assert (decision["paid_fen"], decision["counter_return_fen"]) == (50_000, 0)
    assert given_back(life.pass_time(hours=500)) == []


def test_as_long_as_a_stay_goes_on_it_waits():
    life = Life("2024-03-01").sign()
    life.visit("M1", med_type="21").authorize(80_000, service="deposit_free", scope="visit", med_type="21")
    life.top_up(50_000)
    life.release()
    assert given_back(life.pass_time(hours=24 * 60)) == []
    life.close()
    assert given_back(life.pass_time(hours=47)) == []
    assert given_back(life.pass_time(hours=1)) == [(50_000, "institution")]


# --- a bill that says otherwise than its capture ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "paid", "bill", "topped_up", "on_debit", "back", "debited"),
    [
        ("B", 80_000, 30_000, 0, 30_000, 50_000, 0),  # captured 800 and paid; the bill says 300
        ("B", 80_000, 80_000, 0, 80_000, 0, 0),
        ("B", 20_000, 30_000, 0, 20_000, 0, 10_000),
        ("C", 20_000, 110_000, 10_000, 10_000, 0, 90_000),  # of 1,200 the limit covers 1,000
        ("C", 20_000, 100_000, 0, 20_000, 0, 80_000),
        ("C", 120_000, 15_000, 0, 15_000, 105_000, 0),
        ("C", 20_000, 130_000, 20_000, 0, 0, 100_000),
    ],
)
def test_what_was_paid_on_a_capture_pays_the_bill_as_its_event_tells_it(
    limit, paid, bill, topped_up, on_debit, back, debited
):  # fmt: skip
    life = Life("2024-03-01").sign(level=limit)
    asked = 80_000 if limit == "B" else 120_000
    life.authorize(asked)
    life.capture(asked)
    life.top_up(paid, setl_id="S1")
    decisions = [each for each in life.settle(bill, authorization_id="A1").decisions if each["kind"] == "capture"]
    if bill != asked:
        (told,) = decisions
        assert (told["topped_up_fen"], told["paid_fen"], told["counter_return_fen"]) == (topped_up, on_debit, back)
    assert sum(order["amount_fen"] for order in life.pass_time(hours=24).orders) == debited


def test_what_repaid_a_bank_is_not_given_back_at_the_counter():
    life = Life("2024-03-01").sign(agreements=("line",))
    life.authorize(80_000)
    (draw,) = life.capture(80_000).orders
    life.bank(draw, "settled")
    life.repaid(80_000)
    told = life.settle(30_000, authorization_id="A1")
    assert next(each for each in told.decisions if each["kind"] == "capture")["counter_return_fen"] == 0
    assert [(order["kind"], order["amount_fen"]) for order in told.orders] == [("refund", 50_000)]


# --- while a debit is on its way -------------------------------------------------------------------------------------


def test_a_payment_at_the_counter_calls_the_debit_back():
    life, order = debited(80_000)
    (wish,) = life.top_up(80_000).orders
    assert (wish["kind"], wish["original_order_id"], life.used) == ("cancel", order["order_id"], 0)
    life.bank(wish, "cancelled")
    assert life.pass_time(hours=300).orders == []


@pytest.mark.parametrize(("paid", "back"), [(80_000, 80_000), (30_000, 30_000), (1, 1)])
def test_a_debit_that_came_all_the_same_is_refunded_by_what_was_paid(paid, back):
    life, order = debited(80_000)
    life.top_up(paid)
    (refund,) = life.bank(order, "settled").orders
    assert (refund["kind"], refund["amount_fen"], life.used) == ("refund", back, 0)
    life.bank(refund, "settled")
    assert life.pass_time(hours=300).orders == []


def test_a_refused_debit_asks_only_for_what_the_counter_left():
    life, order = debited(80_000)
    life.top_up(30_000)
    life.bank(order, "rejected", code="X", cause="person")
    (again,) = life.pass_time(until=("2024-03-02", 14)).orders
    assert again["amount_fen"] == 50_000


def test_an_unknown_debit_is_not_called_back_before_the_query():
    life, order = debited(80_000)
    life.bank(order, "unknown")
    assert life.top_up(80_000).orders == []
    (refund,) = life.bank(order, "settled").orders
    assert refund["amount_fen"] == 80_000


def test_a_debit_of_two_bills_is_called_back_only_when_both_are_paid():
    life, _ = debited(30_000, 20_000)
    assert life.top_up(30_000).orders == []
    assert [each["kind"] for each in life.top_up(20_000).orders] == ["cancel"]


# --- returned by the bank --------------------------------------------------------------------------------------------


def test_a_debit_that_the_bank_gave_back_waits_for_its_reversal_and_is_not_refunded_twice():
    life, order = debited(80_000)
    life.bank(order, "settled")
    told = life.repaid(80_000, "card", facts.BankRefunded)
    held = [each for each in told.decisions if each["kind"] == "after_visit"]
    assert [(each["decision"], each["reasons"][0]["code"]) for each in held] == [("hold", "REVERSAL_PENDING")]
    assert life.used == 80_000
    assert life.pass_time(hours=300).orders == []
    assert life.reverse().orders == []
    assert life.used == 0


def test_a_new_bill_of_the_visit_does_not_take_it_again():
    life, order = debited(80_000)
    life.bank(order, "settled")
    life.repaid(80_000, "card", facts.BankRefunded)
    life.authorize(10_000, "A2")
    life.settle(10_000, "S2", authorization_id="A2")
    (order,) = life.pass_time(hours=60).orders
    assert [each["setl_id"] for each in order["items"]] == ["S2"]


def test_a_notice_of_our_own_refund_is_booked_once():
    life, order = debited(80_000)
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    before, obligations = moved(life.credit), life.credit.obligations
    for names in ({}, {"order_id": refund["order_id"]}):
        (told,) = life.repaid(80_000, "card", facts.BankRefunded, **names).decisions
        assert (told["ordered_fen"], told["refund_order_id"], told["items"]) == (80_000, refund["order_id"], [])
    assert (moved(life.credit), life.credit.obligations) == (before, obligations)
    life.bank(refund, "settled")
    assert funding_of(life.credit, life.credit.obligations[0]).value == "refunded"
    assert life.repaid(80_000, "card", facts.BankRefunded).decisions[0]["unplaced_fen"] == 80_000


def refunded_beside_another_bill(mode):
    """Two bills of one visit and one agreement, both paid; the first is undone and our refund is done."""
    life = bills(80_000, 80_000, mode=mode)
    orders = [order_output(life.context(), each).body for each in life.credit.orders]
    for order in orders or life.pass_time(until=("2024-03-02", 8)).orders:
        life.bank(order, "settled")
    (refund,) = life.reverse("S1").orders
    life.bank(refund, "settled")
    return life, refund


@pytest.mark.parametrize("mode", ["card", "line"])
@pytest.mark.parametrize("names", ["", "mdtrt_id", "order_id"])
@pytest.mark.parametrize("amount_fen", [80_000, None])
def test_a_late_notice_of_our_own_refund_erases_no_other_bill(mode, names, amount_fen):
    life, refund = refunded_beside_another_bill(mode)
    before = moved(life.credit), owed(life)
    fields = {"": {}, "mdtrt_id": {"mdtrt_id": "M1"}, "order_id": {"order_id": refund["original_order_id"]}}[names]
    life.now_ms += 3 * 86_400_000
    (told,) = life.repaid(amount_fen, mode, facts.BankRefunded, **fields).decisions
    assert told["refund_order_id"] == refund["order_id"]
    assert (moved(life.credit), owed(life)) == before


@pytest.mark.parametrize("other", ["the second of its amount", "another amount", "a week later", "another visit"])
def test_any_other_notice_is_no_refund_of_ours(other):
    life, _ = refunded_beside_another_bill("card")
    amount_fen, fields = 80_000, {}
    if other == "the second of its amount":
        life.repaid(80_000, "card", facts.BankRefunded)
    elif other == "another amount":
        amount_fen = 79_999
    elif other == "a week later":
        life.now_ms += 7 * 86_400_000 + 1
    else:
        fields = {"mdtrt_id": "M9"}
    told = life.repaid(amount_fen, "card", facts.BankRefunded, **fields).decisions[0]
    assert "refund_order_id" not in told
    assert life.used == (0 if fields else amount_fen)


def test_a_refund_to_the_line_pays_the_line():
    life = bills(80_000, mode="line")
    draw = life.credit.orders[0]
    life.bank({"order_id": draw.order_id, "attempt": 1, "amount_fen": 80_000}, "settled")
    life.repaid(30_000, "line", facts.BankRefunded)
    assert life.used == 50_000
    (refund,) = life.reverse().orders
    assert refund["amount_fen"] == 50_000


def test_refunded_after_repayment_and_reinstated_it_is_owed_again():
    life = bills(80_000, mode="line")
    draw = life.credit.orders[0]
    life.bank({"order_id": draw.order_id, "attempt": 1, "amount_fen": 80_000}, "settled")
    life.repaid(80_000)
    (refund,) = life.reverse().orders
    life.bank(refund, "settled")  # the bank owed the person that money, and paid it back
    (again,) = life.reinstate().orders
    assert (again["kind"], again["amount_fen"], life.used) == ("draw", 80_000, 80_000)


def test_what_was_paid_at_the_counter_for_an_undone_bill_is_given_back_there():
    life = bills(80_000)
    life.top_up(30_000)
    decision = life.reverse().decisions[0]
    assert decision["counter_return_fen"] == 30_000
    assert life.used == 0


@pytest.mark.parametrize(("paid_again", "debited"), [(0, 80_000), (30_000, 50_000)])
def test_and_asked_for_again_when_it_stands_again_unless_it_is_paid_again(paid_again, debited):
    life = bills(80_000)
    life.top_up(30_000)
    life.reverse()
    decision = life.reinstate().decisions[0]
    assert (decision["paid_fen"], decision["counter_return_fen"]) == (0, 0)
    life.top_up(paid_again)
    assert sum(order["amount_fen"] for order in life.pass_time(hours=24).orders) == debited


def test_what_was_above_the_limit_too():
    life = Life("2024-03-01").sign(level="C")
    life.authorize(120_000)
    life.settle(120_000, authorization_id="A1")
    life.top_up(20_000)
    assert life.reverse().decisions[0]["counter_return_fen"] == 20_000
    assert life.reinstate().decisions[0]["topped_up_fen"] == 0
    (decision,) = life.top_up(20_000).decisions
    assert (decision["items"][0]["top_up_fen"], decision["surplus_fen"]) == (20_000, 0)
