"""What is owed after a capture, in two legs: funding (orders, the bank's answers) and repayment (payments, overdue)."""

from risk.answers import decision
from risk.bundles import by_day, enqueue
from risk.capture import obligation_of, with_obligation
from risk.credit import Context, Credit, FundingState, Item, Move, Obligation, Order
from risk.exposure import latest_order, moved, unfunded_of, used_of
from risk.facts import BankCured, BankOrderResult, BankOverdue, BankRefunded, BankRepaid, TopupReceived
from risk.limits import agreement_of
from risk.orders import emit, with_order
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.senders import INSTITUTION, speaks_for
from risk.signed import CARD_WITHHOLD
from risk.standing import with_agreement

HARD_DECLINES = frozenset({"MANDATE_CANCELLED", "ACCOUNT_CLOSED"})
_FINAL = (FundingState.SETTLED, FundingState.CANCELLED)


# --- the bank's answers ----------------------------------------------------------------------------------------------


def order_result(credit: Credit, fact: BankOrderResult, context: Context) -> Move:
    """What the bank did with an order. `unknown` waits for the query; money that moved is booked, however late."""
    order = next((each for each in credit.orders if each.order_id == fact.order_id), None)
    if order is None:
        return credit, []
    if fact.result in ("accepted", "unknown"):
        if order.in_flight and fact.attempt == order.attempt:
            state = FundingState.UNKNOWN if fact.result == "unknown" else FundingState.SUBMITTED
            credit = with_order(credit, order._replace(state=state))
        return credit, []
    if order.kind == "cancel":
        return _cancel_answered(credit, order, fact, context)
    if fact.result in ("settled", "partial"):
        items, _ = _filled(order.items, fact.amount_fen)
        order = order._replace(items=items)
    if fact.attempt == order.attempt or fact.result in ("settled", "partial"):
        order = _concluded(order, fact, context)
    credit = with_order(credit, order)
    said: list[Output | Reply] = []
    if order.kind == "draw" and order.state is not FundingState.SETTLED and not order.in_flight:
        credit, said = _draw_refused(credit, order, fact, context)
    if order.kind == "refund":
        credit = _wanted_again(credit, order, context)
    credit, more = emit(credit, context)
    return credit, [*said, *more]


def _filled(items: tuple[Item, ...], amount_fen: int) -> tuple[tuple[Item, ...], int]:
    """What moved goes to the items in order; each takes no more than it lacks."""
    filled, left_fen = [], max(0, amount_fen)
    for item in items:
        part_fen = min(left_fen, item.amount_fen - item.moved_fen)
        filled.append(item._replace(moved_fen=item.moved_fen + part_fen))
        left_fen -= part_fen
    return tuple(filled), left_fen


def _concluded(order: Order, fact: BankOrderResult, context: Context) -> Order:
    """The order after a final answer: done, or to be tried again by the ladder, counted from the first attempt."""
    rest_fen = sum(item.amount_fen - item.moved_fen for item in order.items)
    if not rest_fen:
        return order._replace(state=FundingState.SETTLED, retry_ms=0, refused_ms=0, kept="")
    state = FundingState(fact.result if fact.result != "settled" else "partial")
    if order.kind == "draw" or (order.kind == "debit" and fact.code in HARD_DECLINES):
        retry_ms = 0
    else:
        retry_ms = _next_attempt_ms(order, context)
    refused = fact.result == "rejected" and fact.cause == "person"
    # an outage is not the person's: it stops the clock that a refusal started
    return order._replace(state=state, retry_ms=retry_ms, refused_ms=context.now_ms if refused else 0)


def _next_attempt_ms(order: Order, context: Context) -> int:
    ladder = [step for step in context.terms["debit_retry_ms"].value if step]
    for step in ladder[order.attempt - 1 :]:
        at_ms = by_day(order.first_ms + step, context.terms["debit_hours"].value)
        if at_ms > context.now_ms:
            return at_ms
    return 0


def _cancel_answered(credit: Credit, wish: Order, fact: BankOrderResult, context: Context) -> Move:
    """The bank forgot the order, or says that it is too late: then its own answer brings the refund."""
    if fact.result == "rejected":
        return with_order(credit, wish._replace(state=FundingState.REJECTED)), []
    credit = with_order(credit, wish._replace(state=FundingState.CANCELLED))
    original = next((each for each in credit.orders if each.order_id == wish.original_order_id), None)
    if original is not None and original.in_flight:
        credit = with_order(credit, original._replace(state=FundingState.CANCELLED, retry_ms=0))
        for obligation in credit.obligations:  # reinstated while the bank forgot: it needs an order again
            if any(item.setl_id == obligation.setl_id for item in original.items):
                credit = _queued_if_unfunded(credit, obligation, context)
    return emit(credit, context)


def _draw_refused(credit: Credit, order: Order, fact: BankOrderResult, context: Context) -> Move:
    """The bank did not lend: what it refused is owed to the institution by the person."""
    said: list[Output | Reply] = []
    for item in order.items:
        obligation, refused_fen = obligation_of(credit, item.setl_id), item.amount_fen - item.moved_fen
        if obligation is None or not refused_fen or obligation.reversed_by:
            continue  # reversed: nobody owes it, and a reinstatement takes the capture as it was
        changed = obligation._replace(captured_fen=max(0, obligation.captured_fen - refused_fen))
        credit = with_obligation(credit, changed)
        outcome = Outcome.SPLIT if changed.captured_fen else Outcome.TOP_UP
        reason = Said(ReasonCode.BANK_REFUSED, outcome, fact.code, None, "bundle")
        body = {
            "decision": outcome.value,
            "fixmedins_code": order.fixmedins_code,
            "mdtrt_id": order.mdtrt_id,
            "setl_id": item.setl_id,
            "order_id": order.order_id,
            "funding_state": order.state.value,
            "captured_fen": changed.claim_fen,
            "top_up_fen": changed.top_up_fen,
            "reasons": [reason_body(reason, context.terms)],
        }
        decision_id = derived_id("de_", "refused", context.psn_no, context.event_id, item.setl_id)
        said.append(decision(context, "after_visit", decision_id, body))
    return credit, said


def _wanted_again(credit: Credit, refund: Order, context: Context) -> Credit:
    """A refund came through for a settlement that was reinstated meanwhile: it needs an order again."""
    for item in refund.items:
        obligation = obligation_of(credit, item.setl_id)
        if obligation is not None:
            credit = _queued_if_unfunded(credit, obligation, context)
    return credit


def _queued_if_unfunded(credit: Credit, obligation: Obligation, context: Context) -> Credit:
    order = latest_order(credit, obligation)
    idle = order is None or order.state in _FINAL
    if not idle or not obligation.claim_fen or not unfunded_of(obligation, moved(credit)):
        return credit
    return enqueue(credit, obligation, context, ends_stay=True)


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
