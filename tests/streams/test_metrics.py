"""Numbers of several lanes as one, under the contract's names."""

import pickle

from prometheus_client import generate_latest

from streams.metrics import LaneMetrics, Metrics, registry_of


def shown(worker: Metrics, lanes: LaneMetrics) -> list[str]:
    text = generate_latest(registry_of(worker, lanes)).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_lanes_are_added_up_and_survive_the_pipe():
    lanes = LaneMetrics()
    for lane in (0, 1):
        metrics = Metrics()
        metrics.events_total.labels("settlement.completed", "applied").inc(10)
        metrics.event_lag_seconds.labels(str(lane)).set(lane + 0.5)
        metrics.commit_duration_seconds.observe(0.004)
        lanes.note(lane, pickle.loads(pickle.dumps(metrics.families())))
    lines = shown(Metrics(), lanes)
    assert 'xinmai_events_total{result="applied",type="settlement.completed"} 20.0' in lines
    assert 'xinmai_event_lag_seconds{partition="1"} 1.5' in lines
    assert "xinmai_commit_duration_seconds_count 2.0" in lines


def test_a_counter_never_falls_when_a_lane_dies_and_its_gauges_go():
    lanes = LaneMetrics()
    metrics = Metrics()
    metrics.events_total.labels("fee.added", "applied").inc(7)
    metrics.holds_open.set(3)
    lanes.note(0, metrics.families())
    lanes.lane_ended(0)
    again = Metrics()
    again.events_total.labels("fee.added", "applied").inc(1)
    lanes.note(0, again.families())
    lines = shown(Metrics(), lanes)
    assert 'xinmai_events_total{result="applied",type="fee.added"} 8.0' in lines
    assert "xinmai_holds_open 0.0" in lines


def test_the_workers_own_numbers_stand_beside_those_of_its_lanes():
    worker = Metrics()
    worker.orders_total.labels("debit", "settled").inc()
    assert 'xinmai_orders_total{kind="debit",result="settled"} 1.0' in shown(worker, LaneMetrics())


def test_every_metric_of_the_contract_is_there():
    names = {family.name for family in Metrics().families()}
    contract = """
        events decisions decision_duration_seconds alerts alert_latency_seconds event_lag_seconds
        consumer_lag_records commit_duration_seconds reclaims batch_events reply_wait_seconds holds_open
        hold_age_seconds orders deadletters event_loop_lag_seconds policy_info workday_table_days_left
    """
    assert {f"xinmai_{name}" for name in contract.split()} <= names
