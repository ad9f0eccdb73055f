"""`POST /v1/events`: facts in, one result per line out, after Kafka acknowledged. Paced, for checkout's sake."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from email.message import Message
from typing import Any

from confluent_kafka import KafkaException

from connectors.errors import ConnectorError
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.log import LogFull
from connectors.http.problem import Problem
from connectors.http.tokens import Token
from connectors.replies import Pulses

CHUNK_LINES = 500
PACE_AGE_S = 0.05  # a checkout waits behind at most about this much of somebody's bulk
PACE_POLL_S = 0.01
PACE_MAX_S = 1.0
ACKNOWLEDGED_WITHIN_S = 10.0

TakeLines = Callable[[Sequence[bytes], Token, bool], Awaitable[list[dict[str, Any]]]]
"""(lines, who sends, national?) → per line {event_id, result, reason}, once everything accepted is in the log."""


class Events:
    """The call."""

    def __init__(self, take: TakeLines, pulses: Pulses, monotonic_s: Callable[[], float]) -> None:
        self._take = take
        self._pulses = pulses
        self._monotonic_s = monotonic_s

    async def post(self, call: Call) -> Answer:
        """Take the lines in order. A line that is refused stops no other; blank lines are not counted as results."""
        national = _profile(call.headers.get(b"content-type", b"").decode("latin-1")) == "national"
        lines = [(number, line) for number, line in enumerate(call.body.split(b"\n"), 1) if line.strip()]
        results: list[dict[str, Any]] = []
        for first in range(0, len(lines), CHUNK_LINES):
            chunk = lines[first : first + CHUNK_LINES]
            await self._pace()
            taken = await self._taken([line for _, line in chunk], call.token, national)
            results += [{"line": number, **result} for (number, _), result in zip(chunk, taken, strict=True)]
        return json_answer(200, {"results": results})

    async def _taken(self, lines: Sequence[bytes], token: Token, national: bool) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                return await self._take(lines, token, national)
        except (LogFull, KafkaException, ConnectorError, TimeoutError):
            # Lines sent again keep their event_id, so what was appended after all is counted as a duplicate.
            raise Problem("LOG_AWAY", retry_after_s=2) from None

    async def _pace(self) -> None:
        """Wait while a living shard is behind, but not for ever: a lane that cannot keep up must not stop the facts."""
        deadline_s = self._monotonic_s() + PACE_MAX_S
        while (now_s := self._monotonic_s()) < deadline_s:
            ages_s = (self._pulses.record_age_s(shard, now_s) for shard in self._pulses.shards)
            if max(ages_s, default=0.0) <= PACE_AGE_S:
                return
            await asyncio.sleep(PACE_POLL_S)


def _profile(content_type: str) -> str:
    header = Message()
    header["content-type"] = content_type or "application/x-ndjson"
    profile = header.get_param("profile", "canonical")
    if profile not in ("canonical", "national"):
        raise Problem("FIELD_INVALID", "Content-Type", why="profile must be canonical or national")
    return str(profile)
