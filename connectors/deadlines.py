"""Who waits until when: futures given up at their deadlines, behind one timer of the event loop, not a timer each."""

import asyncio
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any

CLOCK_STEP_S = 0.001  # uvloop's clock: a timer may come as much before its time


class Deadlines:
    """The deadlines of whoever is in `waiting`, by name. Nearly all have left it long before theirs come to the top."""

    def __init__(self, waiting: "Mapping[str, asyncio.Future[Any]]") -> None:
        self._waiting = waiting
        self._heap: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, name: str, deadline_s: float) -> None:
        """At `deadline_s` of the loop's clock the future of `name` gets None, if it still waits without an answer."""
        heappush(self._heap, (deadline_s, name))
        if self._heap[0][1] is name:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._expire)

    def _expire(self) -> None:
        self._timer = None
        heap, now_s = self._heap, asyncio.get_running_loop().time()
        while heap:
            deadline_s, name = heap[0]
            future = self._waiting.get(name)
            if future is not None and not future.done():
                if deadline_s > now_s + CLOCK_STEP_S:
                    self._arm()
                    return
                future.set_result(None)
            heappop(heap)
