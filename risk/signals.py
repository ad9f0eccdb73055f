"""F01-F07: signs in how a person uses credit. They observe only: each is a clue (疑点) for a person, never a refusal.

An emergency and an entitled person raise no F01 and no F03 (contract.md: entitlements switch velocity and risk checks
off). Windows are (t - W, t] over the record's own time; an episode opens and ends as rules.md has it.
"""

from risk.credit import Authorization, Context, Credit, Move, Obligation
from risk.credit_alerts import credit_alert
from risk.exposure import exposure_fen
from risk.facts import (
    AuthorizationIncreaseRequested,
    AuthorizationRequested,
    BankOrderResult,
    Fact,
    SettlementCompleted,
    SettlementReversed,
    VisitCancelled,
    VisitClosed,
    VisitReopened,
)
from risk.limits import agreement_of, pool_limit_fen
from risk.local_time import DAY_MS, local_day
from risk.order_answers import HARD_DECLINES
from risk.ordered import FundingState
from risk.outputs import Output, Reply
from risk.policy_rules import USES_REMEMBERED
from risk.requests import known_hold
from risk.sign_episodes import sign_episode, with_signals
from risk.signed import CREDIT_LINE
from risk.terms import Clause
from risk.unsettled import gone, left, not_left


def signalled(credit: Credit, fact: Fact | None, context: Context) -> Move:
    """What this record says about how credit is used. Who never signed uses none."""
    if not credit.agreements:
        return credit, []
    said: list[Output | Reply] = []
    match fact:
        case AuthorizationRequested():
            credit, said = _asked(credit, fact, context)
        case AuthorizationIncreaseRequested():
            credit, said = _grown(credit, fact, context)
        case SettlementReversed():
            credit, said = _undone(credit, context)
        case BankOrderResult():
            said = _declined(credit, fact, context)
        case VisitClosed():
            credit = left(credit, context)
        case SettlementCompleted() | VisitCancelled() | VisitReopened():
            credit = not_left(credit, fact)
    if credit.signals.first:
        open_ones = {each.promise.position for each in credit.authorizations}
        credit = with_signals(credit, first=tuple(each for each in credit.signals.first if each in open_ones))
    credit, more = _full(credit, context)
    said += more
    if credit.signals.left:
        credit, more = gone(credit, context)
        said += more
    if credit.signals.open or sum(each.shared for each in credit.agreements) > 1:
        credit, more = _lines(credit, context)
        said += more
    return credit, said


def next_ms(credit: Credit) -> int:
    """When somebody who left has been gone too long."""
    return min(each.due_ms for each in credit.signals.left) if credit.signals.left else 0


# --- F01 velocity, F03 a large first use -----------------------------------------------------------------------------


def _asked(credit: Credit, fact: AuthorizationRequested, context: Context) -> Move:
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    if known is None or known.promise.position != context.position:
        return credit, []  # answered before
    said: list[Output | Reply] = []
    entitled = known.promise.emergency or bool(known.promise.entitlements)
    where = {"mdtrt_id": fact.mdtrt_id, "fixmedins_code": fact.fixmedins_code,
             "authorization_id": fact.authorization_id}  # fmt: skip
    if isinstance(known, Authorization) and known.agreement_no not in credit.signals.used:
        credit = with_signals(credit, used=(*credit.signals.used, known.agreement_no))
        if not entitled:
            credit, said = _first_use(credit, known, context)
    rule, asked = context.terms.get("F01"), credit.signals.asked
    if entitled or rule is None:
        return credit, said
    at_ms, levels = context.occurred_ms, rule.value.levels
    longest_ms = max(DAY_MS, *(level.window_ms for level in levels)) if asked else 0
    kept = [each for each in asked if each[0] > at_ms - longest_ms][-USES_REMEMBERED:]
    credit = with_signals(credit, asked=(*kept, (at_ms, fact.fixmedins_code)))
    for level in levels:
        if len(kept) + 1 < level.theta and not credit.signals.open:
            continue  # were all of them to count, the line were not reached, and there is no episode to end
        if level.window_ms:
            before = sum(at_ms - level.window_ms < ms <= at_ms for ms, _ in kept)
            credit, more = sign_episode(
                credit, "F01", rule, level, measure=(before, before + 1), context=context, **where
            )
        else:
            codes = {code for ms, code in kept if local_day(ms) == local_day(at_ms)}
            measure, day = (len(codes), len(codes | {fact.fixmedins_code})), str(local_day(at_ms))
            credit, more = sign_episode(
                credit, "F01", rule, level, measure=measure, context=context, period=day, **where
            )
        said += more
    return credit, said


def _grown(credit: Credit, fact: AuthorizationIncreaseRequested, context: Context) -> Move:
    """Asking for little first and for the rest at once is one first use."""
    hold = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    if not isinstance(hold, Authorization) or hold.promise.position not in credit.signals.first:
        return credit, []
    return _first_use(credit, hold, context)


