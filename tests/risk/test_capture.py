"""What a settlement takes, what goes back to the hold, and what a reversal undoes."""

import pytest

from risk import facts
from risk.credit import HoldState
from tests.risk.credit_life import Life, at, replace, shaoyang


def test_a_settlement_captures_and_the_rest_of_the_hold_is_free_in_the_same_step():
    life = Life().sign()
    life.authorize(100_000)
    (decision,) = life.settle(60_000, authorization_id="A1").decisions
    assert (life.held, life.used) == (0, 60_000)
    assert (decision["kind"], decision["decision"], decision["funding_state"]) == ("capture", "withhold", "pending")
    assert decision["order_id"].startswith("or_")


def test_a_settlement_is_linked_by_the_number_given_at_authorization():
    life = Life().sign()
    life.authorize(100_000, medins_setl_id="HIS-1")
    life.settle(60_000, medins_setl_id="HIS-2")
    assert life.used == 0
    life.settle(60_000, "S2", medins_setl_id="HIS-1")
    assert life.used == 60_000


def test_one_visit_authorization_pays_several_settlements():
    life = Life().sign()
    life.authorize(100_000, scope="visit")
    for number, left in ((1, 70_000), (2, 40_000), (3, 10_000)):
        life.settle(30_000, f"S{number}")
        assert life.held == left
    (decision,) = life.settle(400_000, "S4").decisions
    assert (decision["captured_fen"], decision["top_up_fen"]) == (210_000, 190_000)
    assert (life.held, life.used) == (0, 300_000)


def test_a_mid_stay_settlement_leaves_the_deposit_hold_open_and_the_last_one_ends_it():
    life = Life().sign()
    life.visit("M1", med_type="21")
    life.authorize(500_000, service="deposit_free", scope="visit")
    life.settle(100_000, "S1", med_type="21", mid_setl_flag="1")
    assert life.held == 400_000
    life.settle(100_000, "S2", med_type="21")
    assert (life.held, life.used) == (0, 200_000)


def test_two_open_holds_that_both_fit_capture_nothing_and_raise_q05():
    life = Life().sign()
    life.authorize(100_000, "A1", scope="visit")
    life.authorize(100_000, "A2", scope="visit", service="deposit_free")
    told = life.settle(50_000)
    assert told.alerts == [("Q05", "opened")]
    assert told.decisions == []
    assert (life.held, life.used) == (200_000, 0)


def test_tendered_on_credit_without_any_authorization_is_booked_as_a_fact():
    life = Life().sign()
    (decision,) = life.settle(400_000, credit_fen=400_000).decisions
    assert (decision["captured_fen"], decision["state"]) == (400_000, "advice")
    assert life.used == 400_000
    assert life.authorize(1, "A2", "M2").reply["decision"] == "deny"


def test_without_an_agreement_nothing_is_captured():
    life = Life()
    (decision,) = life.settle(400_000, credit_fen=400_000).decisions
    assert (decision["decision"], decision["top_up_fen"]) == ("top_up", 400_000)
    assert decision["reasons"][0]["code"] == "NOT_SIGNED"
    assert life.credit is None


def test_a_bill_paid_otherwise_by_somebody_unknown_leaves_no_trace():
    life = Life()
    assert life.settle(400_000) == []
    assert life.credit is None


# --- told twice ------------------------------------------------------------------------------------------------------


def test_a_capture_and_its_settlement_book_once_whichever_comes_first():
    life = Life().sign()
    life.authorize(100_000)
    first = life.capture(60_000).reply
    assert (first["captured_fen"], first["top_up_fen"], first["state"]) == (60_000, 0, "captured")
    assert life.settle(60_000, authorization_id="A1") == []
    assert life.used == 60_000

    life.authorize(100_000, "A2", "M2")
    life.settle(50_000, "S2", "M2", authorization_id="A2")
    late = life.capture(50_000, "S2", authorization_id="A2")
    assert late.reply["captured_fen"] == 50_000
    assert late.alerts == []
    assert life.used == 110_000


