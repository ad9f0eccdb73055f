"""One lane: one process, one loop, sole writer of its shards.

Consume → read → decide → produce → acks → commit → reply.

Deciding batch n + 1 overlaps the acknowledgements of batch n; commits stay in order. Checkpoints name the places where
a test kills it.
"""

import contextlib
import gc
import time
from collections import deque
from collections.abc import Callable

import orjson

from connectors.errors import ConnectorError
from connectors.kafka import producer
from connectors.store import PULSE_CHANNEL, Store
from streams.owned import Moved, Owned, Waiting, Work, on_the_way
from streams.ownership import LaneSettings, Ownership
from streams.pace import CATCHING_UP, TOGETHER, Pace, nobody_waits, shares_of
from streams.publisher import Publisher, Sending
from streams.shards import ShardStopped
from streams.tally import Tally

_PULSE_S = 0.1
_MARK_S = 0.2
_CHECK_S = 1.0
_WORKING_SET_MAX = 10_000  # a shard; more of them cost more in cache misses than in reading again (measured)
_WAITING_MAX = 20_000  # pausing throws away what the client has fetched, so it must be rare
_DRAIN_S = 5.0
_QUIET_S, _HELD_S = 0.02, 0.002  # held: another lane's shards are behind in business time, asked again so soon


def wall_ms() -> int:
    """The lane's clock: it chooses when to append a timer and stamps pulses; it decides nothing."""
    return time.time_ns() // 1_000_000


