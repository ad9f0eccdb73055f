"""What a worker says of itself in numbers, under the names of contract.md. No label carries a person.

Lanes are processes of their own and export nothing: they tell their parent over the pipe, and it counts here. What a
checkout call takes is measured where it arrives (connectors/http/metrics.py). Dead letters are counted where they lie
(letter_count.py), open holds by going round the records (hold_survey.py).
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from math import nan
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from risk.local_time import day_of, to_date
from risk.policy import Policy
from risk.workdays import Workdays

_MILLISECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 5.0)
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
        self.alerts_total = counter("alerts_total", "Alerts said by the fold.", "rule", "kind")
        self.alert_latency_seconds = histogram("alert_latency_seconds", "Append of a record to append of its alert.")
        self.alert_deliveries_total = counter("alert_deliveries_total", "Alerts told to a target.", "target", "result")
        self.event_lag_seconds = gauge("event_lag_seconds", "Age of the record applied last.", "partition")
        self.consumer_lag_records = gauge("consumer_lag_records", "Records not yet applied.", "partition")
        self.shard_unserved = gauge("shard_unserved", "1: owned and not served, stopped or not claimed.", "partition")
        self.lanes_down = gauge("lanes_down", "Lanes of this worker that do not run.")
        self.commit_duration_seconds = histogram("commit_duration_seconds", "One commit script, there and back.")
        self.reclaims_total = counter("reclaims_total", "Shards claimed again.", "cause")
        self.batch_events = histogram("batch_events", "Records in one batch of a lane.", _SIZES)
        self.orders_total = counter("orders_total", "Orders to the bank, by what became of them.", "kind", "result")
        self.order_unanswered_seconds = gauge("order_unanswered_seconds", "The longest a bank has given no answer.")
        self.deadletters_total = counter("deadletters_total", "Input that was refused.", "reason")
        self.event_loop_lag_seconds = gauge("event_loop_lag_seconds", "How late the event loop wakes.")
        self.policy_info = gauge("policy_info", "The policy in force.", "version")
        self.workday_table_days_left = gauge("workday_table_days_left", "Days until the table of working days ends.")
        self.lane_seconds_total = counter("lane_seconds_total", "Where lanes spend their time.", "phase")
        self.holds_open = gauge("holds_open", "Open holds of this worker's shards, as the last round found them.")
        self.hold_age_seconds = gauge(
            "hold_age_seconds", "How old open holds are; quantile 1 is the oldest.", "quantile"
        )
        self.workday_table_days_left.set(nan)  # 0 would be a table that has ended
        self.clocks_ms: dict[str, int] = {}
        """The shards that lanes of this worker own, and their now."""
        self._owned: dict[int, frozenset[str]] = {}
        self._dead: set[int] = set()
        self._versions: set[str] = set()
        self._tallied = {
            "event": self.events_total,
            "decision": self.decisions_total,
            "alert": self.alerts_total,
            "order": self.orders_total,
            "reclaim": self.reclaims_total,
        }

    def alert_appended(self, detected_at: object, appended_s: float) -> None:
        """An alert stands on its topic since `appended_s`; what it tells of was appended at `detected_at`."""
        try:
            detected_s = datetime.fromisoformat(str(detected_at)).timestamp()
        except ValueError:
            return
        self.alert_latency_seconds.observe(max(0.0, appended_s - detected_s))

    @property
    def owned(self) -> frozenset[str]:
        """The shards that lanes of this worker own."""
        return frozenset(self.clocks_ms)

    def holds_seen(self, ages_s: Collection[float]) -> None:
        """These are the ages of all open holds."""
        ordered = sorted(ages_s)
        self.holds_open.set(len(ordered))
        for quantile in (0.5, 0.99, 1.0):
            place = min(len(ordered) - 1, int(quantile * len(ordered)))
            self.hold_age_seconds.labels(f"{quantile:g}").set(ordered[place] if ordered else 0.0)

    def _owns(self, lane: int, shards: frozenset[str]) -> None:
        """A shard that went to another worker is measured there: its last figures here would stand for ever. One that
        went to another lane is that lane's alone: the one that had it may have died, and never says that it lost it.
        """
        if self._owned.get(lane) == shards:
            return
        self._owned = {other: theirs - shards for other, theirs in self._owned.items()} | {lane: shards}
        for shard in self.clocks_ms.keys() - frozenset().union(*self._owned.values()):
            del self.clocks_ms[shard]
            self.event_lag_seconds.remove(shard)
            self.consumer_lag_records.remove(shard)
            self.shard_unserved.remove(shard)

    def policies_seen(self, policies: Collection[Policy], day: int) -> None:
        """These are the policies in force on the shards, on this local day."""
        versions = {policy.version for policy in policies}
        for version in versions:
            self.policy_info.labels(version).set(1)
        for version in self._versions - versions:
            self.policy_info.remove(version)
        self._versions = versions
        ends = [days_left(policy.workdays, day) for policy in policies]
        self.workday_table_days_left.set(min(ends, default=nan))

    def heard(self, message: Mapping[str, Any]) -> None:
        """Count what a lane said, or its supervisor of it."""
        match message:
            case {"kind": "died", "lane": lane} if lane not in self._dead:  # else it ended before it claimed anything
                self._dead.add(lane)
                for shard in self._owned.get(lane, frozenset()):  # whoever claims it next says what becomes of it
                    self.shard_unserved.labels(shard).set(1)
                    self.reclaims_total.labels("died").inc()
            case {"kind": "pulse", "shards": shards, "tally": tally}:
                self._dead.discard(message.get("lane", 0))
                self._owns(message.get("lane", 0), frozenset(shard["shard"] for shard in shards))
                for shard in shards:
                    is_behind = shard["lag"] and shard["record_ms"]  # 0: none applied since the claim, so no age known
                    age_s = max(0, shard["at_ms"] - shard["record_ms"]) / 1000 if is_behind else 0.0
                    self.event_lag_seconds.labels(shard["shard"]).set(age_s)
                    self.consumer_lag_records.labels(shard["shard"]).set(shard["lag"])
                    self.shard_unserved.labels(shard["shard"]).set(not shard["serving"])
                    self.clocks_ms[shard["shard"]] = shard.get("clock_ms", 0)
                for phase, spent_s in tally["seconds"].items():
                    self.lane_seconds_total.labels(phase).inc(spent_s)
                for spent_s in tally["commits_s"]:
                    self.commit_duration_seconds.observe(spent_s)
                for records in tally["batches"]:
                    self.batch_events.observe(records)
                for kind, *labels, count in tally["counts"]:
                    if kind in self._tallied:
                        self._tallied[kind].labels(*labels).inc(count)


def days_left(workdays: Workdays, day: int) -> int:
    """For how many days after `day` the table knows which are worked; 0 when it does not know `day` itself."""
    last = workdays.last_year_from(to_date(day).year)
    return max(0, day_of(date(last, 12, 31)) - day)
