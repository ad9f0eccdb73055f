"""What a checkout may rely on: the same answer twice, conflicts that name the field, nothing held after `fallback`."""

import pytest

from risk import facts
from risk.credit import HoldState
from risk.reasons import TEXTS, ReasonCode, mask_of, masked
from risk.view import authorization_view, view
from tests.risk.credit_life import HOSPITAL, Life, at, shaoyang


def test_the_same_request_gets_the_same_decision_with_the_current_state():
    life = Life().sign()
    first = life.authorize(100_000).reply
    again = life.authorize(100_000).reply
    assert again["replayed"] is True
    assert again | {"replayed": False} == first
    life.settle(90_000, authorization_id="A1")
    later = life.authorize(100_000).reply
    assert (later["decision"], later["approved_fen"], later["decision_id"]) == (
        "approve",
        100_000,
        first["decision_id"],
    )
    assert (later["state"], later["held_fen"], later["captured_fen"]) == ("captured", 0, 90_000)
    assert life.held == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mdtrt_id", "M2"),
        ("mdtrt_id", "M531"),  # the last 8 bits of its digest are those of M1
        ("service", "deposit_free"),
        ("scope", "visit"),
        ("agreement_no", "card"),
        ("medins_setl_id", "X"),
        ("med_type", "14"),
        ("amount_fen", 100_001),
        ("emergency", True),
    ],
)
def test_the_same_id_with_another_body_is_a_conflict_that_names_the_field(field, value):
    life = Life().sign()
    life.authorize(100_000)
    fields = {"amount_fen": 100_000, field: value}
    told = life.authorize(**fields).reply
    assert (told["status"], told["code"], told["field"]) == (409, "CONFLICT", field)
    assert life.held == 100_000


def test_the_conflict_is_still_noticed_after_the_authorization_ended():
    life = Life().sign()
    life.authorize(100_000)
    life.release()
    life.now_ms += 39 * 86_400_000
    assert life.authorize(100_001).reply["field"] == "amount_fen"
    life.now_ms += 2 * 86_400_000
    assert life.authorize(100_001).reply["replayed"] is False


def test_a_second_open_hold_of_the_visit_is_refused_with_the_open_id():
    life = Life().sign()
    life.authorize(100, "A1")
    told = life.authorize(100, "A2").reply
    assert (told["status"], told["code"], told["open_id"]) == (409, "HOLD_OPEN", "A1")
    assert life.authorize(100, "A3", scope="visit").reply["decision"] == "approve"
    assert life.authorize(100, "A4", "M2").reply["decision"] == "approve"


def test_the_same_id_at_another_institution_is_another_authorization():
    life = Life().sign()
    life.authorize(100, "A1")
    told = life.authorize(200, "A1", "M9", fixmedins_code="P43050200001").reply
    assert told["decision"] == "approve"
    assert life.held == 300


def test_a_denial_is_remembered_for_a_day():
    life = Life().sign(level="D", agreements=("card",))
    life.now_ms = at("2024-06-03")
    first = life.authorize(100).reply
    life.now_ms += 86_400_000 - 1
    again = life.authorize(100).reply
    assert (again["replayed"], again["decision_id"]) == (True, first["decision_id"])
    life.now_ms += 1
    assert life.authorize(100).reply["replayed"] is False


def test_a_person_nobody_knows_is_not_signed_and_leaves_nothing_after_a_day():
    life = Life()
    told = life.authorize(100).reply
    assert [each["code"] for each in told["reasons"] if each["outcome"] == "deny"] == ["NOT_SIGNED"]
    life.now_ms += 86_400_000
    life.tell(facts.VisitUpdated, mdtrt_id="M1")
    assert life.credit is None


# --- fallback --------------------------------------------------------------------------------------------------------


def test_an_abandoned_call_gives_back_what_it_held_and_frees_its_id():
    life = Life().sign()
    life.authorize(100_000, attempt="one")
    told = life.abandon("one")
    assert life.held == 0
    assert [(each["decision"], each["state"]) for each in told.decisions] == [("release", "voided")]
    again = life.authorize(120_000, attempt="two").reply
    assert (again["decision"], again["replayed"], again["held_fen"]) == ("approve", False, 120_000)


