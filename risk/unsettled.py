"""F07: who was discharged under a deposit-free hold and did not settle. It observes only, as all signs do."""

from typing import Any

from risk.bills import is_interim
from risk.credit import Authorization, Context, Credit, Move
from risk.credit_alerts import credit_alert
from risk.facts import SettlementCompleted, VisitCancelled, VisitReopened
from risk.outputs import Output, Reply
from risk.requests import known_hold
from risk.sign_episodes import with_signals
from risk.watched import Left


def left(credit: Credit, context: Context) -> Credit:
    """Discharged while a deposit-free hold is open: the settlement should follow, unless it came before."""
    clause, visit = context.terms.get("F07"), context.visit
    if clause is None or visit is None or context.is_settled:
        return credit
    due_ms = context.now_ms + clause.value.levels[0].window_ms
    others = tuple(each for each in credit.signals.left if each.mdtrt_id != visit.mdtrt_id)
    for hold in credit.authorizations:
        if (hold.mdtrt_id, hold.service) == (visit.mdtrt_id, "deposit_free"):
            left = Left(hold.mdtrt_id, hold.fixmedins_code, hold.authorization_id, context.now_ms, due_ms)
            return with_signals(credit, left=(*others, left))
    return credit


def not_left(credit: Credit, fact: SettlementCompleted | VisitCancelled | VisitReopened) -> Credit:
    """Settled by more than an interim bill, or the discharge was none.

    (A cancellation by message id ends its hold, which ends this.)
    """
    if not any(each.mdtrt_id == fact.mdtrt_id for each in credit.signals.left):
        return credit
    if isinstance(fact, SettlementCompleted) and is_interim(fact):
        return credit
    return with_signals(credit, left=tuple(each for each in credit.signals.left if each.mdtrt_id != fact.mdtrt_id))


def gone(credit: Credit, context: Context) -> Move:
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
            said.append(credit_alert("F07", clause, level, measure=measure, context=context, **where))
    return with_signals(credit, left=tuple(waiting)), said
