"""Pausing orders to the bank: which may not leave now, by word of an operator. An order that waits is only later.

The pauses stand in Redis, one field per scope, and are never deleted, only ended; what was said last of a scope stands.
So a worker writes again what Redis has forgotten (flushed) or knows older (fallen back). No log has them: a Redis that
is emptied while no worker lives forgets them, and `rebuild` says so. Who cannot read them lets no order leave.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from getpass import getuser
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from connectors.store import KEY_PREFIX, Store

if TYPE_CHECKING:
    from streams.settings import Settings

PAUSES_KEY = f"{KEY_PREFIX}orders:pauses"
REFRESH_S = 0.25
STALE_S = 1.0


@dataclass(frozen=True, slots=True)
class Pause:
    """What an operator said last of one scope. Empty bank and institution: all orders."""

    bank_code: str
    institution: str
    active: bool
    at_ms: int
    by: str

    @property
    def scope(self) -> str:
        """Its name in Redis and on screen."""
        parts = [("bank", self.bank_code), ("institution", self.institution)]
        return "&".join(f"{name}={code}" for name, code in parts if code) or "*"

    def covers(self, bank_code: str, institution: str) -> bool:
        """Whether an order of this bank to this institution waits because of it."""
        return self.active and self.bank_code in ("", bank_code) and self.institution in ("", institution)


def read_pauses(client: Any) -> dict[str, Pause]:
    """All scopes that were ever paused."""
    pauses = (Pause(**json.loads(text)) for text in client.hgetall(PAUSES_KEY).values())
    return {pause.scope: pause for pause in pauses}


def write_pause(client: Any, pause: Pause) -> None:
    """Set the scope; every worker sees it within half a second."""
    client.hset(PAUSES_KEY, pause.scope, json.dumps(asdict(pause)))


class PauseBoard:
    """The pauses as one worker sees them."""

    def __init__(self, client: Any, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._pauses: dict[str, Pause] = {}
        self._read_s = float("-inf")

    async def refresh(self) -> None:
        """Read them; what Redis forgot, or fell back behind, is written again."""
        try:
            self._pauses = await asyncio.to_thread(self._reconciled)
            self._read_s = self._clock()
        except (RedisError, OSError):
            return  # then they grow stale, and no order leaves

    def is_paused(self, bank_code: str, institution: str) -> bool:
        """Whether such an order waits; also when nobody can say."""
        if self._clock() - self._read_s > STALE_S:
            return True
        return any(pause.covers(bank_code, institution) for pause in self._pauses.values())

    def _reconciled(self) -> dict[str, Pause]:
        found = read_pauses(self._client)
        for scope, pause in self._pauses.items():
            if scope not in found or found[scope].at_ms < pause.at_ms:
                write_pause(self._client, pause)
                found[scope] = pause
        return found


def run_pause(settings: "Settings", *, bank: str | None, institution: str | None, as_json: bool) -> int:
    """`xinmai orders pause`."""
    return _say(settings, bank or "", institution or "", active=True, as_json=as_json)


def run_resume(settings: "Settings", *, bank: str | None, institution: str | None, as_json: bool) -> int:
    """`xinmai orders resume`: ends the pause of exactly this scope; of all scopes when none is named."""
    return _say(settings, bank or "", institution or "", active=False, as_json=as_json)


def _say(settings: "Settings", bank_code: str, institution: str, *, active: bool, as_json: bool) -> int:
    store = Store(settings.redis)
    said = Pause(bank_code, institution, active, time_ns() // 1_000_000, getuser())
    pauses = change_pauses(store.client, said)
    standing = [pause for pause in pauses.values() if pause.active]
    if as_json:
        print(json.dumps({"paused": [asdict(pause) for pause in standing]}))
        return 0
    print("暂停中 / paused:", ", ".join(sorted(pause.scope for pause in standing)) or "无 / nothing")
    if not active and any(pause.covers(bank_code, institution) for pause in standing):
        print("范围更大的暂停仍有效 / a wider pause still holds these orders back", file=sys.stderr)
        return 1
    return 0


def change_pauses(client: Any, said: Pause) -> Mapping[str, Pause]:
    """Apply what the operator said; resuming `*` ends every pause. Gives what stands afterwards."""
    standing = read_pauses(client)
    ended = standing.values() if not said.active and said.scope == "*" else ()
    for pause in (*(replace(said, bank_code=each.bank_code, institution=each.institution) for each in ended), said):
        before = standing.get(pause.scope)
        # what is said now comes last, also where this machine's clock is behind that of who spoke before
        write_pause(client, pause if before is None else replace(pause, at_ms=max(pause.at_ms, before.at_ms + 1)))
    return read_pauses(client)


def pauses_told(client: Any) -> tuple[str, str]:
    """What a rebuild says of the pauses, which no log gives back."""
    standing = ", ".join(sorted(pause.scope for pause in read_pauses(client).values() if pause.active))
    return (
        f"暂停扣款指令：{standing or '无'}。暂停只存于 Redis；若 Redis 被清空，此前的暂停已丢失，"
        "请在启动 worker 之前用 xinmai orders pause 重新设置",
        f"orders paused: {standing or 'nothing'}. Pauses stand in Redis only: if it was emptied, earlier ones are "
        "gone; set them again with xinmai orders pause before the workers start",
    )
