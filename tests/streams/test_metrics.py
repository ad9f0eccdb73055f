"""Numbers of a worker and its lanes, under the contract's names."""

from prometheus_client import generate_latest

from streams.metrics import Metrics

PULSE = {
    "kind": "pulse",
    "shards": [{"shard": "p3", "offset": 9, "record_ms": 1_000, "at_ms": 1_250, "lag": 2, "live": True}],
    "tally": {
        "counts": [
            ["event", "settlement.completed", "applied", 10],
            ["alert", "P01", "suspicion", 1],
            ["decision", "authorization", "deny", "NOT_SIGNED", 2],
            ["reclaim", "moved", 1],
            ["something_newer", "x", 1],
        ],
        "seconds": {"decide": 0.25},
        "commits_s": [0.004, 0.002],
        "batches": [300],
    },
}


def shown(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_what_two_lanes_tell_is_added_up():
    metrics = Metrics()
    metrics.heard(PULSE)
    metrics.heard(PULSE)
    lines = shown(metrics)
    assert 'xinmai_events_total{result="applied",type="settlement.completed"} 20.0' in lines
    assert 'xinmai_decisions_total{kind="authorization",outcome="deny",reason="NOT_SIGNED"} 4.0' in lines
    assert 'xinmai_reclaims_total{cause="moved"} 2.0' in lines
    assert 'xinmai_lane_seconds_total{phase="decide"} 0.5' in lines
    assert "xinmai_commit_duration_seconds_count 4.0" in lines
    assert "xinmai_batch_events_sum 600.0" in lines


def test_a_shard_shows_how_far_it_is_behind_and_none_when_nothing_waits():
    metrics = Metrics()
    metrics.heard(PULSE)
    assert 'xinmai_event_lag_seconds{partition="p3"} 0.25' in shown(metrics)
    assert 'xinmai_consumer_lag_records{partition="p3"} 2.0' in shown(metrics)
    idle = [{**PULSE["shards"][0], "lag": 0, "at_ms": 9_999_999}]
    metrics.heard({**PULSE, "shards": idle})
    assert 'xinmai_event_lag_seconds{partition="p3"} 0.0' in shown(metrics)


def test_a_message_that_counts_nothing_is_left():
    Metrics().heard({"kind": "reclaim", "cause": "moved"})


def test_every_metric_of_the_contract_is_there():
    names = {family.name for family in Metrics().registry.collect()}
    contract = """
        events decisions decision_duration_seconds alerts alert_latency_seconds event_lag_seconds
        consumer_lag_records commit_duration_seconds reclaims batch_events reply_wait_seconds holds_open
        hold_age_seconds orders deadletters event_loop_lag_seconds policy_info workday_table_days_left
    """
    assert {f"xinmai_{name}" for name in contract.split()} <= names
