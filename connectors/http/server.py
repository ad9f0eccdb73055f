"""The API's HTTP/1.1 server: connections on the event loop that also holds producer and subscription. No call of ours.

A server with threads of its own (granian) took twice the processor time for a small POST that waits 5 ms and answers
(measured): each call, body and answer passes between its threads and the loop. Here a request that came whole is read,
and its answer written, without waking anybody.
"""

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from time import time
from typing import Any

from connectors.http.connection import App, Connection

SWEEPS_PER_IDLE = 4
ACCEPT_AGAIN_S = 0.1


class HttpServer:
    """One listening socket and its connections. Beyond `connections_max` callers wait in the kernel."""

    def __init__(self, app: App, *, idle_s: float, connections_max: int, report: Callable[[str], None]) -> None:
        self.app = app
        self.report = report
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.is_closing = False
        self._idle_s = idle_s
        self._connections_max = connections_max
        self._socket: socket.socket | None = None
        self._is_accepting = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._taken = 0  # connections, and those that are becoming one
        self._opening: set[asyncio.Task[Any]] = set()
        self._date = (0, b"")

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Accept from now on; the port, which is a free one if `port` is 0. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=backlog)
        self._socket.setblocking(False)
        self._accept_on()
        self._sweep()
        return int(self._socket.getsockname()[1])

    async def close(self, within_s: float) -> None:
        """Accept nobody any more, let calls under way be answered for so long, then hang up."""
        self.is_closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._socket is not None:
            self._accept_off()
            self._socket.close()
        for connection in tuple(self.connections):
            connection.close_when_idle()
        deadline_s = self.loop.time() + within_s
        while self.connections and self.loop.time() < deadline_s:
            await asyncio.sleep(0.005)
        for connection in tuple(self.connections):
            connection.abort()

    def date(self) -> bytes:
        """The `date` of an answer given now."""
        now_s = int(time())
        if self._date[0] != now_s:
            self._date = (now_s, formatdate(now_s, usegmt=True).encode())
        return self._date[1]

    def gone(self, connection: "Connection") -> None:
        """One connection ended; there is room for another."""
        self.connections.discard(connection)
        self._make_room()

    def _make_room(self) -> None:
        self._taken -= 1
        self._accept_on()

    def _accept_on(self) -> None:
        if self._socket is not None and not self._is_accepting and not self.is_closing:
            self._is_accepting = True
            self.loop.add_reader(self._socket, self._accept)

    def _accept_off(self) -> None:
        if self._socket is not None and self._is_accepting:
            self._is_accepting = False
            self.loop.remove_reader(self._socket)

    def _accept(self) -> None:
        assert self._socket is not None
        while self._taken < self._connections_max:
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no file descriptor is left, say: others may end meanwhile
                self.report(f"no connection could be accepted: {error!r}")
                self._accept_off()
                self.loop.call_later(ACCEPT_AGAIN_S, self._accept_on)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._taken += 1
            opening = self.loop.create_task(self._open(accepted))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        self._accept_off()

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self), accepted)
        except OSError:
            accepted.close()
            self._make_room()

    def _sweep(self) -> None:
        """Hang up on whoever has not said a whole head for `idle_s`, or has not taken its answer for so long."""
        since_s = self.loop.time() - self._idle_s
        for connection in tuple(self.connections):
            if connection.idle_since_s is not None and connection.idle_since_s < since_s:
                connection.abort()
        self._sweeper = self.loop.call_later(self._idle_s / SWEEPS_PER_IDLE, self._sweep)
