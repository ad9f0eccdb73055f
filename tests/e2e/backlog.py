"""A backlog in front of checkout: while a shard cannot answer in time, patients hear `fallback` at once. Not a test."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from streams.city.settlements import preencoded
from tests.e2e.bad_day import Say, questions
from tests.e2e.books import (
    SLACK_S,
    assert_answered_in_time,
    assert_approvals_stand,
    assert_proved,
    by_second,
    told_by_log,
)
from tests.e2e.counter import Counter
from tests.e2e.live_engine import LiveEngine

PER_S = 50
AT_ONCE_S = 0.5  # of a deadline of one second
NOTICED_S = 2.5
DRAINED_PER_S_MIN = 1_000  # on a machine that others use too; who is not asked any more costs nothing
PEOPLE_MIN, BILLS_EACH = 5_000, 10


def run(kafka: RealKafka, redis: RedisServer, topics: Topics, *, records: int, say: Say = print) -> dict[str, Any]:
    """Settlements nobody paced are appended past the edge; patients ask before, meanwhile and after."""
    within_s = 60 + records // DRAINED_PER_S_MIN
    asked = questions(within_s * PER_S)
    backlog = list(preencoded(records, max(PEOPLE_MIN, records // BILLS_EACH), 1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinmai-backlog-")))
        engine = LiveEngine(kafka.bootstrap, redis.url, topics, folder)
        engine.sign(range(len(asked)))
        stack.enter_context(engine)
        engine.wait_until_drained(60)
        counter = Counter(engine.ports, retries=0)
        at_counter, began_s = Thread(target=counter.ask, args=(asked, PER_S)), time.monotonic()
        at_counter.start()
        time.sleep(2)
        engine.append_encoded(backlog)
        appended_s = time.monotonic()
        say(f"{records} records appended in {appended_s - began_s - 2:.1f} s, {engine.unapplied()} not applied yet")
        while engine.unapplied() > PER_S and at_counter.is_alive():
            time.sleep(0.2)
        drained_s = time.monotonic()
        say(f"drained after {drained_s - appended_s:.1f} s")
        time.sleep(3)
        counter.closed = True
        at_counter.join(60)
        say("\n".join(by_second(counter.answers, began_s)))
        for api in engine.apis:
            api.stop()
        engine.wait_until_drained(60 + records // DRAINED_PER_S_MIN)
        engine.worker.stop()
    assert_answered_in_time(counter.answers)
    books = assert_approvals_stand(kafka.bootstrap, redis.url, topics, counter.answers)
    requested = told_by_log(kafka.bootstrap, topics).requested.keys()
    behind = [each for each in counter.answers if appended_s + NOTICED_S < each.sent_s < drained_s - NOTICED_S]
    at_once = [each for each in behind if each.decision == "fallback" and each.took_s < AT_ONCE_S]
    decided = [each for each in behind if each.decision != "fallback"]  # people's own shards catch up before the rest
    after = [each for each in counter.answers if each.sent_s > drained_s + SLACK_S]
    return {
        "records": records,
        "asked_behind_it": len(behind),
        "of_these_fell_back_at_once": len(at_once),
        "of_these_fell_back_late": len(behind) - len(at_once) - len(decided),
        "of_these_decided_in_time": len(decided),
        "of_these_in_the_log": len({each.question.authorization_id for each in behind} & requested),
        "at_once_in_the_log": len({each.question.authorization_id for each in at_once} & requested),
        "asked_after_it": len(after),
        "of_these_answered": sum(answer.decision != "fallback" for answer in after),
        **books,
        "verify": assert_proved(kafka.bootstrap, redis.url, topics),
    }
