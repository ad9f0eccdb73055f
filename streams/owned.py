"""A shard that this lane writes: claimed, checked against the log, fed with records, committed.

One recovery rule (design.md 3.2).

A position other than the one it stands on means: someone else advanced, or Redis went back. Its work is dropped,
unsaid, and it is claimed again.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from msgspec import Struct

from connectors.state_codec import pack, record_hash, unpack_state
from connectors.store import VALUES_PER_COMMIT, Commit, Position, Store
from risk.outputs import Reply
from risk.person_fold import FOLD_VERSION
from streams.publisher import Sending
from streams.shards import Ahead, Effects, Record, Shard, ShardStopped, refuse_before_switch


class Waiting(Struct, frozen=True, gc=False):
    """A record taken in and not yet decided; `at_ms` is its business time, 0 where it has none, and `reach_ms` how far
    the shard has come when it is decided: a late record does not set it back.
    """

    record: Record
    meaning: Any
    at_ms: int
    reach_ms: int


_reach_ms = attrgetter("reach_ms")


class Moved(Exception):
    """The shard does not stand where this lane stands."""


@dataclass(slots=True)
class Work:
    """Records of one shard, decided: what they say, where it is on its way, and the commits that make it true."""

    owned: "Owned"
    said: list[Effects]
    commits: list[Commit]
    last_offset: int
    sending: Sending = field(default_factory=Sending)

    @property
    def replies(self) -> list[Reply]:
        """The answers that may go out once the commits are in."""
        return [reply for effects in self.said for reply in effects.replies]


def on_the_way(owned: "Owned", pending: Iterable[Iterable[Work]]) -> Ahead:
    """The changes of a shard that are decided and not committed yet."""
    works = (work for batch in pending for work in batch if work.owned is owned)
    return [commit.changes for work in works for commit in work.commits]


class Owned:
    """One claimed shard and where it stands: decided is ahead of committed while outputs are on their way."""

    def __init__(self, topic: str, make: Callable[[], Shard], store: Store, topology: str) -> None:
        self.topic = topic
        self._make = make
        self._store = store
        self._topology = topology
        self.shard = make()
        self.epoch = ""
        self.committed: int | None = None
        self.decided: int | None = None
        self.published_mark = 0
        self.live_from = 0
        self.stamp_ms = 0
        self.stopped = ""
        self.finishing = False  # stopped by a record; what was decided before it is on its way and may arrive
        self._expected_hash = ""
        self.waiting: list[Waiting] = []
        self.clock_ms = 0
        self.held_back = False

    @property
    def partition(self) -> int:
        """The partition it is fed from."""
        return self.shard.partition

    @property
    def tag(self) -> str:
        """Its hash tag in Redis."""
        return self.shard.values.tag

    @property
    def next_offset(self) -> int:
        """The first offset not yet decided."""
        return 0 if self.decided is None else self.decided + 1

    @property
    def serves(self) -> bool:
        """Is this lane its writer right now? Not while it waits to be claimed, and not once it was stopped."""
        return bool(self.epoch) and not self.stopped

    @property
    def is_live(self) -> bool:
        """Has it applied everything that was in the log when it was claimed?"""
        return not self.stopped and self.committed is not None and self.committed + 1 >= self.live_from

    def pulse(self, high: int, at_ms: int) -> dict[str, object]:
        """Where it stands in a log that ends at `high`, for whoever waits for it."""
        offset = -1 if self.committed is None else self.committed
        return {
            "shard": self.tag.strip("{}"),
            "family": self.shard.family,
            "partition": self.partition,
            "offset": offset,
            "record_ms": self.stamp_ms,
            "clock_ms": self.shard.state.clock_ms,
            "at_ms": at_ms,
            "lag": max(0, high - 1 - offset),
            "live": self.is_live,
            "serving": self.serves,
        }

    def claim(self) -> int:
        """Become its writer and stand where Redis stands.

        Returns the offset to consume from: the applied one, to check the log by.
        """
        shard = self._make()
        claim = self._store.claim(self.tag, int(time.time() * 1000))
        if claim.topology and claim.topology != self._topology:
            raise ShardStopped(
                f"{self.tag}: Redis remembers {claim.topology}, this log is {self._topology}. "
                "The topic was made anew or has another number of partitions. "
                "Rebuild into an empty Redis, or connect to the right one."
            )
        if claim.offset is not None:
            state = unpack_state(claim.state)
            if state.fold_version > FOLD_VERSION:
                raise ShardStopped(
                    f"{self.tag} was folded by fold {state.fold_version}, this release folds {FOLD_VERSION}. "
                    "Upgrade the worker."
                )
            policy_address = shard.values.address("policy")
            ((_, (policy,)),) = self._store.read([(self.tag, [policy_address])])
            shard.restore(
                state,
                policy or b"",
                lambda name: self._store.hash_values(shard.values.address(name)[0]),
                claim.digest,
            )
        self.shard, self.epoch, self.waiting, self.held_back = shard, claim.epoch, [], False
        self.committed = self.decided = claim.offset
        self._expected_hash = claim.record
        return 0 if claim.offset is None else claim.offset

    def offer(self, record: Record) -> None:
        """Take a consumed record in; the one already applied only proves that the log is still the same."""
        if self.decided is not None and record.offset <= self.decided:
            if record.offset == self.committed and self._expected_hash and self.decided == self.committed:
                if record_hash(record.value) != self._expected_hash:
                    raise ShardStopped(
                        f"{self.topic}[{self.partition}]@{record.offset} is not the record that was applied: "
                        "the log lost its tail and grew again. Restore the log, or rebuild into an empty Redis."
                    )
                self._expected_hash, self.stamp_ms = "", record.timestamp_ms
            return
        if self._expected_hash and self.decided is not None:
            raise ShardStopped(
                f"{self.topic}[{self.partition}] has no record at {self.decided}, which was applied: "
                "the log was cut. Restore the log."
            )
        meaning = self.shard.decode(record)
        at_ms = self.shard.event_ms(meaning)
        reach_ms = max(at_ms, self.clock_ms, self.waiting[-1].reach_ms if self.waiting else 0)
        self.waiting.append(Waiting(record, meaning, at_ms, reach_ms))

    @property
    def front_ms(self) -> int:
        """How far this shard has come in business time with the next record."""
        return self._reached_ms(1)

    def _reached_ms(self, count: int) -> int:
        """How far it has come once the next `count` records, of those that wait, are decided."""
        at = min(count, len(self.waiting))
        return max(self.clock_ms, self.waiting[at - 1].reach_ms) if at else self.clock_ms

    def share_ends_ms(self, share: int) -> int | None:
        """The business time that the next `share` records reach; None where they are all there is and no more is known
        to come.
        """
        return None if len(self.waiting) <= share and self.decided_all else self._reached_ms(share)

    @property
    def decided_all(self) -> bool:
        """Is everything that was in the log at the claim decided or waiting here?"""
        following = self.waiting[-1].record.offset + 1 if self.waiting else self.next_offset
        return following >= self.live_from

    def take(self, count: int, until_ms: int) -> list[Waiting]:
        """The next records to decide, none that takes the shard beyond `until_ms` in business time; they leave the
        waiting ones.
        """
        last = min(count, len(self.waiting))
        size = bisect_right(self.waiting, max(until_ms, self.clock_ms), hi=last, key=_reach_ms)
        self.clock_ms = self._reached_ms(size)
        taken = self.waiting[:size]
        del self.waiting[:size]
        return taken

    def check(self, position: Position) -> None:
        """Every read says where the shard stands; anything else than where this lane stands ends its work here."""
        if position != Position(self.epoch, self.committed):
            raise Moved(f"{self.tag}: stands at {position}, expected {self.epoch}@{self.committed}")

    def decide(self, taken: list[Waiting]) -> Work:
        """Fold the records, cut into commits. One that raises ends the work before it; alone it stops the shard."""
        said: list[Effects] = []
        commits: list[Commit] = []
        refuse_before_switch(self.shard.state, taken[0].record, taken[0].meaning, self.tag)
        last: Record | None = None
        for index, each in enumerate(taken):
            record, meaning = each.record, each.meaning
            if last and self.shard.changed_count + self.shard.room_for(meaning) > VALUES_PER_COMMIT:
                commits.append(self._cut(last))
            try:
                effects = self.shard.apply(record, meaning)
            except Exception as error:
                if not said:
                    self.finishing = True
                    raise ShardStopped(f"{self.tag}@{record.offset}: {type(error).__name__}: {error}") from error
                self.waiting = taken[index:] + self.waiting
                break
            if record.offset < self.published_mark:
                effects.outputs, effects.replies, effects.numbered = [], [], []  # the past is folded silently
                effects.rerouted = []
            said.append(effects)
            last = record
        assert last is not None, "a first record that raises has stopped the shard"
        commits.append(self._cut(last))
        self.stamp_ms = last.timestamp_ms
        return Work(self, said, commits, last.offset)

    def _cut(self, record: Record) -> Commit:
        changes = self.shard.take_changes()  # first: it moves the digest
        commit = Commit(
            self.tag,
            self.epoch,
            self.decided,
            record.offset,
            f"{self.shard.values.digest:032x}",
            record_hash(record.value),
            pack(self.shard.state),
            self._topology,
            changes,
        )
        self.decided = record.offset
        return commit
