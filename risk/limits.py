"""How much credit there is: the level in force, the pool's limit, what remains under each ceiling.

contract.md "Credit, defined once" holds the meanings. Nothing here refuses anybody.
"""

from datetime import timedelta

from msgspec import Struct

from risk.credit import Authorization, Context, Credit
from risk.exposure import dated_fen, exposure_fen
from risk.local_time import day_of, day_start_ms, local_day, to_date
from risk.policy_values import UNRATED, level_is_eligible
from risk.reasons import ReasonCode
from risk.signed import CREDIT_LINE, Agreement, Level

NO_RECORD = Level(UNRATED, "no_record", 0, 0, 0)


class Ceiling(Struct, frozen=True, gc=False):
    """One limit, and what it leaves for this request. `clause` names the policy's clause, "" = the bank's own line.

    `frees_ms`: when all of it is free again by itself; 0 = by no clock.
    """

    code: ReasonCode
    allowed_fen: int
    left_fen: int
    clause: str
    frees_ms: int = 0


def level_in_force(credit: Credit, now_ms: int) -> Level:
    """The level last told among those whose day has come; none, or past its last day: UNRATED, no record."""
    latest = NO_RECORD
    for level in credit.standing.levels:
        if level.from_ms <= now_ms and level.told_ms >= latest.told_ms:
            latest = level
    return NO_RECORD if latest.to_ms and latest.to_ms < now_ms else latest


def offers_credit(context: Context) -> bool:
    """Does the policy offer any credit on this day? Where it does, all its credit clauses are there."""
    services = context.terms.get("services_on")
    return services is not None and bool(services.value)


def insutype_of(context: Context) -> str | None:
    """The insurance type of the visit, else of the person's newest visit that told it; None = the lowest row."""
    if context.visit is not None and context.visit.insutype:
        return context.visit.insutype
    if not context.visits:
        return None
    told = [visit for visit in context.visits if visit.insutype]
    return max(told, key=lambda visit: visit.newest_ms).insutype if told else None


def level_fits(level: Level, context: Context) -> bool:
    """May this level use credit at all on this day?"""
    return level_is_eligible(context.terms["eligible_levels"].value, level.code, level.unrated_reason or None)


def policy_limit_fen(credit: Credit, service: str, context: Context) -> int:
    """The policy's limit for the person and pool; 0 where the level may not use credit."""
    services = context.terms.get("services_on")
    if services is None or service not in services.value:
        return 0
    level = level_in_force(credit, context.now_ms)
    if not level_fits(level, context):
        return 0
    limit_fen: int = context.terms["limit"].value.limit_fen(level.code, service, insutype_of(context))
    return limit_fen


def agreements_for(credit: Credit, service: str, now_ms: int) -> list[Agreement]:
    """The valid agreements that cover a service, oldest first."""
    found = [each for each in credit.agreements if each.lends(service, now_ms)]
    if len(found) > 1:
        found.sort(key=lambda each: (each.signed_ms, each.agreement_no))
    return found


def pool_limit_fen(credit: Credit, service: str, context: Context) -> int:
    """What a pool's demand is measured by: the policy limit; where only banks lend, no more than their lines."""
    agreements = agreements_for(credit, service, context.now_ms)
    if not agreements:
        return 0
    limit_fen = policy_limit_fen(credit, service, context)
    if all(each.mode == CREDIT_LINE for each in agreements):
        limit_fen = min(limit_fen, sum(each.line_fen for each in agreements))
    return limit_fen


def ceilings(
    credit: Credit, service: str, agreement: Agreement | None, context: Context, *, hold: Authorization | None = None
) -> tuple[Ceiling, ...]:
    """Every limit and what it leaves. An increase of `hold`: by the greater of the policy limit now and at placing."""
    limit_fen = policy_limit_fen(credit, service, context)
    if hold is not None:
        limit_fen = max(limit_fen, hold.limit_fen)
    found = [Ceiling(ReasonCode.LIMIT_EXCEEDED, limit_fen, limit_fen - exposure_fen(credit, service), "limit")]
    if agreement is not None and agreement.mode == CREDIT_LINE:
        left_fen = agreement.line_fen - exposure_fen(credit, agreement_no=agreement.agreement_no)
        found.append(Ceiling(ReasonCode.LIMIT_EXCEEDED, agreement.line_fen, left_fen, ""))
    day = local_day(hold.placed_ms if hold else context.now_ms)
    for name, code, month in (
        ("day_cap_fen", ReasonCode.DAILY_CAP, False),
        ("month_cap_fen", ReasonCode.MONTH_CAP, True),
    ):
        clause = context.terms.get(name)
        if clause is not None and clause.value is not None:
            left_fen = clause.value - dated_fen(credit, day, month=month)
            frees_ms = 0 if hold is not None else day_start_ms(_next_month(day) if month else day + 1)
            found.append(Ceiling(code, clause.value, left_fen, name, frees_ms))
    return tuple(found)


def _next_month(day: int) -> int:
    """The first day of the month after this local day's."""
    return day_of((to_date(day).replace(day=1) + timedelta(days=31)).replace(day=1))


def available_fen(
    credit: Credit, service: str, agreement: Agreement | None, context: Context, *, hold: Authorization | None = None
) -> int:
    """What may still be held: the least that any ceiling leaves, never below 0; nothing on an agreement that ended."""
    if agreement is not None and not agreement.lends(service, context.now_ms):
        return 0
    return max(0, min(ceiling.left_fen for ceiling in ceilings(credit, service, agreement, context, hold=hold)))


def may_grow_fen(credit: Credit, hold: Authorization, context: Context) -> int:
    """How much this hold may still grow, by itself, by a request, or at its capture."""
    agreement = agreement_of(credit, hold.agreement_no)
    assert agreement is not None, hold
    return available_fen(credit, hold.service, agreement, context, hold=hold)


def bound_by(credit: Credit, hold: Authorization, context: Context) -> ReasonCode:
    """What keeps this hold from growing more: its agreement if that lends no more, else the tightest ceiling."""
    agreement = agreement_of(credit, hold.agreement_no)
    if agreement is None or not agreement.lends(hold.service, context.now_ms):
        return ReasonCode.MANDATE_INVALID
    found = ceilings(credit, hold.service, agreement, context, hold=hold)
    return min(found, key=lambda each: each.left_fen).code


def agreement_of(credit: Credit, agreement_no: str) -> Agreement | None:
    """The agreement of that number, ended or not."""
    for each in credit.agreements:
        if each.agreement_no == agreement_no:
            return each
    return None