class Lane:
    """The loop. `checkpoint(name)` is called at every named place of the cycle; `tell` hears of pages and stops."""

    def __init__(
        self,
        settings: LaneSettings,
        *,
        tell: Callable[[dict[str, object]], None],
        checkpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._checkpoint = checkpoint
        self._store = Store(settings.redis, writes=True, timeout_s=settings.redis_within_s)
        self._store.check_policy_of_memory()
        self.tally = Tally()
        self._ownership = Ownership(settings, self._store, tally=self.tally, tell=tell, checkpoint=checkpoint)
        self._publisher = Publisher(producer(settings.kafka, **{"linger.ms": 0}), self._ownership.topics)
        self._pending: deque[list[Work]] = deque()
        self._timers: list[tuple[Owned, str, Sending]] = []
        self._wait_s = self._next_pulse = self._next_mark = self._next_check = 0.0
        self._pace = Pace(self._store, self._ownership.people_tags, simulated=settings.clock == "log")

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self, keep_going: Callable[[], bool]) -> None:
        """Turn until told to stop; then finish what is on its way and leave the group."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while keep_going():
                self.turn()
            self._drain()
            self._ownership.commit_marks()
        finally:
            self._ownership.consumer.close()
            self._store.close()
            gc.enable()

    def turn(self) -> None:
        """One pass: take in, decide, finish what is acknowledged, and keep house."""
        self._take_in(self._wait_s)
        self._ownership.claim_lost()
        batch = self._decide()
        if batch:
            self._pending.append(batch)
        if self._pending:
            self._publisher.serve(0.0 if batch else 0.001)
        self._finish()
        is_waiting = any(owned.waiting for owned in self._ownership)
        self._wait_s = 0.0 if batch or self._pending else _HELD_S if is_waiting else _QUIET_S
        self._append_timers()
        self._pulse()

    def _take_in(self, wait_s: float) -> None:
        """Take in what has come, for the shards that have room: a backlog comes partition by partition."""
        self._ownership.hold_back(_WAITING_MAX)
        first = self._ownership.consumer.poll(wait_s)
        if first is None:
            return
        started = time.perf_counter()
        records_max = self._settings.batch_records_max * (CATCHING_UP if nobody_waits(self._ownership) else 1)
        messages = [first, *self._ownership.consumer.consume(records_max - 1, 0.0)]
        for message in messages:
            self._ownership.offer(message)
        self.tally.spent("take_in", started)

    def _decide(self) -> list[Work]:
        """Read for every shard in one round trip, fold, and send what the fold said."""
        if len(self._pending) > 1:
            return []
        chosen = [
            (owned, taken, owned.shard.addresses([each.meaning for each in taken])) for owned, taken in self._choose()
        ]
        if not chosen:
            return []
        started = time.perf_counter()
        try:
            answers = self._store.read([(owned.tag, addresses) for owned, _, addresses in chosen])
        except ConnectorError as error:
            self._ownership.lose([owned for owned, *_ in chosen], "redis", error)
            return []
        self.tally.spent("read", started)
        self._checkpoint("after_read")
        batch = []
        for (owned, taken, addresses), (position, values) in zip(chosen, answers, strict=True):
            started = time.perf_counter()
            try:
                owned.check(position)  # before anything derived from it is sent
                for address, value in zip(addresses, values, strict=True):
                    owned.shard.values.load(address, value)
                work = owned.decide(taken)
            except Moved as moved:
                self._ownership.lose([owned], "moved", moved)
                continue
            except ShardStopped as stopped:
                self._ownership.stop(owned, str(stopped))
                continue
            self.tally.spent("decide", started)
            self.tally.folded(work.said)
            batch.append(work)
        self._send(batch)
        return batch

    def _choose(self) -> list[tuple[Owned, list[Waiting]]]:
        """The records to decide now. No shard of people runs further ahead of another than the second hop can bear."""
        everyone = list(self._ownership)
        shares = shares_of(everyone, self._settings.batch_records_max)
        if not shares:
            return []
        try:
            until_ms = self._pace.until_ms(everyone, max(shares.values()))
        except ConnectorError as error:
            self._ownership.lose([owned for owned in everyone if owned.waiting], "redis", error)
            return []
        ready = sorted((owned for owned in everyone if owned.tag in shares), key=lambda each: not each.is_live)
        chosen = [(owned, taken) for owned in ready if (taken := owned.take(shares[owned.tag], until_ms))]
        idle = [] if chosen else [owned for owned in everyone if owned.waiting and owned.tag not in shares]
        return chosen or [(owned, owned.take(TOGETHER, until_ms)) for owned in idle]  # nobody of its people may go on

    def _send(self, batch: list[Work]) -> None:
        started = time.perf_counter()
        for work in batch:
            self._publisher.send_outputs(work.said, work.sending)
        self._checkpoint("half_sent")
        self._publisher.send_contributions([(work.owned.partition, work.said, work.sending) for work in batch])
        self._checkpoint("sent")
        self.tally.spent("publish", started)

    def _finish(self) -> None:
        """Commit what is acknowledged, oldest first; then answer. It never waits long: Kafka wants to be polled."""
        while self._pending:
            batch = self._pending[0]
            if not all(work.sending.done for work in batch):
                if len(self._pending) > 1:
                    self._publisher.serve(0.002)
                for work in batch:
                    work.sending.check_time()
                return
            self._pending.popleft()
            self._checkpoint("acknowledged")
            self._commit(
                [work for work in batch if self._is_acknowledged(work.owned, work.commits[0].epoch, work.sending)]
            )

    def _drain(self) -> None:
        """At the end: give what is on its way a few seconds; what is not committed then is derived again."""
        until_s = time.monotonic() + _DRAIN_S
        while self._pending and time.monotonic() < until_s:
            self._publisher.serve(0.01)
            self._finish()

    def _is_acknowledged(self, owned: Owned, epoch: str, sending: Sending) -> bool:
        if epoch != owned.epoch:
            return False  # revoked, lost or claimed again since: it is derived anew by whoever owns the shard
        try:
            sending.check()
        except ShardStopped as stopped:
            self._ownership.stop(owned, str(stopped))
            return False
        except ConnectorError as error:
            self._ownership.lose([owned], "produce", error)
            return False
        return True

    def _commit(self, batch: list[Work]) -> None:
        if not batch:
            return
        for work in batch:
            self._ownership.mark(work.owned, work.last_offset + 1)
        started = time.perf_counter()
        try:
            results = self._store.commit([commit for work in batch for commit in work.commits])
        except ConnectorError as error:
            self._ownership.lose([work.owned for work in batch], "redis", error)
            return
        self.tally.spent("commit", started)
        self._checkpoint("committed")
        replies: dict[str, list[dict[str, object]]] = {}
        for work in batch:
            of_work, results = results[: len(work.commits)], results[len(work.commits) :]
            moved = [result for result in of_work if result.status == "moved"]
            if moved:
                self._ownership.lose(
                    [work.owned], "moved", Moved(f"{work.owned.tag}: commit found it at {moved[0].position}")
                )
                continue
            work.owned.committed = work.last_offset
            work.owned.shard.forget_beyond(_WORKING_SET_MAX, on_the_way(work.owned, self._pending))
            for reply in work.replies:
                if reply.reply_to:
                    answer = {"attempt": reply.attempt, "status": reply.status, "body": reply.body}
                    replies.setdefault(reply.reply_to, []).append(answer)
        if replies:
            try:
                self._store.publish((channel, orjson.dumps(answers)) for channel, answers in replies.items())
            except ConnectorError as error:
                self._tell({"kind": "reply_lost", "detail": str(error)})  # the API falls back by its deadline
        self._checkpoint("replied")

    # --- keeping house -----------------------------------------------------------------------------------------------

    def _append_timers(self) -> None:
        """A timer never changes state: it appends the record that will. Each is appended once: one that Kafka did not
        take is due again only to whoever claims the shard next.
        """
        for owned in self._ownership:
            if owned.is_live:
                now_ms = owned.shard.state.clock_ms if self._settings.clock == "log" else wall_ms()
                timers = owned.shard.due_timers(now_ms)
                if timers:
                    self._timers.append((owned, owned.epoch, self._publisher.append_facts(owned.partition, timers)))
                    self.tally.timers += len(timers)
        if self._timers:
            self._publisher.serve(0.0)
            done = [each for each in self._timers if each[-1].done]
            self._timers = [each for each in self._timers if not each[-1].done]
            for each in done:
                self._is_acknowledged(*each)
            for *_, sending in self._timers:
                sending.check_time()

    def _pulse(self) -> None:
        """Tell where each shard stands, the parent of unserved ones too: deadlines, pacing and probes go by it."""
        now = time.monotonic()
        if now >= self._next_mark:
            self._next_mark = now + _MARK_S
            self._ownership.commit_marks()
        if now < self._next_pulse:
            return
        self._next_pulse = now + _PULSE_S
        self._check_idle()
        pulses = [
            owned.pulse(self._ownership.high_watermark(owned), wall_ms()) for owned in self._ownership.owned.values()
        ]
        self._tell({"kind": "pulse", "shards": pulses, "tally": self.tally.take()})
        with contextlib.suppress(ConnectorError):  # the API sees no pulse and answers fallback: that is the message
            self._store.publish((PULSE_CHANNEL, orjson.dumps(pulse)) for pulse in pulses if pulse["serving"])
            self._pace.note_live(list(self._ownership.owned.values()))

    def _check_idle(self) -> None:
        """A shard that nobody writes to would not notice that Redis lost it: ask where the quiet ones stand."""
        busy = {work.owned.tag for batch in self._pending for work in batch}
        idle = [owned for owned in self._ownership if not owned.waiting and owned.tag not in busy]
        if not idle or time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + _CHECK_S
        try:
            answers = self._store.read([(owned.tag, []) for owned in idle])
        except ConnectorError as error:
            self._ownership.lose(idle, "redis", error)
            return
        for owned, (position, _) in zip(idle, answers, strict=True):
            try:
                owned.check(position)
            except Moved as moved:
                self._ownership.lose([owned], "moved", moved)
