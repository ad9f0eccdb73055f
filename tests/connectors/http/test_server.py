"""The HTTP/1.1 server over real sockets: what is a request, what is none, and how connections end."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvloop

from connectors.http.asgi import Answer, Application, Call, Route
from connectors.http.server import CALLS_AHEAD_MAX, HEAD_MAX, HttpServer
from connectors.http.tokens import parse_tokens

HOST = b" HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /x" + HOST
CALL = b"GET /a" + HOST + b"\r\n"
UNREAD_MAX = 512 * 1024  # two reads of the loop, and what uvicorn lets wait
App = Callable[..., Awaitable[None]]
OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with method, path, query and body."""
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = b"%b %b?%b|%b" % (scope["method"].encode(), scope["raw_path"], scope["query_string"], body)
    await answer(send, told)


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    """One whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({**OK, "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


class Served:
    """A server with an application."""

    def __init__(self, app: App, idle_s: int, connections_max: int) -> None:
        self.server = HttpServer(app, idle_s=idle_s, connections_max=connections_max, stop_within_s=1)
        self.port = self.server.listen("127.0.0.1", 0, 64)

    async def ask(
        self, *parts: bytes, is_half_closed: bool = False, wait_s: float = 0.15, within_s: float = 20.0
    ) -> tuple[bytes, bool]:
        """What comes back for these bytes, sent one after the other; and whether the server hung up `wait_s` later."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.002 if len(parts) > 1 else 0)
        if is_half_closed:
            writer.write_eof()
        answer = b""
        try:
            async with asyncio.timeout(within_s):
                while not is_whole(answer):
                    if not (piece := await reader.read(65_536)):
                        return answer, True
                    answer += piece
            async with asyncio.timeout(wait_s):
                while piece := await reader.read(65_536):
                    answer += piece
            return answer, True
        except TimeoutError:
            return answer, False
        except ConnectionError:
            return answer, True
        finally:
            writer.close()

    @property
    def connections(self) -> Any:
        """Those that are open."""
        return self.server.server_state.connections


@asynccontextmanager
async def served(app: App = echo, *, idle_s: int = 30, connections_max: int = 400) -> AsyncIterator[Served]:
    it = Served(app, idle_s, connections_max)
    try:
        yield it
    finally:
        await it.server.close()


def run(scenario: Callable[[], Any]) -> None:
    async def timed() -> None:
        async with asyncio.timeout(60):
            await scenario()

    uvloop.run(timed())


def told(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1] if head else 0), body


def is_whole(answer: bytes) -> bool:
    """Whether the last answer has come to its end, or a stream to its second piece."""
    head, blank, body = (
        answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").rpartition(b"HTTP/1")[2].partition(b"\r\n\r\n")
    )
    length = re.search(rb"content-length: (\d+)", head)
    return bool(blank) and (b"1," in body if length is None else len(body) >= int(length[1]))


WHOLE = [  # what is sent, what the application saw, whether the connection ends behind it
    ("a call", b"GET /a?b=c" + HOST + b"\r\n", b"GET /a?b=c|", False),
    ("its last call", b"GET /a" + HOST + b"Connection: close\r\n\r\n", b"GET /a?|", True),
    ("HTTP/1.0", b"GET /a HTTP/1.0\r\n\r\n", b"GET /a?|", True),
    ("empty lines before", b"\r\n\r\nGET /a" + HOST + b"\r\n", b"GET /a?|", False),
    ("a body", POST + b"Content-Length: 3\r\n\r\nabc", b"POST /x?|abc", False),
    ("chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\n\r\n",
     b"POST /x?|abc0123456789", False),
    ("chunks and trailers", POST + b"transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n",
     b"POST /x?|a", False),
    ("Java's offer of HTTP/2", POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
     b"Content-Length: 3\r\n\r\nabc", b"POST /x?|abc", False),
    ("a header line of 40 KB", b"GET /a" + HOST + b"A: " + b"x" * 40_000 + b"\r\n\r\n", b"GET /a?|", False),
]  # fmt: skip

