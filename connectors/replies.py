"""What lanes tell an API process over Redis: answers to its attempts, and each shard's pulse. It asks for nothing.

The subscription speaks RESP itself over hiredis' parser: 8,000 answers a second leave no room for a client that awaits
each of them.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, cast

import hiredis
import msgspec

from connectors.deadlines import Deadlines
from connectors.redis_address import RedisAddress, addresses_of
from connectors.store import PULSE_CHANNEL, reply_channel

PULSE_AGE_MAX_S = 1.0
PING_EVERY_S = 1.0
RECONNECT_AFTER_S = 0.2
BACKLOG_RECORDS = 1_000  # behind fewer the pace between two pulses is that of the callers, not the lane's


class LaneReply(msgspec.Struct, frozen=True):
    """One answer: `body` stays bytes until somebody must look into it."""

    attempt: str
    status: int
    body: msgspec.Raw


class Pulse(msgspec.Struct, frozen=True):
    """What a lane says of one shard ten times a second. `clock_ms`: the shard's now; not `live`: it catches up."""

    shard: str
    offset: int
    record_ms: int
    at_ms: int
    lag: int
    clock_ms: int = 0
    family: str = ""
    partition: int = -1
    live: bool = True


class ShardState(NamedTuple):
    """The newest pulse of a shard, when it came, and since when records may be waiting, by this process's clock.

    `per_s`: how many records of a backlog its lane applies a second, None while that is not known.
    """

    pulse: Pulse
    seen_s: float
    behind_since_s: float
    per_s: float | None = None


_REPLIES = msgspec.json.Decoder(LaneReply | list[LaneReply])
_PULSE = msgspec.json.Decoder(Pulse | list[Pulse])
_SHARD = re.compile(r"^\{?p0*(\d+)")


class Pulses:
    """How far each person shard is, by partition."""

    def __init__(self) -> None:
        self.shards: dict[int, ShardState] = {}

    def note(self, pulse: Pulse, now_s: float) -> None:
        """Remember `pulse`. A shard seen without lag has nothing older than that sight waiting."""
        named = _SHARD.match(pulse.shard)
        if pulse.family == "q" or named is None:
            return
        partition = pulse.partition if pulse.partition >= 0 else int(named[1])
        before = self.shards.get(partition)
        first_s = now_s - max(0, pulse.at_ms - pulse.record_ms) / 1000
        behind_since_s = now_s if pulse.lag == 0 else first_s if before is None else before.behind_since_s
        per_s = None if before is None else _pace(before, pulse)
        self.shards[partition] = ShardState(pulse, now_s, behind_since_s, per_s)

    def is_live(self, partition: int, now_s: float) -> bool:
        """Whether a lane serves this shard."""
        shard = self.shards.get(partition)
        return shard is not None and shard.pulse.live and now_s - shard.seen_s <= PULSE_AGE_MAX_S

    def record_age_s(self, partition: int, now_s: float) -> float:
        """How long a record appended now must at least wait, going by the one applied last and by a backlog's pace.

        The record applied last may be old only because nobody came for hours; so its age counts no further back than
        the last moment at which nothing was waiting. A backlog that came all at once is young, and long.
        """
        shard = self.shards.get(partition)
        if shard is None or shard.pulse.lag == 0:
            return 0.0
        age_s = min((shard.pulse.at_ms - shard.pulse.record_ms) / 1000, now_s - shard.behind_since_s)
        return age_s if shard.per_s is None else max(age_s, shard.pulse.lag / max(1.0, shard.per_s))

    def clock_ms(self, partition: int) -> int:
        """The shard's now under `XINMAI_CLOCK=log`, 0 before its first record."""
        shard = self.shards.get(partition)
        return 0 if shard is None else shard.pulse.clock_ms


def _pace(before: ShardState, pulse: Pulse) -> float | None:
    """Records a second through a backlog, over about a second: shards are paced, so they come in rushes and pauses. No
    record at all is a pace too: a lane that stands still before a backlog answers nobody in time.
    """
    spent_ms = pulse.at_ms - before.pulse.at_ms
    if min(before.pulse.lag, pulse.lag) < BACKLOG_RECORDS or spent_ms <= 0:
        return None
    newest_per_s = max(0, pulse.offset - before.pulse.offset) * 1000 / spent_ms
    return newest_per_s if before.per_s is None else (7 * before.per_s + newest_per_s) / 8


