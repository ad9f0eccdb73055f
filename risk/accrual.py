"""Costs that grow while a visit goes on: `cash_estimate`, what the visit asks, and deposit-free holds that follow it.

cash_estimate = the cash part of the latest estimate + the unsettled fee lines applied after it; a line taken back takes
its share off again. Lines are kept for admissions of persons with an agreement for deposit_free, until they are
settled. Log order decides what an estimate contains: it can only hold what was uploaded before it.
"""

from msgspec.structs import replace

from risk.activity import hash32, hash64
from risk.answers import authorization_body, decision
from risk.authorize import ask_increase, assert_within, refused_want, with_want
from risk.checks import INCREASE_CHECKS, judge
from risk.credit import Authorization, Context, Credit, Move, Request
from risk.facts import FeeAdded, FeeReversed, SettlementCompleted, SettlementEstimated
from risk.facts.base import WHOLE_MAX
from risk.fee_lines import appended, line_of, packed, unpacked
from risk.holds import with_hold
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome
from risk.requests import INCREASE, grown_hold
from risk.watched import Accrual, Want

DEPOSIT_FREE = "deposit_free"


def cash_estimate(credit: Credit, mdtrt_id: str, fixmedins_code: str) -> int:
    """What the stay would cost the person in cash if it were settled now; 0 = nothing is known."""
    found = _accrual_of(credit, mdtrt_id, fixmedins_code)
    return found.cash_fen if found is not None else 0


def estimated(credit: Credit, fact: SettlementEstimated, context: Context) -> Move:
    """A pre-settlement says what the visit would cost now. Care goes on whatever the credit says."""
    cash_fen = max(0, fact.psn_cash_pay_fen)
    if _is_followed(credit, fact.mdtrt_id, context):
        before = _accrual_or_new(credit, fact.mdtrt_id, fact.fixmedins_code)
        if context.occurred_ms < before.estimated_ms:
            return credit, []  # an older estimate never replaces a newer one
        credit = _with_accrual(credit, before._replace(cash_fen=cash_fen, estimated_ms=context.occurred_ms))
    return _asked(credit, fact.mdtrt_id, fact.fixmedins_code, cash_fen, context=context, aloud=True)


def fee_added(credit: Credit, fact: FeeAdded, context: Context) -> Move:
    """A stay costs more."""
    if "cash_ratio_x10000" not in context.terms or not _is_followed(credit, fact.mdtrt_id, context):
        return credit, []
    line = line_of(fact, context.terms["cash_ratio_x10000"].value)
    before = _accrual_or_new(credit, fact.mdtrt_id, fact.fixmedins_code)
    cash_fen = min(before.cash_fen + line.cash_fen, WHOLE_MAX)
    changed = before._replace(cash_fen=cash_fen, lines=appended(before.lines, line))
    credit = _with_accrual(credit, changed)
    return _asked(credit, fact.mdtrt_id, fact.fixmedins_code, changed.cash_fen, context=context)


def fee_reversed(credit: Credit, fact: FeeReversed, context: Context) -> Move:
    """A line, a part of one, a batch, or everything unsettled was taken back: the estimate falls by its share."""
    said: list[Output | Reply] = []
    for before in [each for each in credit.accruals if each.mdtrt_id == fact.mdtrt_id]:
        changed = _taken_back(before, fact)
        if changed == before:
            continue
        credit = _with_accrual(credit, changed)
        credit, more = _asked(credit, before.mdtrt_id, before.fixmedins_code, changed.cash_fen, context=context)
        said += more
    return credit, said


def _taken_back(accrual: Accrual, fact: FeeReversed) -> Accrual:
    if fact.all_unsettled:
        return accrual._replace(cash_fen=0, lines=b"")
    number, batch = hash64(fact.feedetl_sn or ""), hash32(fact.chrg_bchno) if fact.chrg_bchno else 0
    lines, back_fen = [], 0
    for line in unpacked(accrual.lines):
        left = line
        if number and line.number == number:
            left = line.without(fact.amount_fen, fact.cnt_x10000)
        elif batch and line.batch == batch:
            left = line.without(None, None)
        back_fen += line.cash_fen - left.cash_fen
        lines.append(left)
    return accrual._replace(cash_fen=max(0, accrual.cash_fen - back_fen), lines=packed(lines))


def settled_lines(credit: Credit, settlement: SettlementCompleted) -> Credit:
    """The record after a settlement: what it took is no estimate any more; a mid-stay one may take one batch only."""
    before = _accrual_of(credit, settlement.mdtrt_id, settlement.fixmedins_code)
    if before is None:
        return credit
    if settlement.mid_setl_flag != "1" or not settlement.chrg_bchno:
        return replace(credit, accruals=tuple(each for each in credit.accruals if each is not before))
    batch = hash32(settlement.chrg_bchno)
    lines = [line for line in unpacked(before.lines) if line.batch != batch]
    left_fen = sum(line.cash_fen for line in lines)
    return _with_accrual(credit, before._replace(cash_fen=left_fen, lines=packed(lines)))


