"""Holds and captures by the simplest arithmetic there is, over the log and the decisions: an opinion of its own.

Not a test. It knows no rule: what was granted it reads from decisions.v1, the order of things from events.v1.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.log_reader import log_end, read_log
from connectors.state_codec import unpack_credit
from connectors.store import Store
from connectors.stored_bytes import value_of
from connectors.topology import Topics, tags
from streams.shards import position_of
from tests.e2e.live_engine import PARTITIONS


@dataclass(slots=True)
class Person:
    """What one person holds and has used, and the most it ever came to together."""

    held: dict[str, int] = field(default_factory=dict)
    used_fen: int = 0
    most_fen: int = 0
    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    abandoned: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, fact: dict[str, Any], granted: dict[str, dict[str, Any]]) -> None:
        """One record of the log, with what was decided at it, by kind."""
        name = str(fact.get("authorization_id"))
        match fact["event_type"]:
            case "authorization.requested":
                self.asked[name].add(fact["attempt"])
                if (told := granted.get("authorization")) and told["approved_fen"]:
                    self.held[name] = told["approved_fen"]
            case "authorization.abandoned":
                self.abandoned[name].add(fact["attempt"])
                if self.asked[name] <= self.abandoned[name]:
                    self.held.pop(name, None)
            case "authorization.release_requested":
                self.held.pop(name, None)
        if capture := granted.get("capture"):
            self.used_fen += capture["captured_fen"]
            self.held.pop(str(capture["authorization_id"]), None)
        self.most_fen = max(self.most_fen, self.used_fen + sum(self.held.values()))


def ledger_of(kafka: str, topics: Topics) -> dict[str, Person]:
    """Everybody's, folded in log order."""
    people: dict[str, Person] = defaultdict(Person)
    for number, tag in enumerate(tags("p", PARTITIONS)):
        decisions: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for batch in read_log(kafka, topics.decisions, number, log_end(kafka, topics.decisions, number)):
            for body in (orjson.loads(value) for _, _, value in batch):
                decisions[body["log_position"]][body["kind"]] = body
        for batch in read_log(kafka, topics.events, number, log_end(kafka, topics.events, number)):
            for offset, _, value in batch:
                fact = orjson.loads(value)
                if fact.get("psn_no"):
                    people[fact["psn_no"]].note(fact, decisions.get(position_of(tag, offset), {}))
    return people


def ledger_in_redis(redis: str) -> dict[str, tuple[dict[str, int], int]]:
    """Everybody's open holds and use, as the engine has them."""
    store, found = Store(redis), {}
    for tag in tags("p", PARTITIONS):
        for key in store.keys_of(tag):
            if ":c:" in key:
                credit = unpack_credit(value_of(store.client.get(key)))
                holds = {each.authorization_id: each.held_fen for each in credit.authorizations}
                used_fen = sum(each.claim_fen for each in credit.obligations)
                found[key.rpartition(":c:")[2]] = (holds, used_fen)
    store.close()
    return found
