"""`POST /v1/events`: facts in, one result per line out, after Kafka acknowledged. Paced for the sake of checkout."""

import asyncio
from collections.abc import Callable, Iterable
from email.message import Message
from typing import Protocol

from connectors.deadletters import Form
from connectors.errors import ConnectorError
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.problem import Problem
from connectors.intake import LineResult, Sender, split_lines

CHUNK_LINES = 500
ROOM_POLL_S = 0.01
ROOM_WAIT_MAX_S = 1.0


class Intake(Protocol):
    """The one way in (connectors/intake.py), as this call uses it."""

    def take(self, lines: Iterable[tuple[int, bytes]], sender: Sender, form: Form, origin: str) -> list[LineResult]:
        """Judge, append, wait for the acknowledgements; from a thread. Raises ConnectorError."""

    def has_room(self) -> bool:
        """Whether the lanes keep up."""


class Events:
    """The call."""

    def __init__(self, intake: Intake, monotonic_s: Callable[[], float]) -> None:
        self._intake = intake
        self._monotonic_s = monotonic_s

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
            try:
                taken = await asyncio.to_thread(self._intake.take, chunk, sender, form, f"http:{token.name}")
            except ConnectorError:
                # Lines sent again keep their event_id: what was appended after all is counted as a duplicate.
                raise Problem("LOG_AWAY", retry_after_s=2) from None
            results += [{"event_id": None, **result.wire()} for result in taken]
        return json_answer(200, {"results": results})

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
