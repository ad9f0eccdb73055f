"""A bad day at the counter: patients ask without a pause while something breaks, and then the books are checked.

Not a test: redis_away and broker_away say what breaks.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from connectors.topology import Topics
from tests.e2e.books import assert_answered_in_time, assert_approvals_stand, assert_proved, by_second
from tests.e2e.counter import Counter, Question
from tests.e2e.live_engine import INSTITUTION, LiveEngine, psn_no_of

BUSY_PEOPLE = 10
BUSY_EVERY = 10
RECOVERS_WITHIN_S = 25
Say = Callable[[str], None]


class Breaks(NamedTuple):
    """Something that breaks, after this share of the day, or as soon as credit was given since the last break."""

    after_share: float
    name: str
    act: Callable[[], object]
    after_credit: bool = False


class Servers(NamedTuple):
    """Where the log is; where Redis is for the engine, and where for the proof at the end."""

    kafka: str
    redis: str
    topics: Topics
    replication: int = 1
    answer_within_ms: int = 1_000


def questions(count: int, answer_within_ms: int = 1_000) -> list[Question]:
    """Distinct people, but every tenth is one of a few who come so often that their limit tells."""
    asked = []
    for number in range(count):
        is_busy = number % BUSY_EVERY == 0
        person = number // BUSY_EVERY % BUSY_PEOPLE if is_busy else BUSY_PEOPLE + number
        amount_fen = 123_000 if is_busy else 12_300
        psn_no = psn_no_of(person)
        asked.append(Question(f"A{number}", psn_no, INSTITUTION, f"V{number}", amount_fen, answer_within_ms))
    return asked


def run_day(
    servers: Servers, breaks: Sequence[Breaks], *, seconds: int, per_s: int, apis: int = 2, say: Say = lambda _: None
) -> dict[str, Any]:
    """One day: sign everybody, ask and break, drain, stop, and check all that was promised. An answer for people."""
    asked = questions((seconds + RECOVERS_WITHIN_S) * per_s, servers.answer_within_ms)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinmai-day-")))
        engine = LiveEngine(
            servers.kafka, servers.redis, servers.topics, folder, apis=apis, replication=servers.replication
        )
        engine.sign(range(BUSY_PEOPLE + len(asked)))
        say(f"{per_s} questions a second for {seconds} s to {apis} API processes; everybody has signed")
        stack.enter_context(engine)
        engine.wait_until_drained(120)
        counter = Counter(engine.ports)
        broke = _open_the_counter(counter, asked, breaks, seconds=seconds, per_s=per_s, say=say)
        for api in engine.apis:
            api.stop()
        engine.wait_until_drained(120)
        engine.worker.stop()
    longest_s = assert_answered_in_time(counter.answers)
    books = assert_approvals_stand(servers.kafka, servers.redis, servers.topics, counter.answers)
    return {
        "asked": len({answer.question.authorization_id for answer in counter.answers}),
        "calls": len(counter.answers),
        "fallbacks": sum(answer.decision == "fallback" for answer in counter.answers),
        "turned_away": sum(answer.is_shed for answer in counter.answers),
        "longest_wait_ms": round(longest_s * 1000),
        "approved_between_breaks": _approved_between(counter, list(broke.values())),
        "credit_again_after_s": {name: round(counter.credit_since(at_s)[0], 1) for name, at_s in broke.items()},
        **books,
        "verify": assert_proved(servers.kafka, servers.redis, servers.topics),
    }


def _approved_between(counter: Counter, broke_s: Sequence[float]) -> list[int]:
    """How many approvals came before the first break, between each two, and after the last."""
    since = [len(counter.credit_since(at_s)) for at_s in (0.0, *broke_s)]
    return [more - fewer for more, fewer in zip(since, [*since[1:], 0], strict=True)]


def _open_the_counter(
    counter: Counter, asked: list[Question], breaks: Sequence[Breaks], *, seconds: int, per_s: int, say: Say
) -> dict[str, float]:
    """Ask and break; after the last break go on until patients are given credit again. When each break was over."""
    began_s = time.monotonic()
    at_counter = Thread(target=counter.ask, args=(asked, per_s))
    at_counter.start()
    broke: dict[str, float] = {}
    for each in sorted(breaks):
        time.sleep(max(0.0, began_s + each.after_share * seconds - time.monotonic()))
        until_s = time.monotonic() + RECOVERS_WITHIN_S
        while each.after_credit and not counter.credit_since(max(broke.values(), default=began_s)):
            assert time.monotonic() < until_s, f"nobody was given credit before: {each.name}"
            time.sleep(0.1)
        say(f"{time.monotonic() - began_s:6.1f} s {each.name}")
        each.act()
        broke[each.name] = time.monotonic()
        say(f"{broke[each.name] - began_s:6.1f} s done")
    time.sleep(max(0.0, began_s + seconds - time.monotonic()))
    while at_counter.is_alive() and len(counter.credit_since(max(broke.values(), default=began_s))) < per_s:
        time.sleep(0.1)
    counter.closed = True
    at_counter.join(60)
    assert not at_counter.is_alive(), "somebody still waits at the counter"
    for line in by_second(counter.answers, began_s):
        say(line)
    return broke
