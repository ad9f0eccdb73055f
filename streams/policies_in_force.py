"""Which policies the shards of this worker judge by, read where their lanes keep them. It changes none."""

from collections.abc import Callable
from time import time_ns
from typing import Literal

import orjson

from connectors.store import KEY_PREFIX, Store
from risk.local_time import local_day
from risk.policy import Policy, parse_policy
from streams.metrics import Metrics


class PoliciesInForce:
    """Reads the policy of every shard that the worker hears of, and shows it as a metric; one thread at a time."""

    def __init__(self, connect: Callable[[], Store], metrics: Metrics, clock: Literal["wall", "log"]) -> None:
        self._connect = connect
        self._metrics = metrics
        self._clock = clock
        self._store: Store | None = None
        self._parsed: dict[bytes, Policy] = {}

    def refresh(self) -> bool:
        """Read and show; whether any shard has one. ConnectorError when Redis does not answer: what was shown stays."""
        clocks_ms = dict(self._metrics.clocks_ms)
        if not clocks_ms:
            self._metrics.policies_seen((), 0)  # those of shards that went to another worker are shown there
            return False
        if self._store is None:
            self._store = self._connect()
        tags = [f"{{{shard}}}" for shard in sorted(clocks_ms)]
        answers = self._store.read([(tag, [(f"{KEY_PREFIX}{tag}:policy", "")]) for tag in tags])
        texts = {text for _, (text,) in answers if text}
        self._parsed = {text: self._parsed.get(text) or parse_policy(orjson.loads(text)["files"]) for text in texts}
        now_ms = max(clocks_ms.values()) if self._clock == "log" else 0
        self._metrics.policies_seen(list(self._parsed.values()), local_day(now_ms or time_ns() // 1_000_000))
        return bool(texts)