def test_a_capture_is_idempotent_by_request_id_and_a_conflict_names_the_field():
    life = Life().sign()
    life.authorize(100_000)
    first = life.capture(60_000).reply
    assert life.capture(60_000).reply == first
    assert life.capture(60_001).reply["field"] == "psn_cash_pay_fen"
    assert life.capture(60_000, "S9").reply["field"] == "setl_id"
    assert life.used == 60_000


def test_a_capture_of_nothing_is_answered_again_as_before():
    life = Life().sign()
    life.authorize(80_000)
    first = life.capture(0)
    assert (first.reply["status"], first.reply["decision"]) == (200, "nothing_due")
    again = life.capture(0)
    assert again.reply == first.reply
    assert again.decisions == []


def test_a_capture_in_parts_keeps_the_hold_until_the_final_one():
    life = Life().sign()
    life.authorize(100_000)
    assert life.capture(30_000, "S1", request_id="R1", final=False).reply["state"] == "part_captured"
    assert life.held == 70_000
    assert life.capture(30_000, "S2", request_id="R2", final=True).reply["state"] == "captured"
    assert (life.held, life.used) == (0, 60_000)


def test_if_the_settlement_says_less_than_the_capture_the_settlement_stands():
    life = Life().sign()
    life.authorize(100_000)
    life.capture(60_000)
    told = life.settle(50_000, authorization_id="A1")
    assert told.alerts == [("Q06", "opened")]
    assert told.decisions[0]["captured_fen"] == 50_000
    assert life.used == 50_000


def test_if_the_settlement_says_more_the_rest_is_topped_up():
    life = Life().sign()
    life.authorize(100_000)
    life.capture(60_000)
    told = life.settle(70_000, authorization_id="A1")
    assert told.alerts == [("Q06", "opened")]
    assert (told.decisions[0]["captured_fen"], told.decisions[0]["top_up_fen"]) == (60_000, 10_000)


def test_less_than_an_order_already_brought_goes_back():
    life = Life().sign(agreements=("line",))
    life.authorize(100_000)
    (draw,) = life.capture(60_000).orders
    life.bank(draw, "settled")
    (refund,) = life.settle(50_000, authorization_id="A1").orders
    assert (refund["kind"], refund["amount_fen"], refund["original_order_id"]) == ("refund", 10_000, draw["order_id"])


# --- reversal --------------------------------------------------------------------------------------------------------


def test_a_reversal_and_a_new_settlement_are_a_partial_refund():
    life = Life().sign()
    life.authorize(100_000)
    life.settle(80_000, "S1", authorization_id="A1")
    told = life.reverse("S1")
    assert (life.held, life.used) == (80_000, 0)
    assert [(each["decision"], each["state"]) for each in told.decisions] == [("release", "held")]
    life.settle(50_000, "S2")
    assert (life.held, life.used) == (0, 50_000)
    (order,) = life.pass_time(hours=30).orders
    assert (order["amount_fen"], [each["setl_id"] for each in order["items"]]) == (50_000, ["S2"])


def test_what_a_reversal_opened_closes_with_the_outpatient_visit():
    life = Life("2024-03-01").sign()
    life.authorize(100_000)
    life.settle(80_000, authorization_id="A1")
    life.reverse()
    life.pass_time(until=("2024-03-02", 1))
    assert life.held == 80_000
    life.pass_time(until=("2024-03-02", 3))
    assert life.held == 0


def test_after_the_visit_a_reversal_opens_nothing():
    life = Life("2024-03-01").sign()
    life.authorize(100_000)
    life.settle(80_000, authorization_id="A1")
    life.pass_time(until=("2024-03-02", 6))
    life.reverse()
    assert (life.held, life.used) == (0, 0)
    assert life.credit.ended[0].state is HoldState.CAPTURED


def test_reversing_twice_gives_back_once():
    life = Life().sign()
    life.authorize(100_000)
    life.settle(80_000, authorization_id="A1")
    life.reverse()
    before = life.credit
    assert life.reverse() == []
    assert life.credit == before


def test_a_reversal_of_a_bill_paid_otherwise_changes_nothing():
    life = Life().sign()
    before = life.credit
    assert life.reverse("S77") == []
    assert life.credit == before


