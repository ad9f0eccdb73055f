"""`xinmai replay --policy DIR`: the log folded twice in memory, under its own policies and under another one.

What differs is what the other policy would have said. Nothing is published and Redis is not touched. Facts are taken as
they were recorded: nobody behaves otherwise, and no bank answers an order it never got.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.kafka import cluster_identity
from connectors.log_reader import log_end, read_log
from connectors.topology import Topics
from streams.replay_report import Differences, show
from streams.shards import Record
from streams.stop import Stop
from streams.twin import Given, Twin, given_policy
from streams.verify import Log, logs

if TYPE_CHECKING:
    from streams.settings import Settings


def compare(kafka: str, topics: Topics, given: Given, *, clock: str) -> Differences:
    """Fold every partition of both logs twice and compare what was said."""
    found = Differences(policy=given.parsed.version)
    for log in logs(kafka, topics, clock):
        first, end = log_end(kafka, log.topic, log.partition)
        if first > 0:
            raise Stop(
                f"{log.topic}[{log.partition}] 的开头已不在（现从 {first} 起）；推演须从第一条记录开始",
                f"{log.topic}[{log.partition}] begins at {first}: its first records are gone, and a replay needs them",
            )
        _compare_partition(kafka, log, (given, clock, end), found)
        print(f"{log.tag} {end} records folded twice", file=sys.stderr, flush=True)
    return found


def _compare_partition(kafka: str, log: Log, under: tuple[Given, str, int], found: Differences) -> None:
    given, clock, end = under
    twin = Twin(log, given, clock)
    for batch in read_log(kafka, log.topic, log.partition, (0, end)):
        twin.fold([Record(*each) for each in batch])
        found.records += len(batch)
    twin.said.finish(found)
    found.instead_of |= twin.policies


def run_replay(settings: "Settings", directory: Path, *, as_json: bool) -> int:
    """The command: 0 nothing would be different, 1 something would, 2 could not run."""
    given = given_policy(directory)
    must_exist(settings)
    differences = compare(settings.kafka, settings.topics, given, clock=settings.clock)
    show(differences, as_json=as_json)
    return 1 if differences.any else 0


def must_exist(settings: "Settings") -> None:
    """Both logs, or what to do."""
    names = (settings.topics.events, settings.topics.subjects)
    _, known = cluster_identity(settings.kafka, names)
    if missing := [name for name in names if name not in known]:
        raise Stop(f"没有主题 {missing[0]}：请先运行 xinmai topics create", f"no topic {missing[0]}: run topics create")
