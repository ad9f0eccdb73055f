"""What the demo shows: the newest alerts, decisions, orders and bank results, each with the id that kcat finds."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from risk.yuan import yuan
from streams.alerts_reader import words_of

SHOWN = 5


@dataclass(slots=True)
class Seen:
    """What came by so far; filled by several threads."""

    alerts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    decisions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    orders: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    results: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(what, kind) → how many, each id once: a topic may carry a record twice."""
    ids: set[str] = field(default_factory=set)
    firsts: dict[str, str] = field(default_factory=dict)
    """The first of each kind that a reader should see: what → id."""
    broken: list[Exception] = field(default_factory=list)
    """What ended the demo before its time."""
    lock: Lock = field(default_factory=Lock)

    def alert(self, body: dict[str, Any]) -> None:
        """An alert came by: opened, or closed again."""
        with self.lock:
            if not self._is_new(f"{body['alert_id']} {body['episode']}"):
                return
            self.alerts.append(body)
            self.counts["alerts " + body["episode"], body["rule_id"]] += 1
            self._first("alert", body["alert_id"])
            if body["kind"] == "over_limit":
                self._first("over-limit alert", body["alert_id"])

    def decision(self, body: dict[str, Any]) -> None:
        """A decision came by."""
        with self.lock:
            if not self._is_new(body["decision_id"]):
                return
            self.decisions.append(body)
            outcome = str(body.get("decision"))
            self.counts["decisions", f"{body.get('kind', '')} {outcome}".strip()] += 1
            if body.get("authorization_id") and outcome in ("approve", "deny"):
                self._first(f"{outcome} authorization", body["authorization_id"])

    def order(self, body: dict[str, Any]) -> None:
        """An order to the bank came by."""
        with self.lock:
            if not self._is_new(f"{body['order_id']} {body['attempt']}"):
                return
            self.orders.append(body)
            self.counts["orders", body["kind"]] += 1
            self._first("order", body["order_id"])

    def fact(self, body: dict[str, Any]) -> None:
        """A record of the log came by; bank results are shown."""
        with self.lock:
            event_type = str(body.get("event_type"))
            own = event_type.startswith(("policy.", "timer.", "fold."))
            self.counts["log", "the engine's own records" if own else "facts and requests"] += 1
            if event_type == "bank.order_result":
                self.results.append(body)
                self.counts["bank", body["result"]] += 1
                if body["result"] == "settled":
                    self._first("bank result", body["event_id"])

    def _is_new(self, identity: str) -> bool:
        known = identity in self.ids
        self.ids.add(identity)
        return not known

    def note(self, what: str, key: str) -> None:
        """Something the script did."""
        with self.lock:
            self._first(what, key)

    def _first(self, what: str, key: str) -> None:
        self.firsts.setdefault(what, str(key))


def tallied(counts: Counter[tuple[str, str]]) -> str:
    """The counts, a line for each thing counted."""
    kinds: dict[str, list[str]] = {}
    for (what, kind), count in sorted(counts.items()):
        kinds.setdefault(what, []).append(f"{kind} {count:,}")
    return "\n".join(f"{what}: {' · '.join(each)}" for what, each in kinds.items())


def view(seen: Seen, headline: str, note: str, finding: Callable[[dict[str, str]], str] | None = None) -> Group:
    """One screen; `finding` says how to find the ids while the servers live."""
    with seen.lock:
        alerts = Table.grid(padding=(0, 1), expand=True)
        alerts.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        id_width = max((len(each["alert_id"]) for each in seen.alerts), default=0)
        alerts.add_column(no_wrap=True, style="dim", min_width=id_width)
        for body in reversed(seen.alerts):
            alerts.add_row(Text.from_markup(words_of(body), overflow="ellipsis"), str(body["alert_id"]))
        decisions = Table("decision", "authorization / visit", "yuan 元", "gravest reason", box=None, expand=True)
        decisions.columns[1].no_wrap = True
        for body in reversed(seen.decisions):
            decisions.add_row(*_decision_row(body))
        orders = Table("order", "kind", "yuan 元", "bank says", box=None, expand=True)
        orders.columns[0].no_wrap = True
        answers = {body["order_id"]: body["result"] for body in seen.results}
        for body in reversed(seen.orders):
            amount = yuan(body["amount_fen"])
            orders.add_row(body["order_id"], body["kind"], amount, answers.get(body["order_id"], "…"))
        counts = tallied(seen.counts)
        find = finding(dict(seen.firsts)) if finding else ""
    title = "find it yourself 自己查 · kcat"  # wrapped between words: a command that is cropped loses its id
    panels = [Panel(Text(find, overflow="fold"), title=title, title_align="left")] if find else []
    return Group(
        Text(headline, style="bold"),
        Text(note, style="dim"),
        *panels,  # first: a low screen is cut at its foot
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
    return f"[{colour}]{outcome}[/]", key, yuan(fen), reason
