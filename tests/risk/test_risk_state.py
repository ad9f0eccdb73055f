"""What a subject's alerts weigh together: halved with every half-life, never above 100, nothing for what was false."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.handling import AlertJudged
from risk.local_time import DAY_MS, rfc3339, to_datetime
from risk.risk_state import RiskState, Weights, risk_state

NOW_MS = 20_000 * DAY_MS


def alert(number: int = 1, sev: int = 3, days_ago: float = 0, **over) -> dict:
    body = {"alert_id": f"al_{number}", "kind": "suspicion", "sev_deg": sev, "episode": "opened"}
    return {**body, "occurred_at": rfc3339(NOW_MS - int(days_ago * DAY_MS)), **over}


def state(*alerts: dict, verdicts: tuple[AlertJudged, ...] = ()) -> RiskState:
    return risk_state(alerts, {each.alert_id: each for each in verdicts}, NOW_MS, Weights())


@pytest.mark.parametrize(("sev", "value"), [(1, 1), (2, 3), (3, 8), (4, 20)])
def test_an_alert_of_today_weighs_by_its_severity(sev, value):
    assert state(alert(sev=sev)) == RiskState(value, 1)


def test_it_loses_half_with_every_half_life():
    #  days ago   0    30   60   90  120
    #  weight    20    10    5    2    1   (rounded down)
    assert [state(alert(sev=4, days_ago=days)).value for days in (0, 30, 60, 90, 120)] == [20, 10, 5, 2, 1]


@given(st.integers(0, 400))
def test_between_two_halvings_it_falls_as_two_to_the_power_of_its_age(days):
    alerts = [alert(number, sev=4, days_ago=days) for number in range(5)]
    assert abs(state(*alerts).value - 100 * 2 ** (-days / 30)) < 1.001


def test_many_small_ones_add_up_but_never_above_a_hundred():
    assert state(*(alert(number, sev=1) for number in range(70))).value == 70
    assert state(*(alert(number, sev=4) for number in range(70))).value == 100


def test_an_alert_counts_once_and_its_closing_not_at_all():
    assert state(alert(), alert(), alert(episode="closed")) == RiskState(8, 1)


@pytest.mark.parametrize("over", [{"kind": "data_quality"}, {"kind": "sla"}, {"test": True}])
def test_what_says_nothing_of_conduct_weighs_nothing(over):
    assert state(alert(**over)) == RiskState(0, 0)


@pytest.mark.parametrize(("verdict", "value"), [("false", 0), ("confirmed", 8)])
def test_what_people_found_false_weighs_nothing(verdict, value):
    judged = AlertJudged(at=to_datetime(NOW_MS), by="li", alert_id="al_1", verdict=verdict)
    assert state(alert(), verdicts=(judged,)).value == value


def test_an_alert_dated_ahead_of_now_is_as_of_now():
    assert state(alert(days_ago=-3)).value == 8
