"""How often a rule was right: each alert once, the latest verdict, and the floor to the case."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.policy_files import read_policy_dir
from risk.handling import AlertJudged, Handling
from risk.local_time import day_of
from risk.policy import parse_policy
from risk.precision import Precision, floors_of, precisions

SHIPPED = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(number: int, rule_id: str = "P04", **over) -> dict:
    return {"alert_id": f"al_{number}", "rule_id": rule_id, "episode": "opened", **over}


def judged(number: int, verdict: str) -> AlertJudged:
    return AlertJudged(at=NOON, by="li", alert_id=f"al_{number}", verdict=verdict)


def test_an_alert_counts_once_however_often_it_was_sent_and_also_when_it_closed():
    alerts = [alert(1), alert(1), alert(1, episode="closed"), alert(2)]
    (row,) = precisions(alerts, Handling([judged(1, "confirmed")]).verdicts, {"P04": 90})
    assert (row.alerts, row.judged, row.confirmed, row.percent_x100) == (2, 1, 1, 10_000)


def test_an_alert_of_a_drill_measures_no_rule():
    assert precisions([alert(1, test=True)], {}, {}) == []


@pytest.mark.parametrize(("confirmed", "false", "is_below"), [(0, 0, False), (9, 1, False), (89, 11, True)])
def test_a_rule_is_below_its_floor_when_less_than_that_of_what_was_judged_is_confirmed(confirmed, false, is_below):
    assert Precision("P04", 500, confirmed, false, 90).is_below is is_below


def test_a_rule_without_a_floor_is_below_none():
    assert not Precision("P01", 5, 0, 5, None).is_below


def test_the_floors_are_those_of_the_policy():
    floors = floors_of(parse_policy(read_policy_dir(SHIPPED)).on(day_of(date(2026, 6, 1))))
    assert floors["P04"] == 90
    assert "P01" not in floors
