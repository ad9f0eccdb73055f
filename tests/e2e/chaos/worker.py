"""A worker of the chaos run: one lane as a child, killed by its own hand at a named place. Started as its own process.

    python -m tests.e2e.chaos.worker '{"settings": {...}, "kill_at": "sent", "after": 3}'

It says what its lane says on stdout, one JSON object a line, and ends with its lane, or when its stdin closes.
"""

import contextlib
import json
import os
import signal
import sys
import threading
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

CHECKPOINTS = ("after_read", "half_sent", "sent", "acknowledged", "committed", "replied", "in_claim")


def chaos_lane_main(told: dict[str, Any], control: Connection) -> None:
    """The production lane, with a checkpoint that kills it as kill -9 would: no destructor, no flush, no farewell."""
    from streams.lane import Lane
    from streams.lane_process import until_closed
    from streams.ownership import LaneSettings

    passed = 0

    def checkpoint(name: str) -> None:
        nonlocal passed
        if name == told.get("kill_at"):
            passed += 1
            if passed > told["after"]:
                os.kill(os.getpid(), signal.SIGKILL)

    def tell(message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            control.send(message)

    lane = Lane(LaneSettings(**told["settings"]), tell=tell, checkpoint=checkpoint)
    lane.run(until_closed(control))


def main() -> None:
    told = json.loads(sys.argv[1])
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=chaos_lane_main, args=(told, theirs))
    child.start()
    theirs.close()
    _say({"kind": "started", "lane_pid": child.pid, "pid": os.getpid()})
    threading.Thread(target=_close_when_asked, args=(ours,), daemon=True).start()
    try:
        while True:
            message = ours.recv()
            if message["kind"] != "pulse":
                _say(message)
    except (EOFError, OSError):
        pass
    child.join()
    _say({"kind": "ended", "exit_code": child.exitcode})


def _close_when_asked(ours: Connection) -> None:
    sys.stdin.read()
    ours.send(None)  # what lane_process calls the end, as a closing pipe is


def _say(message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever listened is gone
        print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
