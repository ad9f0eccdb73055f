"""What the demo shows: the newest alerts, decisions, orders and bank results, each with the id that kcat finds."""

import sys
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from risk.yuan import yuan
from streams.alerts_reader import markup_of, words_of

SHOWN = 5
WIDE = 120  # columns from which an alert and its id have room on one line


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


class Screen:
    """What is seen, as it was when this was made. `finding`: how to find the ids; `find_one`: the same in one line.

    On a low screen that line stands for all of them, then each panel shows fewer rows, and last it loses its frame, so
    that all three are there. What a panel is short of stands in its title.
    """

    def __init__(
        self,
        seen: Seen,
        headline: str,
        note: str,
        finding: Callable[[dict[str, str]], str] | None = None,
        *,
        find_one: str = "",
    ) -> None:
        with seen.lock:
            self._alerts, self._decisions = list(reversed(seen.alerts)), list(reversed(seen.decisions))
            self._orders = list(reversed(seen.orders))
            self._answers = {body["order_id"]: body["result"] for body in seen.results}
            self._totals = Counter[str]()
            for (what, _), count in seen.counts.items():
                self._totals[what.partition(" ")[0]] += count
            self._counts = tallied(seen.counts)
            find = finding(dict(seen.firsts)) if finding else ""
        title = "find it yourself 自己查 · kcat"  # wrapped between words: a command that is cropped loses its id
        framed = [Panel(Text(find, overflow="fold"), title=title, title_align="left")] if find else []
        first, second = Text(headline, style="bold"), Text(note, style="dim")
        self._full, self._short = Group(first, second, *framed), Group(first, *([Text(find_one)] if find_one else []))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The fullest form that has room for every panel; without a height, the fullest."""
        # inside a group only the maximum is still said
        height = options.max_height if console.is_terminal else options.height
        options = options.reset_height()
        forms = [(self._full, SHOWN, True), *((self._short, rows, True) for rows in range(SHOWN, 0, -1))]
        forms.append((self._short, 1, False))
        wide = options.max_width >= WIDE

        def lines(*parts: RenderableType) -> int:
            return len(console.render_lines(Group(*parts), options, pad=False))

        def shown(form: tuple[Group, int, bool]) -> Group:
            return Group(form[0], self._panels(form[1], framed=form[2], wide=wide))

        most = sys.maxsize if height is None else height
        fits = 0
        if lines(shown(forms[0])) > most:
            fits = bisect_left(forms, True, lo=1, hi=len(forms) - 1, key=lambda form: lines(shown(form)) <= most)
        screen, counts = shown(forms[fits]), Text(self._counts, style="dim")
        yield screen
        if lines(screen, counts) <= most:
            yield counts

    def on_paper(self) -> list[str]:
        """The same where nobody watches a screen: a line for each, in markup, as long as it is."""
        return [
            "\n预警 alerts:",
            *(f"  {markup_of(body)}" for body in self._alerts),
            "决定 decisions:",
            *("  " + "  ".join(_decision_row(body)) for body in self._decisions),
            "指令 orders to the bank:",
            *("  " + "  ".join(self._order_row(body)) for body in self._orders),
            self._counts,
        ]

    def _order_row(self, body: dict[str, Any]) -> tuple[str, str, str, str]:
        return body["order_id"], body["kind"], yuan(body["amount_fen"]), self._answers.get(body["order_id"], "…")

    def _alert_table(self, rows: int, *, wide: bool) -> Table:
        """An alert on a line; on a narrow screen its id on a second one, for beside it no word would have room."""
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        if wide:
            id_width = max((len(each["alert_id"]) for each in self._alerts), default=0)
            table.add_column(no_wrap=True, style="dim", min_width=id_width)
        for body in self._alerts[:rows]:
            words, name = Text.from_markup(words_of(body), overflow="ellipsis"), str(body["alert_id"])
            if wide:
                table.add_row(words, name)
            else:
                table.add_row(words)
                table.add_row(Text(f"  {name}", style="dim"))
        return table

    def _panels(self, rows: int, *, framed: bool, wide: bool) -> Group:
        alerts = self._alert_table(rows, wide=wide)
        decisions = _table("decision", "authorization / visit", "yuan 元", "gravest reason", heads=framed)
        decisions.columns[1].no_wrap = True
        for body in self._decisions[:rows]:
            decisions.add_row(*_decision_row(body))
        orders = _table("order", "kind", "yuan 元", "bank says", heads=framed)
        orders.columns[0].no_wrap = True
        for body in self._orders[:rows]:
            orders.add_row(*self._order_row(body))
        told = (
            (alerts, "alerts 预警", "alerts", len(self._alerts)),
            (decisions, "decisions 决定", "decisions", len(self._decisions)),
            (orders, "orders to the bank 扣款", "withholding", len(self._orders)),
        )
        shown = []
        for table, name, topic, kept in told:
            total = self._totals["orders" if topic == "withholding" else topic]
            title = f"{name} · xinmai.{topic}.v1" + _of(min(rows, kept), total)
            frame = Panel(table, title=title, title_align="left")
            shown.append(
                frame if framed else Group(Text(title, style="bold", no_wrap=True, overflow="ellipsis"), table)
            )
        return Group(*shown)


def _table(*heads: str, **shape: bool) -> Table:
    return Table(*heads, box=None, expand=True, show_header=shape["heads"])


def _of(shown: int, total: int) -> str:
    """Which part of all is shown; '' for all of it."""
    return f" · 新/newest {shown:,} / {total:,}" if shown < total else ""


def _decision_row(body: dict[str, Any]) -> tuple[str, str, str, str]:
    outcome = str(body.get("decision", ""))
    colour = {"approve": "green", "withhold": "green", "deny": "red", "top_up": "red"}.get(outcome, "yellow")
    fen = next((body[name] for name in ("approved_fen", "captured_fen", "top_up_fen") if body.get(name)), 0)
    reason = next((str(each["code"]) for each in body.get("reasons", ())), "")
    key = str(body.get("authorization_id") or body.get("mdtrt_id") or "")
    return f"[{colour}]{outcome}[/]", key, yuan(fen), reason
