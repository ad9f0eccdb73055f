"""Keeps the shards of people together in business time while a backlog is drained, within a lane and over all lanes.

Our own skew must make no contribution late: an institution's short windows bear 15 minutes (design.md 3.5). Lanes meet
in one small hash in Redis; a shard whose lane died holds the others back until it is claimed again, but not for ever.
"""

import time
from collections.abc import Iterable, Sequence

from redis.exceptions import RedisError

from connectors.errors import ConnectorError
from connectors.store import KEY_PREFIX, Store
from streams.owned import Owned

SKEW_MS = 10 * 60_000  # the second hop bears 15 minutes; the rest is for records that are late by themselves
STEP_MS = SKEW_MS // 2  # lanes go on by whole steps: a turn for every word of the slowest is a turn for a few records
BEHIND_RECORDS = 500
CATCHING_UP = 4  # times a batch: a value that many records of one batch touch is packed, hashed and sent once
TOGETHER = 32  # records of the second hop that are worth a turn while people of the lane catch up
_RUSH_MS = 60_000  # of simulated time: there a handful of records may be hours
_HOLD_MS = 30_000
_FRESH_MS = 2_000
_WORD_MS = 500  # a lane that is long in one step says again that it lives
_LIVE = "live"
_NO_BOUND = 2**62
_KEY = f"{KEY_PREFIX}pace"


def nobody_waits(shards: Iterable[Owned]) -> bool:
    """Is no shard of people live? Only a live one's answers are waited for."""
    return not any(owned.shard.family == "p" and owned.is_live for owned in shards)


def shares_of(shards: Iterable[Owned], batch_records_max: int) -> dict[str, int]:
    """How many records each shard that has some may take now, by its tag.

    Live shards of people go first: somebody waits for their answers, and what catches up gets what is left beside them.
    Where none of the lane's people are live nobody waits: their batches are long, and the second hop goes along when
    enough of it has gathered. A record of the second hop is a batch by itself: where people are live it goes beside
    them, for whoever comes waits until the turn is over.
    """
    shards = list(shards)
    ready = [owned for owned in shards if owned.waiting]
    share = max(1, batch_records_max // max(1, len(ready)))
    if nobody_waits(shards):
        people = {owned.tag: share * CATCHING_UP for owned in ready if owned.shard.family == "p"}
        enough = TOGETHER if people else 1
        subjects = [owned for owned in ready if owned.tag not in people and len(owned.waiting) >= enough]
        return people | {owned.tag: share for owned in subjects}
    beside = max(1, share // 4)
    behind = share if nobody_waits(ready) else beside
    return {owned.tag: beside if owned.shard.family == "q" else share if owned.is_live else behind for owned in ready}


class Pace:
    """One lane's part of it. `tags` names every shard of people there is: one that nobody speaks for may be behind."""

    def __init__(self, store: Store, tags: Sequence[str], *, simulated: bool) -> None:
        self._store = store
        self._simulated = simulated
        self._behind_since_ms = 0
        self._tags = frozenset(tags)
        self._told: dict[str, int] = {}
        self._told_at_ms = 0
        self._heard: dict[bytes, bytes] = {}
        self._unheard_ms: dict[str, int] = {}

    def until_ms(self, shards: Sequence[Owned], share: int) -> int:
        """Up to which business time shards of people may be decided now, when each takes at most `share` records.

        Lanes speak when they come to another step and when they are held: an old word holds no less than a new one. Of
        whoever holds nobody they hear at every turn: what has come to him since may hold.
        """
        people = [owned for owned in shards if owned.shard.family == "p" and owned.epoch and not owned.stopped]
        stopped = {owned.tag for owned in shards if owned.stopped}  # a stopped shard holds nobody
        is_behind = any(not owned.is_live or self._rushes(owned) for owned in people)
        self._behind_since_ms = (self._behind_since_ms or _now_ms()) if is_behind else 0
        if not self._told and not is_behind:
            return _NO_BOUND
        bounds = [bound for owned in people if (bound := owned.share_ends_ms(share)) is not None]
        fronts = {owned.tag: owned.front_ms for owned in people if owned.waiting and owned.front_ms}
        others = self._tags - stopped - {owned.tag for owned in people}
        told = {tag: str(front_ms) for tag, front_ms in fronts.items() if is_behind}
        steps = {tag: fronts[tag] // STEP_MS for tag in told}
        ends = self._ends_of(others)
        is_held = min(fronts.values(), default=0) > min([*bounds, *ends], default=_NO_BOUND)
        is_old = steps != self._told or _now_ms() - self._told_at_ms > _WORD_MS
        if others and (is_held or is_old or len(ends) < len(others)):
            self._heard, self._told_at_ms = self._told_by_all(told), _now_ms()
            ends = self._ends_of(others)
        self._told = steps
        return min([*bounds, *ends], default=_NO_BOUND)

    def _ends_of(self, others: Iterable[str]) -> list[int]:
        """Up to which business time shards of other lanes, as last heard of, let this one go; a live one has no end."""
        return [front_ms // STEP_MS * STEP_MS + SKEW_MS for front_ms in self._fronts(self._heard, others)]

    def _rushes(self, owned: Owned) -> bool:
        """Has more come to a live shard at once than happens as it happens?"""
        if len(owned.waiting) > BEHIND_RECORDS:
            return True
        times = [each.at_ms for each in owned.waiting if each.at_ms] if self._simulated else []
        return bool(times) and max(times) - min(times) > _RUSH_MS

    def note_live(self, shards: Iterable[Owned]) -> None:
        """Say which shards hold nobody, caught up or stopped; whoever is silent may be dead with a backlog."""
        live = [owned.tag for owned in shards if owned.shard.family == "p" and (owned.is_live or owned.stopped)]
        self._told_by_all({tag: _LIVE for tag in live if tag not in self._told})

    def _told_by_all(self, ours: dict[str, str]) -> dict[bytes, bytes]:
        """Tell where this lane's shards are, hear where those of all lanes are."""
        now_ms = _now_ms()
        try:
            with self._store.client.pipeline(transaction=False) as pipe:
                if ours:
                    pipe.hset(_KEY, mapping={tag: f"{word} {now_ms}" for tag, word in ours.items()})
                answer: dict[bytes, bytes] = pipe.hgetall(_KEY).execute()[-1]
                return answer
        except RedisError as error:
            raise ConnectorError("redis", str(error), retryable=True) from error

    def _fronts(self, told: dict[bytes, bytes], others: Iterable[str]) -> list[int]:
        """The fronts that hold this lane back; 0, all of it, for a shard whose owner fell silent a short while ago.

        That it was live before this lane had a rush to work off says nothing: the rush may have come to both, and the
        other died. Whoever lives says so again within a pulse.
        """
        now_ms = _now_ms()
        fronts = []
        for tag in others:
            word, at_ms = _spoken(told.get(tag.encode()))
            if word == _LIVE and now_ms - at_ms < _FRESH_MS and at_ms >= self._behind_since_ms:
                self._unheard_ms.pop(tag, None)
                continue
            silent_since_ms = at_ms or self._unheard_ms.setdefault(tag, now_ms)
            if now_ms - silent_since_ms < _HOLD_MS:
                fronts.append(0 if word in (_LIVE, "") else int(word))
        return fronts


def _spoken(words: bytes | None) -> tuple[str, int]:
    word, at_ms = words.decode().split() if words else ("", "0")
    return word, int(at_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
