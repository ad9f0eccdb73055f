"""Which person shards are live, as their lanes say it ten times a second. What is not heard of is not live."""

import logging
from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep
from typing import Any

import orjson
from redis.exceptions import RedisError

from connectors.store import PULSE_CHANNEL

HEARD_WITHIN_S = 1.5
_log = logging.getLogger(__name__)


class Liveness:
    """The newest pulse of every shard, wherever its lane runs."""

    def __init__(self, client: Any, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._shards: dict[int, tuple[float, bool, int]] = {}
        self._running = True
        self._listener = Thread(target=self._listen, name="liveness", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._listener.start()

    def stop(self) -> None:
        """Stop listening."""
        self._running = False
        self._listener.join(2.0)

    def is_live(self, partition: int) -> bool:
        """Whether the shard's lane has folded the past and serves the present."""
        heard_s, live, _ = self._shards.get(partition, (float("-inf"), False, 0))
        return live and self._clock() - heard_s <= HEARD_WITHIN_S

    def clock_ms(self, partition: int) -> int:
        """The shard's now under the log's clock; 0 when nothing was heard of it."""
        return self._shards.get(partition, (0.0, False, 0))[2]

    def hear(self, data: bytes) -> None:
        """One pulse. What cannot be read is left: the shard then stops being live."""
        try:
            pulse = orjson.loads(data)
            for each in pulse if isinstance(pulse, list) else [pulse]:
                if each.get("family", "p") == "p":
                    partition = int(each["partition"])
                    now_ms = int(each.get("clock_ms") or 0)
                    self._shards[partition] = (self._clock(), bool(each["live"]), now_ms)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            _log.warning("a pulse could not be read")

    def _listen(self) -> None:
        while self._running:
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(PULSE_CHANNEL)
                    while self._running:
                        message = subscription.get_message(timeout=0.5)
                        if message is not None:
                            self.hear(message["data"])
            except (RedisError, OSError) as error:
                _log.warning("pulses are not heard: %s", error)
                sleep(0.5)
