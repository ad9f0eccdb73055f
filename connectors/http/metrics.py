"""What the API process measures of itself (names: contract.md, Metrics; those it adds begin with `xinmai_http_`)."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 5.0)
LAG_EVERY_S = 0.25


class Metrics:
    """One registry per process; no personal id is ever a label."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._duration = Histogram(
            "xinmai_http_duration_seconds",
            "Arrival to answer, per call and status",
            ["route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._wait = Histogram(
            "xinmai_reply_wait_seconds", "Append to lane's reply", buckets=SECONDS, registry=self.registry
        )
        self._fallbacks = Counter(
            "xinmai_http_fallbacks", "Checkout calls answered fallback", ["cause"], registry=self.registry
        )
        self._lag = Gauge("xinmai_event_loop_lag_seconds", "How late the event loop woke", registry=self.registry)
        self._bound: dict[tuple[str, int], Histogram] = {}

    def note_call(self, route: str, status: int, seconds: float) -> None:
        """One call was answered."""
        bound = self._bound.get((route, status))
        if bound is None:
            bound = self._bound[route, status] = self._duration.labels(route, str(status))
        bound.observe(seconds)

    def note_wait(self, seconds: float) -> None:
        """One attempt ended."""
        self._wait.observe(seconds)

    def note_fallback(self, cause: str) -> None:
        """One call was answered `fallback`."""
        self._fallbacks.labels(cause).inc()

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