def test_a_reinstated_settlement_stands_again():
    life = Life().sign()
    life.authorize(100_000)
    life.settle(80_000, authorization_id="A1")
    life.reverse()
    life.reinstate()
    assert (life.held, life.used) == (0, 80_000)
    (order,) = life.pass_time(hours=30).orders
    assert order["amount_fen"] == 80_000


def test_a_reversal_reopens_a_visit_hold_that_is_still_open():
    life = Life().sign()
    life.authorize(100_000, scope="visit")
    life.settle(30_000, "S1")
    life.reverse("S1")
    assert life.held == 100_000
    assert life.credit.authorizations[0].state is HoldState.PART_CAPTURED


def test_a_settlement_booked_under_one_authorization_is_not_shown_to_another():
    life = Life().sign()
    life.authorize(100_000, "A1", "M1")
    life.capture(50_000, "S1")
    life.authorize(100_000, "A2", "M2")
    told = life.capture(50_000, "S1", authorization_id="A2", request_id="R2").reply
    assert (told["status"], told["field"]) == (409, "setl_id")


def test_a_reversal_never_reopens_a_later_authorization_of_another_pool():
    life = Life().sign()
    life.settle(10_000, authorization_id="A1", mdtrt_id="M1")  # names an id nobody asked for: a fact
    life.visit("M1", med_type="21")
    life.authorize(20_000, "A1", service="deposit_free")
    life.reverse()
    assert [each.held_fen for each in life.credit.authorizations] == [20_000]


def stay_billed_in_parts():
    """A deposit-free hold of 100,000 fen; a bill of 30,000 of its middle is taken back."""
    life = Life("2024-03-01").sign()
    life.visit("M1", med_type="21").authorize(100_000, service="deposit_free", scope="visit", med_type="21")
    life.settle(30_000, "S1", med_type="21", mid_setl_flag="1", authorization_id="A1")
    life.reverse("S1")
    return life


@pytest.mark.parametrize("then", ["nothing", "made again", "stands again"])
def test_a_reversal_in_the_middle_of_a_stay_leaves_the_deposit_hold_its_end(then):
    life = stay_billed_in_parts()
    if then == "made again":
        life.settle(20_000, "S2", med_type="21", mid_setl_flag="1", authorization_id="A1")
    elif then == "stands again":
        life.reinstate("S1")
    life.pass_time(hours=48)
    assert life.held > 0, "no midnight ends a stay"
    life.close()  # Sunday 2024-03-03
    life.tell(facts.VisitReopened, mdtrt_id="M1")
    life.visits["M1"] = replace(life.visits["M1"], ended_ms=0)
    life.pass_time(until=("2024-03-08", 10))
    assert life.held > 0, "an undone discharge neither"
    life.close()  # Friday: three working days are over with Wednesday
    life.pass_time(until=("2024-03-13", 23))
    assert life.held > 0
    life.pass_time(until=("2024-03-14", 0))
    assert life.held == 0


def part_captured():
    """10:00: half an hour for 100,000 fen, of which 40,000 are captured and taken back."""
    life = Life("2024-03-01").sign()
    life.authorize(100_000)
    life.capture(40_000, "S1", final=False)
    life.reverse("S1")
    return life


def test_what_a_reversal_gave_back_outlasts_the_half_hour():
    life = part_captured()
    life.pass_time(hours=1)
    assert life.held == 100_000
    assert life.credit.authorizations[0].ends_ms == at("2024-03-02", 2)


@pytest.mark.parametrize("then", ["made again", "stands again"])
def test_and_no_longer_once_the_bill_stands_again_or_a_new_one_is_in_its_place(then):
    life = part_captured()
    if then == "stands again":
        life.reinstate("S1")
    else:
        life.capture(40_000, "S2", request_id="R2", final=False)
    assert life.held == 60_000
    life.pass_time(until=("2024-03-01", 10, 29))
    assert life.held == 60_000
    life.pass_time(until=("2024-03-01", 10, 31))
    assert (life.held, life.used) == (0, 40_000)


