"""What can be seen of a person from outside: the topics, the HTTP answers, the bank's own book. Not a test."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from connectors.kafka import consumer_settings
from connectors.topology import partition_of
from tests.e2e.stories.stage import Stage

Body = dict[str, Any]
BANK_RESULT = "bank.order_result"


class Topics:
    """Reads the topics on which the engine speaks, to their present ends."""

    def __init__(self, stage: Stage) -> None:
        named = stage.settings.topics
        self._kinds = {
            named.decisions: "decisions",
            named.withholding: "orders",
            named.alerts: "alerts",
            named.events: "events",
        }
        self._client = Consumer(consumer_settings(stage.settings.kafka, "stories", **{"fetch.wait.max.ms": 10}))
        self._counts = {
            topic: len(self._client.list_topics(topic, timeout=10).topics[topic].partitions) for topic in self._kinds
        }
        self._next = {(topic, number): 0 for topic, count in self._counts.items() for number in range(count)}
        self._client.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._next])
        self.seen: dict[str, dict[str, list[Body]]] = {}
        """Per person: of each kind, everything that was said, once each, in order."""
        self._ids: set[str] = set()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def of(self, psn_no: str) -> dict[str, list[Body]]:
        """Everything said of this person so far."""
        return self.seen.setdefault(psn_no, {kind: [] for kind in self._kinds.values()})

    def read(self, psn_no: str) -> None:
        """Read what has come where this person's records are."""
        until_s = time.monotonic() + 20
        places = [(topic, partition_of(psn_no, count)) for topic, count in self._counts.items()]
        behind = {place for place in places if self._next[place] < self._end(place)}
        while behind:
            assert time.monotonic() < until_s, f"cannot read {behind}"
            for message in self._client.consume(500, 0.02):
                assert message.error() is None, message.error()
                place = (str(message.topic()), message.partition() or 0)
                self._next[place] = (message.offset() or 0) + 1
                self._note(self._kinds[place[0]], orjson.loads(message.value() or b"{}"))
            behind = {place for place in behind if self._next[place] < self._end(place)}

    def _end(self, place: tuple[str, int]) -> int:
        return self._client.get_watermark_offsets(TopicPartition(*place), timeout=10)[1]

    def _note(self, kind: str, body: Body) -> None:
        match kind:
            case "decisions":
                name, psn_no = body["decision_id"], body["psn_no"]
            case "orders":  # no identity: the bank knows the person by the agreement, and so do we
                name, psn_no = f"{body['order_id']}:{body['attempt']}", body["agreement_no"].partition(".")[0]
            case "alerts":
                name, psn_no = f"{body['alert_id']}/{body['episode']}", body["subject_id"]
            case _:
                if body.get("event_type") != BANK_RESULT:
                    return
                name, psn_no = body["event_id"], body["psn_no"]
        if name not in self._ids:
            self._ids.add(name)
            self.of(psn_no)[kind].append(body)


class Bank:
    """What the bank's book says of one person's agreements."""

    def __init__(self, book: Mapping[str, Any], psn_no: str) -> None:
        own = f"{psn_no}."
        self.bookings: list[Body] = [row for row in book["bookings"] if row["agreement_no"].startswith(own)]
        self._calls = book["calls"]

    def calls(self, order_ids: set[str]) -> list[str]:
        """What it was sent of these orders, and what it said."""
        return [f"{call['call']}: {call['answered']}" for call in self._calls if call["order_id"] in order_ids]


def credit_of(stage: Stage, psn_no: str) -> Body:
    """The person's credit, as an auditor is told it."""
    client = stage.voice("audit").client
    answer = client.post("/v1/credit-queries", json={"psn_no": psn_no, "purpose": "audit"})
    assert answer.status_code == 200, answer.text
    found: Body = answer.json()
    return found


def order_of(stage: Stage, psn_no: str, order_id: str) -> Body:
    """Where the money of an order is, as an auditor is told it."""
    answer = stage.voice("audit").client.get(f"/v1/orders/{order_id}", params={"psn_no": psn_no})
    assert answer.status_code == 200, answer.text
    found: Body = answer.json()
    return found
