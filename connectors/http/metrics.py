"""What the API process measures of itself (names: contract.md, Metrics; those it adds begin with `xinmai_http_`)."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.04, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 5.0)
LAG_EVERY_S = 0.25
CHECKOUT = frozenset({"/v1/authorizations", "/v1/authorizations/{id}/increase"})


class Durations(Collector):
    """Histograms by label values, of one thread: an observation costs a tenth of the client library's, which locks."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._counts: dict[tuple[str | int, ...], list[int]] = {}
        self._sums: dict[tuple[str | int, ...], float] = {}

    def observe(self, seconds: float, *labels: str | int) -> None:
        """Count one duration."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(SECONDS) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(SECONDS, seconds)] += 1
        self._sums[labels] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For a scrape: cumulative buckets."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, counts in list(self._counts.items()):
            total, buckets = 0, []
            for bound, count in zip([*map(str, SECONDS), "+Inf"], counts, strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric([str(label) for label in labels], buckets, self._sums[labels])
        yield family


class Metrics:
    """One registry per process; no personal id is ever a label."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        calls = Durations("xinmai_http_duration_seconds", "Arrival to answer, per call and status", ("route", "status"))
        waits = Durations("xinmai_reply_wait_seconds", "Append to lane's reply")
        decisions = Durations("xinmai_decision_duration_seconds", "A checkout call, arrival to answer")
        for collector in (calls, waits, decisions):
            self.registry.register(collector)
        self._calls = calls
        self._decisions = decisions
        self.note_wait = waits.observe
        self._fallbacks = Counter(
            "xinmai_http_fallbacks", "Checkout calls answered fallback", ["cause"], registry=self.registry
        )
        self._shed = Counter(
            "xinmai_http_shed", "Calls turned away before they were appended", ["kind", "cause"], registry=self.registry
        )
        self.in_flight = Gauge("xinmai_http_in_flight", "Calls under way in this process", registry=self.registry)
        self._lag = Gauge("xinmai_event_loop_lag_seconds", "How late the event loop woke", registry=self.registry)

    def note_call(self, route: str, status: int, seconds: float) -> None:
        """One call was answered."""
        self._calls.observe(seconds, route, status)
        if route in CHECKOUT and status == 200:
            self._decisions.observe(seconds)

    def note_fallback(self, cause: str) -> None:
        """One call was answered `fallback`."""
        self._fallbacks.labels(cause).inc()

    def note_shed(self, kind: str, cause: str) -> None:
        """One call was turned away for there were too many."""
        self._shed.labels(kind, cause).inc()

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)

    async def watch_loop(self) -> None:
        """Measure for ever how late the loop wakes."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.set(max(0.0, loop.time() - due_s))
