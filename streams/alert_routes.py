"""Who is told of which alert, and that each is told. It words nothing; a target does.

An alert that came under a suppression is withheld and counted; the desk (alert_desk.py) tells of it when that ends. A
route without a pacing is told at once and groups by itself (Alertmanager); one with a pacing has an outbox. Until an
alert was told or withheld it is owed, and the redrive (alert_redrive.py) does not mark its place as delivered.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Any, NamedTuple, TypeVar

import orjson

from connectors.errors import ConnectorError
from connectors.notify import Alert, Notice, Target
from risk.handling import Cause, NoticePrepared
from risk.local_time import to_datetime
from streams.alert_outbox import AlertName, Outbox, Pacing, messages_of, name_of
from streams.handling_board import HandlingBoard

REMEMBERED_MAX = 100_000
Name = TypeVar("Name", str, AlertName)
_log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """An alert, and when its topic took it in; what stands on no topic (a page of the engine's) has 0."""

    alert: Alert
    appended_ms: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """A target, which alerts concern it, and how often it may speak; without a pacing it is told at once."""

    target: Target
    severity_min: int = 1
    kinds: frozenset[str] = frozenset()
    pacing: Pacing | None = None

    def wants(self, alert: Alert) -> bool:
        """Whether the target is told of this alert. A chat is told no closing: nobody there could match it."""
        if self.pacing is not None and alert.get("episode") == "closed":
            return False
        return int(alert["sev_deg"]) >= self.severity_min and (not self.kinds or alert["kind"] in self.kinds)


class _Line:
    """One route at work: whom it has told, and what waits for it."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.told: OrderedDict[AlertName, None] = OrderedDict()
        self.outbox = None if route.pacing is None else Outbox(route.target.name, route.pacing)
        self.recorded: OrderedDict[str, None] = OrderedDict()
        self.noticed: OrderedDict[str, None] = OrderedDict()  # summaries and escalations that it was told

    def owes(self, alert: Alert) -> bool:
        """Also no opening whose closing was told: it must not be opened again."""
        is_told = name_of(alert) in self.told or (str(alert["alert_id"]), "closed") in self.told
        return self.route.wants(alert) and not is_told


class AlertRouter:
    """Tells each route what it has not been told; what an alert is called is (alert_id, episode)."""

    def __init__(
        self,
        routes: Sequence[Route],
        count: Callable[[str, str, int], None] = lambda target, result, alerts: None,
        remembered_max: int = REMEMBERED_MAX,
        *,
        board: HandlingBoard | None = None,
        now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
    ) -> None:
        self._lines = [_Line(route) for route in routes]
        self._count = count
        self._remembered_max = remembered_max
        self._board = board
        self._now_ms = now_ms
        self._turn = asyncio.Lock()

    async def tell(self, heard: Sequence[Heard]) -> None:
        """Tell all routes, or let alerts wait. ConnectorError when one could not be told now; the others were."""
        failure: ConnectorError | None = None
        async with self._turn:  # agent and redrive: the second must see what the first has told
            for line in self._lines:
                try:
                    await self._take(line, heard)
                except ConnectorError as error:
                    failure = error
        if failure is not None:
            raise failure

    async def flush(self) -> None:
        """Send what has waited long enough. ConnectorError when a route could not be told now; the others were."""
        await self.tell(())

    def owes(self, heard: Iterable[Heard]) -> bool:
        """Whether one of them was neither told to every route that wants it nor withheld from it."""
        return any(line.owes(each.alert) for each in heard for line in self._lines)

    async def summarise(self, alerts: Sequence[Alert], closed: frozenset[str], suppression_id: str) -> None:
        """Tell every route of those that it wants and that were withheld. ConnectorError when one could not be told
        now: ask again; the others were told, and this process tells them no second time.

        `closed`: the ids whose episode has ended since; who is told at once keeps a list of what is open.
        """
        failure: ConnectorError | None = None
        async with self._turn:
            for line in self._lines:
                wanted = [alert for alert in alerts if line.route.wants(alert)]
                still_open = [alert for alert in wanted if str(alert["alert_id"]) not in closed]
                try:
                    if line.outbox is not None:
                        await self._send_all(line, wanted, "suppression", suppression_id)
                    elif still_open and suppression_id not in line.noticed:
                        await self._send(line, still_open, None)
                        self._remember(line.noticed, [suppression_id])
                except ConnectorError as error:
                    failure = error
        if failure is not None:
            raise failure

    async def escalate(self, alerts: Sequence[Alert], step: int) -> str | None:
        """Tell the next chat, or the last again; its name, None when there is no chat. Alertmanager repeats by itself.

        What is told again is called `escalated`, so that nobody who dedupes takes it for the first telling.
        """
        chats = [line for line in self._lines if line.outbox is not None]
        if not chats:
            return None
        line = chats[min(step, len(chats) - 1)]
        async with self._turn:
            await self._send_all(line, [{**alert, "episode": "escalated"} for alert in alerts], "escalation", step)
        return line.route.target.name

    async def _send_all(self, line: _Line, alerts: Sequence[Alert], cause: Cause, occasion: object) -> None:
        for notice, members in messages_of(line.route.target.name, cause, alerts, occasion):
            if notice.notice_id not in line.noticed:
                await self._send(line, members, notice)
                self._remember(line.noticed, [notice.notice_id])

    async def _take(self, line: _Line, heard: Sequence[Heard]) -> None:
        news = [each for each in heard if line.owes(each.alert)]
        if self._board is not None:
            on_topic = [each for each in news if each.appended_ms]
            withheld = [each.alert for each in on_topic if self._board.withheld_by(*each) is not None]
            self._settle(line, withheld, "withheld")
            news = [each for each in news if line.owes(each.alert)]
        if line.outbox is None:
            if news:
                await self._send(line, [each.alert for each in news], None)
            return
        now_ms = self._now_ms()
        for each in news:
            if not line.outbox.holds(name_of(each.alert)):
                line.outbox.hold(each.alert, now_ms)
        while (message := line.outbox.due(now_ms)) is not None:
            await self._send(line, message.alerts, message.notice)
            line.outbox.sent()

    async def _send(self, line: _Line, alerts: Sequence[Alert], notice: Notice | None) -> None:
        """Record the notice, tell the target. A refusal for good is not repeated: it would hold up all behind it."""
        try:
            if notice is None:
                await line.route.target.tell(alerts)
            else:
                await self._record(line, alerts, notice)
                await line.route.target.tell(alerts, notice)
        except ConnectorError as error:
            self._count(line.route.target.name, "failed", 1)
            _log.warning("alerts not told: %s", error)
            if error.retryable:
                raise
            self._settle(line, alerts, None)
        else:
            self._settle(line, alerts, "told")

    async def _record(self, line: _Line, alerts: Sequence[Alert], notice: Notice) -> None:
        """Write down who the members are, before the message leaves: its link should lead somewhere.

        Whoever must be woken is woken all the same when Kafka takes nothing: it may be what he is woken for.
        """
        if self._board is None or notice.notice_id in line.recorded:
            return
        members = tuple(name_of(alert) for alert in alerts)
        act = NoticePrepared(
            at=to_datetime(self._now_ms()),
            by="engine",
            notice_id=notice.notice_id,
            route=line.route.target.name,
            cause=notice.cause,
            members=members,
        )
        try:
            await self._board.add(act)
        except ConnectorError as error:
            _log.warning("members of %s not recorded: %s", notice.notice_id, error)
        self._remember(line.recorded, [notice.notice_id])

    def _settle(self, line: _Line, alerts: Sequence[Alert], result: str | None) -> None:
        """These are owed no longer."""
        self._remember(line.told, map(name_of, alerts))
        if result is not None and alerts:
            self._count(line.route.target.name, result, len(alerts))

    def _remember(self, known: OrderedDict[Name, None], names: Iterable[Name]) -> None:
        known.update(dict.fromkeys(names))
        while len(known) > self._remembered_max:
            known.popitem(last=False)


def decode_alert(value: bytes | None) -> dict[str, Any] | None:
    """The alert of a record, or None when it is none."""
    try:
        alert = orjson.loads(value or b"")
        complete = isinstance(alert, dict) and {"alert_id", "rule_id", "level", "kind", "subject_kind"} <= alert.keys()
        return alert if complete and isinstance(alert.get("sev_deg"), int) else None
    except orjson.JSONDecodeError:
        return None
