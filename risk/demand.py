"""Demand on a credit pool against its limit: L80, L90 and L100, opened and closed at the change itself (rules.md).

demand = used + held + uncovered. No agreement, or a limit of 0: no rule, and nothing stays open.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.credit import Context, Credit, Move
from risk.credit_alerts import credit_alert, where_it_opened
from risk.exposure import exposure_fen, uncovered_fen
from risk.facts import Fact
from risk.limits import pool_limit_fen
from risk.outputs import Output, Reply
from risk.policy_values import SERVICES
from risk.terms import Clause
from risk.watched import Alarm

RULES = ("L80", "L90", "L100")  # lowest first
_STRICT = "L100"  # an exact fit is not over


def demand_fen(credit: Credit, service: str) -> int:
    """used + held + uncovered."""
    return exposure_fen(credit, service) + uncovered_fen(credit, service)


def watch(credit: Credit, fact: Fact | None, context: Context) -> Move:
    """Open and close what this change opened and closed."""
    if not credit.agreements or not (credit.authorizations or credit.obligations or credit.wants or credit.alarms):
        return credit, []
    said: list[Output | Reply] = []
    for service in SERVICES:
        demand = demand_fen(credit, service)
        if not demand and not (credit.alarms and any(alarm.service == service for alarm in credit.alarms)):
            continue
        limit_fen = pool_limit_fen(credit, service, context)
        if _is_calm(credit, demand, limit_fen, context):
            continue
        for rule_id in RULES:
            clause = context.terms.get(rule_id)
            if clause is not None:
                measure = Measure(rule_id, service, demand, limit_fen, clause)
                credit, more = _watched(credit, measure, fact, context)
                said += more
    return credit, said


def _is_calm(credit: Credit, demand: int, limit_fen: int, context: Context) -> bool:
    """Nothing is open and the lowest rule is not reached: the common case, decided at once."""
    lowest = context.terms.get(RULES[0])
    return not credit.alarms and lowest is not None and demand * 100 < lowest.value.theta * limit_fen


class Measure(NamedTuple):
    """A pool's demand and limit under one rule."""

    rule_id: str
    service: str
    demand_fen: int
    limit_fen: int
    clause: Clause

    def opens(self) -> bool:
        """Does demand reach theta percent of the limit (L100: go beyond it)?"""
        if not self.limit_fen:
            return False
        theta: int = self.clause.value.theta
        reached, line = self.demand_fen * 100, theta * self.limit_fen
        return reached > line if self.rule_id == _STRICT else reached >= line

    def closes(self) -> bool:
        """Is demand below the re-arm point, or the rule without object?"""
        rearm: int = self.clause.value.rearm
        return not self.limit_fen or self.demand_fen * 100 < rearm * self.limit_fen


def _watched(credit: Credit, measure: Measure, fact: Fact | None, context: Context) -> Move:
    alarm = next(
        (each for each in credit.alarms if (each.rule_id, each.service) == (measure.rule_id, measure.service)), None
    )
    if alarm is None and measure.opens():
        seen_at = getattr(fact, "fixmedins_code", None) or ""
        alarm = Alarm(measure.rule_id, measure.service, context.record_id, seen_at)
        credit = replace(credit, alarms=(*credit.alarms, alarm))
        return credit, [_alert(alarm, measure, fact, context, episode="opened")]
    if alarm is not None and measure.closes():
        credit = replace(credit, alarms=tuple(each for each in credit.alarms if each is not alarm))
        return credit, [_alert(alarm, measure, fact, context, episode="closed")]
    return credit, []


def _alert(alarm: Alarm, measure: Measure, fact: Fact | None, context: Context, *, episode: str) -> Output:
    clause = measure.clause
    level = clause.value.levels[0]
    short_fen = measure.demand_fen - measure.limit_fen
    named = ("mdtrt_id", "fixmedins_code", "authorization_id")
    where = {name: getattr(fact, name, None) or None for name in named}
    return credit_alert(
        measure.rule_id,
        clause,
        level,
        measure=(measure.demand_fen, -(-clause.value.theta * measure.limit_fen // 100)),
        context=context,
        told_by=alarm.crossing_id,
        episode=episode,
        service=measure.service,
        shortfall_fen=short_fen if short_fen > 0 else None,
        **(where_it_opened(alarm, where) if episode == "closed" else where),
    )
