"""What is told of alerts long after they came: a suppression that has ended, a grave episode nobody looked after.

It keeps nothing but what it can read again: the alert topic says what came and closed, `handling.v1` what was done. So
it may die at any point: what it told without having recorded it is told again, under the same id. One worker sits at
it, the one that has the first partition of the alert topic.
"""

import logging
from collections.abc import Callable
from time import time_ns
from typing import NamedTuple

from connectors.errors import ConnectorError
from risk.handling import LOOK_FURTHER_MS, AlertEscalated, AlertSuppressed, SuppressionSummarised
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime, to_ms
from streams.alert_history import AlertHistory
from streams.alert_routes import AlertRouter, Heard
from streams.handling_board import HandlingBoard

OVERLAP_MS = MINUTE_MS  # read twice: the topic may show a record later than the instant it bears
_log = logging.getLogger(__name__)


class Escalation(NamedTuple):
    """When a grave alert is told again: after `after_ms` without anybody's word, and so on for `steps_max` times."""

    after_ms: int = 4 * HOUR_MS
    severity_min: int = 3
    steps_max: int = 2

    @property
    def look_back_ms(self) -> int:
        """How far back an opening may lie; the day more is for a desk that nobody sat at."""
        return self.after_ms * (self.steps_max + 1) + DAY_MS


AS_SHIPPED = Escalation()


class AlertDesk:
    """The clerk of one worker; `run_once` does what is due."""

    def __init__(
        self,
        history: AlertHistory,
        board: HandlingBoard,
        router: AlertRouter,
        now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
        *,
        escalation: Escalation = AS_SHIPPED,
    ) -> None:
        self._history = history
        self._board = board
        self._router = router
        self._now_ms = now_ms
        self._escalation = escalation
        self._open: dict[str, Heard] = {}
        self._read_ms = 0

    async def run_once(self) -> None:
        """Summarise, then escalate. ConnectorError when somebody could not be told: he alone is told again then, and
        nobody else waits for him.
        """
        if not self._board.is_fresh():
            raise ConnectorError("handling", "not read to its end lately", retryable=True)
        failure: ConnectorError | None = None
        for suppression in self._board.handling.unsummarised(self._now_ms()):
            try:
                await self._summarise(suppression)
            except ConnectorError as error:
                failure = error
        await self._escalate()
        if failure is not None:
            raise failure

    async def _summarise(self, suppression: AlertSuppressed) -> None:
        """One summary of everything that came meanwhile, closed since or not: each member can be looked up."""
        start_ms = to_ms(suppression.at)
        end_ms = self._board.handling.ends_ms(suppression) + LOOK_FURTHER_MS
        matched: set[str] = set()

        def concerns(heard: Heard) -> bool:
            alert_id = str(heard.alert["alert_id"])
            if heard.alert.get("episode") == "closed":  # it stands behind its opening, in one partition
                return alert_id in matched
            if suppression.matches(heard.alert):
                matched.add(alert_id)
            return alert_id in matched

        found = await self._history.between(start_ms, self._now_ms(), concerns)
        closed = frozenset(str(each.alert["alert_id"]) for each in found if each.alert.get("episode") == "closed")
        came = (each.alert for each in found if each.alert.get("episode") != "closed" and each.appended_ms < end_ms)
        members = {str(alert["alert_id"]): alert for alert in came}
        await self._router.summarise(list(members.values()), closed, suppression.suppression_id)
        summarised = SuppressionSummarised(
            at=to_datetime(self._now_ms()),
            by="engine",
            suppression_id=suppression.suppression_id,
            withheld=len(members),
        )
        await self._board.add(summarised)
        _log.info("%s ended: %d alerts told in a summary", suppression.suppression_id, len(members))

    async def _escalate(self) -> None:
        """Tell the next route of what is grave, open, and nobody's for too long."""
        now_ms = self._now_ms()
        await self._follow(now_ms)
        due: dict[int, list[Heard]] = {}
        for heard in self._open.values():
            step = self._step_due(heard, now_ms)
            if step:
                due.setdefault(step, []).append(heard)
        failure: ConnectorError | None = None
        for step, members in sorted(due.items()):
            try:
                route = await self._router.escalate([each.alert for each in members], step)
            except ConnectorError as error:  # each step has a chat of its own
                failure = error
                continue
            for each in members if route is not None else ():
                escalated = AlertEscalated(
                    at=to_datetime(self._now_ms()),
                    by="engine",
                    alert_id=str(each.alert["alert_id"]),
                    step=step,
                    route=str(route),
                )
                await self._board.add(escalated)
        if failure is not None:
            raise failure

    async def _follow(self, now_ms: int) -> None:
        """Know what is grave and open: openings since the look-back, without what has closed."""
        start_ms = max(self._read_ms - OVERLAP_MS, now_ms - self._escalation.look_back_ms)
        severity_min = self._escalation.severity_min
        found = await self._history.between(start_ms, now_ms, lambda each: each.alert["sev_deg"] >= severity_min)
        for each in sorted(found, key=lambda heard: heard.appended_ms):
            alert_id = str(each.alert["alert_id"])
            if each.alert.get("episode") == "closed":
                self._open.pop(alert_id, None)
            else:
                self._open.setdefault(alert_id, each)
        oldest_ms = now_ms - self._escalation.look_back_ms
        self._open = {alert_id: each for alert_id, each in self._open.items() if each.appended_ms >= oldest_ms}
        self._read_ms = now_ms

    def _step_due(self, heard: Heard, now_ms: int) -> int:
        """Which step the alert is due for now; 0 for none. What was withheld is waited for from its summary on."""
        handling = self._board.handling
        alert_id = str(heard.alert["alert_id"])
        step = handling.steps(alert_id) + 1
        if step > self._escalation.steps_max or handling.is_acknowledged(alert_id):
            return 0
        suppression = handling.withheld_by(*heard)
        since_ms = heard.appended_ms if suppression is None else handling.ends_ms(suppression)
        return step if now_ms - since_ms >= step * self._escalation.after_ms else 0
