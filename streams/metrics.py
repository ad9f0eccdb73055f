"""What a process says of itself in numbers, under the names of contract.md. No label carries a person.

Lanes are processes of their own: each sends its families to the worker over its pipe, and the worker shows their sum.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

_MILLISECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 5.0)
_HOURS = tuple(3600.0 * hours for hours in (0.25, 0.5, 1, 4, 12, 24, 48, 96, 240))
_SIZES = (1.0, 5.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0)
_GREATEST = frozenset({"xinmai_event_loop_lag_seconds", "xinmai_policy_info", "xinmai_workday_table_days_left"})


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

    def families(self) -> list[Metric]:
        """A copy that can go over a pipe."""
        return list(self.registry.collect())


class LaneMetrics(Collector):
    """The families of all lanes as one. What a lane had counted when it died stays counted: a counter never falls."""

    def __init__(self) -> None:
        self._newest: dict[int, list[Metric]] = {}
        self._ended: list[Metric] = []

    def note(self, lane: int, families: list[Metric]) -> None:
        """The newest families of this lane."""
        self._newest[lane] = families

    def lane_ended(self, lane: int) -> None:
        """Keep its counters, drop its gauges: they are another's now."""
        families = self._newest.pop(lane, [])
        self._ended = list(merged([*self._ended, *(family for family in families if family.type != "gauge")]))

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        living = [family for families in self._newest.values() for family in families]
        yield from merged([*self._ended, *living])


def merged(families: Iterable[Metric]) -> Iterator[Metric]:
    """Families of one name added up, sample by sample; of a gauge that many may tell, the greatest."""
    together: dict[str, Metric] = {}
    samples: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], Sample]] = {}
    for family in families:
        together.setdefault(family.name, Metric(family.name, family.documentation, family.type, family.unit))
        seen = samples.setdefault(family.name, {})
        for sample in family.samples:
            if sample.name.endswith("_created"):
                continue
            key = (sample.name, tuple(sorted(sample.labels.items())))
            before = seen.get(key)
            if before is None:
                seen[key] = sample
            else:
                value = max(before.value, sample.value) if sample.name in _GREATEST else before.value + sample.value
                seen[key] = before._replace(value=value)
    for name, family in together.items():
        family.samples = list(samples[name].values())
        yield family


def registry_of(metrics: Metrics, lanes: LaneMetrics) -> Any:
    """One registry for both: what the worker counts itself, and what its lanes count."""

    class Both(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from merged([*metrics.registry.collect(), *lanes.collect()])

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Both())
    return registry
