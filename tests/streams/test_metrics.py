"""Numbers of a worker and its lanes, under the contract's names."""

import asyncio
import time
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from prometheus_client import generate_latest

from connectors.policy_files import read_policy_dir
from connectors.store import Store
from risk.local_time import day_of
from risk.policy import parse_policy
from streams.hold_survey import HoldSurvey
from streams.metrics import Metrics, days_left
from streams.policies_in_force import PoliciesInForce
from streams.worker_services import Watch
from tests.risk.credit_life import Life

POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"

PULSE = {
    "kind": "pulse",
    "shards": [
        {"shard": "p3", "offset": 9, "record_ms": 1_000, "at_ms": 1_250, "lag": 2, "live": True, "serving": True},
    ],
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


def test_a_shard_that_is_owned_and_not_served_stays_in_sight_and_is_called_so():
    metrics = Metrics()
    metrics.heard(PULSE)
    assert 'xinmai_shard_unserved{partition="p3"} 0.0' in shown(metrics)
    stopped = [{**PULSE["shards"][0], "at_ms": 61_000, "serving": False}]
    metrics.heard({**PULSE, "shards": stopped})
    assert 'xinmai_shard_unserved{partition="p3"} 1.0' in shown(metrics)
    assert 'xinmai_event_lag_seconds{partition="p3"} 60.0' in shown(metrics)
    assert 'xinmai_consumer_lag_records{partition="p3"} 2.0' in shown(metrics)


def test_the_shards_of_a_lane_that_died_are_unserved_and_counted_until_somebody_serves_them():
    metrics = Metrics()
    metrics.heard({**PULSE, "lane": 1})
    metrics.heard({"kind": "died", "lane": 0})  # it had none
    assert 'xinmai_shard_unserved{partition="p3"} 0.0' in shown(metrics)
    for _ in range(2):  # started again, it found no Redis and ended
        metrics.heard({"kind": "died", "lane": 1})
    assert 'xinmai_shard_unserved{partition="p3"} 1.0' in shown(metrics)
    assert 'xinmai_reclaims_total{cause="died"} 1.0' in shown(metrics)
    metrics.heard({**PULSE, "lane": 1})
    assert 'xinmai_shard_unserved{partition="p3"} 0.0' in shown(metrics)


def test_a_shard_that_a_dead_lane_left_to_another_is_gone_from_here_when_that_one_gives_it_away():
    metrics = Metrics()
    metrics.heard({**PULSE, "lane": 0})
    metrics.heard({"kind": "died", "lane": 0})  # and never starts again
    metrics.heard({**PULSE, "lane": 1})
    assert 'xinmai_shard_unserved{partition="p3"} 0.0' in shown(metrics)
    metrics.heard({"kind": "died", "lane": 0})
    assert 'xinmai_shard_unserved{partition="p3"} 0.0' in shown(metrics), "lane 1 serves it"
    metrics.heard({**PULSE, "lane": 1, "shards": []})  # to another worker, which says what becomes of it
    assert metrics.owned == frozenset()
    assert not [line for line in shown(metrics) if 'partition="p3"' in line]


def test_a_shard_that_has_applied_nothing_since_its_claim_is_not_half_a_century_behind():
    metrics = Metrics()
    metrics.heard({**PULSE, "shards": [{**PULSE["shards"][0], "record_ms": 0, "serving": False}]})
    assert 'xinmai_event_lag_seconds{partition="p3"} 0.0' in shown(metrics)


def test_a_shard_that_went_to_another_worker_is_shown_there_and_no_longer_here():
    metrics = Metrics()
    metrics.heard({**PULSE, "lane": 0})
    metrics.heard({**PULSE, "lane": 1, "shards": []})
    assert metrics.owned == {"p3"}
    metrics.heard({**PULSE, "lane": 1})  # from one lane of this worker to another
    metrics.heard({**PULSE, "lane": 0, "shards": []})
    assert 'xinmai_consumer_lag_records{partition="p3"} 2.0' in shown(metrics)
    metrics.heard({**PULSE, "lane": 1, "shards": []})
    assert metrics.owned == frozenset()
    assert not [line for line in shown(metrics) if 'partition="p3"' in line]


def test_open_holds_are_shown_by_number_and_age():
    metrics = Metrics()
    metrics.holds_seen([float(age_s) for age_s in range(200, 0, -1)])
    assert "xinmai_holds_open 200.0" in shown(metrics)
    ages = [line.split()[-1] for line in shown(metrics) if line.startswith("xinmai_hold_age_seconds{")]
    assert ages == ["101.0", "199.0", "200.0"]
    metrics.holds_seen([])
    assert "xinmai_holds_open 0.0" in shown(metrics)
    assert 'xinmai_hold_age_seconds{quantile="1"} 0.0' in shown(metrics)


def test_holds_are_counted_in_the_records_of_this_workers_shards_only(redis_url):
    life = Life("2024-03-01").sign(agreements=("line",)).visit("M1")
    life.authorize(10_000)
    record = msgspec.msgpack.encode(life.credit)
    ended = msgspec.msgpack.encode(Life("2024-03-01").sign(agreements=("line",)).credit)
    store, metrics = Store(redis_url), Metrics()
    for key, value in (("{p3}:c:1", record), ("{p3}:c:2:c:3", record), ("{p3}:c:4", ended), ("{p4}:c:5", record)):
        store.client.set(f"xm:{key}", value)
    store.client.set("xm:{p3}:a:6:c:7", b"no credit record")
    now_ms = life.now_ms + 60_000
    metrics.heard({**PULSE, "shards": [{**PULSE["shards"][0], "clock_ms": now_ms}]})
    asyncio.run(HoldSurvey(lambda: store, metrics, "log").survey())
    assert "xinmai_holds_open 2.0" in shown(metrics)
    assert 'xinmai_hold_age_seconds{quantile="1"} 60.0' in shown(metrics)


def test_a_message_that_counts_nothing_is_left():
    Metrics().heard({"kind": "reclaim", "cause": "moved"})


def test_the_time_from_a_record_to_its_alert_is_measured_between_two_appends():
    metrics = Metrics()
    metrics.alert_appended("2026-01-02T08:00:00.000+08:00", datetime(2026, 1, 2, 0, 0, 0, 250_000, UTC).timestamp())
    metrics.alert_appended(None, 1.0)
    assert "xinmai_alert_latency_seconds_count 1.0" in shown(metrics)
    assert "xinmai_alert_latency_seconds_sum 0.25" in shown(metrics)


def test_only_policies_in_force_are_shown_and_the_table_of_working_days_runs_out():
    metrics = Metrics()
    assert "xinmai_workday_table_days_left NaN" in shown(metrics), "nothing is known of any table yet"
    policy = parse_policy(read_policy_dir(POLICY))
    last_year = max(policy.workdays.years)
    metrics.policies_seen([policy], day_of(date(last_year, 12, 1)))
    assert f'xinmai_policy_info{{version="{policy.version}"}} 1.0' in shown(metrics)
    assert "xinmai_workday_table_days_left 30.0" in shown(metrics)
    metrics.policies_seen([], day_of(date(last_year, 12, 2)))
    assert not any(line.startswith("xinmai_policy_info{") for line in shown(metrics))
    assert "xinmai_workday_table_days_left NaN" in shown(metrics)
    assert days_left(policy.workdays, day_of(date(last_year + 1, 1, 1))) == 0
    assert (
        days_left(policy.workdays, day_of(date(last_year, 1, 1)))
        == (date(last_year, 12, 31) - date(last_year, 1, 1)).days
    )


def test_a_worker_whose_shards_all_went_to_another_shows_no_policy_of_theirs():
    metrics = Metrics()
    metrics.policies_seen([parse_policy(read_policy_dir(POLICY))], day_of(date(2026, 1, 2)))
    assert not PoliciesInForce(Store, metrics, "wall").refresh()
    assert not any(line.startswith("xinmai_policy_info{") for line in shown(metrics))


def test_every_metric_of_a_worker_is_set_by_something_it_hears():
    metrics = Metrics()
    counts = [["order", "debit", "emitted", 1], *PULSE["tally"]["counts"]]
    metrics.heard({**PULSE, "tally": {**PULSE["tally"], "counts": counts}})
    metrics.heard({**PULSE, "lane": 1, "shards": [{**PULSE["shards"][0], "shard": "p4", "serving": False}]})
    metrics.alert_appended("2026-01-02T08:00:00.000+08:00", 1_767_312_000.5)
    metrics.policies_seen([parse_policy(read_policy_dir(POLICY))], day_of(date(2026, 1, 2)))
    metrics.holds_seen([1.0])
    metrics.lanes_down.set_function(lambda: 1)
    asyncio.run(watched_for_a_moment(metrics))
    # tests/streams/test_agents.py, test_worker.py, test_agents_orders.py
    by_the_agents = {"xinmai_alert_deliveries", "xinmai_deadletters", "xinmai_order_unanswered_seconds"}
    unset = {family.name for family in metrics.registry.collect() if not is_set(family)}
    assert unset == by_the_agents


async def watched_for_a_moment(metrics: Metrics) -> None:
    """The event loop is watched by the worker's own service, with nothing else to read."""
    watch = Watch(NoPauses(), NoPolicies(), metrics, [])
    await watch.start()
    await asyncio.sleep(0)
    time.sleep(0.3)  # somebody blocks the loop
    await asyncio.sleep(0.3)
    await watch.stop()


class NoPauses:
    async def refresh(self) -> None:
        pass


class NoPolicies:
    def refresh(self) -> bool:
        return False


def is_set(family) -> bool:
    """Whether it has samples, and not only the zeros it was born with."""
    return any(sample.value for sample in family.samples if not sample.name.endswith("_created"))