def test_an_id_that_is_given_back_twice_says_so_under_two_ids():
    life = Life().sign()
    said = []
    for attempt, amount_fen in (("one", 100_000), ("two", 120_000)):
        life.authorize(amount_fen, attempt=attempt)
        said += life.abandon(attempt).decisions
    assert [each["released_fen"] for each in said] == [100_000, 120_000]
    assert len({each["decision_id"] for each in said}) == 2


def test_only_when_every_call_of_an_id_was_abandoned_is_it_given_back():
    life = Life().sign()
    life.authorize(100_000, attempt="one")
    life.authorize(100_000, attempt="two")
    life.abandon("one")
    assert life.held == 100_000
    life.abandon("one")
    assert life.held == 100_000
    life.abandon("two")
    assert life.held == 0


def test_a_retry_that_was_heard_keeps_the_hold():
    life = Life().sign()
    life.authorize(100_000, attempt="one")
    life.authorize(100_000, attempt="two")
    life.abandon("one")
    assert life.authorize(100_000, attempt="three").reply["state"] == "held"


def test_an_abandoned_denial_is_forgotten():
    life = Life().sign(level="")
    life.authorize(100, attempt="one", service="deposit_free")
    assert life.credit.ended
    life.abandon("one")
    assert not life.credit.ended


def test_a_settlement_that_names_an_abandoned_authorization_is_honoured_up_to_its_amount():
    life = Life().sign()
    life.authorize(100_000, attempt="one")
    life.abandon("one")
    (decision,) = life.settle(120_000, authorization_id="A1").decisions
    assert (decision["captured_fen"], decision["top_up_fen"], decision["state"]) == (100_000, 20_000, "advice")


def test_an_abandoned_increase_takes_back_only_itself():
    life = Life().sign()
    life.authorize(100_000)
    life.increase(50_000, request_id="R1", attempt="i1")
    assert life.held == 150_000
    life.abandon("i1", request_id="R1")
    assert life.held == 100_000
    told = life.increase(50_000, request_id="R1", attempt="i2").reply
    assert (told["approved_fen"], told["replayed"]) == (150_000, False)


# --- increase and release --------------------------------------------------------------------------------------------


def test_an_increase_is_granted_once_per_request_id():
    life = Life().sign()
    life.authorize(100_000)
    first = life.increase(50_000).reply
    again = life.increase(50_000).reply
    assert first["held_fen"] == again["held_fen"] == life.held == 150_000
    assert again["replayed"] is True
    conflict = life.increase(50_001).reply
    assert (conflict["status"], conflict["field"]) == (409, "amount_fen")


def test_an_increase_gets_what_is_left():
    life = Life().sign()
    life.authorize(200_000)
    told = life.increase(150_000).reply
    assert (told["decision"], told["held_fen"], told["top_up_fen"]) == ("partial", 300_000, 50_000)
    assert told["max_approvable_fen"] == 100_000


def test_a_lowered_level_leaves_a_placed_hold_the_increase_it_may_need():
    life = Life().sign(level="A")
    life.authorize(100_000)
    life.tell(facts.CreditLevelSet, level="C", decided_by="医保局")
    assert life.increase(400_000).reply["held_fen"] == 500_000
    assert life.authorize(1, "A2", "M2").reply["decision"] == "deny"


def test_a_lowered_bank_line_binds_increases_at_once():
    life = Life().sign(agreements=("line",), line_fen=250_000)
    life.authorize(100_000)
    life.tell(facts.AgreementLineChanged, agreement_no="line", bank_line_fen=150_000)
    told = life.increase(100_000).reply
    assert (told["decision"], told["held_fen"]) == ("partial", 150_000)


def test_an_ended_agreement_binds_increases_at_once():
    life = Life().sign()
    life.authorize(100_000)
    life.tell(facts.AgreementTerminated, agreement_no="card")
    told = life.increase(1, request_id="R9").reply
    assert told["decision"] == "deny"
    assert [each["code"] for each in told["reasons"]] == ["MANDATE_INVALID"]
    assert life.held == 100_000


def test_releasing_twice_says_released_twice():
    life = Life().sign()
    life.authorize(100_000)
    assert life.release(request_id="R1").reply["state"] == "released"
    assert life.release(request_id="R1").reply["state"] == "released"
    assert life.release(request_id="R2").reply["state"] == "released"
    assert life.held == 0


