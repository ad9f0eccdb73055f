"""What the demo shows: the newest alerts, decisions, orders and bank results, each with the id that kcat finds."""

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.alerts_reader import markup_of

SHOWN = 8


@dataclass(slots=True)
class Seen:
    """What came by so far; filled by several threads."""

    alerts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    decisions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    orders: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    results: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    counts: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, str] = field(default_factory=dict)
    """The first of each kind that a reader should see: what → id."""
    lock: Lock = field(default_factory=Lock)

    def alert(self, body: dict[str, Any]) -> None:
        """An alert came by."""
        with self.lock:
            self.alerts.append(body)
            self.counts[f"alert {body['rule_id']}"] += 1
            self._first("alert", body["alert_id"])
            if body["kind"] == "over_limit":
                self._first("over-limit alert", body["alert_id"])

    def decision(self, body: dict[str, Any]) -> None:
        """A decision came by."""
        with self.lock:
            self.decisions.append(body)
            outcome = str(body.get("decision"))
            self.counts[f"decision {outcome}"] += 1
            if body.get("authorization_id") and outcome in ("approve", "deny"):
                self._first(f"{outcome} authorization", body["authorization_id"])

    def order(self, body: dict[str, Any]) -> None:
        """An order to the bank came by."""
        with self.lock:
            self.orders.append(body)
            self.counts[f"order {body['kind']}"] += 1
            self._first("order", body["order_id"])

    def fact(self, body: dict[str, Any]) -> None:
        """A record of the log came by; bank results are shown."""
        with self.lock:
            self.counts["events"] += 1
            if body.get("event_type") == "bank.order_result":
                self.results.append(body)
                self.counts[f"bank {body['result']}"] += 1
                if body["result"] == "settled":
                    self._first("bank result", body["event_id"])

    def note(self, what: str, key: str) -> None:
        """Something the script did."""
        with self.lock:
            self._first(what, key)

    def _first(self, what: str, key: str) -> None:
        self.firsts.setdefault(what, str(key))


def view(seen: Seen, headline: str, note: str) -> Group:
    """One screen."""
    with seen.lock:
        alerts = Table.grid()
        for body in reversed(seen.alerts):
            alerts.add_row(Text.from_markup(markup_of(body), overflow="ellipsis"))
        decisions = Table("decision", "authorization / visit", "fen", "gravest reason", box=None, expand=True)
        for body in reversed(seen.decisions):
            decisions.add_row(*_decision_row(body))
        orders = Table("order", "kind", "fen", "bank says", box=None, expand=True)
        answers = {body["order_id"]: body["result"] for body in seen.results}
        for body in reversed(seen.orders):
            amount = f"{body['amount_fen']:,}"
            orders.add_row(body["order_id"], body["kind"], amount, answers.get(body["order_id"], "…"))
        counts = "  ".join(f"{name} {count:,}" for name, count in sorted(seen.counts.items()))
    return Group(
        Text(headline, style="bold"),
        Text(note, style="dim"),
        Panel(alerts, title="alerts 预警 · xinmai.alerts.v1", title_align="left"),
        Panel(decisions, title="decisions 决定 · xinmai.decisions.v1", title_align="left"),
        Panel(orders, title="orders to the bank 扣款 · xinmai.withholding.v1", title_align="left"),
        Text(counts, style="dim"),
    )


def _decision_row(body: dict[str, Any]) -> tuple[str, str, str, str]:
    outcome = str(body.get("decision", ""))
    colour = {"approve": "green", "withhold": "green", "deny": "red", "top_up": "red"}.get(outcome, "yellow")
    fen = next((body[name] for name in ("approved_fen", "captured_fen", "top_up_fen") if body.get(name)), 0)
    reason = next((str(each["code"]) for each in body.get("reasons", ())), "")
    key = str(body.get("authorization_id") or body.get("mdtrt_id") or "")
    return f"[{colour}]{outcome}[/]", key, f"{fen:,}", reason
