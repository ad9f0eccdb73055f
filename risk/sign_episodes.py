"""How the signs F01-F07 are told: their episodes. What opens or ends them is signals.py's."""

from typing import Any

from msgspec.structs import replace

from risk.credit import Context, Credit, Move
from risk.credit_alerts import credit_alert, where_it_opened
from risk.outputs import Output, Reply
from risk.policy_rules import Level
from risk.terms import Clause
from risk.watched import Alarm


def with_signals(credit: Credit, **changed: Any) -> Credit:
    """The record that remembers this of its signs."""
    signals = replace(credit.signals, **changed)
    return credit if signals == credit.signals else replace(credit, signals=signals)


def sign_episode(
    credit: Credit,
    rule_id: str,
    clause: Clause,
    level: Level,
    *,
    measure: tuple[int, int],
    context: Context,
    period: str = "",
    **where: Any,
) -> Move:
    """`measure`: without and with this event. A calendar measure's episode ends with its `period`."""
    without, count = measure
    if count < level.theta and not credit.signals.open:
        return credit, []
    name = f"{level.level}|{period}"
    mine = [
        each
        for each in credit.signals.open
        if (each.rule_id, each.service.split("|")[0]) == (rule_id, str(level.level))
    ]
    said: list[Output | Reply] = []
    for alarm in mine:
        if alarm.service == name and without >= level.rearm:
            return credit, said  # still open
        credit = with_signals(credit, open=tuple(each for each in credit.signals.open if each is not alarm))
        shown = (without if alarm.service == name else 0, level.theta)
        ended = {"told_by": alarm.crossing_id, "episode": "closed", **where_it_opened(alarm, where)}
        said.append(credit_alert(rule_id, clause, level, measure=shown, context=context, **ended))
    if count >= level.theta:
        alarm = Alarm(rule_id, name, context.record_id, where.get("fixmedins_code") or "")
        credit = with_signals(credit, open=(*credit.signals.open, alarm))
        said.append(credit_alert(rule_id, clause, level, measure=(count, level.theta), context=context, **where))
    return credit, said
