"""The shards' values in Redis: claim, read, commit, and the channels beside them.

It compares positions; it knows nothing of credit.

A value's address is (key, field): a plain string has the field ''. All keys of a shard share its hash tag, so one
script sees them all, on one Redis or on a cluster.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError

from connectors.append_only_file import FileProof, redis_failure
from connectors.errors import ConnectorError
from connectors.redis_connection import connected, exchange
from connectors.stored_bytes import stored, value_of

KEY_PREFIX = "xm:"
PULSE_CHANNEL = "xinmai:pulse"
VALUES_PER_COMMIT = 250  # a script blocks Redis: 250 values take it well below a millisecond

Address = tuple[str, str]


class Claim(NamedTuple):
    """What a new owner finds: its epoch, and the position, if anything was ever committed."""

    epoch: str
    offset: int | None
    digest: str
    record: str
    state: bytes
    topology: str


class Position(NamedTuple):
    """Where a shard stands: who may write, and the last applied offset (None = nothing applied)."""

    epoch: str | None
    offset: int | None


class Commit(NamedTuple):
    """One contiguous range of the log, decided: the values that changed (b'' = delete) and where it ends."""

    tag: str
    epoch: str
    after: int | None
    offset: int | None  # None: an unfinished load
    digest: str
    record: str
    state: bytes
    topology: str
    changes: dict[Address, bytes]


class CommitResult(NamedTuple):
    """`committed`, or `moved` and where the shard stands instead."""

    status: Literal["committed", "moved"]
    position: Position


class _Call(NamedTuple):
    script: str
    keys: Sequence[str]
    arguments: Sequence[str | bytes]


def meta_key(tag: str) -> str:
    """The hash that holds a shard's position, digest and state."""
    return f"{KEY_PREFIX}{tag}:meta"


def reply_channel(api_id: str) -> str:
    """Where one API process listens for the answers to its requests."""
    return f"xinmai:reply:{api_id}"


def _offset(raw: bytes | None) -> int | None:
    return int(raw) if raw else None