def test_of_two_bills_taken_back_the_second_is_waited_for_when_the_first_stands_again():
    life = Life("2024-03-01").sign()
    life.authorize(100_000)
    for number in (1, 2):
        life.capture(30_000, f"S{number}", request_id=f"R{number}", final=False)
    life.reverse("S1")
    life.reverse("S2")
    life.reinstate("S1")
    life.pass_time(hours=1)
    assert life.held == 70_000
    life.reinstate("S2")
    life.pass_time(hours=0)
    assert (life.held, life.used) == (0, 60_000)


@pytest.mark.parametrize(
    "steps",
    [
        ("undo S1", "undo S2", "make S3", "make S4"),
        ("undo S1", "undo S2", "make S3", "redo S2"),
        ("undo S1", "undo S2", "redo S1", "make S3"),
        ("undo S1", "make S3", "undo S2", "make S4"),
        ("undo S1", "make S3", "undo S2", "redo S2"),
        ("undo S1", "make S3", "undo S3", "make S4"),
    ],
)
def test_when_nothing_taken_back_is_waited_for_any_more_the_hold_ends_as_it_was_placed(steps):
    life = Life("2024-03-01").sign()
    life.authorize(100_000)
    placed_ms, waiting = life.credit.authorizations[0].ends_ms, 0
    for step in ("make S1", "make S2", *steps):
        word, name = step.split()
        if word == "make":
            life.capture(30_000, name, request_id=name, final=False)
        elif word == "undo":
            life.reverse(name)
        else:
            life.reinstate(name)
        waiting = max(0, waiting + (1 if word == "undo" else -1))
        assert life.credit.authorizations[0].ends_ms == (at("2024-03-02", 2) if waiting else placed_ms)
    assert (life.held, life.used) == (40_000, 60_000)


def test_a_bill_that_had_taken_nothing_is_not_the_one_that_is_waited_for():
    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000)
    for number, fen in ((1, 100_000), (2, 20_000)):  # the second is all top-up
        life.capture(fen, f"S{number}", request_id=f"R{number}", final=False)
    life.reverse("S1")
    life.reverse("S2")
    life.reinstate("S2")
    life.pass_time(hours=1)
    assert life.held == 100_000


# --- several bills of one hold, undone and standing again ------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (("make S1 30000", "undo S1", "make S3 10000", "redo S1"), (60_000, 40_000)),
        (
            ("make S1 30000", "make S2 30000", "undo S1", "undo S2", "make S3 5000", "redo S1", "redo S2"),
            (35_000, 65_000),
        ),
        (("make S1 30000", "undo S1", "make S3 100000", "redo S1"), (0, 130_000)),  # S3 took it: both are facts
    ],
)
def test_what_stands_again_is_held_no_longer_whatever_bill_was_made_meanwhile(steps, left):
    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000)  # all of the limit
    for step in steps:
        word, name, *fen = step.split()
        if word == "make":
            life.capture(int(*fen), name, request_id=name, final=False)
        else:
            (life.reverse if word == "undo" else life.reinstate)(name)
    assert (life.held, life.used) == left
    life.capture(100_000, "S9", request_id="S9", final=False)
    assert (life.held, life.used) == (0, max(100_000, left[1]))


@pytest.mark.parametrize("final", [False, True])
def test_only_a_claim_that_finds_nothing_held_any_more_passes_the_limit(final):
    """Seven times one of three bills of a hold is made, else undone, else stands again: every order there is."""
    limit_fen, sums = 100_000, {"S1": 30_000, "S2": 20_000, "S3": 60_000}
    life = Life("2024-03-01").sign(level="C")
    life.authorize(limit_fen)
    ways = [((), {}, life.credit)]
    for steps, stands, credit in ways:
        for name, fen in sums.items():
            life.credit, taken = credit, (*steps, name)
            held_fen, used_fen, is_again = life.held, life.used, stands.get(name) is False
            if name not in stands:
                life.capture(fen, name, request_id=name, final=final)
            elif stands[name]:
                life.reverse(name)
            else:
                life.reinstate(name)
            if name in stands or not final:  # a last bill gives back what it leaves
                assert life.held == max(0, held_fen + used_fen - life.used), taken
            if life.held + life.used > max(limit_fen, held_fen + used_fen):
                assert is_again, taken
                assert life.held == 0, taken
            if len(taken) < 7:
                ways.append((taken, {**stands, name: not stands.get(name, False)}, life.credit))


