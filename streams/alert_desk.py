"""What is told of alerts long after they came: a suppression that has ended, a grave episode nobody looked after.

It keeps nothing but what it can read again: the alert topic says what came and closed, `handling.v1` what was done. So
it may die at any point: what it told without having recorded it is told again, under the same id. One worker sits at
it, the one that has the first partition of the alert topic.
"""

import logging
from collections.abc import Callable
from time import time_ns

from connectors.errors import ConnectorError
from risk.handling import LOOK_FURTHER_MS, AlertSuppressed, SuppressionSummarised
from risk.local_time import to_datetime, to_ms
from streams.alert_history import AlertHistory
from streams.alert_routes import AlertRouter
from streams.handling_board import HandlingBoard

_log = logging.getLogger(__name__)


class AlertDesk:
    """The clerk of one worker; `run_once` does what is due."""

    def __init__(
        self,
        history: AlertHistory,
        board: HandlingBoard,
        router: AlertRouter,
        now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
    ) -> None:
        self._history = history
        self._board = board
        self._router = router
        self._now_ms = now_ms

    async def run_once(self) -> None:
        """Summarise what has ended. ConnectorError when somebody could not be told; then it is all told again."""
        if not self._board.is_fresh():
            raise ConnectorError("handling", "not read to its end lately", retryable=True)
        for suppression in self._board.handling.unsummarised(self._now_ms()):
            await self._summarise(suppression)

    async def _summarise(self, suppression: AlertSuppressed) -> None:
        """One summary of everything that came meanwhile, closed since or not: each member can be looked up."""
        start_ms = to_ms(suppression.at)
        end_ms = self._board.handling.ends_ms(suppression) + LOOK_FURTHER_MS
        found = await self._history.between(start_ms, self._now_ms(), lambda each: suppression.matches(each.alert))
        closed = frozenset(str(each.alert["alert_id"]) for each in found if each.alert.get("episode") == "closed")
        came = (each.alert for each in found if each.alert.get("episode") != "closed" and each.appended_ms < end_ms)
        members = {str(alert["alert_id"]): alert for alert in came}
        await self._router.summarise(list(members.values()), "suppression", closed)
        summarised = SuppressionSummarised(
            at=to_datetime(self._now_ms()),
            by="engine",
            suppression_id=suppression.suppression_id,
            withheld=len(members),
        )
        await self._board.add(summarised)
        _log.info("%s ended: %d alerts told in a summary", suppression.suppression_id, len(members))