def test_what_nobody_asked_for_is_not_found():
    life = Life().sign()
    for told in (life.release(), life.increase(1), life.capture(1)):
        assert (told.reply["status"], told.reply["code"]) == (404, "NOT_FOUND")


def test_an_ended_hold_cannot_grow():
    life = Life().sign()
    life.authorize(100)
    life.release()
    told = life.increase(1, request_id="R2").reply
    assert (told["status"], told["code"], told["state"]) == (409, "NOT_OPEN", "released")


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_settlement_hold_expires_after_half_an_hour_and_not_before():
    life = Life().sign()
    life.authorize(100_000)
    life.pass_time(hours=0.4999)
    assert life.held == 100_000
    told = life.pass_time(hours=0.001)
    assert life.held == 0
    assert [each["state"] for each in told.decisions] == ["expired"]


def test_a_visit_hold_lasts_two_days_after_its_day():
    life = Life("2024-03-01").sign()
    told = life.authorize(100_000, scope="visit").reply
    assert told["expires_at"].startswith("2024-03-04T00:00:00")


def test_a_deposit_free_hold_ends_three_working_days_after_discharge():
    life = Life("2024-04-30").sign()
    life.visit("M1", med_type="21")
    told = life.authorize(100_000, service="deposit_free", scope="visit").reply
    assert told["expires_at"] is None
    life.close()
    # 1-5 May 2024 are holidays (11 May is worked): 6, 7, 8 May are the three working days
    (hold,) = life.credit.authorizations
    assert hold.expires_ms == at("2024-05-09", hour=0)
    life.tell(facts.VisitReopened, mdtrt_id="M1")
    assert life.credit.authorizations[0].expires_ms == 0


def test_a_cancelled_visit_gives_its_holds_back():
    life = Life().sign()
    life.authorize(100_000)
    life.tell(facts.VisitCancelled, mdtrt_id="M1")
    assert life.held == 0
    assert life.credit.ended[0].state is HoldState.RELEASED


# --- caps and agreements ---------------------------------------------------------------------------------------------

DAY_CAP = {"cap": ('limit is one already."\nvalue = "none"', 'limit is one already."\nvalue = 120_000')}
MONTH_CAP = {"cap": ('limits)"\nvalue = "none"', 'limits)"\nvalue = 120_000')}


def test_a_day_cap_counts_what_was_captured_and_what_is_still_held_of_that_day():
    life = Life(policy=shaoyang(**DAY_CAP)).sign()
    life.authorize(70_000, "A1", "M1")
    life.settle(50_000, authorization_id="A1")
    told = life.authorize(80_000, "A2", "M2").reply
    assert (told["decision"], told["approved_fen"]) == ("partial", 70_000)
    assert [each["code"] for each in told["reasons"]] == ["DAILY_CAP"]
    life.pass_time(until=("2024-03-02", 10))
    assert life.authorize(80_000, "A3", "M3").reply["decision"] == "approve"


def test_what_a_lapsed_authorization_comes_to_counts_on_its_own_day():
    life = Life("2024-03-01", policy=shaoyang(**DAY_CAP)).sign()
    life.authorize(70_000, "A1", "M1")
    life.pass_time(until=("2024-03-02", 10))
    life.settle(70_000, authorization_id="A1")
    told = life.authorize(80_000, "A2", "M2").reply
    assert (told["decision"], told["approved_fen"]) == ("approve", 80_000)


def test_a_month_cap_lasts_to_the_end_of_the_month():
    life = Life("2024-03-30", policy=shaoyang(**MONTH_CAP)).sign()
    life.authorize(100_000, "A1", "M1")
    life.settle(100_000, authorization_id="A1")
    life.pass_time(until=("2024-03-31", 10))
    told = life.authorize(50_000, "A2", "M2").reply
    assert (told["approved_fen"], told["reasons"][0]["code"]) == (20_000, "MONTH_CAP")
    life.pass_time(until=("2024-04-01", 10))
    assert life.authorize(50_000, "A3", "M3").reply["decision"] == "approve"


