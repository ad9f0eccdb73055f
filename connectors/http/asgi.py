"""The ASGI application: finds the route, checks the token, reads the body, calls, answers. It knows no business."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import orjson

from connectors.http.problem import Problem
from connectors.http.rate_limit import RateLimit
from connectors.http.shedding import Kind, Limits, Shedding
from connectors.http.tokens import Token, TokenTable

Header = tuple[bytes, bytes]
JSON: list[Header] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
BODY_MAX = 64 * 1024
CHUNK_WITHIN_S = 30.0  # for a listener to take one piece of a stream; places for listeners are few
BODY_WITHIN_S = 5.0  # a call is in flight while its body comes: whoever dawdles keeps others out
WHOLE_BODY = "xinmai.whole_body"  # in a scope's state: `receive` answers at once (connectors/http/server.py)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Call(NamedTuple):
    """One call whose token may make it."""

    token: Token
    ids: Sequence[str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    arrived_s: float


class Answer(NamedTuple):
    """One answer; `chunks` instead of `body` for a stream."""

    status: int
    body: bytes = b""
    headers: Sequence[Header] = JSON
    chunks: AsyncGenerator[bytes, None] | None = None


def _refusal(problem: Problem) -> Answer:
    return Answer(problem.status, problem.body(), problem.headers)


def json_answer(status: int, body: object) -> Answer:
    """`body` as JSON."""
    return Answer(status, orjson.dumps(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call: `roles` None is open to everyone; `{id}` in `path` matches one segment."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    roles: frozenset[str] | None = frozenset()
    body_max: int = BODY_MAX
    body_within_s: float = BODY_WITHIN_S
    kind: Kind = Kind.OTHER
    room: Callable[[Mapping[bytes, bytes]], AbstractContextManager[object]] = nullcontext
    """By the call's headers: what it holds from before its body is read until it is answered. Problem: none left."""


class Application:
    """The ASGI callable. `note(route path, status, seconds)` hears of each call; `rate_per_s` is a token's else."""

    def __init__(
        self,
        routes: Sequence[Route],
        tokens: TokenTable,
        clock: Callable[[], float],
        *,
        shedding: Shedding | None = None,
        rate_per_s: float | None = None,
        note: Callable[[str, int, float], None] = lambda path, status, seconds: None,
        report: Callable[[str, BaseException], None] = lambda path, error: None,
    ) -> None:
        self._routes: dict[tuple[str, ...], dict[str, Route]] = {}
        for route in routes:
            self._routes.setdefault(tuple(route.path.split("/")[1:]), {})[route.method] = route
        self._plain = {
            route.path.encode(): self._routes[tuple(route.path.split("/")[1:])]
            for route in routes
            if "{" not in route.path
        }
        self._tokens = tokens
        self._clock = clock
        self._shedding = shedding or Shedding(Limits())
        self._rate_per_s = rate_per_s
        self._rate_limit = RateLimit()
        self._note = note
        self._report = report
        self.in_flight = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        arrived_s = self._clock()
        path = "?"
        self.in_flight += 1
        try:
            route, ids = self._find(scope)
            path = route.path
            answer = await self._answer(route, ids, scope, receive, arrived_s=arrived_s)
        except Problem as problem:
            answer = _refusal(problem)
        except Exception as error:
            self._report(path, error)
            answer = _refusal(Problem("INTERNAL"))
        finally:
            self.in_flight -= 1
        self._note(path, answer.status, self._clock() - arrived_s)
        try:
            await _send(answer, scope["method"], receive, send)
        except Exception as error:
            self._report(path, error)  # and the server hangs up: half an answer is none

    async def _answer(
        self, route: Route, ids: Sequence[str], scope: Mapping[str, Any], receive: Receive, *, arrived_s: float
    ) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if len(headers) < len(scope["headers"]) and sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
            raise Problem("UNAUTHENTICATED")  # who was asked before us may have read the other one
        token = _NOBODY
        if route.roles is not None:
            token = self._tokens.of(headers.get(b"authorization", b""))
            if not token.roles & route.roles:
                raise Problem("FORBIDDEN_ROLE")
            rate_per_s = self._rate_per_s if token.rate_per_s is None else token.rate_per_s
            self._rate_limit.take(token.name, rate_per_s, arrived_s)
        if route.roles is not None or route.method == "POST":  # probes are answered whatever comes
            self._shedding.check_process(route.kind, self.in_flight, arrived_s)
        with route.room(headers):
            body = b""
            if route.method == "POST":
                body = await _read_within(scope, receive, headers, route)
            query = _query(scope["query_string"])
            return await route.handler(Call(token, ids, query, headers, body, arrived_s))

    def _find(self, scope: Mapping[str, Any]) -> tuple[Route, Sequence[str]]:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        ids: tuple[str, ...] = ()
        methods = self._plain.get(raw)
        if methods is None:
            segments = tuple(raw.decode("latin-1").partition("?")[0].split("/")[1:])
            methods = None if "{id}" in segments else self._routes.get(segments)  # said literally, it is an id
            if methods is None and len(segments) >= 3:
                methods = self._routes.get((*segments[:2], "{id}", *segments[3:]))
                ids = (unquote(segments[2]),)
        if methods is None or ids == ("",):
            raise Problem("NOT_FOUND")
        route = methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if route is None:
            raise Problem("METHOD_NOT_ALLOWED", allow=methods)
        return route, ids


_NOBODY = Token(name="", roles=frozenset(), event_types=frozenset(), institutions=frozenset())


def _query(raw: bytes) -> dict[str, str]:
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True) if raw else []
    query = dict(pairs)
    if len(query) < len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise Problem("FIELD_INVALID", twice[:64], why="given twice")
    return query


async def _read_within(
    scope: Mapping[str, Any], receive: Receive, headers: Mapping[bytes, bytes], route: Route
) -> bytes:
    """The whole body; most come with their head, and need no timer."""
    if WHOLE_BODY in scope.get("state", ()):
        return await _read(receive, headers, route.body_max)
    try:
        async with asyncio.timeout(route.body_within_s):
            return await _read(receive, headers, route.body_max)
    except TimeoutError:
        raise Problem("BODY_LATE", why=str(route.body_within_s)) from None


async def _read(receive: Receive, headers: Mapping[bytes, bytes], size_max: int) -> bytes:
    """The whole body, refused before it is read if it says that it is too large."""
    if headers.get(b"content-length", b"0").isdigit() and int(headers.get(b"content-length", b"0")) > size_max:
        raise Problem("TOO_LARGE", why=str(size_max))
    parts, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("BODY_LATE", why="0")  # nobody reads it
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > size_max:
            raise Problem("TOO_LARGE", why=str(size_max))
        is_more = bool(message.get("more_body"))
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(answer: Answer, method: str, receive: Receive, send: Send) -> None:
    start = {"type": "http.response.start", "status": answer.status}
    if answer.chunks is None:
        length = (b"content-length", b"%d" % len(answer.body))
        await send({**start, "headers": [*answer.headers, length]})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
        return
    await send({**start, "headers": list(answer.headers)})
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async with aclosing(answer.chunks) as chunks:
            async for chunk in chunks:
                if gone.done():
                    return
                async with asyncio.timeout(CHUNK_WITHIN_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        return  # it is there and does not read: it comes again, with the id it saw last
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    """Ends when the caller is gone; the empty body of a GET comes first."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start here: the composition root owns what the calls use (streams/api.py)."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
