"""One caller's connection: its requests one after the other, each with its answer. What is asked it does not know."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from connectors.http.wire import HEAD_MAX, BadRequest, Body, Head, answer_head, read_head

if TYPE_CHECKING:
    from connectors.http.server import HttpServer

UNREAD_MAX = 256 * 1024  # bytes that wait here for whoever reads them; then the caller waits
LINGER_S = 5.0  # for a caller that still sends what nobody reads, so that it sees its answer
WHOLE_BODY = "xinmai.whole_body"  # among a scope's extensions: `receive` answers at once

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Connection(asyncio.Protocol):
    """The bytes of one connection; the next request is begun when the last is answered."""

    def __init__(self, server: "HttpServer") -> None:
        self.server = server
        self.idle_since_s: float | None = server.loop.time()
        self.buffer = bytearray()
        self._searched = 0  # of the buffer, for the end of a head
        self._call: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._room: asyncio.Future[None] | None = None  # somebody waits for the caller to take what was written
        self._is_reading = True
        self._is_lingering = False
        self._is_ended = False  # the caller says nothing more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.server.connections.add(self)
        if self.server.is_closing:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.server.gone(self)
        if self._call is not None:
            self._call.lose()
        self.resume_writing()

    def eof_received(self) -> bool:
        """The caller has said everything; whoever listens to a stream hangs up this way."""
        self._is_ended = True
        if self._call is None or self._call.is_streaming or not self._call.body.is_whole:
            return False
        return not self._is_lingering

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        self.buffer += data
        if self._call is None:
            self._begin()
        else:
            self._feed(self._call)

    def pause_writing(self) -> None:
        self.idle_since_s = self.server.loop.time()
        self._room = self._room or self.server.loop.create_future()

    def resume_writing(self) -> None:
        self.idle_since_s = None if self._call is not None else self.server.loop.time()
        if self._room is not None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None

    async def has_room(self) -> None:
        """Wait until the caller has taken most of what was written."""
        if self._room is not None:
            await asyncio.shield(self._room)

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._is_lingering:
            self._transport.write(data)

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def close_when_idle(self) -> None:
        """Hang up, after the answer if a call is under way."""
        if self._call is None and self._transport is not None:
            self._transport.close()

    def read_on(self) -> None:
        """Somebody took what had been read."""
        if not self._is_reading and self._transport is not None:
            self._is_reading = True
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if self._is_reading and self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def _begin(self) -> None:
        """Begin the next call if its head has come."""
        buffer = self.buffer
        while buffer[:2] == b"\r\n":  # RFC 9112, 2.2
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", self._searched)
        try:
            if max(end, len(buffer) if end < 0 else 0) > HEAD_MAX:
                raise BadRequest(431)
            if end < 0:
                self._searched = max(0, len(buffer) - 3)
                return
            head = read_head(bytes(buffer[:end]))
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        self._searched = 0
        del buffer[: end + 4]
        self.idle_since_s = None
        call = self._call = Exchange(self, head)
        self._feed(call)
        self._task = self.server.loop.create_task(self._run(call))

    def _feed(self, call: "Exchange") -> None:
        """Give the call what came of its body; what came behind it waits."""
        if not call.body.is_whole:
            try:
                call.take(self.buffer)
            except BadRequest as bad:
                call.lose()
                self._refuse(bad.status)
                return
        if len(self.buffer) + call.unread > UNREAD_MAX:
            self._pause_reading()

    async def _run(self, call: "Exchange") -> None:
        try:
            await self.server.app(call.scope(), call.receive, call.send)
        except Exception as error:
            self.server.report(f"a call was broken off: {error!r}")
        finally:
            self._end(call)

    def _end(self, call: "Exchange") -> None:
        """Go on with the next call, or hang up if the answer was cut short or said so."""
        self._call = self._task = None
        if self._transport is None or self._is_lingering:
            return
        if not call.is_answered:
            self._transport.abort()
        elif not call.body.is_whole:
            self._linger()
        elif not call.keeps_alive or self.server.is_closing or self._is_ended:
            self._transport.close()
        else:
            self.idle_since_s = self.server.loop.time()
            self.read_on()
            if self.buffer:
                self._begin()

    def _refuse(self, status: int) -> None:
        """Answer what is no request, and hang up: where the next one would begin cannot be known."""
        if self._call is not None and self._call.is_streaming:
            self.abort()
            return
        self.write(answer_head(status, (), self.server.date(), b"connection: close\r\ncontent-length: 0\r\n"))
        self._linger()

    def _linger(self) -> None:
        """Say no more and read on for a while: hanging up on bytes that nobody read destroys the answer."""
        if self._transport is None or self._is_lingering:
            return
        self._is_lingering = True
        self.idle_since_s = None
        self.buffer.clear()
        self.read_on()
        if self._is_ended or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self.server.loop.call_later(LINGER_S, self.abort)


class Exchange:
    """One request and its answer, as ASGI sees them."""

    __slots__ = (
        "_awaits_word", "_connection", "_head", "_is_lost", "_is_read", "_news", "_parts", "_started",
        "body", "is_answered", "is_streaming", "keeps_alive", "unread",
    )  # fmt: skip

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._head = head
        self.body = Body(head.length)
        self.keeps_alive = head.keeps_alive
        self.unread = 0
        self.is_streaming = False
        self.is_answered = False
        self._parts: list[bytes] = []
        self._is_read = False  # to its end, by the application
        self._is_lost = False
        self._awaits_word = head.expects_word
        self._news: asyncio.Future[None] | None = None
        self._started: tuple[int, list[tuple[bytes, bytes]]] = (500, [])

    def scope(self) -> Message:
        """What ASGI says of a request."""
        head = self._head
        path = head.path
        return {
            "type": "http",
            "method": head.method,
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": head.query,
            "headers": head.headers,
            "extensions": {WHOLE_BODY: {}} if self.body.is_whole else {},
        }

    def take(self, buffer: bytearray) -> None:
        """Take what came of the body."""
        if part := self.body.take(buffer):
            self._parts.append(part)
            self.unread += len(part)
        self._wake()

    def lose(self) -> None:
        """The caller is gone, or what it sends is no body: nothing more comes of it."""
        self._is_lost = True
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def receive(self) -> Message:
        """The next part of the body; behind its end, that the caller is gone."""
        if self._awaits_word and not (self._parts or self.body.is_whole or self.is_streaming):
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaits_word = False
        while not self._is_lost and (self._is_read or not (self._parts or self.body.is_whole)):
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self._is_read or not (self._parts or self.body.is_whole):
            return {"type": "http.disconnect"}
        content = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self.unread = 0
        self._connection.read_on()
        self._is_read = self.body.is_whole
        return {"type": "http.request", "body": content, "more_body": not self._is_read}

    async def send(self, message: Message) -> None:
        """One message of the answer. What is said to a caller that is gone is lost."""
        if message["type"] == "http.response.start":
            self._started = (message["status"], message["headers"])
            return
        content: bytes = message.get("body", b"")
        is_last = not message.get("more_body")
        if is_last and not self.is_streaming:
            self._connection.write(self._answer(b"content-length: %d\r\n" % len(content)) + content)
        else:
            self._stream(content, is_last=is_last)
        self.is_answered = is_last
        await self._connection.has_room()

    def _stream(self, content: bytes, *, is_last: bool) -> None:
        is_chunked = self._head.is_1_1
        if not self.is_streaming:
            self.is_streaming = True
            if not is_chunked:
                self.keeps_alive = False  # only the end of the connection ends the answer
            self._connection.write(self._answer(b"transfer-encoding: chunked\r\n" if is_chunked else b""))
        if content:
            self._connection.write(b"%x\r\n%b\r\n" % (len(content), content) if is_chunked else content)
        if is_last and is_chunked:
            self._connection.write(b"0\r\n\r\n")

    def _answer(self, framing: bytes) -> bytes:
        status, headers = self._started
        server = self._connection.server
        if not self.keeps_alive or server.is_closing or not self.body.is_whole:
            self.keeps_alive = False
            framing += b"connection: close\r\n"
        elif not self._head.is_1_1:
            framing += b"connection: keep-alive\r\n"
        return answer_head(status, headers, server.date(), framing)
