"""Odd bytes over a real connection: each is answered as described, never with a 500, and slow callers are let go."""

import asyncio
import json
from collections.abc import Sequence
from typing import NamedTuple

import httpx
import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.topology import Topics
from tests.connectors.http.fakes import HOSPITAL, authorization
from tests.streams.test_api import ApprovingLane, serve

GOOD = json.dumps(authorization(answer_within_ms=10_000)).encode()
HEAD = b"HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
ONE = b"/v1/authorizations/%b?psn_no=%b&fixmedins_code=" + HOSPITAL.encode()
STREAM = b"/v1/alerts/stream"


class Odd(NamedTuple):
    """What is sent, and how it must be answered."""

    name: str
    raw: bytes
    status: int
    code: str | None = None


def post(body: bytes, *lines: bytes, path: bytes = b"/v1/authorizations", auth: bytes = b"Bearer all") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"POST %b %b%b\r\n\r\n%b" % (path, HEAD, b"\r\n".join((length, b"Authorization: " + auth, *lines)), body)


def get(path: bytes, *lines: bytes) -> bytes:
    return b"GET %b %b%b\r\n\r\n" % (path, HEAD, b"\r\n".join((b"Authorization: Bearer all", *lines)))


def with_own(value: bytes) -> bytes:
    """A field of the caller's own, which nobody here reads."""
    return GOOD.replace(b"{", b'{"x_a":%b,' % value, 1)


def chunked(*chunks: bytes) -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    head = b"POST /v1/authorizations %bAuthorization: Bearer all\r\nTransfer-Encoding: chunked\r\n\r\n" % HEAD
    return head + coded


ODD: Sequence[Odd] = [
    Odd("another content type", post(GOOD, b"Content-Type: text/html"), 200),
    Odd("no sense in the content type", post(GOOD, b"Content-Type: \xff\xfe;;;=="), 200),
    Odd("two tokens", post(GOOD, b"Authorization: Bearer all"), 401, "UNAUTHENTICATED"),
    Odd("bytes for a token", post(GOOD, auth=b"Bearer \xff\xfe"), 401, "UNAUTHENTICATED"),
    Odd("30 KB of token", post(GOOD, auth=b"Bearer " + b"x" * 30_000), 401, "UNAUTHENTICATED"),
    Odd("two lengths", post(GOOD, b"Content-Length: 3"), 400),
    Odd("utf-16", post(GOOD.decode().encode("utf-16")), 400, "MALFORMED"),
    Odd("a byte order mark", post(b"\xef\xbb\xbf" + GOOD), 400, "MALFORMED"),
    Odd("NUL in a code", post(GOOD.replace(b"M1", b"M\\u0000")), 400, "FIELD_INVALID"),
    Odd("a bare NUL", post(GOOD.replace(b"M1", b"M\x00")), 400, "MALFORMED"),
    Odd("half a surrogate pair", post(GOOD.replace(b"M1", b"\\ud800")), 400, "MALFORMED"),
    Odd("half a pair in an own field", post(with_own(b'"\\ud800"')), 400, "MALFORMED"),
    Odd("an own field too deep", post(with_own(b"[" * 20_000 + b"]" * 20_000)), 400, "MALFORMED"),
    Odd("5,000 digits", post(GOOD.replace(b": 5000,", b":" + b"9" * 5_000 + b",")), 400, "FIELD_INVALID"),
    Odd("a power of ten", post(GOOD.replace(b": 5000,", b":5e3,")), 400, "FIELD_INVALID"),
    Odd("in chunks", chunked(GOOD[:10], GOOD[10:]), 200),
    Odd("too large, in chunks", chunked(*[b" " * 0x8000] * 4), 413, "TOO_LARGE"),
    Odd("no UTF-8 in a path", get(ONE % (b"%ff", b"1")), 503, "STATE_AWAY"),
    Odd("a surrogate in a path", get(ONE % (b"%ED%A0%80", b"1")), 503, "STATE_AWAY"),
    Odd("NUL in a query", get(ONE % (b"A", b"%00")), 503, "STATE_AWAY"),
    Odd("60 KB of query", get(ONE % (b"A", b"1" * 60_000)), 400, "FIELD_INVALID"),
    Odd("a number twice", get(ONE % (b"A", b"1&psn_no=2")), 400, "FIELD_INVALID"),
    Odd("a digit that is none", get(STREAM + b"?recent=%C2%B2"), 400, "FIELD_INVALID"),
    Odd("5,000 digits of recent", get(STREAM + b"?recent=" + b"9" * 5_000), 400, "FIELD_INVALID"),
    Odd("a position that is none", get(STREAM, b"Last-Event-ID: -7:-9"), 400, "FIELD_INVALID"),
    Odd("a position of 5,000 digits", get(STREAM, b"Last-Event-ID: 0:" + b"9" * 5_000), 400, "FIELD_INVALID"),
    Odd("bytes for a position", get(STREAM, b"Last-Event-ID: \xff\xfe"), 400, "FIELD_INVALID"),
    Odd("another method", b"PROPFIND /v1/events %b\r\n" % HEAD, 405, "METHOD_NOT_ALLOWED"),
    Odd("a method of its own", b"BREW /v1/livez %b\r\n" % HEAD, 400),  # no request to the library that reads them
    Odd(
        "a profile by RFC 2231", post(b"{}", b"Content-Type: a/b; profile*=x", path=b"/v1/events"), 400, "FIELD_INVALID"
    ),
    Odd("lines of NUL and halves", post(b'{"a":"\\u0000"}\n\x00\n{"psn_no":"\\ud800"}', path=b"/v1/events"), 200),
    Odd("lines of huge numbers", post(b'{"event_id":%b}\n[1e999999999]' % (b"9" * 5_000), path=b"/v1/events"), 200),
    Odd("lines too deep", post(b'{"x_a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", path=b"/v1/events"), 200),
]


async def answer_to(client: httpx.AsyncClient, raw: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body of what comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(raw)
    async with asyncio.timeout(20):
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1] if head else 0), head, body


def test_odd_bytes_are_answered_as_described(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        for odd in ODD:
            status, head, body = await answer_to(client, odd.raw)
            assert status == odd.status, (odd.name, status, body)
            if odd.code is not None:
                assert b"content-type: application/problem+json" in head, (odd.name, head)
                assert json.loads(body)["code"] == odd.code, (odd.name, body)
            elif b"/v1/events" in odd.raw:
                assert {result["result"] for result in json.loads(body)["results"]} == {"refused"}, odd.name

    serve(mock_kafka, redis_62, topics, scenario)
    assert not [record for record in caplog.records if "a bug answered" in record.message]


def test_a_caller_that_says_nothing_or_half_is_let_go(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.api.IDLE_MS", 300)

    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        kept = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        answers = await asyncio.gather(*(answer_to(client, raw) for raw in (b"", kept[:-2], kept)))
        assert [status for status, _, _ in answers] == [0, 0, 200]

    serve(mock_kafka, redis_62, topics, scenario)
