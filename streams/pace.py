"""Keeps the shards of people together in business time while a backlog is drained, within a lane and over all lanes.

Our own skew must make no contribution late: an institution's short windows bear 15 minutes (design.md 3.5). Lanes meet
in one small hash in Redis; a shard whose lane died holds the others back until it is claimed again, but not for ever.
"""

import time
from collections.abc import Iterable

from redis.exceptions import RedisError

from connectors.errors import ConnectorError
from connectors.store import KEY_PREFIX, Store
from streams.owned import Owned

SKEW_MS = 10 * 60_000  # the second hop bears 15 minutes; the rest is for records that are late by themselves
BEHIND_RECORDS = 500
_HOLD_MS = 30_000
_NO_BOUND = 2**62
_KEY = f"{KEY_PREFIX}pace"


class Pace:
    """One lane's part of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: set[str] = set()

    def until_ms(self, shards: Iterable[Owned], share: int) -> int:
        """Up to which business time shards of people may be decided now, when each takes at most `share` records."""
        people = [owned for owned in shards if owned.shard.family == "p"]
        is_behind = any(not owned.is_live or len(owned.waiting) > BEHIND_RECORDS for owned in people)
        if not self._told and not is_behind:
            return _NO_BOUND
        bounds = [bound for owned in people if (bound := owned.share_ends_ms(share)) is not None]
        fronts = {owned.tag: owned.front_ms for owned in people if owned.waiting and owned.front_ms}
        others = self._others(fronts if is_behind else {})
        return min([*bounds, *(front_ms + SKEW_MS for front_ms in others)], default=_NO_BOUND)

    def _others(self, behind: dict[str, int]) -> list[int]:
        """Tell where this lane's shards are, hear where those of other lanes are."""
        now_ms = time.time_ns() // 1_000_000
        client = self._store.client
        try:
            with client.pipeline(transaction=False) as pipe:
                caught_up = self._told - behind.keys()
                if caught_up:
                    pipe.hdel(_KEY, *caught_up)
                if behind:
                    pipe.hset(_KEY, mapping={tag: f"{front_ms} {now_ms}" for tag, front_ms in behind.items()})
                told = pipe.hgetall(_KEY).execute()[-1]
        except RedisError as error:
            raise ConnectorError("redis", str(error), retryable=True) from error
        self._told = set(behind)
        others = []
        for tag, words in told.items():
            front_ms, at_ms = map(int, words.split())
            if tag.decode() not in behind and now_ms - at_ms < _HOLD_MS:
                others.append(front_ms)
        return others
