"""The stream as a caller of the ASGI application sees it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from connectors.http.alert_feed import Positions, Published
from connectors.http.alerts import AlertStream
from connectors.http.asgi import Application, Route
from connectors.http.routes import MAY_LOOK
from connectors.http.tokens import parse_tokens
from tests.connectors.http.fakes import TOKENS, now_s


class FakeFeed:
    """Two alerts and a beat, then silence."""

    def __init__(self) -> None:
        self.asked: list[tuple[Positions | None, int]] = []
        self.closed = False

    async def follow(
        self, after: Positions | None, recent: int, beat_s: float
    ) -> AsyncGenerator[tuple[Positions, Published | None], None]:
        self.asked.append((after, recent))
        try:
            yield {0: 4, 1: 7}, Published(1, 7, {"alert_id": "al_1", "rule_id": "P03"})
            yield {0: 5, 1: 7}, None
            while True:
                await asyncio.sleep(0.001)
                yield {0: 5, 1: 7}, None
        finally:
            self.closed = True


async def stream(feed: FakeFeed, token: str, chunks: int, **headers: str) -> list[bytes]:
    """Call the application as a server does: an empty body first, a disconnect after some chunks."""
    route = Route(method="GET", path="/s", handler=AlertStream(feed).stream, roles=MAY_LOOK)  # type: ignore[arg-type]
    app = Application([route], parse_tokens(TOKENS), now_s)
    sent: list[bytes] = []
    enough = asyncio.Event()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
        if len(sent) >= chunks:
            enough.set()

    given = [(b"authorization", f"Bearer {token}".encode())]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/s", "query_string": b"recent=3", "headers": given}
    async with asyncio.timeout(60):
        await app(scope, receive, send)
    return sent


def test_alerts_are_events_with_positions_until_the_listener_leaves() -> None:
    async def scenario() -> None:
        feed = FakeFeed()
        sent = await stream(feed, "audit", 3)
        assert sent[0] == b"retry: 2000\n: open\n\n"
        name, event, data = sent[1].decode().strip().split("\n")
        assert (name, event) == ("id: 0:4,1:7", "event: alert")
        assert orjson.loads(data.removeprefix("data: ")) == {"alert_id": "al_1", "rule_id": "P03"}
        assert sent[2] == b": alive\nid: 0:5,1:7\n\n"
        assert feed.asked == [(None, 3)]
        assert feed.closed

    asyncio.run(scenario())


def test_what_a_token_may_not_see_is_not_sent_but_its_position_is_passed() -> None:
    async def scenario() -> None:
        sent = await stream(FakeFeed(), "hospital", 2)
        assert sent[1] == b": alive\nid: 0:5,1:7\n\n"

    asyncio.run(scenario())


def test_a_listener_resumes_after_the_id_it_saw_last() -> None:
    async def scenario() -> None:
        feed = FakeFeed()
        await stream(feed, "audit", 2, last_event_id="0:3,1:7")
        assert feed.asked == [({0: 3, 1: 7}, 3)]

    asyncio.run(scenario())


def test_a_listener_that_is_there_and_does_not_read_gives_up_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http.asgi.CHUNK_WITHIN_S", 0.02)

    async def scenario() -> None:
        feed = FakeFeed()
        route = Route(method="GET", path="/s", handler=AlertStream(feed).stream, roles=MAY_LOOK)  # type: ignore[arg-type]
        app = Application([route], parse_tokens(TOKENS), now_s)

        async def receive() -> dict[str, Any]:
            return await asyncio.Event().wait()  # type: ignore[return-value]

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body" and b"al_1" in message["body"]:
                await asyncio.Event().wait()

        headers = [(b"authorization", b"Bearer audit")]
        async with asyncio.timeout(20):
            scope = {"type": "http", "method": "GET", "path": "/s", "query_string": b"", "headers": headers}
            await app(scope, receive, send)
        assert feed.closed

    asyncio.run(scenario())
