"""What must be true after a bad day at the counter: of every answer, of the log, of the state, of every output.

Not a test. Each check names the first that is wrong.
"""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.log_reader import log_end, read_log
from connectors.state_codec import unpack_credit
from connectors.store import Store
from connectors.stored_bytes import value_of
from connectors.topology import Topics, tags
from risk.credit import Authorization
from streams.shards import position_of
from streams.verify import prove
from tests.e2e.counter import Answer
from tests.e2e.live_engine import LIMIT_FEN, PARTITIONS

SLACK_S = 0.6  # of two busy cores: the API's own promise is to the millisecond


@dataclass(slots=True)
class Told:
    """The authorization records of the log: which attempts were made and which abandoned, and where each stands."""

    requested: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    abandoned: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    at: dict[str, str] = field(default_factory=dict)

    @property
    def unheard(self) -> set[str]:
        """The authorizations of which every attempt was answered `fallback`."""
        return {name for name, attempts in self.requested.items() if attempts <= self.abandoned[name]}


def told_by_log(kafka: str, topics: Topics) -> Told:
    """Read the person log."""
    told = Told()
    for number, tag in enumerate(tags("p", PARTITIONS)):
        for batch in read_log(kafka, topics.events, number, log_end(kafka, topics.events, number)):
            for offset, _, value in batch:
                if b'"authorization.' in value:
                    _note(told, orjson.loads(value), position_of(tag, offset))
    return told


def _note(told: Told, fact: dict[str, Any], position: str) -> None:
    if fact["event_type"] == "authorization.requested":
        told.requested[fact["authorization_id"]].add(fact["attempt"])
        told.at[position] = fact["authorization_id"]
    elif fact["event_type"] == "authorization.abandoned":
        told.abandoned[fact["authorization_id"]].add(fact["attempt"])


def open_holds(redis: str) -> dict[str, tuple[str, Authorization]]:
    """Every open hold in Redis: authorization id -> (person, hold)."""
    store, found = Store(redis), {}
    for tag in tags("p", PARTITIONS):
        for key in store.keys_of(tag):
            if ":c:" in key:
                credit = unpack_credit(value_of(store.client.get(key)))
                person = key.rpartition(":c:")[2]
                found |= {each.authorization_id: (person, each) for each in credit.authorizations}
    store.close()
    return found


def decided(kafka: str, topics: Topics) -> dict[str, set[tuple[str, str, int]]]:
    """What decisions.v1 says of each authorization: (where it was decided, decision, approved fen)."""
    found: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    for number in range(PARTITIONS):
        for batch in read_log(kafka, topics.decisions, number, log_end(kafka, topics.decisions, number)):
            for body in (orjson.loads(value) for _, _, value in batch):
                if body["kind"] == "authorization":
                    said = (body["log_position"], body["decision"], body["approved_fen"])
                    found[body["authorization_id"]].add(said)
    return found


def assert_answered_in_time(answers: Sequence[Answer]) -> float:
    """Each heard a decision, `fallback` or that too many wait, before his deadline; the longest wait."""
    strange = [answer for answer in answers if answer.status != 200 and not answer.is_shed]
    assert strange == [], (len(strange), strange[:3])
    late = [each for each in answers if each.took_s > each.question.answer_within_ms / 1000 + SLACK_S]
    assert late == [], (len(late), [(each.took_s, each.decision) for each in late[:5]])
    return max(answer.took_s for answer in answers)


def assert_approvals_stand(kafka: str, redis: str, topics: Topics, answers: Sequence[Answer]) -> dict[str, int]:
    """Log, decisions and Redis say what the patients were told, no more and no less."""
    told, holds, decisions = told_by_log(kafka, topics), open_holds(redis), decided(kafka, topics)
    approved = {answer.question.authorization_id: answer for answer in answers if answer.has_credit}
    for name, answer in approved.items():
        said = answer.body
        assert told.at.get(said["log_position"]) == name, (name, said["log_position"], "is not in the log there")
        assert (said["log_position"], said["decision"], said["approved_fen"]) in decisions[name], (name, said)
        assert name in holds, (name, "was approved, and nothing is held", said)
        person, hold = holds[name]
        assert (person, hold.held_fen) == (answer.question.psn_no, said["approved_fen"]), (name, hold)
    assert told.unheard & holds.keys() == set(), "what was abandoned still holds"
    assert holds.keys() - approved.keys() == set(), "somebody holds what nobody was told"
    denied = {answer.question.authorization_id for answer in answers if answer.decision == "deny"}
    assert denied & holds.keys() == set()
    assert_limits(holds)
    return {
        "approved_and_held": len(approved),
        "denied": len(denied),
        "asked_in_log": len(told.requested),
        "abandoned_for_good": len(told.unheard),
        "abandoned_attempts": sum(map(len, told.abandoned.values())),
    }


def assert_limits(holds: dict[str, tuple[str, Authorization]]) -> None:
    """Nobody holds more than his limit."""
    held: Tally[str] = Tally()
    for person, hold in holds.values():
        held[person] += hold.held_fen
    over = {person: fen for person, fen in held.items() if fen > LIMIT_FEN}
    assert over == {}


def assert_proved(kafka: str, redis: str, topics: Topics, clock: str = "wall") -> dict[str, Any]:
    """`verify` and `verify --outputs`; the lanes must be stopped."""
    findings = prove(kafka, redis, topics, clock=clock, outputs=True)
    assert findings.told == [], findings.told[:20]
    return {"records": findings.records, "values": findings.values, "outputs": findings.outputs, "equal": True}


def by_second(answers: Sequence[Answer], began_s: float) -> list[str]:
    """How the day went, second by second: asked, by decision, the longest wait."""
    seconds: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        seconds[int(answer.sent_s - began_s)].append(answer)
    return [
        f"{second:4d} s  {len(asked):5d} asked  longest {max(each.took_s for each in asked) * 1000:6.0f} ms  "
        + ", ".join(f"{count} {name}" for name, count in Tally(each.decision for each in asked).most_common())
        for second, asked in sorted(seconds.items())
    ]