class Store:
    """One connection to Redis, single or cluster; safe for one thread. Who claims and commits says `writes`."""

    def __init__(self, url: str, *, writes: bool = False, timeout_s: float = 5.0) -> None:
        self._writes = writes
        self._redis = connected(url, timeout_s, FileProof() if writes else None)
        self.clustered = isinstance(self._redis, RedisCluster)
        folder = Path(__file__).parent / "lua"
        self._text = {name: (folder / f"{name}.lua").read_text() for name in ("claim", "read", "commit")}
        self._sha: dict[str, str] = {}

    @property
    def client(self) -> Any:
        """The redis-py client, for what is no shard value (subscriptions, pauses)."""
        return self._redis

    def check_policy_of_memory(self) -> None:
        """Refuse a Redis that would evict, any primary of a cluster: it would forget people's money to make room."""
        try:
            nodes = self._redis.get_primaries() if self.clustered else [None]
            for node in nodes:
                at = {"target_nodes": node} if node else {}
                policy = self._redis.config_get("maxmemory-policy", **at)["maxmemory-policy"]
                if policy != "noeviction":
                    raise ConnectorError(
                        "redis",
                        f"maxmemory-policy{f' of {node.name}' if node else ''} is {policy}; "
                        "a shard's values must never be evicted. Run: CONFIG SET maxmemory-policy noeviction",
                        retryable=False,
                    )
        except RedisError as error:
            raise redis_failure(error) from error

    def claim(self, tag: str, at_ms: int) -> Claim:
        """Become the writer of the shard."""
        (answer,) = self._run([_Call("claim", [meta_key(tag)], [str(at_ms)])])
        epoch, offset, digest, record, state, topology = answer
        return Claim(
            epoch.decode(),
            _offset(offset),
            (digest or b"").decode(),
            (record or b"").decode(),
            state or b"",
            (topology or b"").decode(),
        )

    def read(self, wanted: Sequence[tuple[str, Sequence[Address]]]) -> list[tuple[Position, list[bytes | None]]]:
        """For each (tag, addresses): the shard's position and the values, read together."""
        calls = [
            _Call("read", [meta_key(tag), *(key for key, _ in addresses)], [field for _, field in addresses])
            for tag, addresses in wanted
        ]
        return [
            (
                Position(epoch.decode() if epoch else None, _offset(offset)),
                [kept if kept is None else value_of(kept) for kept in values],
            )
            for epoch, offset, *values in self._run(calls)
        ]

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        """Commit in the order given; once one of a shard has moved, its followers move too."""
        calls = []
        for each in commits:
            head: list[str | bytes] = [
                each.epoch,
                "" if each.after is None else str(each.after),
                "" if each.offset is None else str(each.offset),
                each.digest,
                each.record,
                each.state,
                each.topology,
            ]
            body: list[str | bytes] = [
                part for (_, field), value in each.changes.items() for part in (field, stored(value))
            ]
            calls.append(_Call("commit", [meta_key(each.tag), *(key for key, _ in each.changes)], [*head, *body]))
        return [
            CommitResult(status.decode(), Position(epoch.decode() if epoch else None, _offset(offset)))
            for status, epoch, offset in self._run(calls)
        ]

    def hash_values(self, key: str) -> Iterator[tuple[str, bytes]]:
        """Every field of one hash, in chunks that do not block Redis."""
        try:
            for field, value in self._redis.hscan_iter(key, count=1000):
                yield field.decode(), value_of(value)
        except RedisError as error:
            raise redis_failure(error) from error

    def keys_of(self, tag: str) -> Iterator[str]:
        """Every key of the shard, its meta left out."""
        try:
            options = {"target_nodes": RedisCluster.PRIMARIES} if self.clustered else {}
            for raw in self._redis.scan_iter(match=f"{KEY_PREFIX}{tag}:*", count=1000, **options):
                if not raw.endswith(b":meta"):
                    yield raw.decode()
        except RedisError as error:
            raise redis_failure(error) from error

    def values_at(self, key: str) -> Iterator[tuple[Address, bytes]]:
        """Every value under one key: a string is one, a hash one a field."""
        try:
            if self._redis.type(key) == b"hash":
                for field, value in self.hash_values(key):
                    yield (key, field), value
            else:
                value = self._redis.get(key)
                if value is not None:
                    yield (key, ""), value_of(value)
        except RedisError as error:
            raise redis_failure(error) from error

    def clear(self, tag: str) -> None:
        """Empty a shard: before it is filled from a snapshot, and after a load that was cut short."""
        try:
            for key in [*self.keys_of(tag), meta_key(tag)]:
                self._redis.unlink(key)
        except RedisError as error:
            raise redis_failure(error) from error

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send to channels; who does not listen misses it."""
        try:
            if self.clustered:
                for channel, message in messages:
                    self._redis.publish(channel, message)
                return
            answers = exchange(self._redis, [("PUBLISH", channel, message) for channel, message in messages])
        except RedisError as error:
            raise redis_failure(error) from error
        _raise_first(answers)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def _run(self, calls: Sequence[_Call]) -> list[Any]:
        """Run the scripts, pipelined where one server serves them all.

        A script that Redis forgot is loaded and run again.
        """
        assert self._writes or all(call.script == "read" for call in calls), "open the store with writes=True"
        try:
            answers = self._evaluate(calls)
            forgotten = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if forgotten:
                self._sha.clear()
                for index, answer in zip(forgotten, self._evaluate([calls[i] for i in forgotten]), strict=True):
                    answers[index] = answer
        except RedisError as error:
            raise redis_failure(error) from error
        _raise_first(answers)
        return answers

    def _evaluate(self, calls: Sequence[_Call]) -> list[Any]:
        if self.clustered:
            return [self._evaluate_on_cluster(call) for call in calls]
        return exchange(
            self._redis,
            [("EVALSHA", self._sha_of(call.script), len(call.keys), *call.keys, *call.arguments) for call in calls],
        )

    def _evaluate_on_cluster(self, call: _Call) -> Any:
        """The cluster client's pipeline refuses EVALSHA; its single command follows MOVED and ASK by itself."""
        try:
            return self._redis.execute_command(
                "EVALSHA", self._sha_of(call.script), len(call.keys), *call.keys, *call.arguments
            )
        except NoScriptError:
            return self._redis.execute_command(
                "EVAL", self._text[call.script], len(call.keys), *call.keys, *call.arguments
            )

    def _sha_of(self, script: str) -> str:
        if script not in self._sha:
            sha = self._redis.script_load(self._text[script])
            self._sha[script] = sha.decode() if isinstance(sha, bytes) else str(sha)
        return self._sha[script]


def _raise_first(answers: Sequence[Any]) -> None:
    """What one command met fails them all."""
    failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
    if failed is not None:
        raise ConnectorError("redis", str(failed), retryable=True) from failed