def test_the_oldest_valid_agreement_is_taken_unless_one_is_named():
    life = Life().sign(agreements=("card1", "line2"))
    assert life.authorize(100, "A1", "M1").reply["agreement_no"] == "card1"
    assert life.authorize(100, "A2", "M2", agreement_no="line2").reply["agreement_no"] == "line2"
    life.tell(facts.AgreementTerminated, agreement_no="card1")
    assert life.authorize(100, "A3", "M3").reply["agreement_no"] == "line2"


def test_the_policy_limit_is_one_for_all_agreements_and_each_line_its_own():
    life = Life().sign(agreements=("line1", "line2"), line_fen=200_000)
    assert life.authorize(200_000, "A1", "M1", agreement_no="line1").reply["decision"] == "approve"
    told = life.authorize(200_000, "A2", "M2", agreement_no="line2").reply
    assert (told["decision"], told["approved_fen"]) == ("partial", 100_000)


# --- what people see -------------------------------------------------------------------------------------------------


def test_a_clerk_never_sees_level_list_investigation_overdue_or_suspicion():
    for code in ReasonCode:
        assert mask_of(code) in {"LIMIT", "NOT_SIGNED", "NOT_AVAILABLE", "OUT_OF_AREA", "TRY_LATER"}
        assert all(TEXTS[code])
    for secret in ("LEVEL_D", "LISTED_SHIXIN", "UNDER_INVESTIGATION", "SUSPENDED_OVERDUE", "RISK_HOLD", "VELOCITY"):
        assert mask_of(secret) == "NOT_AVAILABLE"


def test_a_masked_answer_keeps_decision_and_amounts_and_one_sentence():
    life = Life("2024-06-03").sign(level="D")
    told = masked(life.authorize(100).reply)
    assert (told["decision"], told["approved_fen"], told["available_fen"]) == ("deny", 0, 0)
    assert [each["code"] for each in told["reasons"]] == ["NOT_AVAILABLE"]
    assert "请用其他方式" in told["reasons"][0]["text_zh"]
    assert "LEVEL" not in str(told)
    part = masked(life.sign(level="B").authorize(400_000, "A2", "M2").reply)
    assert [each["code"] for each in part["reasons"]] == ["LIMIT"]
    assert masked(life.authorize(1, "A3", "M3").reply)["reasons"][0]["code"] == "LIMIT"


def test_an_approval_needs_no_masked_reason():
    assert masked(Life().sign().authorize(100).reply)["reasons"] == []


def test_the_order_of_checks_is_told_gravest_first():
    life = Life("2024-06-03").sign(level="", status="")
    told = life.authorize(60_000).reply
    assert [each["code"] for each in told["reasons"]] == ["LIMIT_EXCEEDED", "INSURED_UNVERIFIED", "UNRATED_LIMIT"]
    assert told["reasons"][0]["clause"]["document"]


def test_a_query_shows_limits_lines_and_blocks():
    life = Life("2024-06-03").sign(level="B", agreements=("card", "line"))
    life.authorize(100_000)
    seen = view(life.credit, life.context())
    assert seen["level"] == "B"
    assert seen["limits"][0] | {"demand_fen": 0} == {
        "service": "visit_first",
        "limit_fen": 300_000,
        "held_fen": 100_000,
        "used_fen": 0,
        "available_fen": 200_000,
        "demand_fen": 0,
    }
    assert [each["agreement_no"] for each in seen["bank_lines"]] == ["card", "line"]
    assert seen["blocks"] == []
    life.tell(facts.InsuredStatusChanged, status="deceased")
    assert {each["code"] for each in view(life.credit, life.context())["blocks"]} == {"INSURED_ABNORMAL"}
    assert view(None, life.context())["blocks"]
    found = authorization_view(life.credit, HOSPITAL, "A1", life.context())
    assert (found["state"], found["held_fen"]) == ("held", 100_000)
    assert authorization_view(life.credit, HOSPITAL, "A9", life.context()) is None


def test_a_replay_after_an_increase_still_says_what_was_first_approved():
    life = Life().sign()
    life.authorize(100_000)
    life.increase(50_000)
    again = life.authorize(100_000).reply
    assert (again["approved_fen"], again["held_fen"]) == (100_000, 150_000)
    assert authorization_view(life.credit, HOSPITAL, "A1", life.context())["approved_fen"] == 150_000
