"""`GET /v1/alerts/stream`: the alerts that a token may see, as server-sent events."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from connectors.http.alert_feed import AlertFeed, Positions, format_positions, parse_positions
from connectors.http.asgi import Answer, Call
from connectors.http.masking import masked_alert
from connectors.http.problem import Problem
from connectors.http.tokens import Token

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
RECENT_MAX = 1_000
_RECENT = re.compile(r"[0-9]{1,4}\Z")


class AlertStream:
    """The call; `beat_s` is how long a line may be silent before it says that it lives and where it stands."""

    def __init__(self, feed: AlertFeed, beat_s: float = 10.0) -> None:
        self._feed = feed
        self._beat_s = beat_s

    async def stream(self, call: Call) -> Answer:
        """Every alert after `Last-Event-ID`; without it the `recent` newest (default 0), then what comes."""
        resumed = call.headers.get(b"last-event-id", b"").decode("latin-1") or call.query.get("last_event_id", "")
        after = parse_positions(resumed) if resumed else None
        recent = call.query.get("recent", "0")
        if not _RECENT.match(recent) or int(recent) > RECENT_MAX:
            raise Problem("FIELD_INVALID", "recent", why=f"a whole number up to {RECENT_MAX}")
        return Answer(200, headers=HEADERS, chunks=self._events(call.token, after, int(recent)))

    async def _events(self, token: Token, after: Positions | None, recent: int) -> AsyncGenerator[bytes, None]:
        yield b"retry: 2000\n: open\n\n"
        try:
            async with aclosing(self._feed.follow(after, recent, self._beat_s)) as followed:
                async for at, published in followed:
                    body = None if published is None else seen_alert(token, published.body)
                    position = format_positions(at).encode()
                    if body is not None:
                        yield b"id: %b\nevent: alert\ndata: %b\n\n" % (position, orjson.dumps(body))
                    elif published is None:
                        # An id without data is no event, but listeners resume after it: filtered alerts stay behind.
                        yield b": alive\nid: %b\n\n" % position
        except Problem as problem:
            yield b"event: problem\ndata: %b\n\n" % problem.body()


def seen_alert(token: Token, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """`body` as this token may see it, or None."""
    if token.persons is not None:
        return body if body.get("subject_id") in token.persons else None
    return masked_alert(body, token.institutions) if token.is_masked else body
