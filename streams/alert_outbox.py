"""What waits for one route: alerts of one institution become one message, a flood becomes a summary. It sends nothing.

    time s      0----5----10---        ---55---60
    H1 alerts   ^^ ^|                           |      three alerts, one message when the first has waited group_wait
    H2 alerts        ^ (sev 4)                         told at once: it does not wait for others, nor for the
                                                       next minute, up to as many messages again
    others                      ^^^^ ^^^ ^^ ^^^ |      beyond messages_per_minute: held, and one summary when it is over

Nothing is dropped: what is held stays owed (alert_routes.py), and its place on the topic is not marked as delivered.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from connectors.notify import Alert, Notice
from risk.handling import Cause, institution_of
from risk.local_time import MINUTE_MS
from risk.outputs import derived_id

MEMBERS_MAX = 1_000
HELD_MAX = 10_000  # and as many of the gravest; what comes beyond is owed all the same: the redrive brings it again
AT_ONCE_SEVERITY = 4

AlertName = tuple[str, str]
"""What an alert is called: (alert_id, episode)."""


def name_of(alert: Alert) -> AlertName:
    """The name by which everybody dedupes."""
    return str(alert["alert_id"]), str(alert.get("episode", "opened"))


class Pacing(NamedTuple):
    """How often a route may speak."""

    group_wait_ms: int = 5_000
    messages_per_minute: int = 20


class Message(NamedTuple):
    """What leaves next."""

    notice: Notice
    alerts: tuple[Alert, ...]


def messages_of(route: str, cause: Cause, alerts: Iterable[Alert], occasion: object = "") -> list[Message]:
    """All of `alerts` in messages of a bounded size; the same alerts on the same occasion give the same ids."""
    ordered = sorted(alerts, key=name_of)
    cuts = [tuple(ordered[first : first + MEMBERS_MAX]) for first in range(0, len(ordered), MEMBERS_MAX)]
    return [Message(Notice(derived_id("nt_", route, cause, occasion, *map(name_of, cut)), cause), cut) for cut in cuts]


class _Held(NamedTuple):
    alert: Alert
    ready_ms: int


class Outbox:
    """The alerts of one route that are not told yet."""

    def __init__(self, route: str, pacing: Pacing) -> None:
        self._route = route
        self._pacing = pacing
        self._held: OrderedDict[AlertName, _Held] = OrderedDict()
        self._gravest: dict[AlertName, Alert] = {}
        self._leaving: Message | None = None
        self._ready_ms = 0
        self._minute = 0
        self._sent = 0
        self._is_flooded = False

    def holds(self, name: AlertName) -> bool:
        """Whether the alert waits here already."""
        return name in self._held

    def hold(self, alert: Alert, now_ms: int) -> None:
        """Let the alert wait for others like it. A flood of lesser ones keeps out none of the gravest."""
        at_once = int(alert["sev_deg"]) >= AT_ONCE_SEVERITY
        if len(self._gravest if at_once else self._held) >= HELD_MAX:
            return
        ready_ms = now_ms if at_once else now_ms + self._pacing.group_wait_ms
        self._ready_ms = min(self._ready_ms, ready_ms) if self._held else ready_ms
        self._held[name_of(alert)] = _Held(alert, ready_ms)
        if at_once:
            self._gravest[name_of(alert)] = alert

    def due(self, now_ms: int) -> Message | None:
        """The message that may leave now; the same again until it was `sent`."""
        if self._leaving is not None or not self._held:
            return self._leaving
        if now_ms // MINUTE_MS != self._minute:
            self._minute, self._sent = now_ms // MINUTE_MS, 0
        if self._sent >= self._pacing.messages_per_minute:
            self._is_flooded = True
            if self._gravest and self._sent < 2 * self._pacing.messages_per_minute:
                self._leaving = self._group(next(iter(self._gravest.values())))
        elif self._is_flooded:
            everything = [each.alert for each in self._held.values()]
            self._leaving = messages_of(self._route, "flood", everything)[0]
        elif self._ready_ms <= now_ms:
            self._leaving = self._group(next(each.alert for each in self._held.values() if each.ready_ms <= now_ms))
        return self._leaving

    def sent(self) -> tuple[Alert, ...]:
        """The message that was due has left, or was refused for good; its alerts."""
        assert self._leaving is not None
        told = self._leaving.alerts
        for alert in told:
            self._held.pop(name_of(alert), None)
            self._gravest.pop(name_of(alert), None)
        self._sent += 1
        self._leaving = None
        self._is_flooded = self._is_flooded and bool(self._held)
        self._ready_ms = min((each.ready_ms for each in self._held.values()), default=0)
        return told

    def _group(self, first: Alert) -> Message:
        """All that waits of that alert's institution; no institution is a group too."""
        institution = institution_of(first)
        together = [each.alert for each in self._held.values() if institution_of(each.alert) == institution]
        return messages_of(self._route, "group", together)[0]
