"""What both families of shards share: a record, what it says, and the values that change with their digest.

A shard here is the fold over a working set of values. It reads no clock, no Kafka and no Redis: lane.py, verify.py and
rebuild.py feed it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import orjson
from msgspec import Struct

from connectors.codec import BadRecord
from connectors.state_codec import ShardState, record_hash, value_hash
from connectors.store import KEY_PREFIX, Address
from risk.contributions import Contribution
from risk.facts import FoldActivated, PolicyActivated, TimerDue
from risk.outputs import Output, Reply, derived_id
from risk.person_fold import FOLD_VERSION
from risk.policy import Policy, PolicyError, parse_policy

FIRST_FOLD = 1
"""By what a log is folded until a record of it says otherwise."""

FUTURE_MS_MAX = 5 * 60_000
"""One record of 2090 would make every later one of its person, or of its item, late."""
IN_THE_FUTURE = BadRecord("IN_THE_FUTURE", "occurred_at is more than five minutes after the log took it in")

T = TypeVar("T")
Ahead = Sequence[Mapping[Address, bytes]]
"""Changes that are on their way to the store, one mapping a commit."""
Hashes = Callable[[str], Iterable[tuple[str, bytes]]]
"""The fields of one of a shard's index hashes, by its name (`schedule`, `orders`)."""


class Record(NamedTuple):
    """One record of a log partition as Kafka stores it; `timestamp_ms` is the log's own."""

    offset: int
    timestamp_ms: int
    value: bytes


class Rerouted(NamedTuple):
    """A record that stood on the wrong partition, or is found to mean another: appended to its own of the same log."""

    log: Literal["events", "subjects"]
    partition: int
    key: str
    value: bytes


class Numbered(Struct, frozen=True, gc=False):
    """A contribution with its number in the stream from this person shard to that subject shard."""

    target: int
    number: int
    contribution: Contribution


class Effects(Struct):
    """What one record says to the outside.

    `result` counts it: applied, duplicate, conflict, late, waiting, refused, rerouted.
    """

    event_type: str
    result: str
    outputs: list[Output] = []
    replies: list[Reply] = []
    numbered: list[Numbered] = []
    rerouted: list[Rerouted] = []


class ShardStopped(Exception):
    """This shard must not go on until a person has looked; the message says why and what to do."""


def beyond(known: Collection[T], count_max: int) -> list[T]:
    """The oldest of more than so many."""
    return list(islice(known, max(0, len(known) - count_max)))


class Values:
    """The shard's values in memory: those read, those changed since the last cut, and the digest over all of them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.digest = 0
        self._prefix = f"{KEY_PREFIX}{tag}:"
        self._known: dict[Address, bytes] = {}
        self._hashes: dict[Address, int] = {}  # of values set since they were read: not computed again when replaced
        self._changed: dict[Address, bytes] = {}

    def address(self, kind: str, name: str = "", field_name: str = "") -> Address:
        """The address of a value: `a` activity, `c` credit, `i` institution, `s` staff, `r` regulars, `g` goods, `k`
        keys of movements, `b` batches, `t` trace codes, `m` markets, `u` askers; `schedule`, `orders`, `policy`: one
        hash each; `peers`.
        """
        return (f"{self._prefix}{kind}:{name}" if name else f"{self._prefix}{kind}"), field_name

    def kind_and_name(self, address: Address) -> tuple[str, str]:
        """Whose value it is; field names are the address's own."""
        kind, _, name = address[0].removeprefix(self._prefix).partition(":")
        return kind, name

    def missing(self, addresses: list[Address]) -> list[Address]:
        """Those that have to be read before a record can be applied."""
        return [address for address in addresses if address not in self._known]

    def load(self, address: Address, value: bytes | None) -> None:
        """Take in what the store holds (None = nothing)."""
        self._known[address] = value or b""
        self._hashes.pop(address, None)

    def get(self, address: Address) -> bytes:
        """The value; b'' = there is none."""
        return self._known[address]

    def set(self, address: Address, value: bytes) -> None:
        """Change a value (b'' deletes it) and the digest with it; a value set to itself changes nothing."""
        before = self._known.pop(address, b"")  # it goes to the end: what is used stays in memory longest
        self._known[address] = value
        if value == before:
            return
        if before:
            known = self._hashes.pop(address, None)
            self.digest ^= value_hash(*address, before) if known is None else known
        if value:
            self._hashes[address] = hashed = value_hash(*address, value)
            self.digest ^= hashed
        self._changed[address] = value

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""
        return len(self._changed)

    def take_changes(self) -> dict[Address, bytes]:
        """What changed since the last cut; the next range begins empty."""
        changes, self._changed = self._changed, {}
        return changes

    def everything(self) -> Iterable[tuple[Address, bytes]]:
        """Every value in memory; all of the shard's where nothing was ever forgotten (a proof)."""
        return self._known.items()

    def beyond(self, count_max: int) -> list[Address]:
        """What is in memory, with what is known to be nothing, beyond so many: those read or set longest ago."""
        return beyond(self._known, count_max)

    def forget(self, address: Address) -> None:
        """Drop one of the working set; only between two batches."""
        assert not self._changed, "a changed value would be lost"
        del self._known[address]
        self._hashes.pop(address, None)


