"""The alert about a person's credit: of its pools (L80, L90, L100) and of the signs F01-F07."""

from typing import Any

from risk.alerts import Crossing, alert
from risk.credit import Context
from risk.outputs import Output
from risk.policy_rules import Level
from risk.terms import Clause
from risk.watched import Alarm


def credit_alert(
    rule_id: str, clause: Clause, level: Level, *, measure: tuple[int, int], context: Context, told_by: str = "",
    episode: str = "opened", **where: Any,
) -> Output:  # fmt: skip
    """`told_by`: what crossed, if it was not this record."""
    crossing = Crossing(
        rule_id,
        level.level,
        level.kind,
        level.sev,
        "person",
        context.psn_no,
        told_by or context.record_id,
        context.occurred_ms,
        context.now_ms,
        *measure,
    )
    return alert(
        crossing,
        episode=episode,
        clause=clause.source(),
        policy_version=context.policy.version,
        texts=(clause.value.text_zh, clause.value.text_en),
        window_ms=level.window_ms,
        **where,
    )


def where_it_opened(alarm: Alarm, where: dict[str, Any]) -> dict[str, Any]:
    """Where an end is told: at the institution that was told of the opening. Of a visit elsewhere it learns nothing."""
    told_at = alarm.seen_at or None
    return where if where.get("fixmedins_code") == told_at else {"fixmedins_code": told_at}
