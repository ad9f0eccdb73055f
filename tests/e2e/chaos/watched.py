"""A worker process as the chaos run sees it: what it said, whether it and its lane live, and how it is killed."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Worker:
    """One worker with one lane, killed by its own hand at `kill_at` if that is named."""

    def __init__(self, settings: dict[str, Any], kill_at: str = "", after: int = 0) -> None:
        told = {"settings": settings, "kill_at": kill_at, "after": after}
        self.place, self.began_s = kill_at, time.monotonic()
        self.is_counted = False
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.said: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.chaos.worker", json.dumps(told)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard.put(json.loads(line))

    def take(self) -> list[dict[str, Any]]:
        """What it said since the last call."""
        new = [self.heard.get() for _ in range(self.heard.qsize())]
        self.said += new
        return new

    @property
    def pids(self) -> tuple[int, int]:
        """Its own process id and its lane's; 0 until it said."""
        started = next((each for each in self.said if each["kind"] == "started"), {})
        return int(started.get("pid", 0)), int(started.get("lane_pid", 0))

    @property
    def owns(self) -> bool:
        return any(each["kind"] == "owned" for each in self.said)

    @property
    def gone(self) -> bool:
        """Has it, and has its lane, ended?"""
        return self._process.poll() is not None and not _lives(self.pids[1])

    def kill9_worker(self) -> None:
        self._process.kill()

    def kill9_lane(self) -> None:
        if _lives(self.pids[1]):
            os.kill(self.pids[1], 9)

    def leave(self) -> None:
        """Ask it to end in order, and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _lives(pid: int) -> bool:
    if not pid:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
