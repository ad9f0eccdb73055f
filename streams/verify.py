"""Proof and repair: `verify` folds the log again and compares; `rebuild` folds it into an empty Redis.

Both publish nothing.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from connectors.kafka import cluster_identity, is_mock
from connectors.log_reader import log_end, read_log
from connectors.state_codec import pack
from connectors.store import Store, meta_key
from connectors.topology import Topics, tags
from streams.ownership import topology_of
from streams.person_shard import PersonShard
from streams.shards import Effects, Record, Shard, ShardStopped, refuse_before_switch
from streams.snapshots import Snapshot, newest_snapshot, write_snapshot
from streams.subject_shard import SubjectShard

if TYPE_CHECKING:
    from streams.settings import Settings


@dataclass(slots=True)
class Findings:
    """What a proof found: how much it folded, and every difference by name."""

    records: int = 0
    shards: int = 0
    values: int = 0
    outputs: int = 0
    expired: int = 0
    differences: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """Everything that keeps it from being equal, what could not be proved first."""
        return self.unproved + self.differences


@dataclass(frozen=True, slots=True)
class Log:
    """One partition of one of the two logs, and how to make an empty shard for it."""

    topic: str
    partition: int
    tag: str
    make: Callable[[], Shard]


def logs(kafka: str, topics: Topics, clock: str) -> list[Log]:
    """Every partition of both logs."""
    _, found = cluster_identity(kafka, (topics.events, topics.subjects))
    people, subjects = found[topics.events][1], found[topics.subjects][1]

    def person(partition: int) -> Callable[[], Shard]:
        return lambda: PersonShard(
            tags("p", people)[partition], partition, partitions=people, subject_partitions=subjects, clock=clock
        )

    def subject(partition: int) -> Callable[[], Shard]:
        return lambda: SubjectShard(
            tags("q", subjects)[partition], partition, partitions=people, subject_partitions=subjects, clock=clock
        )

    return [
        *(Log(topics.events, each, tags("p", people)[each], person(each)) for each in range(people)),
        *(Log(topics.subjects, each, tags("q", subjects)[each], subject(each)) for each in range(subjects)),
    ]


def begun(shard: Shard, snapshot: Snapshot | None) -> int:
    """Put the shard, in memory, where its snapshot stands, or at the log's beginning; returns the next offset."""
    if snapshot is None:
        shard.restore(shard.state, b"", lambda _name: (), "")
        return 0
    values = snapshot.addresses()
    policy = values.get(shard.values.address("policy"), b"")
    for address, value in values.items():
        shard.values.load(address, value)
    shard.restore(
        snapshot.state,
        policy,
        lambda name: snapshot.values.get(shard.values.address(name)[0], {}).items(),
        snapshot.digest,
    )
    return snapshot.offset + 1


def folded(kafka: str, log: Log, shard: Shard, span: tuple[int, int]) -> Iterator[list[tuple[Record, Effects]]]:
    """Fold a stretch of a partition in memory; yields what each record of a batch says."""
    for batch in _decoded(kafka, log, shard, span):
        yield [(record, shard.apply(record, meaning)) for record, meaning in batch]


def _ahead(kafka: str, log: Log, shard: Shard, start: int) -> Iterator[tuple[Record, Effects]]:
    """What the records say that Redis has not applied yet, up to one that stops the shard."""
    _, end = log_end(kafka, log.topic, log.partition)
    with suppress(ShardStopped):
        for batch in _decoded(kafka, log, shard, (start, end)):
            for record, meaning in batch:
                try:
                    effects = shard.apply(record, meaning)
                except Exception:  # no lane gets further, and each has paged
                    return
                yield record, effects


def _decoded(kafka: str, log: Log, shard: Shard, span: tuple[int, int]) -> Iterator[list[tuple[Record, Any]]]:
    """A stretch of a partition, what it needs in memory; a batch is folded before the next is asked for."""
    for batch in read_log(kafka, log.topic, log.partition, span):
        records = [Record(*each) for each in batch]
        decoded = [shard.decode(record) for record in records]
        refuse_before_switch(shard.state, records[0], decoded[0], log.tag)
        for address in shard.values.missing(shard.addresses(decoded)):
            shard.values.load(address, None)
        yield list(zip(records, decoded, strict=True))
        shard.take_changes()


