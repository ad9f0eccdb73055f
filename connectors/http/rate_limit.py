"""How fast one token may call: a bucket that fills at a steady rate and holds one second's worth, at least ten."""

from math import ceil

from connectors.http.problem import Problem

BURST_MIN = 10.0


class RateLimit:
    """One bucket per token name, in this process."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, rate_per_s: float | None, now_s: float) -> None:
        """Take one call out of the bucket of `name`, or refuse with the seconds until the next one is there."""
        if rate_per_s is None:
            return
        burst = max(BURST_MIN, rate_per_s)
        calls, filled_s = self._buckets.get(name, (burst, now_s))
        calls = min(burst, calls + (now_s - filled_s) * rate_per_s)
        if calls < 1:
            self._buckets[name] = (calls, now_s)
            raise Problem("RATE_LIMITED", retry_after_s=max(1, ceil((1 - calls) / rate_per_s)))
        self._buckets[name] = (calls - 1, now_s)
