"""The HTTP/1.1 server over real sockets: what is a request, what is none, and how connections end."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from connectors.http import connection
from connectors.http.server import HttpServer

HOST = b" HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /x" + HOST
App = Callable[..., Awaitable[None]]
OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with method, path, query and body."""
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send(OK)
    told = b"%b %b?%b|%b" % (scope["method"].encode(), scope["raw_path"], scope["query_string"], body)
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else told})


class Served:
    """A server with an application, and what it reported."""

    def __init__(self, app: App, idle_s: float, connections_max: int) -> None:
        self.reports: list[str] = []
        self.server = HttpServer(app, idle_s=idle_s, connections_max=connections_max, report=self.reports.append)
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
        finally:
            writer.close()


@asynccontextmanager
async def served(app: App = echo, *, idle_s: float = 30.0, connections_max: int = 64) -> AsyncIterator[Served]:
    it = Served(app, idle_s, connections_max)
    try:
        yield it
    finally:
        await it.server.close(1.0)


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
    ("HTTP/1.0 that stays", b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET /a?|", False),
    ("no host", b"GET /a HTTP/1.1\r\n\r\n", b"GET /a?|", False),
    ("empty lines before", b"\r\n\r\nGET /a" + HOST + b"\r\n", b"GET /a?|", False),
    ("a host in the target", b"GET http://h/a?b" + HOST + b"\r\n", b"GET /a?b|", False),
    ("only a host in the target", b"GET http://h" + HOST + b"\r\n", b"GET /?|", False),
    ("a method of its own", b"BREW /a" + HOST + b"\r\n", b"BREW /a?|", False),
    ("bytes in the target", b"GET /\xc3\xa9" + HOST + b"\r\n", b"GET /\xc3\xa9?|", False),
    ("a body", POST + b"Content-Length: 3\r\n\r\nabc", b"POST /x?|abc", False),
    ("the same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"POST /x?|abc", False),
    ("a body nobody reads", b"GET /a" + HOST + b"Content-Length: 5\r\n\r\nhello", b"GET /a?|", False),
    ("chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\n\r\n",
     b"POST /x?|abc0123456789", False),
    ("chunks and trailers", POST + b"transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n",
     b"POST /x?|a", False),
    ("a header line of 300 KB", b"GET /a" + HOST + b"A: " + b"x" * 300_000 + b"\r\n\r\n", b"GET /a?|", False),
]  # fmt: skip

NONE = [  # what is sent, the status
    ("no request line", b"GARBAGE\r\n\r\n", 400),
    ("another protocol", b"GET /a HTTP/3.0\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("two spaces", b"GET  /a" + HOST + b"\r\n", 400),
    ("no target", b"GET " + HOST + b"\r\n", 400),
    ("a tab in the target", b"GET /a\tb" + HOST + b"\r\n", 400),
    ("a control character in the target", b"GET /a\x01" + HOST + b"\r\n", 400),
    ("no method", b" /a" + HOST + b"\r\n", 400),
    ("a method that is no word", b"G(T /a" + HOST + b"\r\n", 400),
    ("a folded header", b"GET /a" + HOST + b"A: b\r\n c\r\n\r\n", 400),
    ("a space before the colon", b"GET /a" + HOST + b"A : b\r\n\r\n", 400),
    ("no colon", b"GET /a" + HOST + b"A\r\n\r\n", 400),
    ("no name", b"GET /a" + HOST + b": b\r\n\r\n", 400),
    ("NUL", b"GET /a" + HOST + b"A: b\0\r\n\r\n", 400),
    ("a line feed alone", b"GET /a" + HOST + b"A: b\nC: d\r\n\r\n", 400),
    ("a carriage return alone", b"GET /a" + HOST + b"A: b\rC: d\r\n\r\n", 400),
    ("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    ("a signed length", POST + b"Content-Length: +3\r\n\r\nabc", 400),
    ("an endless length", POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    ("an empty length", POST + b"Content-Length:\r\n\r\n", 400),
    ("a length and chunks", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("another coding", POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    ("chunked twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunks in HTTP/1.0", b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("a chunk of no size", POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
    ("a chunk of a signed size", POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", 400),
    ("a chunk of 0x size", POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    ("a chunk longer than it says", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ("a line feed after a size", POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400),
    ("a size line without end", POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 5_000, 400),
    ("101 headers", b"GET /a" + HOST + b"A: b\r\n" * 101 + b"\r\n", 431),
    ("a head of 600 KB", b"GET /a" + HOST + b"A: " + b"x" * 600_000 + b"\r\n\r\n", 431),
    ("a target of 70 KB", b"GET /" + b"x" * 70_000 + HOST + b"\r\n", 414),
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
            answers = await asyncio.gather(*(it.ask(raw, wait_s=10.0) for _, raw, _ in NONE))
        for (name, _, status), (answer, is_over) in zip(NONE, answers, strict=True):
            assert told(answer) == (status, b""), (name, answer)
            assert is_over, name
            assert answer.count(b"HTTP/1.1") == 1, (name, answer)

    run(scenario)


@pytest.mark.parametrize("number", [10, 13, 14])
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
            one, two = POST + b"Content-Length: 1\r\n\r\n1", b"GET /2" + HOST + b"\r\n"
            answer, is_over = await it.ask(one + two + b"GARBAGE\r\n\r\n", wait_s=10.0)
            assert answer.index(b"POST /x?|1") < answer.index(b"GET /2?|") < answer.index(b"400 Bad Request")
            assert is_over

    run(scenario)


def test_a_caller_that_waits_for_the_word_gets_it_when_its_body_is_wanted() -> None:
    async def scenario() -> None:
        async with served() as it:
            asking = POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
            answer, _ = await it.ask(asking, b"a")
            assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
            answer, _ = await it.ask(asking + b"a")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    run(scenario)


def test_an_answer_given_before_the_body_came_is_seen_and_ends_the_connection() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def scenario() -> None:
        async with served(refuse) as it:
            answer, is_over = await it.ask(POST + b"Content-Length: 900000\r\n\r\n", *[b"x" * 60_000] * 10, wait_s=10.0)
            assert (told(answer), is_over) == ((413, b"no"), True)
            assert b"connection: close" in answer

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
        await send(OK)
        await send({"type": "http.response.body", "body": b""})

    async def scenario() -> None:
        size = 32 * 1024 * 1024
        async with served(read_slowly) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            await asyncio.sleep(0.2)
            (caller,) = it.server.connections
            assert len(caller.buffer) <= connection.UNREAD_MAX
            go_on.set()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()
        assert sum(sizes) == size
        assert max(sizes) <= 2 * connection.UNREAD_MAX

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
            for version, first in ((b"1.1", b"2\r\n0,\r\n2\r\n1,\r\n"), (b"1.0", b"0,1,")):
                answer, is_over = await it.ask(b"GET /s HTTP/%b\r\n\r\n" % version)
                assert told(answer)[1].startswith(first)
                assert not is_over
                _, is_over = await it.ask(b"GET /s HTTP/%b\r\n\r\n" % version, b"", is_half_closed=True, wait_s=10.0)
                assert is_over
            while it.server.connections:
                await asyncio.sleep(0.005)
        assert it.reports == []

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
            while it.server.connections:
                await asyncio.sleep(0.005)

    run(scenario)


def test_who_asks_on_and_takes_no_answer_is_not_answered_into_memory_and_is_let_go() -> None:
    asked = [0]

    async def large(scope: Any, receive: Any, send: Any) -> None:
        asked[0] += 1
        await send(OK)
        await send({"type": "http.response.body", "body": b"x" * 1024 * 1024})

    async def scenario() -> None:
        async with served(large, idle_s=0.5) as it:
            _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1024)
            writer.write((b"GET /a" + HOST + b"\r\n") * 1_000)
            await asyncio.sleep(0.2)
            assert 0 < asked[0] < 50
            while it.server.connections:
                await asyncio.sleep(0.005)
            writer.transport.abort()
            assert asked[0] < 50
            answer, _ = await it.ask(b"GET /a" + HOST + b"\r\n")
            assert len(told(answer)[1]) == 1024 * 1024

    run(scenario)


def test_an_answer_broken_off_is_not_taken_for_a_whole_one() -> None:
    async def break_off(scope: Any, receive: Any, send: Any) -> None:
        await send(OK)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("broken")

    async def scenario() -> None:
        async with served(break_off) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(b"GET /s" + HOST + b"\r\n")
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readuntil(b"0\r\n\r\n")
            writer.close()
        assert it.reports == ["a call was broken off: ValueError('broken')"]

    run(scenario)


def test_who_comes_when_the_house_is_full_waits_until_somebody_leaves() -> None:
    async def scenario() -> None:
        async with served(connections_max=2) as it:
            held = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert (await it.ask(b"GET /a" + HOST + b"\r\n", within_s=0.3))[0] == b""
            held[0][1].close()
            answer, _ = await it.ask(b"GET /a" + HOST + b"\r\n")
            assert told(answer) == (200, b"GET /a?|")
            held[1][1].close()
            for _ in range(20):  # one place is free each time, also for whoever comes as another leaves
                answers = await asyncio.gather(*(it.ask(b"GET /a" + HOST + b"\r\n", wait_s=0.0) for _ in range(5)))
                assert {told(answer) for answer, _ in answers} == {(200, b"GET /a?|")}

    run(scenario)


def test_idle_callers_are_let_go_and_those_under_way_are_not() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with served(slow, idle_s=0.2) as it:
            whole = b"GET /a" + HOST + b"\r\n"
            answers = await asyncio.gather(*(it.ask(raw, wait_s=10.0) for raw in (b"", whole[:-2], whole)))
            assert [(told(answer)[0], is_over) for answer, is_over in answers] == [(0, True), (0, True), (200, True)]

    run(scenario)


def test_at_the_end_a_call_under_way_is_answered_and_nobody_new_is_taken() -> None:
    is_under_way = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        is_under_way.set()
        await asyncio.sleep(0.2)
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with served(slow) as it:
            asked = asyncio.create_task(it.ask(b"GET /a" + HOST + b"\r\n", wait_s=10.0))
            idle = asyncio.create_task(it.ask(b"", wait_s=10.0))
            await is_under_way.wait()
            await it.server.close(2.0)
            answer, is_over = await asked
            assert (told(answer), is_over) == ((200, b"GET /a?|"), True)
            assert b"connection: close" in answer
            assert await idle == (b"", True)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", it.port)

    run(scenario)


def test_a_caller_that_has_said_everything_is_answered_still() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with served(slow) as it:
            answer, is_over = await it.ask(b"GET /a" + HOST + b"\r\n", is_half_closed=True, wait_s=10.0)
            assert (told(answer), is_over) == ((200, b"GET /a?|"), True)

    run(scenario)
