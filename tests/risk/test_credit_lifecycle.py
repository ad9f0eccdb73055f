"""The money's house rules: each fact has its place, checks keep their order, a timer without cause changes nothing."""

import pytest

from risk import facts
from risk.checks import CHECKS
from risk.facts import FACTS
from risk.lifecycle import BEGINNERS, HANDLERS, due, next_due
from tests.risk.credit_life import Life

# conduct and visits are the activity's; settlements, reversals, timers have their own entry points; the log its records
NOT_HANDLED = {
    "visit.opened",
    "visit.updated",
    "settlement.completed",
    "settlement.reversed",
    "settlement.reinstated",
    "timer.due",
    "policy.activated",
    "fold.activated",
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
