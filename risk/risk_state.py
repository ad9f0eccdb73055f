"""How much has been said of a subject lately: 0 to 100, by its alerts alone. Internal; it observes and decides nothing.

Each alert about conduct weighs by its severity and loses half its weight in every half-life (domain.md 5.2). What
people found to be false weighs nothing, nor do data quality, deadlines and drills. It is no level and is never shown
as one: no fold reads it, and no caller of the API is told it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from risk.handling import AlertJudged
from risk.local_time import DAY_MS, to_ms

MOST = 100
OF_CONDUCT = frozenset({"suspicion", "warning", "over_limit"})
_SCALE = 1_000_000


class Weights(NamedTuple):
    """What an alert weighs on its first day, by severity 1 to 4, and after how many days half of that."""

    by_severity: tuple[int, int, int, int] = (1, 3, 8, 20)
    half_life_days: int = 30


class RiskState(NamedTuple):
    """The state and what it rests on."""

    value: int
    alerts: int


def risk_state(
    alerts: Iterable[Mapping[str, Any]], verdicts: Mapping[str, AlertJudged], now_ms: int, weights: Weights
) -> RiskState:
    """The state of the subject that all of `alerts` are about; an alert counts once, from its opening."""
    opened = {
        str(alert["alert_id"]): alert
        for alert in alerts
        if alert["kind"] in OF_CONDUCT and alert.get("episode") != "closed" and not alert.get("test")
    }
    weighed = [
        _weight(alert, now_ms, weights) for alert_id, alert in opened.items() if not _is_false(verdicts, alert_id)
    ]
    return RiskState(min(MOST, sum(weighed) // _SCALE), sum(weight > 0 for weight in weighed))


def _is_false(verdicts: Mapping[str, AlertJudged], alert_id: str) -> bool:
    return alert_id in verdicts and verdicts[alert_id].verdict == "false"


def _weight(alert: Mapping[str, Any], now_ms: int, weights: Weights) -> int:
    """In millionths. Days are whole; what is dated ahead of now is as of now."""
    occurred_ms = to_ms(datetime.fromisoformat(str(alert["occurred_at"])))
    halvings, days = divmod(max(0, now_ms - occurred_ms) // DAY_MS, weights.half_life_days)
    severity = min(max(int(alert["sev_deg"]), 1), len(weights.by_severity))
    return weights.by_severity[severity - 1] * _part_of_a_halving(days, weights.half_life_days) >> halvings


@lru_cache(maxsize=1_024)
def _part_of_a_halving(days: int, half_life_days: int) -> int:
    """2^(-days/half_life) in millionths, rounded down, in whole numbers: the greatest whose power still fits."""
    fits = _SCALE**half_life_days >> days
    low, high = 0, _SCALE
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**half_life_days <= fits else (low, middle - 1)
    return low
