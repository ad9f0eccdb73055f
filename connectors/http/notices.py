"""`GET /v1/notices/{id}`: the members of a message, for whoever followed its link, read from `handling.v1`."""

import asyncio
from typing import Protocol

import msgspec

from connectors.errors import ConnectorError
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.problem import Problem
from risk.handling import Act, NoticePrepared


class Reader(Protocol):
    """What came on the topic since the last reading (connectors/handling.py). Raises ConnectorError."""

    def read(self) -> list[Act]: ...

    def close(self) -> None: ...


_KEPT_MAX = 100_000
"""A week and more at the ceiling of alert routes; an older one is on the topic only."""


class Notices:
    """The call. What was read is kept, the newest of it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, NoticePrepared] = {}
        self._turn = asyncio.Lock()

    async def members(self, call: Call) -> Answer:
        """Route, cause and members; which alerts they are, the alert topic and `xinmai alerts` say."""
        notice = self._known.get(call.ids[0]) or await self._looked_up(call.ids[0])
        if notice is None:
            raise Problem("NOT_FOUND")
        members = [{"alert_id": alert_id, "episode": episode} for alert_id, episode in notice.members]
        said = msgspec.to_builtins(notice)
        return json_answer(
            200, {name: said[name] for name in ("notice_id", "at", "route", "cause")} | {"members": members}
        )

    async def _looked_up(self, notice_id: str) -> NoticePrepared | None:
        async with self._turn:
            try:
                acts = await asyncio.to_thread(self._reader.read)
            except ConnectorError:
                raise Problem("STATE_AWAY", retry_after_s=2) from None
        self._known.update((act.notice_id, act) for act in acts if isinstance(act, NoticePrepared))
        for oldest in list(self._known)[:-_KEPT_MAX]:
            del self._known[oldest]
        return self._known.get(notice_id)

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()