def _first_use(credit: Credit, hold: Authorization, context: Context) -> Move:
    """Told once; until then the hold is remembered, and within the window asked about whenever it grows."""
    clause, agreement = context.terms.get("F03"), agreement_of(credit, hold.agreement_no)
    first = tuple(each for each in credit.signals.first if each != hold.promise.position)
    credit = with_signals(credit, first=first)
    if clause is None or agreement is None:
        return credit, []
    level = clause.value.levels[0]
    if context.occurred_ms - agreement.signed_ms > level.window_ms:
        return credit, []
    limit_fen = min(hold.limit_fen, agreement.line_fen) if agreement.mode == CREDIT_LINE else hold.limit_fen
    line_fen = clause.value.percent * limit_fen // 100
    if hold.approved_fen * 100 <= clause.value.percent * limit_fen:
        return with_signals(credit, first=(*first, hold.promise.position)), []
    where = {"mdtrt_id": hold.mdtrt_id, "fixmedins_code": hold.fixmedins_code,
             "authorization_id": hold.authorization_id}  # fmt: skip
    return credit, [credit_alert("F03", clause, level, measure=(hold.approved_fen, line_fen), context=context, **where)]


# --- F02 the whole limit, visit after visit --------------------------------------------------------------------------


def _full(credit: Credit, context: Context) -> Move:
    """At each capture: does the visit leave the pool used up, as the ones before it did?"""
    booked = [each for each in credit.obligations if each.booked_by == context.record_id and each.captured_fen]
    clause = context.terms.get("F02") if booked else None
    if clause is None:
        return credit, []
    return _used_up(credit, booked[0], clause, context)


def _used_up(credit: Credit, booked: Obligation, clause: Clause, context: Context) -> Move:
    level, run = clause.value.levels[0], credit.signals.full_visits
    used_fen, limit_fen = exposure_fen(credit, booked.service), pool_limit_fen(credit, booked.service, context)
    full = bool(limit_fen) and used_fen * 100 > clause.value.percent * limit_fen
    before = len(run)
    if booked.mdtrt_id in run:
        return credit, []
    run = (*run, booked.mdtrt_id)[-level.theta :] if full else ()
    credit = with_signals(credit, full_visits=run)
    measure = (min(before, len(run)), len(run))
    where = {"mdtrt_id": booked.mdtrt_id, "fixmedins_code": booked.fixmedins_code}
    return sign_episode(credit, "F02", clause, level, measure=measure, context=context, **where)


def _not_used_up(credit: Credit, undone: Obligation, context: Context) -> Move:
    """Of the run goes the visit whose bill is undone; a new bill of it, as after a partial refund, is judged anew."""
    run = tuple(each for each in credit.signals.full_visits if each != undone.mdtrt_id)
    credit, clause = with_signals(credit, full_visits=run), context.terms.get("F02")
    if clause is None:
        return credit, []
    where = {"mdtrt_id": undone.mdtrt_id, "fixmedins_code": undone.fixmedins_code}
    measure = (len(run), len(run))
    return sign_episode(credit, "F02", clause, clause.value.levels[0], measure=measure, context=context, **where)


# --- F04 captured and undone, F06 hard declines ----------------------------------------------------------------------


def _undone(credit: Credit, context: Context) -> Move:
    """A captured settlement was reversed: its visit left nothing used up, and it was undone."""
    mine = next((each for each in credit.obligations if each.reversed_by == context.event_id), None)
    if mine is None:
        return credit, []
    credit, said = _not_used_up(credit, mine, context)
    clause = context.terms.get("F04")
    if clause is None:
        return credit, said
    level, at_ms = clause.value.levels[0], context.occurred_ms
    kept = tuple(ms for ms in credit.signals.undone if ms > at_ms - level.window_ms)
    credit = with_signals(credit, undone=(*kept[-USES_REMEMBERED:], at_ms))
    before = sum(ms <= at_ms for ms in kept)
    where = {"mdtrt_id": mine.mdtrt_id, "fixmedins_code": mine.fixmedins_code}
    credit, more = sign_episode(
        credit, "F04", clause, level, measure=(before, before + 1), context=context, **where
    )  # fmt: skip
    return credit, [*said, *more]


def _declined(credit: Credit, fact: BankOrderResult, context: Context) -> list[Output | Reply]:
    """The bank refuses this card for good."""
    order = next((each for each in credit.orders if each.order_id == fact.order_id), None)
    clause = context.terms.get("F06")
    if clause is None or order is None or order.kind != "debit" or fact.code not in HARD_DECLINES:
        return []
    if order.state is not FundingState.REJECTED or fact.attempt != order.attempt:
        return []
    where = {"mdtrt_id": order.mdtrt_id, "fixmedins_code": order.fixmedins_code}
    return [credit_alert("F06", clause, clause.value.levels[0], measure=(1, 1), context=context, **where)]


# --- F05 several shared lines ----------------------------------------------------------------------------------------


def _lines(credit: Credit, context: Context) -> Move:
    """Debt on several shared lines at once: opened and closed at the change itself."""
    clause = context.terms.get("F05")
    if clause is None:
        return credit, []
    count = sum(bool(exposure_fen(credit, agreement_no=each.agreement_no)) for each in credit.agreements if each.shared)
    return sign_episode(credit, "F05", clause, clause.value.levels[0], measure=(count, count), context=context)
