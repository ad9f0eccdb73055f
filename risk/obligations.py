"""What is owed after a capture, in two legs: funding (orders, the bank's answers) and repayment (payments, overdue)."""

from risk.capture import with_obligation
from risk.credit import Context, Credit
from risk.exposure import latest_order, moved, used_of
from risk.facts import BankCured, BankOverdue, BankRefunded, BankRepaid, TopupReceived
from risk.limits import agreement_of
from risk.senders import INSTITUTION, speaks_for
from risk.signed import CARD_WITHHOLD
from risk.standing import with_agreement

# --- payments and overdue --------------------------------------------------------------------------------------------


def topped_up(credit: Credit, fact: TopupReceived, context: Context) -> Credit:
    """The person paid at the counter: the settlement that is named, else what the visit still asks, then its bills.

    On a bill: first what was above the line, then what the institution itself is owed.
    """
    left_fen = max(0, fact.amount_fen)
    if fact.setl_id:
        credit, left_fen = _paid_on_bills(credit, fact, left_fen)
    wants = []
    for want in credit.wants:
        own = speaks_for(fact.source, INSTITUTION, want.fixmedins_code)
        if want.mdtrt_id == fact.mdtrt_id and own and left_fen:
            want, left_fen = want._replace(topped_up_fen=want.topped_up_fen + left_fen), 0
        wants.append(want)
    credit = credit._replace(wants=tuple(wants))
    return credit if fact.setl_id else _paid_on_bills(credit, fact, left_fen)[0]


def _paid_on_bills(credit: Credit, fact: TopupReceived, left_fen: int) -> tuple[Credit, int]:
    """The record, and what of the payment is left over."""
    for obligation in credit.obligations:
        if obligation.mdtrt_id != fact.mdtrt_id or (fact.setl_id and fact.setl_id != obligation.setl_id):
            continue
        if not speaks_for(fact.source, INSTITUTION, obligation.fixmedins_code):
            continue
        part_fen = min(left_fen, max(0, obligation.top_up_fen - obligation.topped_up_fen))
        left_fen -= part_fen
        changed = obligation._replace(topped_up_fen=obligation.topped_up_fen + part_fen)
        order = latest_order(credit, obligation)
        if obligation.mode == CARD_WITHHOLD and (order is None or not order.in_flight):
            other_fen = min(left_fen, used_of(changed, moved(credit)))
            left_fen -= other_fen
            changed = changed._replace(paid_fen=changed.paid_fen + other_fen)
        credit = with_obligation(credit, changed)
    return credit, left_fen


def repaid(credit: Credit, fact: BankRepaid | BankRefunded, context: Context) -> Credit:
    """The bank reports a payment on the agreement: to the order or visit it names, else the oldest first."""
    sums = moved(credit)
    named = next((each for each in credit.orders if each.order_id == fact.order_id), None) if fact.order_id else None
    if named is not None and named.kind == "refund":
        return credit  # the refund's own result books it
    setl_ids = {item.setl_id for item in named.items} if named is not None else None
    left_fen = fact.amount_fen
    for obligation in sorted(credit.obligations, key=lambda each: each.captured_ms):
        if obligation.agreement_no != fact.agreement_no or (fact.mdtrt_id and fact.mdtrt_id != obligation.mdtrt_id):
            continue
        if setl_ids is not None and obligation.setl_id not in setl_ids:
            continue
        part_fen = used_of(obligation, sums)
        if left_fen is not None:
            part_fen = min(part_fen, max(0, left_fen))
            left_fen -= part_fen
        if part_fen:
            credit = with_obligation(credit, obligation._replace(paid_fen=obligation.paid_fen + part_fen))
    return credit


def overdue(credit: Credit, fact: BankOverdue, context: Context) -> Credit:
    """The bank says that a drawn amount is overdue."""
    agreement = agreement_of(credit, fact.agreement_no)
    if agreement is None:
        return credit
    return with_agreement(credit, agreement._replace(overdue_ms=max(agreement.overdue_ms, context.occurred_ms)))


def cured(credit: Credit, fact: BankCured, context: Context) -> Credit:
    """The bank says that the arrears are paid."""
    agreement = agreement_of(credit, fact.agreement_no)
    if agreement is None:
        return credit
    return with_agreement(credit, agreement._replace(cured_ms=max(agreement.cured_ms, context.occurred_ms)))