NONE = [  # the library's promise, asked for again whenever its version changes: what reads two ways is no request
    ("a tunnel", b"CONNECT h:1" + HOST + b"\r\n"), ("a folded header", b"GET /a" + HOST + b"A: b\r\n c\r\n\r\n"),
    ("a tunnel with an offer", b"CONNECT h:1" + HOST + b"Connection: upgrade\r\nUpgrade: a\r\n\r\n"),
    ("an offer behind which nothing may follow", b"GET /a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
    ("an offer and a goodbye", b"GET /a" + HOST + b"Connection: upgrade, close\r\nUpgrade: a\r\n\r\n"),
    ("a space", b"GET /a" + HOST + b"A : b\r\n\r\n"), ("a bare LF", b"GET /a" + HOST + b"A: b\nC: d\r\n\r\n"),
    ("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    ("a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    ("a signed length", POST + b"Content-Length: +3\r\n\r\nabc"),
    ("a length and chunks", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a chunk of a signed size", POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"),
    ("a chunk longer than it says", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    ("a line feed after a size", POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"),
    ("chunked twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
]  # fmt: skip


def test_requests_are_read_as_they_were_meant() -> None:
    async def scenario() -> None:
        async with served() as it:
            answers = await asyncio.gather(*(it.ask(raw, wait_s=10.0 if ends else 0.3) for _, raw, _, ends in WHOLE))
        for (name, _, seen, ends), (answer, is_over) in zip(WHOLE, answers, strict=True):
            assert told(answer) == (200, seen), (name, answer)
            assert is_over == ends, name
            assert (b"\r\nconnection: close\r\n" in answer) == (ends and b"HTTP/1.0" not in answer), (name, answer)

    run(scenario)


def test_what_reads_two_ways_is_refused_and_ends_the_connection() -> None:
    async def scenario() -> None:
        async with served() as it:
            answers = await asyncio.gather(*(it.ask(raw, wait_s=10.0) for _, raw in NONE))
        for (name, _), (answer, is_over) in zip(NONE, answers, strict=True):
            assert told(answer) == (400, b""), (name, answer)
            assert is_over, name
            assert answer.count(b"HTTP/1.1") == 1, (name, answer)

    run(scenario)


@pytest.mark.parametrize("number", [4, 5, 6, 7])
def test_a_request_cut_anywhere_is_the_same_request(number: int) -> None:
    _, raw, seen, _ = WHOLE[number]

    async def scenario() -> None:
        async with served() as it:
            answers = await asyncio.gather(*(it.ask(raw[:at], raw[at:]) for at in range(1, len(raw))))
            answers.append(await it.ask(*(raw[at : at + 1] for at in range(len(raw)))))
        assert {told(answer) for answer, _ in answers} == {(200, seen)}

    run(scenario)


def test_requests_in_one_packet_are_answered_one_after_the_other() -> None:
    async def scenario() -> None:
        async with served() as it:
            one, two = POST + b"Content-Length: 1\r\n\r\n1", b"GET /2" + HOST + b"Connection: close\r\n\r\n"
            answer, is_over = await it.ask(one + two, wait_s=10.0)
            assert answer.index(b"POST /x?|1") < answer.index(b"GET /2?|")
            assert is_over

    run(scenario)


@pytest.mark.parametrize("behind", [b"GARBAGE\r\n\r\n", CALL * (CALLS_AHEAD_MAX + 2), b"GET /" + b"x" * 400_000])
def test_what_cannot_be_taken_behind_a_call_is_not_answered_in_its_place(behind: bytes) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with served(slow) as it:
            assert await it.ask(CALL + behind) == (b"", True)

    run(scenario)


ENDLESS = [
    ("a head", b"GET /a" + HOST + b"A: ", b"x" * 4_096),
    ("empty lines", b"", b"\r\n" * 2_048),
    ("a chunk's size line", POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 4_096),
    ("trailers", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 512),
]


@pytest.mark.parametrize(("begin", "piece"), [case[1:] for case in ENDLESS], ids=[case[0] for case in ENDLESS])
def test_what_only_frames_is_bounded(begin: bytes, piece: bytes) -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(begin)
            sent = 0
            while not (reader.at_eof() or writer.is_closing()) and sent < 4 * HEAD_MAX:
                writer.write(piece)
                sent += len(piece)
                await asyncio.sleep(0.001)
            assert sent < 2 * HEAD_MAX
            with suppress(ConnectionError):  # it may come before what was sent in vain makes it be lost
                assert told(await reader.read())[0] == 431
            writer.close()
            assert not it.connections

    run(scenario)


def test_a_caller_that_waits_for_the_word_gets_it_when_its_body_is_wanted() -> None:
    async def scenario() -> None:
        async with served() as it:
            asking = POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
            answer, _ = await it.ask(asking, b"a")
            assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")

    run(scenario)


def test_an_answer_given_before_the_body_came_is_seen() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"no", 413)

    async def scenario() -> None:
        async with served(refuse) as it:
            parts = [POST + b"Content-Length: 600000\r\n\r\n", *[b"x" * 60_000] * 10, CALL]
            answers, is_over = await it.ask(*parts, wait_s=0.5)
            assert [told(b"HTTP/1.1" + one) for one in answers.split(b"HTTP/1.1")[1:]] == [(413, b"no")] * 2
            assert not is_over

    run(scenario)


def test_a_large_body_waits_at_the_caller_until_it_is_read() -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def read_slowly(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        more = True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            more = message["more_body"]
        await answer(send, b"")

    async def scenario() -> None:
        size = 32 * 1024 * 1024
        async with served(read_slowly) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            await asyncio.sleep(0.2)
            (caller,) = it.connections
            assert len(caller.cycle.body) <= UNREAD_MAX
            go_on.set()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()
        assert sum(sizes) == size
        assert max(sizes) <= UNREAD_MAX

    run(scenario)


async def count_up(scope: Any, receive: Any, send: Any) -> None:
    """A stream until the caller is gone."""
    gone = asyncio.ensure_future(_disconnected(receive))
    await send(OK)
    number = 0
    while not gone.done():
        await send({"type": "http.response.body", "body": b"%d," % number, "more_body": True})
        number += 1
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_a_stream_goes_on_until_its_listener_hangs_up() -> None:
    async def scenario() -> None:
        async with served(count_up) as it:
            answer, is_over = await it.ask(CALL)
            assert told(answer)[1].startswith(b"2\r\n0,\r\n2\r\n1,\r\n")
            assert not is_over
            _, is_over = await it.ask(CALL, is_half_closed=True, wait_s=10.0)
            assert is_over
            while it.connections or it.server.server_state.tasks:
                await asyncio.sleep(0.005)

    run(scenario)


def test_a_listener_that_does_not_take_what_is_written_is_waited_for() -> None:
    written = [0]

    async def pour(scope: Any, receive: Any, send: Any) -> None:
        await send(OK)
        while written[0] < 64 * 1024 * 1024:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            written[0] += 65_536

    async def scenario() -> None:
        async with served(pour) as it:
            _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1024)
            writer.write(b"GET /s" + HOST + b"\r\n")
            await asyncio.sleep(0.3)
            assert 0 < written[0] < 32 * 1024 * 1024
            writer.transport.abort()
            while it.connections:
                await asyncio.sleep(0.005)

    run(scenario)


def test_who_asks_on_and_takes_no_answer_is_not_answered_into_memory_and_is_let_go() -> None:
    asked = [0]

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x" * 1024 * 1024)
        asked[0] += 1

    async def scenario() -> None:
        async with served(large, idle_s=1) as it:
            _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1024)
            writer.write(CALL * CALLS_AHEAD_MAX)
            await asyncio.sleep(0.2)
            assert 0 < asked[0] < 50
            assert it.connections
            while it.connections:
                await asyncio.sleep(0.005)
            writer.transport.abort()
            assert len(told((await it.ask(CALL))[0])[1]) == 1024 * 1024

    run(scenario)


def test_an_answer_broken_off_is_not_taken_for_a_whole_one_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"half"
        raise ValueError("of 430502198001010011")

    async def break_off(call: Call) -> Answer:
        return Answer(200, chunks=chunks())

    reports: list[tuple[str, str]] = []
    app = Application(
        [Route(method="GET", path="/a", handler=break_off, roles=None)],
        parse_tokens([]),
        lambda: 0.0,
        report=lambda path, error: reports.append((path, type(error).__name__)),
    )

    async def scenario() -> None:
        async with served(app) as it:
            answer, is_over = await it.ask(CALL, wait_s=10.0)
            assert is_over
            assert answer.endswith(b"4\r\nhalf\r\n")
            assert b"\r\nserver:" not in answer.lower()
        assert reports == [("/a", "ValueError")]
        assert "430502198001010011" not in caplog.text

    run(scenario)


def test_who_comes_when_the_house_is_full_is_let_go_and_the_others_are_not() -> None:
    async def scenario() -> None:
        async with served(connections_max=2) as it:
            held = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert await it.ask(CALL) == (b"", True)
            held[0][1].write(CALL)
            assert (await held[0][0].readuntil(b"GET /a?|")).startswith(b"HTTP/1.1 200 OK")
            held[0][1].close()
            await asyncio.sleep(0.05)
            assert told((await it.ask(CALL))[0]) == (200, b"GET /a?|")
            held[1][1].close()

    run(scenario)


def test_idle_and_dawdling_callers_are_let_go_and_those_under_way_are_not() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["raw_path"] == b"/a":
            await asyncio.sleep(2.5)
        await answer(send, b"")

    async def ends_within(it: Served, begin: bytes, drop: bytes) -> float:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        begun_s = loop.time()
        writer.write(begin)
        while not reader.at_eof() and loop.time() < begun_s + 10:
            writer.write(drop)
            with suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(1_000), 0.05)
        writer.close()
        return loop.time() - begun_s

    async def scenario() -> None:
        async with served(slow, idle_s=1) as it:
            *ends_s, (answer, is_over) = await asyncio.gather(
                ends_within(it, b"", b""),  # says nothing
                ends_within(it, b"GET /", b"x"),  # a head
                ends_within(it, POST + b"Content-Length: 900\r\n\r\n", b"x"),  # a body that was answered already
                ends_within(it, b"GET /x" + HOST + b"\r\n", b""),  # no next call
                it.ask(CALL, wait_s=10.0),
            )
            assert [end_s for end_s in ends_s if not 0.9 < end_s < 2.0] == []
            assert (told(answer), is_over) == ((200, b""), True)

    run(scenario)


def test_a_listener_that_takes_nothing_does_not_hold_its_place() -> None:
    async def give_up(scope: Any, receive: Any, send: Any) -> None:
        await send(OK)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while True:
                    await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})

    async def scenario() -> None:
        async with served(give_up, idle_s=1) as it:
            _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1024)
            writer.write(CALL)
            await asyncio.sleep(0.5)
            assert len(it.connections) == 1
            await asyncio.sleep(2.0)
            assert not it.connections
            writer.transport.abort()

    run(scenario)


def test_the_end_does_not_wait_for_a_call_without_end() -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with served(endless) as it:
            asked = asyncio.create_task(it.ask(CALL, wait_s=10.0))
            await asyncio.sleep(0.1)
            begun_s = asyncio.get_running_loop().time()
            await it.server.close()
            assert asyncio.get_running_loop().time() - begun_s < 2.0
            answer, is_over = await asked
            assert (told(answer)[0], is_over) == (500, True)

    run(scenario)


def test_at_the_end_a_call_under_way_is_answered_and_nobody_new_is_taken() -> None:
    is_under_way = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        is_under_way.set()
        await asyncio.sleep(0.2)
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with served(slow) as it:
            asked = asyncio.create_task(it.ask(CALL, wait_s=10.0))
            idle = asyncio.create_task(it.ask(b"", wait_s=10.0))
            await is_under_way.wait()
            await it.server.close()
            answer, is_over = await asked
            assert (told(answer), is_over) == ((200, b"GET /a?|"), True)
            assert b"connection: close" in answer
            assert await idle == (b"", True)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", it.port)

    run(scenario)
