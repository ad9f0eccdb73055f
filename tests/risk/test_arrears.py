"""Not paid: stopped at once, reminded by the institution's channel, a case file for a person; paid: resumed at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk import facts
from risk.local_time import HOUR_MS
from tests.risk.credit_life import Life


def refused(code="ACCOUNT_CLOSED", cause="person"):
    """A debit refused on Saturday 2024-03-02 at 08:00, due on Monday 2024-03-04 at 02:00."""
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code=code, cause=cause)
    return life


def arrears(told):
    return [(each["decision"], each["decided_at"][:16]) for each in told.decisions if each["kind"] == "arrears"]


def deliver(life, told):
    for each in told.decisions:
        if each["decision"] == "remind":
            life.tell(facts.NoticeDelivered, notice_id=each["notice_id"], channel="institution")


def test_past_due_it_stops_at_once_by_the_clock_and_reminds_in_the_evening():
    life = refused()
    assert arrears(life.pass_time(until=("2024-03-04", 2))) == []
    assert arrears(life.pass_time(until=("2024-03-04", 20))) == [
        ("suspend", "2024-03-04T02:00"),
        ("remind", "2024-03-04T20:00"),
    ]
    assert life.authorize(1, "A2", "M2").reply["reasons"][0]["code"] == "SUSPENDED_OVERDUE"


def test_a_reminder_goes_to_the_institution_and_knows_no_phone():
    life = refused()
    told = life.pass_time(until=("2024-03-04", 20))
    (reminder,) = [each for each in told.decisions if each["decision"] == "remind"]
    assert reminder["channels"] == ["institution", "xiang_yibao"]
    assert reminder["items"][0]["owed_fen"] == 80_000
    assert reminder["text_zh"]


def test_paid_it_resumes_at_once_and_nothing_more_is_sent():
    life = refused()
    life.pass_time(until=("2024-03-04", 21))
    told = life.top_up(80_000)
    assert [each[0] for each in arrears(told)] == ["resume"]
    assert life.authorize(1, "A2", "M2").reply["decision"] == "approve"
    life.release(authorization_id="A2")
    assert arrears(life.pass_time(hours=24 * 30)) == []


def test_a_part_payment_does_not_resume():
    life = refused()
    life.pass_time(until=("2024-03-04", 21))
    assert arrears(life.top_up(79_999)) == []
    assert life.authorize(1, "A2", "M2").reply["decision"] == "deny"


def test_seven_whole_days_after_the_second_delivered_reminder_a_case_is_prepared_and_nobody_listed():
    life = refused()
    deliver(life, life.pass_time(until=("2024-03-04", 20)))
    deliver(life, life.pass_time(until=("2024-03-05", 20)))  # the second: the 6th to the 12th are seven natural days
    assert arrears(life.pass_time(until=("2024-03-12", 23, 59))) == []
    told = life.pass_time(until=("2024-03-13", 0))
    assert arrears(told) == [("case_prepared", "2024-03-13T00:00")]
    (case,) = [each for each in told.decisions if each["decision"] == "case_prepared"]
    assert (len(case["notices"]), case["listed"], case["overdue_fen"]) == (2, False, 80_000)
    assert case["reasons"][0]["clause"]["article"]
    assert life.credit.standing.listings == ()
    assert arrears(life.pass_time(hours=24 * 60)) == []


def test_undelivered_reminders_prepare_nothing_and_end():
    life = refused()
    said = [each[0] for each in arrears(life.pass_time(hours=24 * 60))]
    assert said == ["suspend", *["remind"] * 7]


def test_one_delivery_told_twice_is_one():
    life = refused()
    told = life.pass_time(until=("2024-03-04", 20))
    deliver(life, told)
    deliver(life, told)
    assert len(life.credit.arrears[0].delivered) == 1
    assert life.credit.arrears[0].file_ms == 0


def test_a_notice_of_somebody_elses_arrears_changes_nothing():
    life = refused()
    before = life.credit
    life.tell(facts.NoticeDelivered, notice_id="no_x", channel="xiang_yibao")
    assert life.credit == before


def test_paid_before_the_case_is_prepared_there_is_none():
    life = refused()
    for day in ("2024-03-04", "2024-03-05"):
        deliver(life, life.pass_time(until=(day, 20)))
    life.pass_time(until=("2024-03-12", 12))
    life.top_up(80_000)
    assert arrears(life.pass_time(hours=24 * 30)) == []


@pytest.mark.parametrize("stop", ["dispute", "outage", "unknown"])
def test_a_dispute_an_outage_or_an_unknown_answer_stops_the_clock(stop):
    life = refused("INSUFFICIENT_FUNDS")
    (order,) = life.pass_time(until=("2024-03-02", 14)).orders
    if stop == "outage":
        life.bank(order, "rejected", code="DOWN", cause="bank")
        told = life.pass_time(until=("2024-03-03", 8))
        life.bank(told.orders[0], "rejected", code="DOWN", cause="bank")
    elif stop == "unknown":
        life.bank(order, "unknown")
    else:
        life.bank(order, "rejected", code="INSUFFICIENT_FUNDS", cause="person")
        life.tell(facts.CreditDisputeOpened, dispute_id="d", about="S1")
    assert arrears(life.pass_time(until=("2024-03-04", 7))) == []
    assert life.authorize(1, "A2", "M2").reply["decision"] == "approve"


def disputed(life, *, opened=True):
    kind = facts.CreditDisputeOpened if opened else facts.CreditDisputeClosed
    return life.tell(kind, dispute_id="d", about="S1")


@pytest.mark.parametrize("code", ["ACCOUNT_CLOSED", "INSUFFICIENT_FUNDS"])
def test_what_is_disputed_is_due_later_by_as_long_as_the_dispute_took(code):
    life = refused(code)  # at 08:00 on the 2nd, and due at 02:00 on the 4th
    life.pass_time(until=("2024-03-02", 12))
    disputed(life)
    assert arrears(life.pass_time(until=("2024-03-06", 12))) == []
    disputed(life, opened=False)
    told = life.pass_time(until=("2024-03-09", 0))
    for order in told.orders:
        assert order["due_at"] == "2024-03-08T02:00:00.000+08:00"
    assert arrears(told)[:1] == [("suspend", "2024-03-08T02:00")]


def test_a_dispute_before_the_first_debit_stops_the_clock_from_the_close_on():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    disputed(life)
    life.settle(80_000, authorization_id="A1")
    life.pass_time(until=("2024-03-07", 2))
    (order,) = disputed(life, opened=False).orders or life.pass_time(until=("2024-03-07", 8)).orders
    assert order["due_at"] == "2024-03-09T02:00:00.000+08:00"
    assert arrears(life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")) == []


def test_nobody_reminds_the_dead():
    life = refused()
    life.pass_time(until=("2024-03-04", 21))
    told = life.tell(facts.InsuredStatusChanged, status="deceased")
    assert [each[0] for each in arrears(told)] == ["resume"]
    assert arrears(life.pass_time(hours=24 * 30)) == []


def test_an_ended_mandate_is_no_way_out():
    life = refused()
    life.tell(facts.AgreementTerminated, agreement_no="card")
    assert arrears(life.pass_time(until=("2024-03-04", 3))) == [("suspend", "2024-03-04T02:00")]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_forty_eight_hours_without_a_dispute_make_a_refused_debit_overdue(hours):
    """By hand: the visit closes at 02:00 on the 2nd; each step lasts so many hours, every second one is disputed."""
    life = Life("2024-03-01").sign()
    life.settle(80_000, credit_fen=80_000)
    life.pass_time(until=("2024-03-02", 2))
    is_open, ran_ms, was_refused = False, 0, False

    def refuse(told):
        nonlocal was_refused
        for order in told.orders:
            was_refused = True
            life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")

    for number, step in enumerate(hours):
        for _ in range(step):  # a bank answers within the hour
            refuse(life.pass_time(hours=1))
        ran_ms += 0 if is_open else step * HOUR_MS
        life.now_ms += 1  # past the instant itself
        life.pass_time()
        assert bool(life.credit.arrears) == (was_refused and not is_open and ran_ms >= 48 * HOUR_MS), number
        life.now_ms -= 1
        is_open = not is_open
        refuse(disputed(life, opened=is_open))


def test_a_further_attempt_under_way_is_not_yet_a_payment():
    life = refused("INSUFFICIENT_FUNDS")
    for until in (("2024-03-02", 14), ("2024-03-03", 8)):
        (order,) = life.pass_time(until=until).orders
        life.bank(order, "rejected", code="INSUFFICIENT_FUNDS", cause="person")
    told = life.pass_time(until=("2024-03-04", 8))
    assert [each[0] for each in arrears(told)] == ["suspend"]
    (order,) = told.orders
    assert life.authorize(1, "A2", "M2").reply["decision"] == "deny"
    assert [each[0] for each in arrears(life.bank(order, "settled"))] == ["resume"]


def test_a_credit_line_is_late_when_the_bank_says_so_and_resumes_when_it_is_cured():
    life = Life("2024-03-01").sign(agreements=("line",))
    life.authorize(80_000)
    (draw,) = life.settle(80_000, authorization_id="A1").orders
    life.bank(draw, "settled")
    told = life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1")
    assert [each[0] for each in arrears(told)] == ["suspend"]
    life.now_ms += 1
    told = life.tell(facts.BankCured, agreement_no="line", bank_ref="o1")
    assert [each[0] for each in arrears(told)] == ["resume"]


def drawn(*bills):
    """A credit line with these bills of 500.00, each drawn; and the draws."""
    life, draws = Life("2024-03-01").sign(agreements=("line",)), []
    for number in bills:
        life.authorize(50_000, f"A{number}", f"M{number}")
        (draw,) = life.settle(50_000, f"S{number}", f"M{number}", authorization_id=f"A{number}").orders
        life.bank(draw, "settled")
        draws.append(draw)
    life.now_ms += 1
    return life, draws


def items(told):
    return [item["setl_id"] for each in told.decisions if each["kind"] == "arrears" for item in each["items"]]


def test_what_is_lent_after_the_arrears_were_paid_is_not_overdue_though_the_bank_never_said_cured():
    life, _ = drawn(1)
    assert items(life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1")) == ["S1"]
    assert [each[0] for each in arrears(life.repaid(50_000))] == ["resume"]
    life.pass_time(hours=24 * 10)
    assert life.authorize(10_000, "A2", "M2").reply["decision"] == "approve"
    told = life.settle(10_000, "S2", "M2", authorization_id="A2")
    assert arrears(told) == arrears(life.pass_time(hours=48)) == []
    assert life.authorize(10_000, "A3", "M3").reply["decision"] == "approve"


@pytest.mark.parametrize("by", ["order", "visit"])
def test_the_bank_says_which_bill_is_overdue_and_which_is_cured(by):
    life, draws = drawn(1, 2)
    names = [
        {"order_id": draw["order_id"]} if by == "order" else {"mdtrt_id": f"M{n}"}
        for n, draw in zip("12", draws, strict=True)
    ]
    assert items(life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1", **names[0])) == ["S1"]
    life.now_ms += 1
    assert arrears(life.tell(facts.BankCured, agreement_no="line", bank_ref="c2", **names[1])) == []
    told = life.tell(facts.BankCured, agreement_no="line", bank_ref="c1", **names[0])
    assert [each[0] for each in arrears(told)] == ["resume"]
    assert life.authorize(1, "A9", "M9").reply["decision"] == "approve"


def test_a_named_bill_repaid_leaves_nothing_overdue():
    life, draws = drawn(1, 2)
    life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1", order_id=draws[0]["order_id"])
    told = life.repaid(50_000, order_id=draws[0]["order_id"])
    assert [each[0] for each in arrears(told)] == ["resume"]


def test_arrears_under_a_name_that_nobody_knows_are_the_agreements():
    life, _ = drawn(1, 2)
    told = life.tell(facts.BankOverdue, agreement_no="line", bank_ref="o1", order_id="or_unknown")
    assert items(told) == ["S1", "S2"]
    life.now_ms += 1
    told = life.tell(facts.BankCured, agreement_no="line", bank_ref="c1", mdtrt_id="M-unknown")
    assert [each[0] for each in arrears(told)] == ["resume"]
