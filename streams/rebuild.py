"""Empty each shard and fill it again by the same fold the lanes run, publishing nothing; one process a core.

It ends at the published mark: what waits behind it was never said, and is the lanes' to fold and to say.

Lanes must not be running, and while they do it refuses: a rebuilt shard is claimed, so a lane that still ran would be
fenced and would claim it back.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from connectors.errors import ConnectorError
from connectors.kafka import cluster_identity, group_has_members, is_mock, published_marks
from connectors.log_reader import log_end, read_log
from connectors.store import Store
from streams.orders import pauses_told
from streams.owned import Moved, Owned
from streams.ownership import topology_of
from streams.shards import Record
from streams.snapshots import load_snapshot, newest_snapshot
from streams.stop import Stop
from streams.verify import Log, logs

if TYPE_CHECKING:
    from streams.settings import Settings

_NEVER = 2**62  # a business time that no record reaches
_RECORDS_PER_STEP = 2_000
_NOTICED_WITHIN_S = 3.0


def rebuild_log(kafka: str, redis: str, log: Log, mark: int, *, topology: str, snapshots: Path | None = None) -> int:
    """Empty a shard and fold its partition up to the mark, from its snapshot if there is one; returns how many records
    were folded.
    """
    store = Store(redis, writes=True, timeout_s=30)
    snapshot = newest_snapshot(snapshots, log.tag, topology=topology)
    begins_at, end = log_end(kafka, log.topic, log.partition)
    if begins_at > 0 and (snapshot is None or snapshot.offset + 1 < begins_at):
        raise ConnectorError(
            "kafka",
            f"{log.topic}[{log.partition}] begins at {begins_at} and no snapshot reaches it; Redis is left as it is",
            retryable=False,
        )
    store.clear(log.tag)
    owned = Owned(log.topic, log.make, store, topology)
    start = owned.claim()
    if snapshot is not None:
        load_snapshot(store, snapshot, owned.epoch)
        start = owned.claim()
    owned.published_mark = mark  # nothing it reads reaches it: the past is folded silently
    folded = 0
    for batch in read_log(kafka, log.topic, log.partition, (start, min(end, mark))):
        for each in batch:
            owned.offer(Record(*each))
        while owned.waiting:
            folded += _step(store, owned)
    store.close()
    return folded


def _step(store: Store, owned: Owned) -> int:
    taken = owned.take(_RECORDS_PER_STEP, _NEVER)
    addresses = owned.shard.addresses([each.meaning for each in taken])
    ((position, values),) = store.read([(owned.tag, addresses)])
    owned.check(position)
    for address, value in zip(addresses, values, strict=True):
        owned.shard.values.load(address, value)
    work = owned.decide(taken)
    if any(result.status == "moved" for result in store.commit(work.commits)):
        raise Moved(f"{owned.tag}: somebody else writes it; stop the lanes, then rebuild")
    owned.committed = work.last_offset
    return len(work.said)


def _rebuild_partition(settings: "Settings", index: int, mark: int) -> tuple[str, int]:
    """In a process of its own."""
    log = logs(settings.kafka, settings.topics, settings.clock)[index]
    topology = topology_of(settings.kafka, settings.topics, settings.clock)[0][log.topic]
    return log.tag, rebuild_log(
        settings.kafka, settings.redis, log, mark, topology=topology, snapshots=settings.snapshots
    )


def _marks(settings: "Settings", wanted: list[Log]) -> list[int]:
    """The published mark of each partition; without it nobody knows what was said, so nothing is emptied."""
    known = {
        (topic, partition): mark
        for topic in {log.topic for log in wanted}
        for partition, mark in published_marks(settings.kafka, settings.group, topic).items()
    }
    missing = ", ".join(f"{log.topic}[{log.partition}]" for log in wanted if (log.topic, log.partition) not in known)
    if missing:
        raise Stop(
            f"{missing} 没有发布位点（消费组 {settings.group}），无法得知哪些输出已经发布，Redis 未改动；"
            "请把该消费组的位点设到输出已发布之处（kafka-consumer-groups --reset-offsets；尚无记录的日志："
            "xinmai topics create），再重新运行",
            f"{missing} has no published mark (group {settings.group}), so nobody knows which outputs are out; Redis "
            "is left as it is. Set the group's offsets to where its outputs ended (kafka-consumer-groups "
            "--reset-offsets; for a log without records: xinmai topics create), then run xinmai rebuild again",
        )
    return [known[log.topic, log.partition] for log in wanted]


def _refuse_beside_lanes(settings: "Settings") -> None:
    """Lanes that have just ended stay members of their group for a session: so long it waits."""
    until_s = time.monotonic() + settings.tuning.session_timeout_ms / 1_000 + _NOTICED_WITHIN_S
    while group_has_members(settings.kafka, settings.group):
        if time.monotonic() > until_s:
            raise Stop(
                f"lane 仍在运行（消费组 {settings.group}），Redis 未改动；请先停止 worker 或 xinmai up，再重新运行",
                f"lanes are running (group {settings.group}) and would take the shards back; Redis is left as it is. "
                "Stop the workers, or xinmai up, then run xinmai rebuild again",
            )
        time.sleep(0.2)


def rebuild(settings: "Settings", *, as_json: bool) -> int:
    """The command: 0 rebuilt, 2 cannot be done here."""
    cluster_id, _ = cluster_identity(settings.kafka, ())
    if is_mock(cluster_id):
        print("log truncated: the in-process broker forgets; a rebuild needs a real Kafka", file=sys.stderr)
        return 2
    _refuse_beside_lanes(settings)
    started = time.monotonic()
    marks = _marks(settings, logs(settings.kafka, settings.topics, settings.clock))
    records = 0
    with ProcessPoolExecutor(cpu_count(), get_context("spawn")) as pool:
        for running in [pool.submit(_rebuild_partition, settings, *each) for each in enumerate(marks)]:
            tag, folded = running.result()
            records += folded
            print(f"{tag} 已重建 {folded} 条 / rebuilt from {folded} records", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    store = Store(settings.redis)
    print(*pauses_told(store.client), sep="\n", file=sys.stderr)
    store.close()
    answer = {"records": records, "seconds": round(seconds, 2), "records_per_second": round(records / seconds)}
    print(orjson.dumps(answer).decode() if as_json else f"rebuilt: {records} records in {seconds:.1f} s")
    return 0