class Shard(Protocol):
    """A fold over one partition: people (person_shard.py) or institutions and staff (subject_shard.py)."""

    family: str
    partition: int
    values: Values
    state: ShardState
    policy: Policy | None

    def restore(self, state: ShardState, policy: bytes, hashes: Hashes, digest: str) -> None:
        """Stand where the store stands."""

    def decode(self, record: Record) -> Any:
        """The record's meaning, or BadRecord."""

    def event_ms(self, meaning: Any) -> int:
        """The business time of a decoded record, 0 where pacing by it makes no sense."""

    def addresses(self, decoded: Sequence[Any]) -> list[Address]:
        """The values not yet in memory that these records need."""

    def room_for(self, decoded: Any) -> int:
        """How many values this record may change at most."""

    def apply(self, record: Record, decoded: Any) -> Effects:
        """Fold one record; an exception leaves everything as it was before it."""

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""

    def take_changes(self) -> dict[Address, bytes]:
        """The values that changed since the last cut; the digest includes them from here on."""

    def due_timers(self, now_ms: int) -> list[TimerDue]:
        """The timers to append now, each once."""

    def forget_beyond(self, count_max: int, ahead: Ahead = ()) -> None:
        """Keep the working set small, a few at a time, for whoever comes waits; only between two batches. `ahead` is
        what is decided and not committed yet: it stays, for it would be read again as it was.
        """


def position_of(tag: str, offset: int) -> str:
    """A place in the log as decisions quote it: `p3@123`."""
    return f"{tag.strip('{}')}@{offset}"


@lru_cache(maxsize=8)
def _parsed(text: bytes) -> Policy:
    """A bundle as the shards' values keep it; every shard of a lane names the same one."""
    return parse_policy(orjson.loads(text)["files"])


def restored_policy(values: Values, text: bytes) -> Policy | None:
    """The policy that the shard's own state names, parsed."""
    values.load(values.address("policy"), text)
    return _parsed(text) if text else None


def activated(values: Values, fact: PolicyActivated) -> Policy:
    """Put a policy in force; one that cannot be read here stops the shard."""
    text = orjson.dumps({"version": fact.version, "files": fact.files}, option=orjson.OPT_SORT_KEYS)
    try:
        policy = _parsed(text)
    except PolicyError as error:
        raise ShardStopped(f"the policy {fact.version} in the log cannot be read by this release: {error}") from error
    values.set(values.address("policy"), text)
    return policy


def in_force(policy: Policy | None, position: str) -> Policy:
    """A partition without a policy is not judged."""
    if policy is None:
        raise ShardStopped(
            f"{position}: no policy is active in this partition, so nothing can be judged. "
            "Run: xinmai policy activate DIR"
        )
    return policy


def switched_fold(state: ShardState, fact: FoldActivated, position: str) -> ShardState:
    """From here on this fold decides; a release of an older one stops, and so does one of a newer. Said again, or late,
    it changes nothing.
    """
    if fact.fold_version <= state.fold_version:
        return state
    if fact.fold_version > FOLD_VERSION:
        raise ShardStopped(
            f"{position}: the log switches to fold {fact.fold_version}, this release folds {FOLD_VERSION}. "
            "Stop this release's workers, run its xinmai verify once with XINMAI_SNAPSHOTS set (the switch snapshot), "
            "then start the release that appended the switch."
        )
    if fact.fold_version < FOLD_VERSION:
        raise ShardStopped(_not_ours(position, fact.fold_version))
    return state._replace(fold_version=fact.fold_version)


def refuse_before_switch(state: ShardState, record: Record, meaning: Any, tag: str) -> None:
    """What lies before a release's own switch is another fold's: neither judged nor proved here."""
    if state.fold_version == FOLD_VERSION:
        return
    if not (isinstance(meaning, FoldActivated) and meaning.fold_version > state.fold_version):
        raise ShardStopped(_not_ours(position_of(tag, record.offset), state.fold_version))


def _not_ours(position: str, fold_version: int) -> str:
    return (
        f"{position} belongs to fold {fold_version}, this release folds {FOLD_VERSION}. Run the release of that fold "
        "up to the switch (xinmai fold activate appends it), or start from the snapshot that it wrote there "
        "(XINMAI_SNAPSHOTS)."
    )


def dead_letter(record: Record, position: str, error: BadRecord) -> Output:
    """What cannot be read carries no content on: the log keeps it, the hash and the origin find it."""
    content = record_hash(record.value)
    identity = derived_id("dl_", position)  # of the place: the same poison may come twice
    body = {
        "deadletter_id": identity,
        "reason": error.reason,
        "detail_en": error.detail,
        "origin": position,
        "sha256": content,
    }
    return Output("deadletter", position, identity, body)
