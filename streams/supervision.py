"""Lanes as child processes: spawned, heard, started again when they die, ended with their parent. It judges nothing.

A lane gets one end of a pipe. It says there how it goes and ends when the other end closes: so no lane outlives its
supervisor, not even one that was killed. They are spawned, not forked: a fork would copy the threads of librdkafka and
of the event loop half alive.

| kind | means | what becomes of it |
|---|---|---|
| `stopped`, a shard | this shard goes no further before a person has looked | paged once, not ready, the others go on |
| `stopped`, `*` | the lane cannot start, and trying again would not help | paged once, not ready, not started again |
| `waiting` | the lane cannot start now: Redis or Kafka is away | paged once, started again for ever, ever later |
| `fenced` | another came under its name in Kafka's group | started again, at the third in a minute not |
| `pulse` | where its shards stand, and which of them it does not serve | not ready while there is one |
| `owned` | which shards Kafka gave it | |
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any, Literal

LaneMain = Callable[[Any, int, Connection], None]
Page = Callable[[str], None]
Heard = Callable[[int, dict[str, Any]], None]
_log = logging.getLogger(__name__)

RESTART_AFTER_S = (0.0, 0.2, 1.0, 3.0, 10.0)
STEADY_S = 30.0  # a lane that lived so long is started again at once
SILENT_S = 30.0  # Kafka has taken its partitions away long before
DRAIN_S = 10.0
FENCED_MAX, FENCED_S = 3, 60.0
WHOLE_LANE = "*"


@dataclass(slots=True)
class LaneState:
    """What the supervisor knows of one lane."""

    index: int
    status: Literal["starting", "running", "waiting", "stopped"] = "starting"
    process: BaseProcess | None = None
    control: Connection | None = None
    started_s: float = 0.0
    heard_s: float = 0.0
    restarts: int = 0
    failures: int = 0
    fenced: deque[float] = field(default_factory=lambda: deque(maxlen=FENCED_MAX))  # when, the newest
    waits_for: str = ""  # what it could not start without
    shards_stopped: dict[str, str] = field(default_factory=dict)
    shards_unserved: list[str] = field(default_factory=list)  # stopped, or waiting to be claimed

    @property
    def pid(self) -> int | None:
        """Its process id, when it has one."""
        return None if self.process is None else self.process.pid


class LaneSupervisor:
    """All lanes of one worker, in the worker's event loop."""

    def __init__(
        self,
        lane_main: LaneMain,
        settings_of: Callable[[int], Any],
        *,
        lanes: int,
        page: Page,
        heard: Heard = lambda index, message: None,
        silent_s: float = SILENT_S,
    ) -> None:
        self._lane_main = lane_main
        self._settings_of = settings_of
        self._page = page
        self._listener = heard
        self._silent_s = silent_s
        self._spawn = get_context("spawn")
        self._ending = False
        self._restarts: dict[int, asyncio.TimerHandle] = {}
        self._watch: asyncio.Task[None] | None = None
        self._paged: dict[str, str] = {}  # shard or lane -> why: who comes back, or takes it over, says it again
        self.lanes = [LaneState(index) for index in range(lanes)]

    def start(self) -> None:
        """Spawn all lanes."""
        for lane in self.lanes:
            self._start(lane)
        self._watch = asyncio.get_running_loop().create_task(self._watch_silence())

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Close the pipes, let lanes finish their batch, and end those that do not."""
        self._ending = True
        if self._watch is not None:
            self._watch.cancel()
        for handle in self._restarts.values():
            handle.cancel()
        processes = [lane.process for lane in self.lanes if lane.process is not None]
        for lane in self.lanes:
            self._forget(lane)
        for step_s in (drain_s, 5.0):
            await _until(lambda: not any(process.is_alive() for process in processes), step_s)
            for process in processes:
                if process.is_alive():
                    _log.warning("lane does not end by itself", extra={"pid": process.pid})
                    process.kill()
        for process in processes:
            process.join(1.0)

    def health(self) -> dict[str, Any]:
        """For /readyz: `ready` when every lane runs, has been heard lately, and serves every shard it owns."""
        now_s = monotonic()
        lanes = [
            {
                "lane": lane.index,
                "pid": lane.pid,
                "status": lane.status,
                "restarts": lane.restarts,
                "silent_s": round(now_s - lane.heard_s, 1) if lane.heard_s else None,
                "waits_for": lane.waits_for,
                "shards_stopped": dict(lane.shards_stopped),
                "shards_unserved": list(lane.shards_unserved),
            }
            for lane in self.lanes
        ]
        ready = all(
            lane.status == "running" and not lane.shards_stopped and not lane.shards_unserved for lane in self.lanes
        )
        return {"ready": ready and not self._ending, "lanes": lanes}

    def lanes_down(self) -> int:
        """How many of its lanes do not run: they died, wait, start, or may not start."""
        return sum(lane.status != "running" for lane in self.lanes)

    def _start(self, lane: LaneState) -> None:
        if self._ending:
            return
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(
            target=self._lane_main,
            args=(self._settings_of(lane.index), lane.index, theirs),
            name=f"xinmai-lane-{lane.index}",
        )
        process.start()
        theirs.close()  # else the child would hold the pipe open for us, and never read its end
        lane.process, lane.control = process, ours
        lane.status, lane.started_s, lane.heard_s = "starting", monotonic(), 0.0
        lane.waits_for = ""
        lane.shards_stopped.clear()
        lane.shards_unserved.clear()
        loop = asyncio.get_running_loop()
        loop.add_reader(ours.fileno(), self._hear, lane)
        loop.add_reader(process.sentinel, self._died, lane)

    def _hear(self, lane: LaneState) -> None:
        assert lane.control is not None
        try:
            while lane.control.poll():
                self._heard(lane, lane.control.recv())
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(lane.control.fileno())  # its end is told by the sentinel

    def _heard(self, lane: LaneState, message: dict[str, Any]) -> None:
        lane.heard_s = monotonic()
        match message:
            case {"kind": "stopped", "shard": shard, "detail": detail}:
                self._stopped(lane, str(shard), str(detail))
            case {"kind": "waiting", "detail": detail}:
                lane.waits_for = str(detail)
                if f"lane {lane.index}" not in self._paged:
                    self._paged[f"lane {lane.index}"] = str(detail)
                    self._tell(f"lane {lane.index} cannot start and tries again until it can: {detail}")
            case {"kind": "fenced", "detail": detail}:
                self._fenced(lane, str(detail))
            case {"kind": "owned", "shards": shards}:
                given = {str(shard).strip("{}") for shard in shards} | {WHOLE_LANE}
                for shard in lane.shards_stopped.keys() - given:
                    del lane.shards_stopped[shard]  # another lane has it now, and says what becomes of it
            case {"kind": "pulse", "shards": pulses}:
                self._paged.pop(f"lane {lane.index}", None)
                lane.shards_unserved = [pulse["shard"] for pulse in pulses if not pulse["serving"]]
                for pulse in pulses:
                    if pulse["serving"]:
                        self._paged.pop(pulse["shard"], None)  # it goes on: should it stop again, that is news
        if lane.status == "starting" and not lane.waits_for and WHOLE_LANE not in lane.shards_stopped:
            lane.status = "running"
        self._listener(lane.index, message)

    def _stopped(self, lane: LaneState, shard: str, why: str) -> None:
        lane.shards_stopped[shard] = why
        if self._paged.get(shard) != why:
            self._paged[shard] = why
            self._tell(f"lane {lane.index} stopped shard {shard}: {why}")

    def _fenced(self, lane: LaneState, detail: str) -> None:
        lane.fenced.append(monotonic())
        namesake = (
            "另一个 worker 同名，或 broker 已忘记本进程；请为每个 worker 设置各自的 XINMAI_WORKER / another worker "
            f"has this name, or the broker forgot this one; give each worker its own XINMAI_WORKER ({detail})"
        )
        if len(lane.fenced) == FENCED_MAX and lane.fenced[-1] - lane.fenced[0] < FENCED_S:
            self._stopped(lane, WHOLE_LANE, namesake)
        else:
            _log.error("lane %d lost its shards: %s", lane.index, namesake)

    def _died(self, lane: LaneState) -> None:
        if lane.process is None:
            return
        self._hear_last(lane)
        process = lane.process
        process.join(1.0)
        lived_s = monotonic() - lane.started_s
        self._forget(lane)
        if self._ending:
            return
        self._listener(lane.index, {"kind": "died", "lane": lane.index})
        if WHOLE_LANE in lane.shards_stopped:
            lane.status = "stopped"  # it ended on purpose and has been paged: a person looks before it runs again
            return
        was_steady = lived_s >= STEADY_S and not lane.waits_for
        lane.failures = 0 if was_steady else lane.failures + 1
        after_s = RESTART_AFTER_S[min(max(lane.failures - 1, 0), len(RESTART_AFTER_S) - 1)]
        lane.status = "waiting"
        lane.restarts += 1
        if lane.waits_for:
            _log.warning("lane %d waits %s s: %s", lane.index, after_s, lane.waits_for)  # it has been paged
        else:
            self._tell(f"lane {lane.index} ended with {process.exitcode} after {lived_s:.0f} s; again in {after_s} s")
        self._restarts[lane.index] = asyncio.get_running_loop().call_later(after_s, self._start, lane)

    def _hear_last(self, lane: LaneState) -> None:
        """What it said before it died is still in the pipe."""
        if lane.control is not None and not lane.control.closed:
            self._hear(lane)

    def _forget(self, lane: LaneState) -> None:
        loop = asyncio.get_running_loop()
        if lane.process is not None:
            loop.remove_reader(lane.process.sentinel)
        if lane.control is not None:
            loop.remove_reader(lane.control.fileno())
            lane.control.close()
        lane.process, lane.control = None, None

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(self._silent_s / 10)
            for lane in self.lanes:
                if lane.process is not None and lane.heard_s and monotonic() - lane.heard_s > self._silent_s:
                    self._tell(f"lane {lane.index} has been silent for {self._silent_s:.0f} s and is killed")
                    lane.heard_s = 0.0
                    lane.process.kill()

    def _tell(self, text: str) -> None:
        _log.error(text)
        self._page(text)


async def _until(condition: Callable[[], bool], wait_s: float) -> None:
    deadline_s = monotonic() + wait_s
    while not condition() and monotonic() < deadline_s:
        await asyncio.sleep(0.02)


def lane_pids(lanes: Sequence[LaneState]) -> list[int]:
    """The process ids of the lanes that run."""
    return [lane.pid for lane in lanes if lane.pid is not None]
