"""`POST /v1/events`: facts in, one result per line out, after Kafka acknowledged. Paced for the sake of checkout."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from time import monotonic
from typing import Protocol

from connectors.deadletters import Form
from connectors.errors import ConnectorError
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.problem import Problem
from connectors.intake import BODY_BYTES_MAX, LineResult, Sender, split_lines

CHUNK_LINES = 500
ROOM_POLL_S = 0.01
ROOM_WAIT_MAX_S = 1.0
BYTES_MAX = 128 * 1024 * 1024  # of bodies under way, ours: sixteen of the largest
RETRY_AFTER_S = 2


class Intake(Protocol):
    """The one way in (connectors/intake.py), as this call uses it."""

    def take(
        self, lines: Iterable[tuple[int, bytes]], sender: Sender, form: Form, origin: str, *, asked_s: float | None
    ) -> list[LineResult]:
        """Judge, append, wait for the acknowledgements; from a thread. ConnectorError, some time after `asked_s`."""

    def has_room(self) -> bool:
        """Whether the lanes keep up."""


class Events:
    """The call."""

    def __init__(self, intake: Intake, monotonic_s: Callable[[], float]) -> None:
        self._intake = intake
        self._monotonic_s = monotonic_s
        self._bytes = 0
        self._asking = 0
        self._is_away = False

    @contextmanager
    def room(self, headers: Mapping[bytes, bytes]) -> Iterator[None]:
        """Room for one call. While Kafka is away one call at a time asks whether it is back; bodies do not pile up."""
        if self._is_away and self._asking:
            raise Problem("LOG_AWAY", retry_after_s=RETRY_AFTER_S)
        said = headers.get(b"content-length", b"")
        size = min(int(said), BODY_BYTES_MAX) if said.isdigit() else BODY_BYTES_MAX
        if self._bytes + size > BYTES_MAX:
            raise Problem("OVERLOADED", retry_after_s=RETRY_AFTER_S)
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    async def post(self, call: Call) -> Answer:
        """Take the lines in order. A line that is refused stops no other; blank lines have no result."""
        form = _form(call.headers.get(b"content-type", b"").decode("latin-1"))
        token = call.token
        sender = Sender(token.name, token.event_types, token.institutions, token.bank_code)
        lines = list(split_lines(call.body))
        results: list[dict[str, object]] = []
        for first in range(0, len(lines), CHUNK_LINES):
            chunk = lines[first : first + CHUNK_LINES]
            await self._wait_for_room()
            taken = await self._take(chunk, sender, form, f"http:{token.name}")
            results += [{"event_id": None, **result.wire()} for result in taken]
        return json_answer(200, {"results": results})

    async def _take(self, chunk: list[tuple[int, bytes]], sender: Sender, form: Form, origin: str) -> list[LineResult]:
        """In a thread, of which there are few: the time that a call waits for one is part of its time."""
        self._asking += 1
        try:
            taken = await asyncio.to_thread(self._intake.take, chunk, sender, form, origin, asked_s=monotonic())
        except ConnectorError as error:
            self._is_away = error.retryable
            # Lines sent again keep their event_id: what was appended after all is counted as a duplicate.
            raise Problem("LOG_AWAY", retry_after_s=RETRY_AFTER_S) from None
        finally:
            self._asking -= 1
        self._is_away = False
        return taken

    async def _wait_for_room(self) -> None:
        """Wait while lanes are behind, but not for ever: a lane that cannot keep up must not stop the facts."""
        deadline_s = self._monotonic_s() + ROOM_WAIT_MAX_S
        while not self._intake.has_room() and self._monotonic_s() < deadline_s:
            await asyncio.sleep(ROOM_POLL_S)


def _form(content_type: str) -> Form:
    header = Message()
    header["content-type"] = content_type or "application/x-ndjson"
    match header.get_param("profile", "canonical"):
        case "canonical":
            return "canonical"
        case "national":
            return "national"
    raise Problem("FIELD_INVALID", "Content-Type", why="profile must be canonical or national")
