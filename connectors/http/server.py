"""The API's HTTP/1.1 server: uvicorn on the event loop that also holds producer and subscription. No call of ours.

A server with threads of its own (granian) took 1.5 times the processor time for an authorization without its Kafka
(measured): each call passes between its threads and the loop. What `Connection` adds are bounds that uvicorn leaves to
a proxy, for here anybody may connect, and what callers would lose by it: bodies and answers.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from connectors.http.asgi import WHOLE_BODY

HEAD_MAX = 64 * 1024
CALLS_AHEAD_MAX = 64  # sent on one connection before the first of them is answered


class Connection(HttpToolsProtocol):
    """uvicorn's, which bounds neither the bytes nor the time of a head, nor of a body whose call is answered."""

    def __init__(self, *, connections_max: int, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._connections_max = connections_max
        self._framing = 0  # bytes since a body's last piece, or since a head's begin
        self._since_s = self.loop.time()
        self._is_last = False  # the caller wants to hang up behind this call

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._connections_max:
            transport.abort()  # limit_concurrency would refuse everybody, not only who comes last
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._framing += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except HttpParserError:
            self._refuse(400)
        if self._framing > HEAD_MAX and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._framing = 0
        self._since_s = self.loop.time()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= CALLS_AHEAD_MAX:
            raise ValueError("too many calls ahead")
        super().on_headers_complete()
        self._framing = 0
        self._is_last = not self.cycle.keep_alive
        self.cycle.keep_alive = True  # till the body has come: to hang up on what nobody read destroys the answer

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._framing = 0

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self.scope["state"][WHOLE_BODY] = True
            if self._is_last:
                self.cycle.keep_alive = False
            if self._is_last and self.cycle.response_complete:
                self.transport.close()

    def on_response_complete(self) -> None:
        self._since_s = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._since_s = self.loop.time()

    def _decline(self, rest: bytes) -> None:
        """Read a head again without its offer of another protocol (Java's client makes one): the body is lost else."""
        headers = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        if len(headers) == len(self.headers) or not self.parser.should_keep_alive():  # CONNECT, or nothing may follow
            self._refuse(400)
        else:
            line = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
            self.data_received(b"%b %b HTTP/%b\r\n%b\r\n%b" % (*line, b"".join(headers), rest))

    def _refuse(self, status: int) -> None:
        """Hang up; tell why, unless it would be taken for the answer to a call that is under way."""
        call = self.cycle
        is_being_read = call is not None and call.more_body and not (call.response_started or self.pipeline)
        if call is None or call.response_complete or is_being_read:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _watch(self) -> None:
        """Hang up on whoever has no call under way for too long, or does not take its answer."""
        is_held_up = self.flow.write_paused or self.transport.is_closing()
        is_under_way = self.cycle is not None and not self.cycle.response_complete and not is_held_up
        until_s = (self.loop.time() if is_under_way else self._since_s) + self.timeout_keep_alive
        if self in self.connections and until_s <= self.loop.time():
            self.transport.abort()
        elif self in self.connections:
            self.loop.call_at(until_s, self._watch)


class HttpServer(uvicorn.Server):
    """One listening socket and its connections. `idle_s`: see `Connection`; `stop_within_s` for calls under way."""

    def __init__(
        self, app: Callable[..., Awaitable[None]], *, idle_s: float, connections_max: int, stop_within_s: int
    ) -> None:
        protocol: Any = partial(Connection, connections_max=connections_max)
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                log_level="error",  # what callers send amiss is not for our log
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=idle_s,  # type: ignore[arg-type]  # parts of a second do as well
                timeout_graceful_shutdown=stop_within_s,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Serve from now on; the port, which is a free one if `port` is 0. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=backlog)
        self.config.backlog = backlog
        self._serving = asyncio.get_running_loop().create_task(self.serve(sockets=[listening]))
        return int(listening.getsockname()[1])

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, or for the failure of the server itself, which is raised."""
        stopping = asyncio.create_task(stop.wait())
        assert self._serving is not None
        await asyncio.wait([stopping, self._serving], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._serving.done():
            self._serving.result()

    async def close(self) -> None:
        """Accept nobody any more, let calls under way be answered for `stop_within_s`, then hang up."""
        self.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving])
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: they are the process's (streams/api.py)."""
        yield
