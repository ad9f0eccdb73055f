"""A bank that listens on loopback, settles what it is told, and fails when a script says so. It is nobody's real bank.

Every call is written in its book, so that an audit can ask what the bank received and what money moved. It settles an
(order_id, attempt) once, whatever `bank_code` it carries. Scripts are given in Python (`script`) or over HTTP
(`POST /simulator/scripts`); the book can be read at `GET /simulator/book`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from email.message import Message
from pathlib import Path
from threading import Condition
from time import sleep, time_ns
from typing import Any, Literal, Self
from urllib.parse import unquote

from connectors.bank import ORDER_UNKNOWN, signature
from connectors.loopback_server import LoopbackServer, QuietHandler

Behaviour = Literal[
    "settle",
    "accept",
    "partial",
    "decline",
    "timeout_after_success",
    "timeout_before",
    "double_answer",
    "garbage",
    "down",
]
SIMULATOR_SECRET = "sandbox"  # the simulator moves no money: the word protects nothing
CLOCK_SKEW_MS = 300_000


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


@dataclass(slots=True)
class Book:
    """Every call received, and the ledger: what was decided for each (order_id, attempt)."""

    calls: list[Call] = field(default_factory=list)
    ledger: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    orders: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def submitted(self, order_id: str) -> list[Call]:
        """The submissions of one order, in the order of arrival."""
        return [call for call in self.calls if call.call == "submit" and call.order_id == order_id]

    def moved_fen(self, order_id: str) -> int:
        """What this order has moved: once, if all is well."""
        answers = (answer for (booked, _), answer in self.ledger.items() if booked == order_id)
        return sum(answer["amount_fen"] for answer in answers if answer["result"] in ("settled", "partial"))


class BankSimulator:
    """The simulator as a running server: `with BankSimulator() as bank: bank.url`."""

    def __init__(self, *, port: int = 0, secret: str = SIMULATOR_SECRET, book_file: Path | None = None) -> None:
        self._secret = secret
        self._book_file = book_file
        self._changed = Condition()
        self._scripts: list[list[Any]] = []  # [script, times left]
        self.book = Book()
        self._server = LoopbackServer(lambda: _handler(self), port)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    def start(self) -> Self:
        """Listen; after `stop` on the same port again."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Refuse connections. The book stays."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def script(self, behaviour: Behaviour, **conditions: Any) -> None:
        """Add a script; earlier ones go first, as long as they have calls left."""
        script = Script(behaviour=behaviour, **conditions)
        with self._changed:
            self._scripts.append([script, script.times])

    def forget_scripts(self) -> None:
        """Settle everything from now on."""
        with self._changed:
            self._scripts.clear()

    def wait_for(self, condition: Callable[[Book], bool], timeout_s: float = 10.0) -> bool:
        """Wait until the book says so; False when it does not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.book), timeout_s)

    # --- what the handler asks ---------------------------------------------------------------------------------------

    def is_signed(self, method: str, path: str, headers: "Message[str, str]", body: bytes) -> bool:
        """Whether the call carries our secret's signature of these moments."""
        timestamp_ms = headers.get("X-Xinmai-Timestamp", "")
        expected = signature(self._secret, method, path, timestamp_ms=timestamp_ms, body=body)
        fresh = timestamp_ms.isdigit() and abs(_now_ms() - int(timestamp_ms)) <= CLOCK_SKEW_MS
        return fresh and headers.get("X-Xinmai-Signature") == expected

    def submit(self, order: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        """Book the order by script: status and answer; no answer is silence, then a closed connection."""
        script = self._next_script(order)
        key = (order["order_id"], order["attempt"])
        with self._changed:
            known = self.book.orders.get(key)
            if known is not None and _deed(known) != _deed(order):
                return self._noted(order, 409, {"code": "IDEMPOTENCY_CONFLICT"})
        if script.delay_ms:
            sleep(script.delay_ms / 1000)
        if script.behaviour == "down":
            return self._noted(order, 503, {"code": "DOWN"})
        if script.behaviour == "timeout_before":
            return self._noted(order, 0, None)
        with self._changed:
            self.book.orders[key] = order
            answer = self.book.ledger.setdefault(key, self._decided(script, order))
        if script.behaviour == "timeout_after_success":
            return self._noted(order, 0, None)
        if script.behaviour == "garbage":
            return self._noted(order, 200, {"result": "certainly"})
        if script.behaviour == "double_answer":  # a careless bank: the same deed under a new reference each time
            answer = answer | {"bank_ref": f"{answer['bank_ref']}-{len(self.book.submitted(order['order_id']))}"}
        return self._noted(order, 200, answer)

    def query(self, order_id: str, attempt: int) -> tuple[int, dict[str, Any]]:
        """What became of it. An accepted order is settled by the time somebody asks."""
        key = (order_id, attempt)
        with self._changed:
            answer = self.book.ledger.get(key)
            if answer is not None and answer["result"] == "accepted":
                answer = answer | {"result": "settled", "amount_fen": self.book.orders[key]["amount_fen"]}
                self.book.ledger[key] = answer
            order = self.book.orders.get(key, {})
            active = [script for script, left in self._scripts if left != 0]
            down = any(script.behaviour == "down" and script.fits(order) for script in active)
            said = "DOWN" if down else answer["result"] if answer else ORDER_UNKNOWN
            self._write(Call(at_ms=_now_ms(), call="query", order_id=order_id, attempt=attempt, answered=said))
        if down:
            return 503, {"code": "DOWN"}
        return (200, answer) if answer else (404, {"code": ORDER_UNKNOWN})

    def _decided(self, script: Script, order: dict[str, Any]) -> dict[str, Any]:
        answer = {"order_id": order["order_id"], "attempt": order["attempt"]}
        reference = f"sim-{order['order_id']}-{order['attempt']}"
        if script.behaviour == "decline":
            return answer | {"result": "rejected", "amount_fen": 0, "code": script.code, "cause": script.cause}
        if script.behaviour == "accept":
            return answer | {"result": "accepted", "amount_fen": 0, "bank_ref": reference}
        if script.behaviour == "partial":
            return answer | {"result": "partial", "amount_fen": script.amount_fen, "bank_ref": reference}
        if order["kind"] == "cancel":
            if self.book.moved_fen(order.get("original_order_id") or ""):
                return answer | {"result": "rejected", "amount_fen": 0, "code": "ALREADY_SETTLED", "cause": "bank"}
            return answer | {"result": "cancelled", "amount_fen": 0, "bank_ref": reference}
        return answer | {"result": "settled", "amount_fen": order["amount_fen"], "bank_ref": reference}

    def _next_script(self, order: Mapping[str, Any]) -> Script:
        with self._changed:
            for entry in self._scripts:
                if entry[1] != 0 and entry[0].fits(order):
                    entry[1] = None if entry[1] is None else entry[1] - 1
                    script: Script = entry[0]
                    return script
        return Script()

    def _noted(self, order: dict[str, Any], status: int, answer: dict[str, Any] | None) -> tuple[int, Any]:
        said = "silence" if answer is None else answer.get("result") or answer.get("code", "")
        facts = {name: order[name] for name in ("order_id", "attempt", "bank_code", "kind", "amount_fen")}
        with self._changed:
            self._write(Call(at_ms=_now_ms(), call="submit", answered=said, **facts))
        return status, answer

    def _write(self, call: Call) -> None:
        self.book.calls.append(call)
        if self._book_file is not None:
            with self._book_file.open("a", encoding="utf-8") as book:
                book.write(json.dumps(asdict(call)) + "\n")
        self._changed.notify_all()


def _deed(order: Mapping[str, Any]) -> list[Any]:
    """What makes two submissions the same deed; dates may be written anew."""
    names = ("kind", "agreement_no", "bank_code", "payee_fixmedins_code", "amount_fen", "original_order_id")
    return [order.get(name) for name in names]


def _now_ms() -> int:
    return time_ns() // 1_000_000


def _handler(bank: BankSimulator) -> type[QuietHandler]:
    """The bank's two calls, and the two by which a script or an auditor reaches it."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.body()
            if self.path == "/simulator/scripts":
                bank.script(**json.loads(body))
                self.answer_json(200, {"scripts": "added"})
            elif self.path != "/v1/orders":
                self.answer_json(404, {"code": "NO_SUCH_CALL"})
            elif not bank.is_signed("POST", self.path, self.headers, body):
                self.answer_json(401, {"code": "BAD_SIGNATURE"})
            elif (order := _order(body)) is None:
                self.answer_json(400, {"code": "BAD_ORDER"})
            else:
                self._say(*bank.submit(order))

        def do_GET(self) -> None:
            parts = self.path.split("/")
            if self.path == "/simulator/book":
                self.answer_json(200, {"calls": [asdict(call) for call in list(bank.book.calls)]})
            elif len(parts) != 6 or parts[:3] != ["", "v1", "orders"] or not parts[5].isdigit():
                self.answer_json(404, {"code": "NO_SUCH_CALL"})
            elif not bank.is_signed("GET", self.path, self.headers, b""):
                self.answer_json(401, {"code": "BAD_SIGNATURE"})
            else:
                self._say(*bank.query(unquote(parts[3]), int(parts[5])))

        def _say(self, status: int, answer: dict[str, Any] | None) -> None:
            if answer is None:
                self.hang_up()
            else:
                self.answer_json(status, answer)

    return Handler


def _order(body: bytes) -> dict[str, Any] | None:
    """The order, if it is one."""
    needed = {"order_id": str, "attempt": int, "bank_code": str, "kind": str, "amount_fen": int, "agreement_no": str}
    try:
        order = json.loads(body)
    except ValueError:
        return None
    if not isinstance(order, dict) or any(type(order.get(name)) is not kind for name, kind in needed.items()):
        return None
    return order
