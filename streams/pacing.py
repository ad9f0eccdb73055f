"""How far the lanes are behind what this process appended: bulk intake waits for them, so that checkout never queues.

It listens to the pulse that each lane publishes per shard and remembers which offsets were acknowledged here. It writes
nothing.
"""

from collections.abc import Callable
from itertools import cycle
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from connectors.redis_address import addresses_of
from connectors.replies import PULSE_AGE_MAX_S, Pulse, Pulses
from connectors.store import PULSE_CHANNEL

_RECONNECT_S = 0.2
_DECODER = msgspec.json.Decoder(Pulse | list[Pulse])


class Backlog:
    """Records acknowledged or waiting but not yet applied, by partition of the person log."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._appended: dict[int, int] = {}
        self._pulses = Pulses()
        self._lock = Lock()

    def delivered(self, topic: str, partition: int, offset: int) -> None:
        """Kafka acknowledged a record of ours."""
        if topic == self._topic:
            with self._lock:
                self._appended[partition] = max(offset, self._appended.get(partition, -1))

    def heard(self, data: bytes, now_s: float) -> None:
        """One message of the pulse channel; what is no pulse is left."""
        try:
            pulses = _DECODER.decode(data)
        except msgspec.MsgspecError:
            return
        with self._lock:
            for pulse in pulses if isinstance(pulses, list) else (pulses,):
                self._pulses.note(pulse, now_s)

    def has_lanes(self, now_s: float) -> bool:
        """Whether any shard is served at all."""
        with self._lock:
            return any(self._pulses.is_live(partition, now_s) for partition in self._pulses.shards)

    def lag(self, now_s: float) -> int:
        """Records that wait in shards with a living lane. A shard without one delays nobody's checkout further."""
        waiting = 0
        with self._lock:
            for partition, state in self._pulses.shards.items():
                if self._pulses.is_live(partition, now_s):
                    ours = self._appended.get(partition, -1) - state.pulse.offset
                    waiting += max(0, ours, state.pulse.lag)
        return waiting


class Pacer:
    """A Backlog that listens on its own thread, from `with` to its end. Redis away: nothing is known, nobody waits."""

    def __init__(self, redis_url: str, topic: str, clock_s: Callable[[], float] = monotonic) -> None:
        self.backlog = Backlog(topic)
        self._nodes = cycle(addresses_of(redis_url))
        self._clock_s = clock_s
        self._ended = Event()
        self._thread = Thread(target=self._listen, name="pacer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(2.0)

    def lag(self) -> int:
        """The backlog now."""
        return self.backlog.lag(self._clock_s())

    def wait_for_lanes(self, timeout_s: float) -> bool:
        """Whether a lane was heard within `timeout_s`."""
        end_s = self._clock_s() + timeout_s
        while not self.backlog.has_lanes(self._clock_s()):
            if self._clock_s() > end_s or self._ended.wait(0.05):
                return False
        return True

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen_once(Redis.from_url(next(self._nodes).url, socket_timeout=PULSE_AGE_MAX_S))
            except (RedisError, OSError):
                self._ended.wait(_RECONNECT_S)

    def _listen_once(self, client: Any) -> None:
        with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(PULSE_CHANNEL)
            while not self._ended.is_set():
                message = channel.get_message(timeout=0.1)
                if message is not None:
                    self.backlog.heard(message["data"], self._clock_s())
