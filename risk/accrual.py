"""Costs that grow while a visit goes on: an estimate raises what the visit asks, and a deposit-free hold by itself."""

from risk.answers import authorization_body, decision
from risk.authorize import ask_increase, assert_within, refused_want, with_want
from risk.checks import INCREASE_CHECKS, judge
from risk.credit import Authorization, Context, Credit, Move, Request, Want
from risk.facts import SettlementEstimated
from risk.holds import with_hold
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome
from risk.requests import INCREASE, grown_hold


def estimated(credit: Credit, fact: SettlementEstimated, context: Context) -> Move:
    """A pre-settlement says what the visit would cost now. Care goes on whatever the credit says."""
    said: list[Output | Reply] = []
    cash_fen = max(0, fact.psn_cash_pay_fen)
    for hold in credit.authorizations:
        if (hold.mdtrt_id, hold.fixmedins_code) != (fact.mdtrt_id, fact.fixmedins_code):
            continue
        credit = with_want(credit, Want(hold.mdtrt_id, hold.fixmedins_code, hold.service, cash_fen))
        if hold.service == "deposit_free" and cash_fen > hold.held_fen:
            credit, more = _grown(credit, hold, cash_fen - hold.held_fen, context)
            said += more
    return credit, said


def _grown(credit: Credit, hold: Authorization, more_fen: int, context: Context) -> Move:
    """Only deposit-free holds grow by themselves, to the limit; the rest is uncovered and warned about (L80-L100)."""
    question = ask_increase(credit, context, hold, more_fen)
    verdict = judge(question, INCREASE_CHECKS)
    grown = grown_hold(hold, verdict.approved_fen)
    credit = with_hold(credit, grown)
    if verdict.approved_fen:
        assert_within(credit, grown, question)
    if verdict.outcome is not Outcome.APPROVE and not verdict.blocked:
        credit = refused_want(credit, hold.mdtrt_id, hold.service, context)
    request = Request(0, INCREASE, more_fen, "", verdict.approved_fen, verdict.outcome, verdict.said)
    identity = (hold.fixmedins_code, hold.authorization_id)
    decision_id = derived_id("de_", "accrual", context.psn_no, context.event_id, *identity)
    body = authorization_body(credit, identity, grown, context, request=request) | {
        "max_approvable_fen": verdict.maximum_fen,
        "log_position": context.position,
        "mdtrt_id": hold.mdtrt_id,
        "requested_fen": more_fen,
    }
    return credit, [decision(context, "authorization", decision_id, body)]