class Replies:
    """The attempts of this process that wait for a lane."""

    def __init__(self, heard_pulse: Callable[[bytes, float], None] = lambda data, now_s: None) -> None:
        self.pulses = Pulses()
        self.is_subscribed = False
        self._heard_pulse = heard_pulse
        self._waiting: dict[str, asyncio.Future[LaneReply | None]] = {}
        self._deadlines = Deadlines(self._waiting)
        self._loop: asyncio.AbstractEventLoop | None = None

    def expect(self, attempt: str) -> "asyncio.Future[LaneReply | None]":
        """The future of this attempt's answer. None in it means: stop waiting."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # which asks the kernel each time
        future: asyncio.Future[LaneReply | None] = self._loop.create_future()
        self._waiting[attempt] = future
        return future

    def give_up_at(self, attempt: str, deadline_s: float) -> None:
        """When to stop waiting for this attempt's answer, by the loop's clock."""
        self._deadlines.add(attempt, deadline_s)

    def forget(self, attempt: str) -> None:
        """An answer that comes now is nobody's."""
        self._waiting.pop(attempt, None)

    def heard(self, channel: bytes, data: bytes, now_s: float) -> None:
        """One message. A message that is not what it must be is left: the attempt then ends by its deadline."""
        try:
            if channel == PULSE_CHANNEL.encode():
                pulses = _PULSE.decode(data)
                for pulse in pulses if isinstance(pulses, list) else (pulses,):
                    self.pulses.note(pulse, now_s)
                self._heard_pulse(data, now_s)
                return
            replies = _REPLIES.decode(data)
        except msgspec.DecodeError:
            return
        for reply in replies if isinstance(replies, list) else (replies,):
            future = self._waiting.get(reply.attempt)
            if future is not None and not future.done():
                future.set_result(reply)

    def lost(self) -> None:
        """The subscription broke: what lanes say now is not heard, so no shard counts as alive."""
        self.is_subscribed = False
        self.pulses.shards.clear()

    def stop_waiting(self) -> None:
        """End every wait now (this process stops)."""
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)


def _packed(command: Sequence[str]) -> bytes:
    return bytes(hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]  # its stub knows one-tuples only


class _Wire(asyncio.Protocol):
    """One connection in subscribed state."""

    def __init__(self, channels: Sequence[str], greeting: Sequence[Sequence[str]], replies: Replies) -> None:
        self._channels = channels
        self._greeting = greeting
        self._replies = replies
        self._reader = hiredis.Reader()
        self._confirmed = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.heard_s = self._loop.time()
        self.closed = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        for command in self._greeting:
            self._transport.write(_packed(command))
        self._transport.write(_packed(("SUBSCRIBE", *self._channels)))

    def data_received(self, data: bytes) -> None:
        self.heard_s = now_s = self._loop.time()
        self._reader.feed(data)
        while (message := self._reader.gets()) is not False:
            if isinstance(message, Exception):
                self.close(message)
                return
            if isinstance(message, list) and message[0] == b"message":
                self._replies.heard(message[1], message[2], now_s)
            elif isinstance(message, list) and message[0] == b"subscribe":
                self._confirmed += 1
                self._replies.is_subscribed = self._confirmed == len(self._channels)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(exc)

    def ping(self) -> None:
        """Keep the line warm, so that silence means death."""
        if self._transport is not None:
            self._transport.write(b"*1\r\n$4\r\nPING\r\n")

    def close(self, cause: Exception | None = None) -> None:
        """Hang up."""
        if not self.closed.done():
            self.closed.set_result(cause)
        if self._transport is not None:
            self._transport.abort()


async def listen(redis_url: str, api_id: str, replies: Replies, log: Callable[[str], None]) -> None:
    """Keep `replies` subscribed for ever, over whichever node answers; `log` hears why a line broke."""
    addresses = addresses_of(redis_url)
    turn = 0
    while True:
        address = addresses[turn % len(addresses)]
        turn += 1
        try:
            await _listen_once(address, api_id, replies)
            log("the Redis subscription ended")
        except (OSError, hiredis.HiredisError, TimeoutError) as error:
            log(f"the Redis subscription broke: {error!r}")
        finally:
            replies.lost()
        await asyncio.sleep(RECONNECT_AFTER_S)


async def _listen_once(address: RedisAddress, api_id: str, replies: Replies) -> None:
    loop = asyncio.get_running_loop()

    def wire() -> _Wire:
        return _Wire((PULSE_CHANNEL, reply_channel(api_id)), address.greeting, replies)

    async with asyncio.timeout(2.0):
        if address.path:
            _, line = await loop.create_unix_connection(wire, address.path)
        else:
            tls = None if address.tls is None else address.tls.context()
            _, line = await loop.create_connection(wire, address.host, address.port, ssl=tls)
    try:
        while not line.closed.done():
            line.ping()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(line.closed), PING_EVERY_S)
            if loop.time() - line.heard_s > 3 * PING_EVERY_S:
                raise TimeoutError("no answer to PING for 3 s")
        if cause := line.closed.result():
            raise cause
    finally:
        line.close()
