"""How many holds are open, and how old they are: counted by reading the credit records, slowly and over and over.

It is a sample, not a ledger: a figure is as old as the round it comes from. A hold for a stay in hospital has no due
time before its discharge, so no schedule knows of it; only the records do. It changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic, time_ns
from typing import Any, Literal

import msgspec
from mode import Service
from redis.exceptions import RedisError

from connectors.errors import ConnectorError
from connectors.state_codec import unpack_credit
from connectors.store import KEY_PREFIX, Store
from connectors.stored_bytes import value_of
from streams.metrics import Metrics

KEYS_AT_ONCE = 500
REST_FACTOR = 20  # it takes at most a twentieth of a thread's time, and less of Redis'
ROUND_EVERY_S = 30.0
_log = logging.getLogger(__name__)


class HoldSurvey(Service):
    """Goes round the shards that this worker's lanes own."""

    def __init__(
        self, connect: Callable[[], Store], metrics: Metrics, clock: Literal["wall", "log"], **options: Any
    ) -> None:
        super().__init__(**options)
        self._connect = connect
        self._metrics = metrics
        self._clock = clock
        self._store: Store | None = None

    @Service.task
    async def _go_round(self) -> None:
        while not self.should_stop:
            try:
                await self.survey()
            except (ConnectorError, RedisError, msgspec.DecodeError) as error:  # what was shown stays
                _log.warning("open holds are not counted: %s", error)
            await self.sleep(ROUND_EVERY_S if self._metrics.owned else 1.0)

    async def survey(self) -> None:
        """One round, then show it."""
        if self._store is None:
            self._store = await asyncio.to_thread(self._connect)
        store, shards = self._store, {shard for shard in self._metrics.owned if shard.startswith("p")}
        keys = _credit_keys(store, shards)
        placed: list[tuple[str, int]] = []
        while True:
            begun_s = monotonic()
            found = await asyncio.to_thread(_read, store, keys)
            if found is None:
                break
            placed += found
            await self.sleep((monotonic() - begun_s) * REST_FACTOR)
            if self.should_stop:
                return
        self._metrics.holds_seen([max(0, self._now_ms(shard) - at_ms) / 1000 for shard, at_ms in placed])

    def _now_ms(self, shard: str) -> int:
        return self._metrics.clocks_ms.get(shard, 0) if self._clock == "log" else time_ns() // 1_000_000


def _credit_keys(store: Store, shards: set[str]) -> Iterator[tuple[str, str]]:
    """Shard and key of each credit record of these shards."""
    prefixes = {f"{KEY_PREFIX}{{{shard}}}:c": shard for shard in shards}
    options = {"target_nodes": store.client.PRIMARIES} if store.clustered else {}
    for raw in store.client.scan_iter(match=f"{KEY_PREFIX}*:c:*", count=1_000, **options):
        key = raw.decode()
        shard = prefixes.get(":".join(key.split(":", 3)[:3]))
        if shard is not None:
            yield shard, key


def _read(store: Store, keys: Iterator[tuple[str, str]]) -> list[tuple[str, int]] | None:
    """Shard and instant of placing of each open hold in the next records; None when there are no more."""
    chunk = list(islice(keys, KEYS_AT_ONCE))
    if not chunk:
        return None
    with store.client.pipeline(transaction=False) as pipe:
        for _, key in chunk:
            pipe.get(key)
        values = pipe.execute()
    return [
        (shard, hold.placed_ms)
        for (shard, _), value in zip(chunk, values, strict=True)
        if value  # else it ended while we went round
        for hold in unpack_credit(value_of(value)).authorizations
    ]
