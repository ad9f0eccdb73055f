"""An HTTP load generator that keeps to its timetable: many keep-alive connections, latency from the intended start.

A request waits for a free connection if it must; the waiting is part of its latency, as for a patient at the counter.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from hdrh.histogram import HdrHistogram

CONNECTIONS = 128
LATE_ENOUGH_S = 0.0002


class Outcome(NamedTuple):
    """What one run found. `bodies` are the answers' bytes, for counting decisions."""

    histogram: HdrHistogram
    statuses: dict[int, int]
    bodies: list[bytes]
    seconds: float
    unanswered: int

    def ms(self, percentile: float) -> float:
        """A percentile of the latency, in milliseconds."""
        return float(self.histogram.get_value_at_percentile(percentile)) / 1000


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._intended_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._run.free.append(self)

    def send(self, request: bytes, intended_s: float) -> None:
        assert self._transport is not None
        self._intended_s = intended_s
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = self._received[end + 4 : end + 4 + length]
        self._received = self._received[end + 4 + length :]
        self._run.answered(self, int(head[9:12]), body, self._intended_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lost(self)


class _Run:
    """One timetable."""

    def __init__(self, requests: Sequence[bytes], per_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self.free: deque[_Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._requests = requests
        self._per_s = per_s
        self._loop = loop
        self.histogram = HdrHistogram(1, 60_000_000, 3)
        self.statuses: dict[int, int] = {}
        self.bodies: list[bytes] = []
        self.done = asyncio.Event()

    def answered(self, connection: _Connection, status: int, body: bytes, intended_s: float) -> None:
        self.histogram.record_value(max(1, int((self._loop.time() - intended_s) * 1e6)))
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bodies.append(body)
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self.free.append(connection)
        if len(self.bodies) == len(self._requests):
            self.done.set()

    def lost(self, connection: _Connection) -> None:
        if connection in self.free:
            self.free.remove(connection)

    async def keep_time(self) -> None:
        began_s = self._loop.time()
        for number, request in enumerate(self._requests):
            intended_s = began_s + number / self._per_s
            while (left_s := intended_s - self._loop.time()) > LATE_ENOUGH_S:
                await asyncio.sleep(left_s)
            if self.free:
                self.free.popleft().send(request, intended_s)
            else:
                self._waiting.append((request, intended_s))
            if number % 32 == 0:
                await asyncio.sleep(0)


def request_bytes(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """One HTTP/1.1 request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def drive(host: str, port: int, requests: Sequence[bytes], per_s: float, *, connections: int = CONNECTIONS) -> Outcome:
    """Send every request at its intended instant and wait for the answers, at most 20 s after the last."""
    import uvloop

    async def main() -> Outcome:
        loop = asyncio.get_running_loop()
        run = _Run(requests, per_s, loop)
        transports = [
            (await loop.create_connection(lambda: _Connection(run), host, port))[0] for _ in range(connections)
        ]
        began_s = loop.time()
        await run.keep_time()
        with suppress(TimeoutError):
            await asyncio.wait_for(run.done.wait(), 20)
        seconds = loop.time() - began_s
        for transport in transports:
            transport.close()
        return Outcome(run.histogram, run.statuses, run.bodies, seconds, len(requests) - len(run.bodies))

    return uvloop.run(main())


def spread(values: Sequence[bytes], count: int) -> Iterator[bytes]:
    """`count` of the values, round and round."""
    return (values[number % len(values)] for number in range(count))
