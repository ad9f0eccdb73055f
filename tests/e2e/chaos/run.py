"""The chaos run: a city's log is drained by two workers whose lanes, and who themselves, are killed while work is left.

`python -m tests.e2e.chaos.run --events 200000 --kills 20` prints a JSON summary of one run on servers of its own.
"""

import argparse
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from connectors.embedded import RealKafka, RedisServer
from connectors.kafka import producer
from connectors.log_reader import log_end
from connectors.topology import Topics, tags
from streams.activate import prepare_logs
from tests.e2e.chaos.city_log import plan_of, records
from tests.e2e.chaos.watched import ROOT, Worker
from tests.e2e.chaos.worker import CHECKPOINTS

POLICY = ROOT / "config" / "policies" / "shaoyang"
PEOPLE, SUBJECTS = 4, 2
PLACES = (*CHECKPOINTS, "parent")
LIFE_S = 25.0


@dataclass(slots=True)
class Summary:
    """What happened; every number is counted, none is planned."""

    events: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    unapplied_at_kill: list[int] = field(default_factory=list)
    joined: int = 0
    left: int = 0
    reclaims: Counter[str] = field(default_factory=Counter)
    stopped: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Chaos:
    """One run: feeds the log, keeps two workers alive, kills as many as asked, then drains in peace."""

    def __init__(
        self,
        kafka: str,
        redis: RedisServer,
        topics: Topics,
        *,
        events: int,
        kills: int,
        seed: int,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._say = say
        self.kafka, self.redis, self.topics = kafka, redis, topics
        self.plan = plan_of(events, seed)
        self.summary = Summary()
        self._kills = kills
        self._batch = max(40, events // 500)
        self._source = list(records(self.plan))
        self._producer = producer(kafka)
        self._places = self._plan_places(kills)

    @staticmethod
    def _plan_places(kills: int) -> deque[tuple[str, int]]:
        return deque((PLACES[number % len(PLACES)], 20 + number % 3) for number in range(kills))

    @property
    def records(self) -> int:
        """How many records of the city's log are still to be fed."""
        return len(self._source)

    def settings(self, member: str) -> dict[str, Any]:
        return {
            "kafka": self.kafka,
            "redis": self.redis.url,
            "member": member,
            "prefix": self.topics.prefix,
            "clock": "log",
            "batch_records_max": self._batch,
            "group": f"{self.topics.prefix}lanes",
        }

    def run(self) -> Summary:
        """Backlog first: half of the log is there before the first lane is; the rest comes while lanes die."""
        started = time.monotonic()
        prepare_logs(
            self.kafka,
            self.topics,
            POLICY,
            partitions=PEOPLE,
            subjects_partitions=SUBJECTS,
            group=f"{self.topics.prefix}lanes",
        )
        self._sign_everybody()
        self._feed(len(self._source) // 2)
        workers = {"w0": self._next_life("w0")}
        deadline = time.monotonic() + 60 + 15 * self._kills
        while self._places or any(worker.place for worker in workers.values()):
            if "w1" not in workers and self._killed >= 2:
                workers["w1"] = self._next_life("w1")
            if self._killed >= self._kills // 2 and self.summary.left == 0 and "w1" in workers:
                self._leave(workers.pop("w1"))  # it joins again under the same name
            for member, worker in list(workers.items()):
                if self._has_died(worker):
                    self._feed(len(self._source) // (2 * self._kills))
                    workers[member] = self._next_life(member)
            assert time.monotonic() < deadline, (self.summary, [each.said for each in workers.values()])
            time.sleep(0.02)
        self._in_peace(list(workers.values()))
        self.summary.seconds = round(time.monotonic() - started, 1)
        return self.summary

    def _sign_everybody(self) -> None:
        """Agreements say nothing to the outside: they are applied in peace, so that every kill meets what does."""
        visits = (number for number, (_, value) in enumerate(self._source) if b'"visit.opened"' in value)
        self._feed(next(visits))
        worker = Worker(self.settings("w0"))
        while self.unapplied():
            time.sleep(0.1)
        worker.leave()

    @property
    def _killed(self) -> int:
        return sum(self.summary.kills.values())

    def _feed(self, count: int) -> None:
        now, self._source[:] = self._source[:count], self._source[count:]
        for psn_no, value in now:
            self._producer.produce(self.topics.events, value, psn_no.encode())
            self._producer.poll(0)
        self._producer.flush(60)
        self.summary.events += len(now)

    def _next_life(self, member: str) -> Worker:
        place, after = self._places.popleft() if self._places else ("", 0)
        after = 1 if place == "in_claim" else after
        self.summary.joined += 1
        return Worker(self.settings(member), place, after)

    def _has_died(self, worker: Worker) -> bool:
        """Hear the worker; kill its parent where that is its fate; count it once it is gone."""
        for message in worker.take():
            self._note(message)
        lived_s = time.monotonic() - worker.began_s
        if worker.place == "parent" and worker.owns and not worker.is_counted:
            self._count_kill(worker)
            worker.kill9_worker()
        elif worker.place not in ("", "parent", "anywhere") and lived_s > LIFE_S:
            worker.place = "anywhere"  # its place did not come: it had nothing left to do
            worker.kill9_lane()
        if not worker.gone:
            return False
        if worker.place and not worker.is_counted:
            self._count_kill(worker)
        return True

    def _count_kill(self, worker: Worker) -> None:
        worker.is_counted = True
        self.summary.kills[worker.place] += 1
        self.summary.unapplied_at_kill.append(self.unapplied())
        left = self.summary.unapplied_at_kill[-1]
        self._say(f"kill {self._killed} of {self._kills}, {worker.place}: {left} records unapplied")

    def _note(self, message: dict[str, Any]) -> None:
        if message["kind"] == "reclaim":
            self.summary.reclaims[message["cause"]] += 1
        if message["kind"] == "stopped":
            self.summary.stopped.append(f"{message['shard']}: {message['detail']}")

    def _leave(self, worker: Worker) -> None:
        worker.take()
        worker.leave()
        self.summary.left += 1
        if worker.place:
            self._places.append((worker.place, 20))  # another shall die there

    def _in_peace(self, workers: list[Worker]) -> None:
        """Feed what is left, and let two workers finish everything, without a kill."""
        self._feed(len(self._source))
        self._say(f"all {self.summary.events} records are in the log, {self.unapplied()} unapplied; now in peace")
        for worker in workers:
            while not worker.gone:
                worker.take()
                worker.kill9_lane()  # as soon as it has said who it is
                time.sleep(0.02)
        last = [Worker(self.settings(member)) for member in ("w0", "w1")]
        deadline = time.monotonic() + 60 + self.summary.events / 500
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < deadline, (self.unapplied(), [each.said for each in last])
            time.sleep(0.3)
            quiet = quiet + 1 if self.unapplied() == 0 else 0
        for worker in last:
            for message in worker.take():
                self._note(message)
            worker.leave()

    def unapplied(self) -> int:
        """Records of both logs that Redis has not applied."""
        logs = [(self.topics.events, number, tag) for number, tag in enumerate(tags("p", PEOPLE))]
        logs += [(self.topics.subjects, number, tag) for number, tag in enumerate(tags("q", SUBJECTS))]
        with self.redis.client() as client:
            applied = [int(client.hget(f"xm:{tag}:meta", "offset") or -1) + 1 for _, _, tag in logs]
        return sum(log_end(self.kafka, topic, number)[1] for topic, number, _ in logs) - sum(applied)


def main() -> None:
    """The acceptance run: its own Kafka, its own Redis, and a summary on stdout."""
    from tests.e2e.chaos.checks import checked

    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began_s:7.1f} s] {line}", flush=True)

    with ExitStack() as stack:
        kafka = stack.enter_context(RealKafka())
        redis, second = (stack.enter_context(RedisServer("any")) for _ in range(2))
        how = {"events": asked.events, "kills": asked.kills, "seed": asked.seed}
        chaos = Chaos(kafka.bootstrap, redis, Topics("chaos."), **how, say=say)
        say(f"a city of {chaos.plan.people} people, {chaos.records} records")
        summary = chaos.run()
        say("everything is applied; now the proofs")
        answer = checked(chaos, summary, second, say)
    print(json.dumps(answer, indent=2))
    print(f"VERDICT: equal after {sum(summary.kills.values())} kills; every planted burst was found")


if __name__ == "__main__":
    main()
