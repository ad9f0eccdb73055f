"""F01-F07: signs in how a person uses credit. They observe only: each is a clue (疑点) for a person, never a refusal.

An emergency and an entitled person raise no F01 and no F03 (contract.md: entitlements switch velocity and risk checks
off). Windows are (t - W, t] over the record's own time; an episode opens and ends as rules.md has it.
"""

from typing import Any

from msgspec.structs import replace

from risk.alerts import Crossing, alert
from risk.credit import Authorization, Context, Credit, Move, Obligation
from risk.exposure import exposure_fen
from risk.facts import (
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
from risk.policy_rules import Level
from risk.requests import known_hold
from risk.signed import CREDIT_LINE
from risk.terms import Clause
from risk.watched import Alarm, Left

_ASKED_MOST = 16  # an alarm needs a handful; more of the same day tell nothing new


def signalled(credit: Credit, fact: Fact | None, context: Context) -> Move:
    """What this record says about how credit is used. Who never signed uses none."""
    if not credit.agreements:
        return credit, []
    said: list[Output | Reply] = []
    match fact:
        case AuthorizationRequested():
            credit, said = _asked(credit, fact, context)
        case SettlementReversed():
            credit, said = _undone(credit, context)
        case BankOrderResult():
            said = _declined(credit, fact, context)
        case VisitClosed():
            credit = _left(credit, context)
        case SettlementCompleted() | VisitCancelled() | VisitReopened():
            credit = _not_left(credit, fact)
    credit, more = _full(credit, context)
    said += more
    if credit.signals.left:
        credit, more = _gone(credit, context)
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
    used, asked = credit.signals.used, credit.signals.asked
    if isinstance(known, Authorization) and known.agreement_no not in used:
        used = (*used, known.agreement_no)
        said += [] if entitled else _large_first_use(credit, known, context, where)
    rule = context.terms.get("F01")
    if entitled or rule is None:
        return _with(credit, used=used), said
    at_ms, levels = context.occurred_ms, rule.value.levels
    longest_ms = max(DAY_MS, *(level.window_ms for level in levels)) if asked else 0
    kept = [each for each in asked if each[0] > at_ms - longest_ms][-_ASKED_MOST:]
    credit = _with(credit, used=used, asked=(*kept, (at_ms, fact.fixmedins_code)))
    for level in levels:
        if len(kept) + 1 < level.theta and not credit.signals.open:
            continue  # were all of them to count, the line were not reached, and there is no episode to end
        if level.window_ms:
            before = sum(at_ms - level.window_ms < ms <= at_ms for ms, _ in kept)
            credit, more = _episode(credit, "F01", rule, level, measure=(before, before + 1), context=context, **where)
        else:
            codes = {code for ms, code in kept if local_day(ms) == local_day(at_ms)}
            measure, day = (len(codes), len(codes | {fact.fixmedins_code})), str(local_day(at_ms))
            credit, more = _episode(credit, "F01", rule, level, measure=measure, context=context, period=day, **where)
        said += more
    return credit, said


def _large_first_use(credit: Credit, hold: Authorization, context: Context, where: dict[str, str]) -> list[Output]:
    clause, agreement = context.terms.get("F03"), agreement_of(credit, hold.agreement_no)
    if clause is None or agreement is None:
        return []
    level = clause.value.levels[0]
    if context.occurred_ms - agreement.signed_ms > level.window_ms:
        return []
    limit_fen = min(hold.limit_fen, agreement.line_fen) if agreement.mode == CREDIT_LINE else hold.limit_fen
    if hold.approved_fen * 100 <= clause.value.percent * limit_fen:
        return []
    line_fen = clause.value.percent * limit_fen // 100
    return [_alert("F03", clause, level, measure=(hold.approved_fen, line_fen), context=context, **where)]


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
    credit = _with(credit, full_visits=run)
    measure = (min(before, len(run)), len(run))
    where = {"mdtrt_id": booked.mdtrt_id, "fixmedins_code": booked.fixmedins_code}
    return _episode(credit, "F02", clause, level, measure=measure, context=context, **where)


# --- F04 captured and undone, F06 hard declines ----------------------------------------------------------------------


def _undone(credit: Credit, context: Context) -> Move:
    """A captured settlement was reversed."""
    mine = next((each for each in credit.obligations if each.reversed_by == context.event_id), None)
    clause = context.terms.get("F04") if mine is not None else None
    if mine is None or clause is None:
        return credit, []
    level, at_ms = clause.value.levels[0], context.occurred_ms
    kept = tuple(ms for ms in credit.signals.undone if ms > at_ms - level.window_ms)
    credit = _with(credit, undone=(*kept[-_ASKED_MOST:], at_ms))
    before = sum(ms <= at_ms for ms in kept)
    where = {"mdtrt_id": mine.mdtrt_id, "fixmedins_code": mine.fixmedins_code}
    return _episode(credit, "F04", clause, level, measure=(before, before + 1), context=context, **where)


def _declined(credit: Credit, fact: BankOrderResult, context: Context) -> list[Output | Reply]:
    """The bank refuses this card for good."""
    order = next((each for each in credit.orders if each.order_id == fact.order_id), None)
    clause = context.terms.get("F06")
    if clause is None or order is None or order.kind != "debit" or fact.code not in HARD_DECLINES:
        return []
    if order.state is not FundingState.REJECTED or fact.attempt != order.attempt:
        return []
    where = {"mdtrt_id": order.mdtrt_id, "fixmedins_code": order.fixmedins_code}
    return [_alert("F06", clause, clause.value.levels[0], measure=(1, 1), context=context, **where)]


# --- F05 several shared lines ----------------------------------------------------------------------------------------


def _lines(credit: Credit, context: Context) -> Move:
    """Debt on several shared lines at once: opened and closed at the change itself."""
    clause = context.terms.get("F05")
    if clause is None:
        return credit, []
    count = sum(bool(exposure_fen(credit, agreement_no=each.agreement_no)) for each in credit.agreements if each.shared)
    return _episode(credit, "F05", clause, clause.value.levels[0], measure=(count, count), context=context)


# --- F07 left without settling ---------------------------------------------------------------------------------------


def _left(credit: Credit, context: Context) -> Credit:
    """Discharged while a deposit-free hold is open: the settlement should follow."""
    clause, visit = context.terms.get("F07"), context.visit
    if clause is None or visit is None:
        return credit
    due_ms = context.now_ms + clause.value.levels[0].window_ms
    others = tuple(each for each in credit.signals.left if each.mdtrt_id != visit.mdtrt_id)
    for hold in credit.authorizations:
        if (hold.mdtrt_id, hold.service) == (visit.mdtrt_id, "deposit_free"):
            left = Left(hold.mdtrt_id, hold.fixmedins_code, hold.authorization_id, context.now_ms, due_ms)
            return _with(credit, left=(*others, left))
    return credit


def _not_left(credit: Credit, fact: SettlementCompleted | VisitCancelled | VisitReopened) -> Credit:
    """Settled, or the discharge was none. (A cancellation by message id ends its hold, which ends this.)"""
    if not any(each.mdtrt_id == fact.mdtrt_id for each in credit.signals.left):
        return credit
    return _with(credit, left=tuple(each for each in credit.signals.left if each.mdtrt_id != fact.mdtrt_id))


def _gone(credit: Credit, context: Context) -> Move:
    """Whose time is over, and the hold is still open: nobody settled."""
    said: list[Output | Reply] = []
    clause, waiting = context.terms.get("F07"), []
    for each in credit.signals.left:
        hold = known_hold(credit, each.fixmedins_code, each.authorization_id)
        if not isinstance(hold, Authorization):
            continue
        if each.due_ms > context.now_ms:
            waiting.append(each)
        elif clause is not None:
            level = clause.value.levels[0]
            measure = ((context.now_ms - each.since_ms) // 3_600_000, level.window_ms // 3_600_000)
            where: dict[str, Any] = {"mdtrt_id": each.mdtrt_id, "fixmedins_code": each.fixmedins_code}
            told_by = context.record_id if not said else f"{context.record_id} {each.mdtrt_id}"  # each stay its own
            where |= {"told_by": told_by, "vola_evid": [context.event_id]}
            said.append(_alert("F07", clause, level, measure=measure, context=context, **where))
    return _with(credit, left=tuple(waiting)), said


# --- episodes and alerts ---------------------------------------------------------------------------------------------


def _with(credit: Credit, **changed: Any) -> Credit:
    signals = replace(credit.signals, **changed)
    return credit if signals == credit.signals else replace(credit, signals=signals)


def _episode(
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
        credit = _with(credit, open=tuple(each for each in credit.signals.open if each is not alarm))
        shown = (without if alarm.service == name else 0, level.theta)
        ended = {"told_by": alarm.crossing_id, "episode": "closed", **where}
        said.append(_alert(rule_id, clause, level, measure=shown, context=context, **ended))
    if count >= level.theta:
        alarm = Alarm(rule_id, name, context.record_id)
        credit = _with(credit, open=(*credit.signals.open, alarm))
        said.append(_alert(rule_id, clause, level, measure=(count, level.theta), context=context, **where))
    return credit, said


def _alert(
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