def without_accrual(credit: Credit, mdtrt_id: str) -> Credit:
    """The admission was undone."""
    kept = tuple(each for each in credit.accruals if each.mdtrt_id != mdtrt_id)
    return credit if len(kept) == len(credit.accruals) else replace(credit, accruals=kept)


def remembered_stays(credit: Credit, context: Context) -> Credit:
    """The record without what waits for a visit that nobody remembers, and for which nothing is held."""
    known = {visit.mdtrt_id for visit in context.visits} | {hold.mdtrt_id for hold in credit.authorizations}
    accruals = tuple(each for each in credit.accruals if each.mdtrt_id in known)
    wants = tuple(
        each for each in credit.wants if each.mdtrt_id in known or each.refused_until_ms or each.topped_up_fen
    )
    if len(accruals) == len(credit.accruals) and len(wants) == len(credit.wants):
        return credit
    return replace(credit, accruals=accruals, wants=wants)


def _is_followed(credit: Credit, mdtrt_id: str, context: Context) -> bool:
    """Is it a stay that deposit_free may pay, or pays already?"""
    if any((hold.mdtrt_id, hold.service) == (mdtrt_id, DEPOSIT_FREE) for hold in credit.authorizations):
        return True
    if context.visit is None or not context.visit.admission:
        return False
    return any(DEPOSIT_FREE in each.services and each.is_valid(context.now_ms) for each in credit.agreements)


def _accrual_of(credit: Credit, mdtrt_id: str, fixmedins_code: str) -> Accrual | None:
    name = (mdtrt_id, fixmedins_code)
    return next((each for each in credit.accruals if (each.mdtrt_id, each.fixmedins_code) == name), None)


def _accrual_or_new(credit: Credit, mdtrt_id: str, fixmedins_code: str) -> Accrual:
    return _accrual_of(credit, mdtrt_id, fixmedins_code) or Accrual(mdtrt_id, fixmedins_code, 0)


def _with_accrual(credit: Credit, accrual: Accrual) -> Credit:
    before = _accrual_of(credit, accrual.mdtrt_id, accrual.fixmedins_code)
    return replace(credit, accruals=(*(each for each in credit.accruals if each is not before), accrual))


# --- what the visit asks now -----------------------------------------------------------------------------------------


def _asked(
    credit: Credit, mdtrt_id: str, fixmedins_code: str, cash_fen: int, *, context: Context, aloud: bool = False
) -> Move:
    """Whoever has a hold, or was refused by a limit, asks for so much now; one deposit-free hold grows to it."""
    said: list[Output | Reply] = []
    name = (mdtrt_id, fixmedins_code)
    holds = [each for each in credit.authorizations if (each.mdtrt_id, each.fixmedins_code) == name]
    refused = [each for each in credit.wants if (each.mdtrt_id, each.fixmedins_code) == name]
    for service in dict.fromkeys([*(each.service for each in holds), *(each.service for each in refused)]):
        own = [each for each in holds if each.service == service]
        paid_fen = sum(each.topped_up_fen for each in refused if each.service == service)
        credit = with_want(credit, Want(mdtrt_id, fixmedins_code, service, cash_fen))
        short_fen = cash_fen - paid_fen - sum(each.held_fen for each in own)
        if service == DEPOSIT_FREE and own and short_fen > 0:
            credit, more = _grown(credit, own[0], short_fen, context=context, aloud=aloud)
            said += more
    return credit, said


def _grown(credit: Credit, hold: Authorization, more_fen: int, *, context: Context, aloud: bool) -> Move:
    """Only deposit-free holds grow by themselves, to the limit; the rest is uncovered and warned about (L80-L100).

    An estimate is answered aloud; a fee line only where something grew, or a limit refused for the first time.
    """
    question = ask_increase(credit, context, hold, more_fen)
    verdict = judge(question, INCREASE_CHECKS)
    grown = grown_hold(hold, verdict.approved_fen)
    credit = with_hold(credit, grown)
    if verdict.approved_fen:
        assert_within(credit, grown, question)
    refused = [(each.mdtrt_id, each.service) for each in credit.wants if each.refused_until_ms]
    said_before = verdict.blocked or (hold.mdtrt_id, hold.service) in refused
    if verdict.outcome is not Outcome.APPROVE and not verdict.blocked:
        credit = refused_want(credit, hold.mdtrt_id, hold.service, context)
    if said_before and not verdict.approved_fen and not aloud:
        return credit, []
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
