"""Lanes that judge nothing, for the supervisor's tests. Spawned children import this module, so it imports little."""

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any


def note(settings: Any, text: str) -> None:
    """Leave a line where the test finds it."""
    with open(settings["notes"], "a", encoding="utf-8") as notes:
        notes.write(text + "\n")


def steady_lane(settings: Any, index: int, control: Connection) -> None:
    """Pulses until its parent's end closes, then drains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note(settings, f"started {index} {os.getpid()}")
    while True:
        try:
            control.send({"kind": "pulse", "shards": [], "tally": {}})
            if control.poll(0.02):
                control.recv()
        except (EOFError, OSError):
            time.sleep(settings.get("drain_s", 0))
            note(settings, f"drained {index}")
            return


def crashing_lane(settings: Any, index: int, control: Connection) -> None:
    """Dies at once, as if killed."""
    note(settings, f"started {index} {os.getpid()}")
    control.send({"kind": "pulse", "shards": [], "tally": {}})
    os.kill(os.getpid(), signal.SIGKILL)


def lane_with_a_bad_rule(settings: Any, index: int, control: Connection) -> None:
    """Stops one shard on purpose and goes on with the others."""
    stopped = {"kind": "stopped", "shard": "p3", "detail": "rule P01 raised ZeroDivisionError at p3@17"}
    control.send(stopped)
    control.send({"kind": "owned", "shards": ["{p3}", "{p4}"]})
    control.send(stopped)  # claimed again after a rebalance: the same news
    steady_lane(settings, index, control)


def lane_that_gives_up(settings: Any, index: int, control: Connection) -> None:
    """Stops as a whole and ends."""
    note(settings, f"started {index} {os.getpid()}")
    control.send({"kind": "stopped", "shard": "*", "detail": "the topics do not exist"})
    sys.exit(1)


def lane_with_a_namesake(settings: Any, index: int, control: Connection) -> None:
    """Serves, and each time another takes its place."""
    note(settings, f"started {index} {os.getpid()}")
    control.send({"kind": "pulse", "shards": [], "tally": {}})
    control.send({"kind": "fenced", "detail": "w-0: Static consumer fenced"})
    sys.exit(1)


def lane_that_waits(settings: Any, index: int, control: Connection) -> None:
    """Cannot start three times, and then can."""
    with open(settings["notes"], encoding="utf-8") as notes:
        starts = sum(line.startswith("started") for line in notes)
    if starts >= 3:
        steady_lane(settings, index, control)
        return
    note(settings, f"started {index} {os.getpid()}")
    control.send({"kind": "waiting", "detail": "redis: connection refused"})
    sys.exit(1)


def lane_that_hangs(settings: Any, index: int, control: Connection) -> None:
    """Says one thing and then nothing, and ignores the end of its parent."""
    note(settings, f"started {index} {os.getpid()}")
    control.send({"kind": "pulse", "shards": [], "tally": {}})
    time.sleep(60)