def test_a_bill_undone_after_the_discharge_took_nothing_back_and_gives_nothing_when_it_stands_again():
    life = Life("2024-03-01").sign()
    life.visit("M1", med_type="21").authorize(100_000, service="deposit_free", scope="visit", med_type="21")
    life.settle(30_000, "S1", med_type="21", mid_setl_flag="1", authorization_id="A1")
    life.close()
    life.pass_time(hours=1)
    life.reverse("S1")
    assert (life.held, life.used) == (70_000, 0)
    life.reinstate("S1")
    assert (life.held, life.used) == (70_000, 30_000)


def test_a_hold_that_was_open_before_its_bill_was_undone_is_open_after_the_bill_stands_again():
    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000)
    life.capture(100_000, "S1", request_id="S1", final=False)
    life.reverse("S1")
    life.reinstate("S1")
    life.settle(100_000, "S2", authorization_id="A1")  # an ended hold would let it in above the limit, as advice
    assert (life.held, life.used) == (0, 100_000)


@pytest.mark.parametrize("cash_fen", [(200_000,), (20_000, 200_000), (80_000, 1), (30_000, 30_000, 30_000)])
def test_a_promise_that_lapsed_books_what_it_promised_however_many_bills_name_it(cash_fen):
    life = Life().sign(level="C")
    life.authorize(80_000)
    life.pass_time(hours=1)
    for number, fen in enumerate(cash_fen):
        life.settle(fen, f"S{number}", authorization_id="A1")
    assert life.used == 80_000


def test_of_a_lapsed_promise_the_institutions_own_word_counts_and_uses_it_up():
    life = Life().sign(level="C")
    life.authorize(80_000)
    life.pass_time(hours=1)
    life.settle(20_000, authorization_id="A1")
    life.settle(40_000, "S2", authorization_id="A1", credit_fen=40_000)
    assert life.used == 60_000, "as the institution says"
    life.settle(90_000, "S3", authorization_id="A1")
    assert life.used == 80_000


CAPS = {
    "DAILY_CAP": ('limit is one already."\nvalue = "none"', 'limit is one already."\nvalue = 100_000'),
    "MONTH_CAP": ('limits)"\nvalue = "none"', 'limits)"\nvalue = 100_000'),
}


def why(told):
    (decision,) = [each for each in told.decisions if each["kind"] == "capture"]
    return [(each["code"], each["outcome"]) for each in decision["reasons"]], decision["top_up_fen"]


@pytest.mark.parametrize("cap", CAPS)
def test_what_a_cap_left_to_be_topped_up_is_said_of_the_cap(cap):
    life = Life(policy=shaoyang(cap=CAPS[cap])).sign(level="A")
    life.authorize(80_000)
    assert why(life.settle(150_000, authorization_id="A1")) == ([(cap, "split")], 50_000)


def test_the_bank_line_and_the_policy_limit_are_limits():
    for agreements, line_fen in ((("line",), 100_000), (("card",), 0)):
        life = Life().sign(level="C", agreements=agreements, line_fen=line_fen)
        life.authorize(80_000)
        assert why(life.settle(150_000, authorization_id="A1")) == ([("LIMIT_EXCEEDED", "split")], 50_000)


def test_an_agreement_that_ended_is_why_a_hold_grew_no_more():
    life = Life().sign(level="A")
    life.authorize(80_000)
    life.tell(facts.AgreementTerminated, agreement_no="card")
    codes = [("MANDATE_INVALID", "hold"), ("MANDATE_INVALID", "split")]
    assert why(life.settle(150_000, authorization_id="A1")) == (codes, 70_000)


def test_a_bill_above_what_the_counter_captured_or_a_lapsed_promise_is_above_what_was_approved():
    life = Life().sign(level="A")
    life.authorize(80_000)
    life.capture(80_000)
    assert why(life.settle(150_000, authorization_id="A1")) == ([("APPROVED_EXCEEDED", "split")], 70_000)
    life.reverse()
    assert why(life.reinstate()) == ([("APPROVED_EXCEEDED", "split")], 70_000)
