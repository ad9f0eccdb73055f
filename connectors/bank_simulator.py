"""A bank that listens on loopback, settles what it is told, and fails when a script or the lot says so.

It is nobody's real bank. What it received and moved stands in its book (bank_book.py), and its daily statements are
made from that alone. Besides the bank's own calls (bank.py) it has those of a stage manager, unsigned:

    GET  /simulator/book      its calls, its bookings, and what it has in hand
    POST /simulator/scripts   a Script: how the next calls are treated; {}: no script any more; {"forget": bank_code}
    POST /simulator/lot       a Misfortune: failures by lot; {} ends it
    POST /simulator/clock     {"now_ms": t}: the instant that its books carry; {}: the wall's
    POST /simulator/plants    [Plant, ...]: differences in its statements; []: none any more
    POST /simulator/lines     {agreement_no: fen}: what it lends
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from email.message import Message
from pathlib import Path
from threading import Condition
from time import sleep, time_ns
from typing import Any, Self
from urllib.parse import unquote

from connectors.bank import ORDER_UNKNOWN
from connectors.bank_book import Behaviour, Book, Call, Misfortune, Plant, Script, deed
from connectors.bank_signature import SignatureGuard
from connectors.bank_statement import NDJSON, statement_text
from connectors.loopback_server import LoopbackServer, QuietHandler
from risk.local_time import day_of, rfc3339

SIMULATOR_SECRET = "sandbox"  # the simulator moves no money: the word protects nothing
SUBMITS = "/v1/orders"


class BankSimulator:
    """The simulator as a running server: `with BankSimulator() as bank: bank.url`."""

    def __init__(self, *, port: int = 0, secret: str = SIMULATOR_SECRET, book_file: Path | None = None) -> None:
        self._secret = secret
        self._book_file = book_file
        self._changed = Condition()
        self._scripts: list[list[Any]] = []  # [script, times left]
        self._lot: Misfortune | None = None
        self._clock_ms: int | None = None
        self._guard = SignatureGuard()
        self.lines_fen: dict[str, int] = {}
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

    def forget_scripts(self, bank_code: str = "") -> None:
        """Settle everything from now on, or what is of this bank."""
        with self._changed:
            self._scripts = [each for each in self._scripts if bank_code and each[0].bank_code != bank_code]

    def by_lot(self, lot: Misfortune | None) -> None:
        """Let orders that no script is about fail by lot; None: no more."""
        with self._changed:
            self._lot = lot

    def plant(self, *plants: Plant) -> None:
        """Put differences into the statements; no plant at all takes all of them out."""
        with self._changed:
            self.book.plants = [*self.book.plants, *plants] if plants else []

    def set_clock(self, now_ms: int | None) -> None:
        """On which day it keeps its books; None: by the wall."""
        with self._changed:
            self._clock_ms = now_ms

    @property
    def now_ms(self) -> int:
        """The instant that it writes into its books."""
        return self._clock_ms if self._clock_ms is not None else _now_ms()

    def wait_for(self, condition: Callable[[Book], bool], timeout_s: float = 10.0) -> bool:
        """Wait until the book says so; False when it does not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.book), timeout_s)

    # --- what the handler asks ---------------------------------------------------------------------------------------

    def refuses(self, method: str, path: str, headers: "Message[str, str]", body: bytes) -> str | None:
        """Why a call is not heard: no signature of ours, an old one, or one that was heard before."""
        named = {name.lower(): value for name, value in headers.items()}
        return self._guard.refuses(self._secret, method, path, headers=named, body=body, now_ms=_now_ms())

    def submit(self, order: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        """Book the order by script: status and answer; no answer is silence, then a closed connection."""
        script = self._next_script(order)
        key = (order["order_id"], order["attempt"])
        with self._changed:
            known = self.book.orders.get(key)
            if known is not None and deed(known) != deed(order):
                return self._noted(order, 409, {"code": "IDEMPOTENCY_CONFLICT"})
        if script.delay_ms:
            with self._changed:
                self.book.in_hand.add(key)
            sleep(script.delay_ms / 1000)
            with self._changed:
                self.book.in_hand.discard(key)
        if script.behaviour == "down":
            return self._noted(order, 503, {"code": "DOWN"})
        if script.behaviour == "timeout_before":
            return self._noted(order, 0, None)
        with self._changed:
            self.book.orders[key] = order
            if key not in self.book.ledger:
                self.book.ledger[key] = self.book.decide(script, order, self.now_ms)
            answer = self.book.ledger[key]
        if script.behaviour == "timeout_after_success":
            return self._noted(order, 0, None)
        if script.behaviour == "garbage":
            return self._noted(order, 200, {"result": "certainly"})
        if script.behaviour == "out_of_order" and answer["result"] == "settled":  # an older word than the book's
            answer = {"order_id": key[0], "attempt": key[1], "result": "accepted", "amount_fen": 0}
        if (
            script.behaviour == "double_answer" and "bank_ref" in answer
        ):  # a careless bank: the same deed under a new reference each time
            answer = answer | {"bank_ref": f"{answer['bank_ref']}-{len(self.book.submitted(order['order_id']))}"}
        return self._noted(order, 200, answer)

    def query(self, order_id: str, attempt: int) -> tuple[int, dict[str, Any]]:
        """What became of it. An accepted order is settled by the time somebody asks."""
        key = (order_id, attempt)
        with self._changed:
            self.book.settle_accepted(key, self.now_ms)
            answer = self.book.ledger.get(key)
            order = self.book.orders.get(key, {})
            active = [script for script, left in self._scripts if left != 0]
            down = any(script.behaviour == "down" and script.fits(order) for script in active)
            said = "DOWN" if down else answer["result"] if answer else ORDER_UNKNOWN
            self._write(Call(at_ms=_now_ms(), call="query", order_id=order_id, attempt=attempt, answered=said))
        if down:
            return 503, {"code": "DOWN"}
        return (200, answer) if answer else (404, {"code": ORDER_UNKNOWN})

    def line(self, agreement_no: str) -> tuple[int, dict[str, Any]]:
        """What it lends on an agreement."""
        line_fen = self.lines_fen.get(agreement_no)
        if line_fen is None:
            return 404, {"code": "AGREEMENT_UNKNOWN"}
        return 200, {"agreement_no": agreement_no, "bank_line_fen": line_fen, "as_of": rfc3339(self.now_ms)}

    def opened_book(self) -> dict[str, Any]:
        """The whole book, as it is between two calls."""
        with self._changed:
            calls = [asdict(call) for call in self.book.calls]
            in_hand = [list(key) for key in self.book.in_hand]
            return {"calls": calls, "bookings": self.book.bookings(), "in_hand": in_hand}

    def statement(self, bank_code: str, day: int) -> str:
        """What it booked for one of its banks on a local day."""
        with self._changed:
            return statement_text(self.book.statement(bank_code, day))

    def _next_script(self, order: dict[str, Any]) -> Script:
        with self._changed:
            for entry in self._scripts:
                if entry[1] != 0 and entry[0].fits(order):
                    entry[1] = None if entry[1] is None else entry[1] - 1
                    script: Script = entry[0]
                    return script
            if self._lot is not None:
                key = (order["order_id"], order["attempt"])
                self.book.heard[key] += 1
                return self._lot.script(order, self.book.heard[key])
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


def _now_ms() -> int:
    return time_ns() // 1_000_000


def _handler(bank: BankSimulator) -> type[QuietHandler]:
    """The bank's own calls, signed; and the stage manager's."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.body()
            if self.path.startswith("/simulator/"):
                self.answer_json(*_managed(bank, self.path.removeprefix("/simulator/"), body))
            elif self.path != SUBMITS:
                self.answer_json(404, {"code": "NO_SUCH_CALL"})
            elif refusal := bank.refuses("POST", self.path, self.headers, body):
                self.answer_json(401, {"code": refusal})
            elif (order := _order(body)) is None:
                self.answer_json(400, {"code": "BAD_ORDER"})
            else:
                self._say(*bank.submit(order))

        def do_GET(self) -> None:
            if self.path == "/simulator/book":
                self.answer_json(200, bank.opened_book())
            elif refusal := bank.refuses("GET", self.path, self.headers, b""):
                self.answer_json(401, {"code": refusal})
            else:
                self._asked([unquote(part) for part in self.path.split("/")[2:]])

        def _asked(self, parts: list[str]) -> None:
            match parts:
                case ["orders", order_id, "attempts", attempt] if attempt.isdigit():
                    self._say(*bank.query(order_id, int(attempt)))
                case ["agreements", agreement_no, "line"]:
                    self.answer_json(*bank.line(agreement_no))
                case ["statements", bank_code, day] if (found := _day(day)) is not None:
                    self.answer(200, bank.statement(bank_code, found).encode(), NDJSON)
                case _:
                    self.answer_json(404, {"code": "NO_SUCH_CALL"})

        def _say(self, status: int, answer: dict[str, Any] | None) -> None:
            if answer is None:
                self.hang_up()
            else:
                self.answer_json(status, answer)

    return Handler


def _managed(bank: BankSimulator, call: str, body: bytes) -> tuple[int, dict[str, str]]:
    said = json.loads(body)
    match call:
        case "scripts" if "forget" in said:
            bank.forget_scripts(said["forget"])
        case "scripts" if said:
            bank.script(**said)
        case "scripts":
            bank.forget_scripts()
        case "lot":
            bank.by_lot(Misfortune(**said) if said else None)
        case "plants":
            bank.plant(*(Plant(**each) for each in said))
        case "clock":
            bank.set_clock(said.get("now_ms"))
        case "lines":
            bank.lines_fen.update(said)
        case _:
            return 404, {"code": "NO_SUCH_CALL"}
    return 200, {call: "done"}


def _day(text: str) -> int | None:
    try:
        return day_of(date.fromisoformat(text))
    except ValueError:
        return None


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
