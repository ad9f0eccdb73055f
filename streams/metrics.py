"""What a worker says of itself in numbers, under the names of contract.md. No label carries a person.

Lanes are processes of their own and export nothing: they tell their parent over the pipe, and it counts here.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_MILLISECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 5.0)
_HOURS = tuple(3600.0 * hours for hours in (0.25, 0.5, 1, 4, 12, 24, 48, 96, 240))
_SIZES = (1.0, 5.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0)


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"xinmai_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"xinmai_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...] = _MILLISECONDS) -> Histogram:
            return Histogram(f"xinmai_{name}", text, buckets=buckets, registry=self.registry)

        self.events_total = counter("events_total", "Records of the log, by what became of them.", "type", "result")
        self.decisions_total = counter("decisions_total", "Decisions.", "kind", "outcome", "reason")
        self.decision_duration_seconds = histogram("decision_duration_seconds", "A checkout call, arrival to answer.")
        self.alerts_total = counter("alerts_total", "Alerts said by the fold.", "rule", "kind")
        self.alert_latency_seconds = histogram("alert_latency_seconds", "Append of the event to append of its alert.")
        self.alert_deliveries_total = counter("alert_deliveries_total", "Alerts told to a target.", "target", "result")
        self.event_lag_seconds = gauge("event_lag_seconds", "Age of the record applied last.", "partition")
        self.consumer_lag_records = gauge("consumer_lag_records", "Records not yet applied.", "partition")
        self.commit_duration_seconds = histogram("commit_duration_seconds", "One commit script, there and back.")
        self.reclaims_total = counter("reclaims_total", "Shards claimed again.", "cause")
        self.batch_events = histogram("batch_events", "Records in one batch of a lane.", _SIZES)
        self.reply_wait_seconds = histogram("reply_wait_seconds", "Append of a checkout request to its reply.")
        self.holds_open = gauge("holds_open", "Holds that are open.")
        self.hold_age_seconds = histogram("hold_age_seconds", "Age of a hold when it ends.", _HOURS)
        self.orders_total = counter("orders_total", "Orders to the bank, by what became of them.", "kind", "result")
        self.deadletters_total = counter("deadletters_total", "Input that was refused.", "reason")
        self.event_loop_lag_seconds = gauge("event_loop_lag_seconds", "How late the event loop wakes.")
        self.policy_info = gauge("policy_info", "The policy in force.", "version")
        self.workday_table_days_left = gauge("workday_table_days_left", "Days until the table of working days ends.")
        self.lane_seconds_total = counter("lane_seconds_total", "Where lanes spend their time.", "phase")
        self._tallied = {
            "event": self.events_total,
            "decision": self.decisions_total,
            "alert": self.alerts_total,
            "order": self.orders_total,
            "deadletter": self.deadletters_total,
            "reclaim": self.reclaims_total,
        }

    def heard(self, message: Mapping[str, Any]) -> None:
        """Count what a lane said."""
        match message:
            case {"kind": "pulse", "shards": shards, "tally": tally}:
                for shard in shards:
                    age_s = max(0, shard["at_ms"] - shard["record_ms"]) / 1000 if shard["lag"] else 0.0
                    self.event_lag_seconds.labels(shard["shard"]).set(age_s)
                    self.consumer_lag_records.labels(shard["shard"]).set(shard["lag"])
                for phase, spent_s in tally["seconds"].items():
                    self.lane_seconds_total.labels(phase).inc(spent_s)
                for spent_s in tally["commits_s"]:
                    self.commit_duration_seconds.observe(spent_s)
                for records in tally["batches"]:
                    self.batch_events.observe(records)
                for kind, *labels, count in tally["counts"]:
                    if kind in self._tallied:
                        self._tallied[kind].labels(*labels).inc(count)
