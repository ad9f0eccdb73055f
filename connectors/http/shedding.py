"""Load shedding: what is turned away before it is appended when more comes than can be answered. It decides no credit.

New holds go first, for nobody has been promised anything yet; then increases; then what only looks or reports; captures
and releases last, for they end what was promised. An abandonment is never turned away. Two things are watched: how
many calls are under way in this process, and how long callers wait for a shard while many of them do.

Recovery is no stampede. Those who were turned away in t seconds are told to come back spread over the next t seconds,
so that they add at most the ordinary rate once more; and the gate opens by and by: each second over the mark halves
the share of calls that is let in, each second below it gives a step of it back.
"""

from collections.abc import Callable
from enum import IntEnum
from math import floor, inf
from random import random
from typing import NamedTuple

from connectors.http.problem import Problem

STEP_S = 1.0
SHARE_MIN = 1 / 16  # whoever lets nobody in never learns that the way is free
SHARE_PER_STEP = 1 / 4  # from the floor to everybody in 4 s
SPREAD_MIN_S, SPREAD_MAX_S = 2.0, 30.0


class Kind(IntEnum):
    """What a call asks for, first to be turned away first."""

    HOLD = 0
    INCREASE = 1
    OTHER = 2
    END = 3


class Limits(NamedTuple):
    """How much this process takes at once, and how fast a token that names no rate may call."""

    in_flight: int = 4_096
    rate_per_s: float | None = None
    percents: tuple[int, int, int, int] = (80, 90, 95, 100)
    """Per kind: the share of `in_flight` above which it is turned away."""
    waits_ms: tuple[int, int, int, int] = (400, 700, 2_000, 5_000)
    """Per kind: the wait for a shard above which it is turned away,"""
    waiting_min: int = 64
    """if so many wait for it here: a shard that few wait for is late, not overloaded, and late is `fallback`."""


class Gate:
    """One mark of one kind: shut above it, and below it open for a share of the calls that grows."""

    def __init__(self) -> None:
        self.share = 1.0
        self._since_s = 0.0
        self._ended_s = -inf
        self._stepped_s = 0.0
        self._was_over = False
        self._due = 0.0

    def lets_in(self, is_over: bool, now_s: float) -> bool:
        """Whether this call passes; every call has to be told."""
        if self.share == 1.0:
            if not is_over:
                return True
            if now_s - self._ended_s > SPREAD_MAX_S:  # else those who were turned away before are still coming back
                self._since_s = now_s
            self._stepped_s, self.share = now_s, 0.5
            return False
        steps = floor((now_s - self._stepped_s) / STEP_S)
        if steps:
            self._stepped_s += steps * STEP_S
            changed = self.share / 2 if self._was_over else self.share + steps * SHARE_PER_STEP
            self.share = min(1.0, max(SHARE_MIN, changed))
            self._was_over = False
        if is_over:
            self._was_over = True
            return False
        if self.share == 1.0:
            self._ended_s = now_s
            return True
        self._due = min(1.0, self._due + self.share)
        if self._due < 1.0:
            return False
        self._due -= 1.0
        return True

    def spread_s(self, now_s: float) -> float:
        """Over how long those who are turned away now should come back."""
        return min(SPREAD_MAX_S, max(SPREAD_MIN_S, now_s - self._since_s))


class Shedding:
    """The gates of one process. `note(kind, cause)` hears of every call that is turned away."""

    def __init__(
        self,
        limits: Limits,
        *,
        note: Callable[[str, str], None] = lambda kind, cause: None,
        draw: Callable[[], float] = random,
    ) -> None:
        self._limits = limits
        self._note = note
        self._draw = draw
        self._gates: dict[tuple[int, Kind], Gate] = {}

    def check_process(self, kind: Kind, in_flight: int, now_s: float) -> None:
        """Turn the call away if too many are under way here."""
        is_over = in_flight * 100 > self._limits.in_flight * self._limits.percents[kind]
        self._check((-1, kind), is_over, now_s, cause="in_flight")

    def check_shard(self, kind: Kind, partition: int, *, waiting: int, wait_s: float, now_s: float) -> None:
        """Turn the call away if its shard keeps many waiting for long."""
        is_over = waiting >= self._limits.waiting_min and wait_s * 1000 > self._limits.waits_ms[kind]
        self._check((partition, kind), is_over, now_s, cause="shard")

    def retry_after_s(self, spread_s: float) -> int:
        """A whole second within the spread, for each caller another."""
        return 1 + floor(self._draw() * spread_s)

    def _check(self, place: tuple[int, Kind], is_over: bool, now_s: float, *, cause: str) -> None:
        gate = self._gates.get(place)
        if gate is None:
            if not is_over:
                return
            gate = self._gates[place] = Gate()
        kind = place[1]
        if gate.lets_in(is_over, now_s):
            return
        if not is_over and kind > Kind.INCREASE:
            return  # only what adds load is let in by and by
        self._note(kind.name.lower(), cause)
        raise Problem("OVERLOADED", retry_after_s=self.retry_after_s(gate.spread_s(now_s)))