def prove(
    kafka: str, redis: str, topics: Topics, *, clock: str, outputs: bool, snapshots: Path | None = None
) -> Findings:
    """Fold every shard to the offset Redis stands at, and compare digest, state and every value; with `outputs`, the
    topics too. A lane says what a record says before it commits: killed, it leaves outputs of records that Redis has
    not applied. They may be there, and need not.
    """
    from streams.proof_of_outputs import Derived, compare_outputs

    store = Store(redis, timeout_s=30)
    findings, derived, ahead = Findings(), Derived(), Derived()
    identity, _ = topology_of(kafka, topics, clock)
    for log in logs(kafka, topics, clock):
        meta = store.client.hgetall(meta_key(log.tag))
        if b"offset" not in meta:
            findings.unproved.append(f"{log.tag}: Redis has no position; run xinmai rebuild")
            continue
        shard, end, earlier = log.make(), int(meta[b"offset"]) + 1, findings.records
        topology = meta[b"topology"].decode()
        if topology != identity[log.topic]:
            findings.unproved.append(
                f"{log.tag}: Redis holds the state of another log or clock, {topology}; this is {identity[log.topic]}. "
                "Connect the two that belong together, or empty Redis and run xinmai rebuild"
            )
            continue
        snapshot = newest_snapshot(snapshots, log.tag, topology=topology, up_to=end - 1)
        for said in folded(kafka, log, shard, (begun(shard, snapshot), end)):
            findings.records += len(said)
            if outputs:
                derived.note(log.partition, said)
        findings.shards += 1
        known = len(findings.differences)
        _compare(store, shard, meta, findings)
        if store.client.hget(meta_key(log.tag), "offset") != meta[b"offset"]:
            del findings.differences[known:]
            findings.unproved.append(f"{log.tag}: moved while it was read; stop the lanes, then verify")
            continue
        if snapshots is not None and len(findings.differences) == known:
            write_snapshot(snapshots, _snapshot(shard, meta))
        if outputs:  # folds the shard on: it stands no longer where Redis does
            ahead.note(log.partition, _ahead(kafka, log, shard, end))
        done, total = findings.records - earlier, findings.records
        _progress(f"{log.tag} 已核对 {done} 条，累计 {total} / {done} records folded and compared, {total} so far")
    if outputs and not findings.unproved:
        compare_outputs(kafka, topics, derived, findings, ahead=ahead)
    store.close()
    return findings


def _snapshot(shard: Shard, meta: dict[bytes, bytes]) -> Snapshot:
    """What was just proved equal."""
    values: dict[str, dict[str, bytes]] = {}
    for (key, field_name), value in shard.values.everything():
        if value:
            values.setdefault(key, {})[field_name] = value
    return Snapshot(
        shard.values.tag,
        meta[b"topology"].decode(),
        int(meta[b"offset"]),
        meta[b"digest"].decode(),
        meta[b"record"].decode(),
        shard.state,
        values,
    )


def _compare(store: Store, shard: Shard, meta: dict[bytes, bytes], findings: Findings) -> None:
    """Every value by name: a digest says that something differs, an operator needs to know what."""
    tag = shard.values.tag
    if meta[b"digest"].decode() != f"{shard.values.digest:032x}":
        findings.differences.append(f"{tag}: digest in meta differs from the fold's")
    if meta[b"state"] != pack(shard.state):
        findings.differences.append(f"{tag}: shard state differs from the fold's")
    expected = {address: value for address, value in shard.values.everything() if value}
    for key in store.keys_of(tag):
        for address, value in store.values_at(key):
            findings.values += 1
            wanted = expected.pop(address, None)
            if wanted is None:
                findings.differences.append(f"{_name(address)}: in Redis, but no record made it")
            elif wanted != value:
                findings.differences.append(f"{_name(address)}: bytes differ from the fold's")
    findings.differences += [f"{_name(address)}: missing in Redis" for address in expected]


def _name(address: tuple[str, str]) -> str:
    """The key as redis-cli takes it; of a hash its field behind it."""
    return " ".join(filter(None, address))


def verify(settings: "Settings", *, outputs: bool, as_json: bool) -> int:
    """The command: 0 equal, 1 something differs, 2 cannot be proved here."""
    cluster_id, _ = cluster_identity(settings.kafka, ())
    if is_mock(cluster_id):
        print("log truncated: the in-process broker forgets; proof needs a real Kafka", file=sys.stderr)
        return 2
    started = time.monotonic()
    findings = prove(
        settings.kafka,
        settings.redis,
        settings.topics,
        clock=settings.clock,
        outputs=outputs,
        snapshots=None if outputs else settings.snapshots,
    )
    answer = {
        "equal": not findings.told,
        "shards": findings.shards,
        "records": findings.records,
        "values": findings.values,
        "outputs": findings.outputs,
        "expired": findings.expired,
        "seconds": round(time.monotonic() - started, 1),
        "differences": findings.told[:100],
    }
    if as_json:
        print(orjson.dumps(answer).decode())
    else:
        word = "equal" if answer["equal"] else "NOT EQUAL" if findings.differences else "NOT PROVED"
        print(
            f"{word}: {findings.records} records, {findings.shards} shards, "
            f"{findings.values} values, {findings.outputs} outputs"
        )
        if findings.expired:
            print(
                f"  {findings.expired} 条输出已超过主题的保留期，不再核对 / outputs older than their topics keep them"
            )
        for difference in findings.told[:100]:
            print(f"  {difference}")
    return 0 if answer["equal"] else 1


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
