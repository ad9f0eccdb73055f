"""A fuse before one foreign system: after several failures in a row nobody calls it, until one call tries again."""

from collections.abc import Callable
from time import monotonic


class CircuitBreaker:
    """Closed: calls pass. Open: none. Half open: after `rest_s` exactly one passes, and what comes of it decides."""

    def __init__(self, failures_max: int = 5, rest_s: float = 5.0, clock: Callable[[], float] = monotonic) -> None:
        self._failures_max = failures_max
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._closed_again_s = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are being held back now."""
        return self._failures >= self._failures_max and (self._trying or self._clock() < self._closed_again_s)

    def allows(self) -> bool:
        """Whether a call may go out. Who is allowed must report back with `succeeded` or `failed`."""
        if self._failures < self._failures_max:
            return True
        if self.is_open:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """The system answered."""
        self._failures = 0
        self._trying = False

    def failed(self) -> None:
        """The system did not answer, or not in its own language."""
        self._failures += 1
        self._trying = False
        self._closed_again_s = self._clock() + self._rest_s
