"""What was done about alerts: which suppression withholds what and until when, whatever order the acts come in."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from risk.handling import (
    AlertAcknowledged,
    AlertEscalated,
    AlertJudged,
    AlertSuppressed,
    AlertUnsuppressed,
    Handling,
    SuppressionSummarised,
    institution_of,
    refused_suppression,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, to_ms

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MS = to_ms(NOON)


def suppressed(hours: float = 2, **over) -> AlertSuppressed:
    scope = over or {"rule_id": "P01"}
    until = NOON + timedelta(hours=hours)
    return AlertSuppressed(at=NOON, by="li", suppression_id="su_1", until=until, reason="known", **scope)


def lifted(hours: float) -> AlertUnsuppressed:
    return AlertUnsuppressed(at=NOON + timedelta(hours=hours), by="wang", suppression_id="su_1")


def alert(**over) -> dict:
    return {"alert_id": "al_1", "rule_id": "P01", "subject_kind": "person", "subject_id": "p1_x", **over}


def withholds(act: AlertSuppressed, **over) -> bool:
    return Handling([act]).withheld_by(alert(**over), NOON_MS) is act


@pytest.mark.parametrize(
    ("after_ms", "is_withheld"), [(-1, False), (0, True), (2 * HOUR_MS - 1, True), (2 * HOUR_MS, False)]
)
def test_a_suppression_withholds_what_comes_from_its_beginning_until_just_before_its_end(after_ms, is_withheld):
    found = Handling([suppressed()]).withheld_by(alert(), NOON_MS + after_ms)
    assert (found is not None) is is_withheld


def test_a_lifted_suppression_withholds_what_came_before_the_lifting_only():
    handling = Handling([suppressed(), lifted(1)])
    assert handling.withheld_by(alert(), NOON_MS + HOUR_MS - 1) is not None
    assert handling.withheld_by(alert(), NOON_MS + HOUR_MS) is None


def test_an_end_is_never_withheld_because_the_opening_may_have_been_told():
    assert withholds(suppressed(), episode="opened")
    assert not withholds(suppressed(), episode="closed")


def test_lifting_what_has_ended_does_not_prolong_it():
    handling = Handling([suppressed(), lifted(9)])
    assert handling.ends_ms(handling.suppressions["su_1"]) == NOON_MS + 2 * HOUR_MS


def test_a_suppression_withholds_only_what_all_it_names_are_true_of():
    assert withholds(suppressed(rule_id="P01"))
    assert not withholds(suppressed(rule_id="P03"))
    assert withholds(suppressed(subject_id="p1_x"))
    assert not withholds(suppressed(subject_id="p1_y"))
    assert withholds(suppressed(institution="H1"), fixmedins_code="H1")
    assert withholds(suppressed(institution="H1"), subject_kind="institution", subject_id="H1")
    assert not withholds(suppressed(institution="H1"))
    assert not withholds(suppressed(rule_id="P01", institution="H1"), fixmedins_code="H2")


def test_the_institution_of_an_alert_is_its_subject_or_where_it_happened():
    assert institution_of(alert(subject_kind="institution", subject_id="H1", fixmedins_code="H2")) == "H1"
    assert institution_of(alert(fixmedins_code="H2")) == "H2"
    assert institution_of(alert()) == ""


def test_everything_cannot_be_suppressed():
    act = AlertSuppressed(at=NOON, by="li", suppression_id="s", until=NOON + timedelta(hours=1), reason="r")
    refusal = refused_suppression(act, 30)
    assert refusal is not None
    assert refusal.field == "rule_id"


@pytest.mark.parametrize(("hours", "field"), [(-1, "until"), (0, "until"), (30 * 24, None), (30 * 24 + 0.01, "until")])
def test_a_suppression_must_end_in_the_future_and_within_what_the_settings_allow(hours, field):
    refusal = refused_suppression(suppressed(hours), 30)
    assert (refusal and refusal.field) == field


def test_a_suppression_is_summarised_once_a_minute_after_its_end():
    #  12:00 -------- 14:00 -- 14:01
    #  suppressed     ended    due, until it is summarised
    handling = Handling([suppressed()])
    due_ms = NOON_MS + 2 * HOUR_MS + MINUTE_MS
    assert handling.unsummarised(due_ms - 1) == []
    assert [each.suppression_id for each in handling.unsummarised(due_ms)] == ["su_1"]
    handling.apply(SuppressionSummarised(at=NOON, by="engine", suppression_id="su_1", withheld=3))
    assert handling.unsummarised(due_ms + DAY_MS) == []


def test_an_alert_that_was_judged_needs_nobody_to_acknowledge_it():
    assert not Handling().is_acknowledged("al_1")
    assert Handling([AlertAcknowledged(at=NOON, by="li", alert_id="al_1")]).is_acknowledged("al_1")
    assert Handling([AlertJudged(at=NOON, by="li", alert_id="al_1", verdict="false")]).is_acknowledged("al_1")


def test_the_order_of_acts_does_not_matter_and_none_counts_twice():
    acts = [
        suppressed(),
        lifted(1),
        lifted(1.5),
        AlertJudged(at=NOON, by="li", alert_id="al_1", verdict="false"),
        AlertJudged(at=NOON + timedelta(hours=1), by="wang", alert_id="al_1", verdict="confirmed"),
    ]
    for order in permutations(acts):
        handling = Handling([*order, *order])
        assert handling.ends_ms(handling.suppressions["su_1"]) == NOON_MS + HOUR_MS
        assert handling.verdicts["al_1"].verdict == "confirmed"


def test_steps_count_how_often_an_alert_was_escalated():
    steps = [AlertEscalated(at=NOON, by="engine", alert_id="al_1", step=step, route="webhook json") for step in (2, 1)]
    assert Handling(steps).steps("al_1") == 2
    assert Handling().steps("al_1") == 0
