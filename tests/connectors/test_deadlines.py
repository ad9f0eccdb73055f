"""Whoever is answered in time is left alone, and whoever is not gets None at his deadline, in whatever order."""

import asyncio
import random
from typing import Any

import uvloop

from connectors.deadlines import Deadlines

LATE_AT_MOST_S = 0.5  # a shared machine wakes late; a deadline missed for good would be seconds


def test_each_gets_none_at_his_own_deadline_and_the_answered_keep_their_answers() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        waiting: dict[str, asyncio.Future[Any]] = {}
        deadlines = Deadlines(waiting)
        given_up: dict[str, float] = {}
        draw = random.Random(7)
        due = {f"a{number}": loop.time() + draw.choice([0.0, 0.02, 0.05, 0.2, 5.0]) for number in range(300)}
        answered, left = [], []
        for number, (name, deadline_s) in enumerate(due.items()):
            future = waiting[name] = loop.create_future()
            deadlines.add(name, deadline_s)
            if number % 3 == 0 or deadline_s > loop.time() + 1.0:
                future.set_result(name)  # answered, and still in the table for a moment
                answered.append(name)
            elif number % 3 == 1:
                del waiting[name]
                left.append(future)
            else:
                future.add_done_callback(lambda _, name=name: given_up.setdefault(name, loop.time()))
        others = [name for name in due if name in waiting and name not in answered]
        async with asyncio.timeout(10):
            await asyncio.gather(*(waiting[name] for name in others))
        await asyncio.sleep(0)
        assert others
        for name in others:
            assert waiting[name].result() is None
            assert -0.002 <= given_up[name] - due[name] <= LATE_AT_MOST_S, name
        assert all(waiting[name].result() == name for name in answered)
        assert not any(future.done() for future in left)

    uvloop.run(scenario())


def test_a_deadline_behind_it_is_kept_when_an_earlier_one_comes_later() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        waiting = {name: loop.create_future() for name in ("late", "early", "past")}
        deadlines = Deadlines(waiting)
        began_s = loop.time()
        for name, after_s in (("late", 0.15), ("early", 0.03), ("past", -1.0)):
            deadlines.add(name, began_s + after_s)
        async with asyncio.timeout(10):
            for name in ("past", "early", "late"):
                assert await waiting[name] is None
        assert loop.time() - began_s >= 0.145

    uvloop.run(scenario())
