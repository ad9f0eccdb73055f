"""The money's house rules: each fact has its place, checks keep their order, a timer without cause changes nothing."""

import pytest

from risk import facts
from risk.checks import CHECKS
from risk.facts import FACTS
from risk.lifecycle import BEGINNERS, HANDLERS, due, next_due
from risk.local_time import to_datetime
from tests.risk.credit_life import Life

# conduct and visits are the activity's; settlements, reversals, timers have their own entry points; the log its records
NOT_HANDLED = {
    "settlement.completed",
    "settlement.reversed",
    "settlement.reinstated",
    "timer.due",
    "policy.activated",
    "fold.activated",
    "peers.published",
    "bed.checked",
    "identity.checked",
    "transfer.filed",
    "stock.moved",
    "code.moved",
    "stock.undone",
    "price.told",
    "query.logged",
    "staff.status_changed",
    "staff.points_determined",
}


def test_every_fact_is_handled_or_said_not_to_be():
    assert {kind.event_type for kind in HANDLERS} | NOT_HANDLED == set(FACTS)
    assert not {kind.event_type for kind in HANDLERS} & NOT_HANDLED


def test_only_who_is_told_something_about_standing_or_asks_has_a_record():
    assert {kind.event_type for kind in BEGINNERS} == {
        "insured.status_changed",
        "commitment.signed",
        "credit.level_set",
        "credit.listed",
        "credit.delisted",
        "credit.service_suspended",
        "credit.service_resumed",
        "credit.dispute_opened",
        "credit.dispute_closed",
        "case.confirmed",
        "case.closed",
        "agreement.signed",
        "agreement.line_changed",
        "agreement.terminated",
        "authorization.requested",
    }


def test_the_checks_keep_their_order():
    assert [check.__name__ for check in CHECKS] == [
        "service_off",
        "institution_not_live",
        "not_signed",
        "mandate_invalid",
        "insured_abnormal",
        "insured_unverified",
        "out_of_area",
        "area_unverified",
        "listed_shixin",
        "level_d",
        "unrated_limit",
        "under_investigation",
        "suspended_overdue",
        "limit_exceeded",
        "daily_cap",
        "month_cap",
        "entitled",
    ]


@pytest.mark.parametrize("late_hours", [0, 1, 100])
def test_a_timer_whose_cause_is_gone_changes_nothing(late_hours):
    life = Life().sign()
    life.authorize(100_000)
    due_ms = next_due(life.credit)
    life.release()
    life.now_ms = due_ms + late_hours * 3_600_000
    before = life.credit
    timer = life.make(facts.TimerDue, due_ms=due_ms)
    assert life.keep(due(life.credit, due_ms, life.context(timer))) == []
    assert life.credit == before


def test_a_timer_told_twice_acts_once():
    life = Life().sign()
    life.authorize(100_000)
    due_ms = life.now_ms = next_due(life.credit)
    timer = life.make(facts.TimerDue, due_ms=due_ms)
    assert len(life.keep(due(life.credit, due_ms, life.context(timer))).decisions) == 1
    assert life.keep(due(life.credit, due_ms, life.context(timer))) == []


def test_every_decision_has_its_own_id_and_every_order_attempt_too():
    life = Life().sign(agreements=("card", "line"))
    for number in range(1, 5):
        life.authorize(50_000, f"A{number}", f"M{number}", agreement_no="line" if number % 2 else "card")
        life.settle(40_000, f"S{number}", f"M{number}", authorization_id=f"A{number}")
        life.pass_time(hours=30)
        life.reverse(f"S{number}")
        life.reinstate(f"S{number}")
    ids = [each.id for each in life.all if hasattr(each, "topic") and each.topic in ("decisions", "withholding")]
    assert len(ids) > 20
    assert len(ids) == len(set(ids))


# One question that fails in every way at once, and its repair, check by check in the order of domain.md 3.4 step 3.
ORDER = [
    ("INSTITUTION_NOT_LIVE", "deny"),
    ("NOT_SIGNED", "deny"),
    ("INSURED_ABNORMAL", "deny"),
    ("OUT_OF_AREA", "deny"),
    ("LISTED_SHIXIN", "deny"),
    ("LEVEL_D", "deny"),
    ("UNDER_INVESTIGATION", "deny"),
    ("SUSPENDED_OVERDUE", "deny"),
    ("ENTITLEMENT_OVERRIDE", "approve"),
]


def wronged():
    life = Life("2024-06-03").sign(level="D", commitment=False, status="terminated", agreements=("line",))
    to = to_datetime(life.now_ms + 86_400_000)
    since = to_datetime(life.now_ms - 1)
    listing = {"list": "严重失信", "document_no": "1", "clause": "32", "authority": "省医保局"}
    life.tell(facts.CreditListed, since=since, **listing)
    life.tell(
        facts.CreditServiceSuspended, scope="credit_payment", by="authority", reason="调查", document_no="7", until=to
    )
    life.tell(facts.CreditServiceSuspended, scope="credit_payment", by="engine", reason="逾期")
    return life.visit("M1", insuplc="430102")


def test_every_failing_reason_is_listed_in_the_documented_order_and_a_note_never_decides():
    told = wronged().authorize(100, fixmedins_code="H43010200001", emergency=True).reply
    assert [(each["code"], each["outcome"]) for each in told["reasons"]] == ORDER
    assert told["decision"] == "deny"


def test_the_gravest_decides_and_the_order_breaks_ties_only():
    life = Life("2024-06-03").sign(level="", status="")
    told = life.authorize(50_001).reply
    codes = [(each["code"], each["outcome"]) for each in told["reasons"]]
    assert codes == [("LIMIT_EXCEEDED", "partial"), ("INSURED_UNVERIFIED", "approve"), ("UNRATED_LIMIT", "approve")]
    assert told["decision"] == "partial"


def test_a_service_that_is_off_is_the_only_thing_to_say():
    told = Life("2029-06-03").authorize(100).reply
    assert [each["code"] for each in told["reasons"]] == ["SERVICE_OFF"]
