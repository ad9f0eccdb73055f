"""Who is turned away first, when, and how those who were come back."""

import heapq
from collections import Counter
from random import Random

import pytest

from connectors.http.problem import Problem
from connectors.http.shedding import SHARE_MIN, SPREAD_MAX_S, Gate, Kind, Limits, Shedding

LIMITS = Limits(in_flight=1_000)


def is_shed_at(kind: Kind, in_flight: int) -> bool:
    """Whether a process that was idle so far turns this call away."""
    try:
        Shedding(LIMITS).check_process(kind, in_flight, 0.0)
    except Problem as problem:
        return (problem.code, problem.status, problem.retry_after_s in (1, 2)) == ("OVERLOADED", 503, True)
    return False


@pytest.mark.parametrize(
    ("kind", "most"), [(Kind.HOLD, 800), (Kind.INCREASE, 900), (Kind.OTHER, 950), (Kind.END, 1_000)], ids=str
)
def test_each_kind_has_its_own_mark(kind: Kind, most: int) -> None:
    assert not is_shed_at(kind, most)
    assert is_shed_at(kind, most + 1)


@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_a_shard_sheds_only_when_the_wait_is_long_and_many_wait(kind: Kind) -> None:
    mark_s = LIMITS.waits_ms[kind] / 1000
    for waiting, wait_s, is_over in (
        (LIMITS.waiting_min, mark_s + 0.001, True),
        (LIMITS.waiting_min, mark_s, False),
        (LIMITS.waiting_min - 1, 60.0, False),
    ):
        shedding = Shedding(LIMITS)
        told: list[int] = []
        try:
            shedding.check_shard(kind, 3, waiting=waiting, wait_s=wait_s, now_s=0.0)
        except Problem as problem:
            told.append(problem.status)
        assert told == ([503] if is_over else [])


def test_one_shard_in_trouble_turns_nobody_away_from_the_others() -> None:
    shedding = Shedding(LIMITS)
    with pytest.raises(Problem):
        shedding.check_shard(Kind.HOLD, 3, waiting=500, wait_s=1.0, now_s=0.0)
    shedding.check_shard(Kind.HOLD, 2, waiting=500, wait_s=0.1, now_s=0.0)
    shedding.check_shard(Kind.END, 3, waiting=500, wait_s=1.0, now_s=0.0)


def test_what_is_turned_away_is_counted_by_kind_and_cause() -> None:
    noted: Counter[tuple[str, str]] = Counter()
    shedding = Shedding(LIMITS, note=lambda kind, cause: noted.update([(kind, cause)]))
    with pytest.raises(Problem):
        shedding.check_process(Kind.INCREASE, 901, 0.0)
    with pytest.raises(Problem):
        shedding.check_shard(Kind.HOLD, 0, waiting=64, wait_s=0.5, now_s=0.0)
    assert noted == {("increase", "in_flight"): 1, ("hold", "shard"): 1}


def test_the_gate_opens_by_and_by() -> None:
    #  seconds      0 ──── over ──── 4 ─────────── under ── 8
    #  share       1/2  1/4  1/8 1/16          + 1/4 each  1
    gate = Gate()
    for tenth in range(41):
        assert not gate.lets_in(True, tenth / 10)
    assert gate.share == SHARE_MIN
    shares = []
    for second in range(5, 10):
        passed = sum(gate.lets_in(False, second + tenth / 160) for tenth in range(160))
        shares.append(passed / 160)
    assert shares == sorted(shares)
    assert shares[0] < 0.4
    assert shares[-1] == 1.0


def test_captures_and_releases_pass_as_soon_as_their_mark_is_not_exceeded() -> None:
    shedding = Shedding(LIMITS)
    with pytest.raises(Problem):
        shedding.check_process(Kind.END, 1_001, 0.0)
    shedding.check_process(Kind.END, 1_000, 0.0)


def arrivals_after_a_stall(shedding: Shedding, *, is_told: bool) -> list[int]:
    """New holds that knock per second, first and repeated ones, at a lane that stands from second 5 to 15."""
    rate, served, random = 400, 600, Random(7)
    calls = [(second + random.random(), second * rate + n) for second in range(60) for n in range(rate)]
    heapq.heapify(calls)
    waiting: list[float] = []  # when each came
    knocks = [0] * 60
    turn_s = 0.0
    while calls and calls[0][0] < 60:
        now_s, caller = heapq.heappop(calls)
        knocks[int(now_s)] += 1
        while turn_s < now_s:  # the lane takes the next one
            if waiting and not 5 <= turn_s < 15:
                waiting.pop(0)
            turn_s += 1 / served
        while waiting and now_s - waiting[0] > 1.0:
            waiting.pop(0)  # told fallback
        wait_s = now_s - waiting[0] if waiting else 0.0
        try:
            shedding.check_shard(Kind.HOLD, 0, waiting=len(waiting), wait_s=wait_s, now_s=now_s)
        except Problem as problem:
            heapq.heappush(calls, (now_s + ((problem.retry_after_s or 0) if is_told else 1), caller))
        else:
            waiting.append(now_s)
    return knocks


def test_after_a_stall_the_turned_away_come_back_spread_and_not_all_at_once() -> None:
    random = Random(1)
    spread = arrivals_after_a_stall(Shedding(LIMITS, draw=random.random), is_told=True)
    at_once = arrivals_after_a_stall(Shedding(LIMITS, draw=random.random), is_told=False)
    assert max(at_once) > 6 * 400, at_once  # whoever comes again each second comes with everybody
    assert max(spread) < 3 * 400, spread
    assert spread[-1] < 1.5 * 400, spread  # and it ends


def test_the_longer_it_lasts_the_wider_they_are_spread() -> None:
    shedding = Shedding(LIMITS, draw=lambda: 0.999)
    told = []
    for now_s in (0.0, 1.0, 10.0, 100.0):
        with pytest.raises(Problem) as shed:
            shedding.check_shard(Kind.HOLD, 0, waiting=64, wait_s=1.0, now_s=now_s)
        told.append(shed.value.retry_after_s)
    assert told == [2, 2, 10, SPREAD_MAX_S]
