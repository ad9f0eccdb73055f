"""The simulated bank's own books: every call it received, what it decided, what it moved and when. Nobody else's word.

A statement is made from these books alone. Planted differences change the statement, never the books.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

from risk.local_time import local_day, rfc3339, to_ms

Behaviour = Literal[
    "settle",
    "accept",
    "partial",
    "decline",
    "timeout_after_success",
    "timeout_before",
    "double_answer",
    "out_of_order",
    "garbage",
    "down",
]
PlantKind = Literal["omit", "twice", "amount", "invent"]
MOVING = ("settled", "partial")
Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How the bank treats the next `times` calls that match (None: all of them). Empty conditions match everything."""

    behaviour: Behaviour = "settle"
    times: int | None = None
    bank_code: str | None = None
    agreement_no: str | None = None
    payee_fixmedins_code: str | None = None
    kind: str | None = None
    delay_ms: int = 0
    amount_fen: int = 0
    code: str = "INSUFFICIENT_FUNDS"
    cause: Literal["person", "bank"] = "person"

    def fits(self, order: Mapping[str, Any]) -> bool:
        """Whether the script is about this order."""
        conditions = ("bank_code", "agreement_no", "payee_fixmedins_code", "kind")
        return all(getattr(self, name) in (None, order.get(name)) for name in conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfortune:
    """Failures by lot: for an order, the same seed draws the same. Shares are of a thousand submissions or orders."""

    seed: int = 1
    timeout_after_success: int = 40
    timeout_before: int = 20
    double_answer: int = 40
    out_of_order: int = 40
    accept: int = 60
    garbage: int = 20
    down: int = 10
    refused_once: int = 80
    refused_often: int = 40
    refused_for_good: int = 40
    partly: int = 40

    def script(self, order: Mapping[str, Any], submissions: int) -> Script:
        """What happens to this submission. Money that is wanted back is never refused."""
        name = f"{order['order_id']}:{order['attempt']}"
        behaviour = self._behaviour(name, submissions)
        if order["kind"] in ("debit", "draw"):
            lot = self._lot(f"fate:{order['order_id']}")
            if lot < self.refused_for_good:
                code = "ACCOUNT_CLOSED" if lot % 2 else "INSUFFICIENT_FUNDS"
                return Script(behaviour="decline", code=code)
            lot -= self.refused_for_good
            if lot < self.refused_often and order["attempt"] <= 3:
                return Script(behaviour="decline")
            lot -= self.refused_often
            if 0 <= lot < self.refused_once and order["attempt"] == 1:
                return Script(behaviour="decline")
            lot -= self.refused_once
            if 0 <= lot < self.partly and order["attempt"] == 1 and order["amount_fen"] > 1:
                return Script(behaviour="partial", amount_fen=order["amount_fen"] // 2)
        return Script(behaviour=behaviour)

    def _behaviour(self, name: str, submissions: int) -> Behaviour:
        lot = self._lot(f"{name}:{submissions}")
        shares: tuple[tuple[Behaviour, int], ...] = (
            ("timeout_after_success", self.timeout_after_success),
            ("timeout_before", self.timeout_before),
            ("double_answer", self.double_answer),
            ("out_of_order", self.out_of_order),
            ("accept", self.accept),
            ("garbage", self.garbage),
            ("down", self.down),
        )
        for behaviour, share in shares:
            if lot < share:
                return behaviour
            lot -= share
        return "settle"

    def _lot(self, name: str) -> int:
        return int.from_bytes(blake2b(f"{self.seed}:{name}".encode(), digest_size=4).digest()) % 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One line of the book: what was received, and what was answered (`silence` when nothing was)."""

    at_ms: int
    call: Literal["submit", "query"]
    order_id: str
    attempt: int
    bank_code: str = ""
    kind: str = ""
    amount_fen: int = 0
    answered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A difference put into statements on purpose. `amount_fen`: what stands there instead, or is invented."""

    kind: PlantKind
    order_id: str
    attempt: int = 1
    amount_fen: int = 0
    bank_code: str = ""
    payee_fixmedins_code: str = ""
    booked_at: str = ""


@dataclass(slots=True)
class Book:
    """Every call received, and the ledger: what was decided for each (order_id, attempt)."""

    calls: list[Call] = field(default_factory=list)
    ledger: dict[Key, dict[str, Any]] = field(default_factory=dict)
    orders: dict[Key, dict[str, Any]] = field(default_factory=dict)
    in_hand: set[Key] = field(default_factory=set)
    heard: Counter[Key] = field(default_factory=Counter)
    cancelled: set[str] = field(default_factory=set)
    plants: list[Plant] = field(default_factory=list)

    def submitted(self, order_id: str) -> list[Call]:
        """The submissions of one order, in the order of arrival."""
        return [call for call in self.calls if call.call == "submit" and call.order_id == order_id]

    def moved_fen(self, order_id: str) -> int:
        """What this order has moved: once, if all is well."""
        answers = (answer for (booked, _), answer in self.ledger.items() if booked == order_id)
        return sum(answer["amount_fen"] for answer in answers if answer["result"] in MOVING)

    def refunded_fen(self, order_id: str) -> int:
        """What went back of this order."""
        names = {each["order_id"] for each in self.orders.values() if each.get("original_order_id") == order_id}
        refunds = {name for (name, _), each in self.orders.items() if name in names and each["kind"] == "refund"}
        return sum(self.moved_fen(name) for name in refunds)

    def decide(self, script: Script, order: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """The bank's answer to an order it has not decided yet, and what it moves with it."""
        answer = {"order_id": order["order_id"], "attempt": order["attempt"], "amount_fen": 0}
        reference = {"bank_ref": f"sim-{order['order_id']}-{order['attempt']}"}
        original = order.get("original_order_id") or ""
        refused = {"result": "rejected", "cause": "bank"}
        if script.behaviour == "decline":
            return answer | refused | {"code": script.code, "cause": script.cause}
        if order["kind"] == "cancel":
            if self.moved_fen(original):
                return answer | refused | {"code": "ALREADY_SETTLED"}
            self._forget(original)
            return answer | {"result": "cancelled"} | reference
        if order["order_id"] in self.cancelled:
            return answer | {"result": "cancelled"} | reference
        if order["kind"] == "refund" and order["amount_fen"] > self.moved_fen(original) - self.refunded_fen(original):
            return answer | refused | {"code": "NOTHING_TO_REFUND"}
        if script.behaviour == "accept":
            return answer | {"result": "accepted"} | reference
        booked = reference | {"booked_at": rfc3339(now_ms)}
        if script.behaviour == "partial":
            return answer | {"result": "partial", "amount_fen": script.amount_fen} | booked
        return answer | {"result": "settled", "amount_fen": order["amount_fen"]} | booked

    def settle_accepted(self, key: Key, now_ms: int) -> None:
        """An accepted order is settled by the time somebody asks."""
        answer = self.ledger.get(key)
        if answer is not None and answer["result"] == "accepted":
            moved = {"result": "settled", "amount_fen": self.orders[key]["amount_fen"], "booked_at": rfc3339(now_ms)}
            self.ledger[key] = answer | moved

    def bookings(self) -> list[dict[str, Any]]:
        """Everything that moved money, as a statement tells it, in the order of booking."""
        rows = [
            {
                "order_id": order_id,
                "attempt": attempt,
                "kind": order["kind"],
                "amount_fen": answer["amount_fen"],
                "bank_ref": answer["bank_ref"],
                "booked_at": answer["booked_at"],
                "bank_code": order["bank_code"],
                "payee_fixmedins_code": order.get("payee_fixmedins_code", ""),
                "agreement_no": order["agreement_no"],
                "original_order_id": order.get("original_order_id") or "",
            }
            for (order_id, attempt), answer in self.ledger.items()
            if answer["result"] in MOVING
            for order in (self.orders[order_id, attempt],)
        ]
        return sorted(rows, key=lambda row: (row["booked_at"], row["order_id"], row["attempt"]))

    def statement(self, bank_code: str, day: int) -> list[dict[str, Any]]:
        """The rows of one bank and local day, with what was planted."""
        rows = [row for row in self.bookings() if row["bank_code"] == bank_code and _day(row["booked_at"]) == day]
        plants = {(plant.order_id, plant.attempt): plant for plant in self.plants if plant.kind != "invent"}
        told = [each for row in rows for each in _told(row, plants.get((row["order_id"], row["attempt"])))]
        for plant in self.plants:
            if plant.kind == "invent" and plant.bank_code == bank_code and _day(plant.booked_at) == day:
                told.append(_invented(plant))
        return told

    def _forget(self, order_id: str) -> None:
        self.cancelled.add(order_id)
        for key, answer in self.ledger.items():
            if key[0] == order_id and answer["result"] == "accepted":
                self.ledger[key] = answer | {"result": "cancelled"}


def deed(order: Mapping[str, Any]) -> list[Any]:
    """What makes two submissions the same deed; dates may be written anew."""
    names = ("kind", "agreement_no", "bank_code", "payee_fixmedins_code", "amount_fen", "original_order_id")
    return [order.get(name) for name in names]


def _told(row: dict[str, Any], plant: Plant | None) -> list[dict[str, Any]]:
    if plant is None:
        return [row]
    if plant.kind == "omit":
        return []
    if plant.kind == "amount":
        return [row | {"amount_fen": plant.amount_fen}]
    return [row, row | {"bank_ref": f"{row['bank_ref']}-again"}]


def _invented(plant: Plant) -> dict[str, Any]:
    return {
        "order_id": plant.order_id,
        "attempt": plant.attempt,
        "kind": "debit",
        "amount_fen": plant.amount_fen,
        "bank_ref": f"sim-{plant.order_id}-invented",
        "booked_at": plant.booked_at,
        "bank_code": plant.bank_code,
        "payee_fixmedins_code": plant.payee_fixmedins_code,
    }


def _day(booked_at: str) -> int:
    return local_day(to_ms(datetime.fromisoformat(booked_at)))
