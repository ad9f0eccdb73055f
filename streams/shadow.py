"""`xinmai shadow --policy DIR`: another rule book beside the live one, observing only, for as long as it runs.

It folds both logs from their beginning and then as they grow, in its own memory, under their own policies and under the
other one, and names each alert, decision and order that would be different. Nothing is published; Redis is not touched.
Its memory holds both folds: a district's people, not a province's.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from connectors.log_reader import log_end, read_log
from streams.replay import must_exist
from streams.replay_report import Differences, as_line, show
from streams.shards import Record
from streams.stop import Stop
from streams.twin import Twin, given_policy
from streams.verify import Log, logs

if TYPE_CHECKING:
    from streams.settings import Settings

_LOOK_S = 0.5


class Shadow:
    """One partition and its twin, and how far they have come."""

    def __init__(self, kafka: str, log: Log, twin: Twin) -> None:
        self._kafka, self._log, self._twin = kafka, log, twin
        self._reached = 0
        self._told: set[str] = set()

    def follow(self, found: Differences, tell: Callable[[str], None]) -> int:
        """Fold what has come since the last look, and tell what differs as of now; how many records that were."""
        first, end = log_end(self._kafka, self._log.topic, self._log.partition)
        if first > self._reached:
            raise Stop(
                f"{self._log.topic}[{self._log.partition}] 的开头已不在（现从 {first} 起）；并行观察须从第一条记录开始",
                f"{self._log.topic}[{self._log.partition}] begins at {first}: a shadow needs every record",
            )
        began = self._reached
        for batch in read_log(self._kafka, self._log.topic, self._log.partition, (began, end)):
            self._twin.fold([Record(*each) for each in batch])
            found.records += len(batch)
        self._reached = end
        lines = [as_line(kind, example) for kind, example in self._twin.said.settle(found)]
        for line in lines:
            if line not in self._told:
                tell(line)
        self._told = set(lines)
        return end - began

    def end(self, found: Differences) -> None:
        """Count what still differs."""
        self._twin.said.finish(found)
        found.instead_of |= self._twin.policies


def until_interrupted() -> Event:
    """Set by Ctrl-C or SIGTERM."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def run_shadow(settings: "Settings", directory: Path, *, stopped: Event, as_json: bool) -> int:
    """The command: 0 nothing would be different, 1 something would. What has come when it is stopped is compared."""
    given = given_policy(directory)
    must_exist(settings)
    found = Differences(policy=given.parsed.version)
    shadows = [
        Shadow(settings.kafka, log, Twin(log, given, settings.clock))
        for log in logs(settings.kafka, settings.topics, settings.clock)
    ]
    last = False
    observing = False
    while not last:
        last = stopped.is_set()
        came = sum(shadow.follow(found, _tell) for shadow in shadows)
        if not observing:
            _tell(f"{found.records} records folded twice; observing 并行观察中")
            observing = True
        if not came and not last:
            stopped.wait(_LOOK_S)
    for shadow in shadows:
        shadow.end(found)
    show(found, as_json=as_json)
    return 1 if found.any else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
