"""What the bank did with an order: the funding leg's table applied, the money booked, the next attempt chosen.

`unknown` waits for the query. Money that moved is booked however late it is told, once per attempt: what stands for
nothing goes back by a refund (orders.py). Of a refund no more is booked than ever came: the rest is told to people.
"""

from risk.answers import decision
from risk.attempts import next_attempt_ms
from risk.bundles import covers, enqueue, is_called_back, is_over
from risk.capture import obligation_of, with_obligation
from risk.credit import Context, Credit, Move, Obligation
from risk.decided import after_visit, surplus
from risk.exposure import Moved, latest_order, moved, returnable_fen, unfunded_of
from risk.facts import BankOrderResult
from risk.kept import going_on
from risk.legs import FundingAction, funded_after
from risk.ordered import Bundle, FundingState, Item, Order
from risk.orders import cancel, emit, with_order
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.signed import CREDIT_LINE

HARD_DECLINES = frozenset({"MANDATE_CANCELLED", "ACCOUNT_CLOSED"})
_MONEY = ("settled", "partial")


def order_result(credit: Credit, fact: BankOrderResult, context: Context) -> Move:
    """The bank's answer to an attempt, or what it says later about an earlier one."""
    before = next((each for each in credit.orders if each.order_id == fact.order_id), None)
    if before is None:
        return credit, []
    if before.kind == "cancel":
        return _cancel_answered(credit, before, fact, context)
    order, excess_fen = _booked(credit, before, fact, context.now_ms)
    state = _state_after(order, fact)
    if state is not None:
        order = _concluded(credit, order._replace(state=state), fact, context)
    credit = with_order(credit, order)
    said: list[Output | Reply] = [surplus(context, order, excess_fen, giver="bank")] if excess_fen else []
    if before.in_flight and not order.in_flight:
        if order.kind == "draw" and order.state is not FundingState.SETTLED:
            credit, more = _draw_refused(credit, order, fact, context)
            said += more
        if _is_given_up(credit, order):
            credit, more = _given_up(credit, order, fact, context)
            said += more
    if order.kind == "refund":
        credit, more = _refunds_overtaken(credit, order, context) if order.told != before.told else (credit, [])
        said += more
    if order.kind == "refund" or not order.in_flight:
        credit = _queued_again(credit, order, context)
    credit, more = emit(credit, context)
    return credit, [*said, *more]


def _booked(credit: Credit, order: Order, fact: BankOrderResult, now_ms: int) -> tuple[Order, int]:
    """What moved goes to the items in order; an attempt's amounts are totals; too much is kept to be sent back.

    With what a refund brought back beyond all that came.
    """
    if fact.result not in _MONEY:
        return order, 0
    known_fen = dict(order.told).get(fact.attempt, 0)
    left_fen = max(0, fact.amount_fen - known_fen)
    told = {**dict(order.told), fact.attempt: known_fen + left_fen}
    order = order._replace(told=tuple(sorted(told.items())))
    if order.kind == "refund":
        return _sent_back(credit, order._replace(moved_ms=now_ms), left_fen)
    items = []
    for item in order.items:
        part_fen = min(left_fen, item.amount_fen - item.moved_fen)
        items.append(item._replace(moved_fen=item.moved_fen + part_fen))
        left_fen -= part_fen
    if left_fen:
        first = items[0]
        items[0] = Item(first.setl_id, first.amount_fen + left_fen, first.moved_fen + left_fen)
    return order._replace(items=tuple(items)), 0


def _sent_back(credit: Credit, order: Order, fen: int) -> tuple[Order, int]:
    """Two attempts, or two refunds, may both have come through: what is left to go back bounds them together."""
    (item,) = order.items
    sums = moved(credit).get(item.setl_id, Moved())
    part_fen = min(fen, sums.funded_fen - sums.refunded_fen)
    moved_fen = item.moved_fen + part_fen
    amount_fen = max(item.amount_fen, moved_fen) if part_fen == fen else moved_fen
    return order._replace(items=(Item(item.setl_id, amount_fen, moved_fen),)), fen - part_fen


def _refunds_overtaken(credit: Credit, done: Order, context: Context) -> Move:
    """Another refund on its way whose money went back by this one is asked back; an unknown one waits for the query."""
    said: list[Output | Reply] = []
    for order in credit.orders:
        same = order.kind == "refund" and order.items[0].setl_id == done.items[0].setl_id
        if same and order.state is FundingState.SUBMITTED and not returnable_fen(credit, order):
            credit, more = cancel(credit, order, f"{context.event_id}:{order.order_id}", context)
            said += more
    return credit, said


def _state_after(order: Order, fact: BankOrderResult) -> FundingState | None:
    """By the table for the current attempt; of another attempt only money counts, and only if it was all of it."""
    whole = not any(item.amount_fen > item.moved_fen for item in order.items)
    if fact.result in _MONEY:
        action = FundingAction.SETTLED if whole else FundingAction.PARTIAL
    else:
        action = FundingAction(fact.result)
    if fact.attempt == order.attempt or (fact.result in _MONEY and whole):
        return funded_after(order.state, action)
    return None


def _concluded(credit: Credit, order: Order, fact: BankOrderResult, context: Context) -> Order:
    """The order in its new state: done, waiting for the bank, or to be tried again by the ladder."""
    if order.state is FundingState.SETTLED:
        return order._replace(retry_ms=0, refused_ms=0, kept="")
    if order.in_flight:
        return order
    if order.kind == "refund" and order.state is FundingState.CANCELLED and is_called_back(credit, order):
        return order.asking_no_more()
    retry_ms = next_attempt_ms(order, context) if _may_retry(credit, order, fact) else 0
    refused = fact.result == "rejected" and fact.cause == "person"
    # an outage is not the person's: it stops the clock that a refusal started
    return order._replace(retry_ms=retry_ms, refused_ms=context.now_ms if refused else 0)


def _may_retry(credit: Credit, order: Order, fact: BankOrderResult) -> bool:
    """A refused draw is final, so is a hard decline, and what we asked the bank to forget."""
    if order.kind == "draw" or fact.code in HARD_DECLINES:
        return False
    return not (order.state is FundingState.CANCELLED and is_called_back(credit, order))


def _is_given_up(credit: Credit, order: Order) -> bool:
    """Does nobody ask for its rest any more, although we wanted it?"""
    if order.kind == "draw" or order.retry_ms or not order.rest_fen:
        return False
    return not (order.state is FundingState.CANCELLED and is_called_back(credit, order))


def _given_up(credit: Credit, order: Order, fact: BankOrderResult, context: Context) -> Move:
    """After a hard decline or the ladder's end it is told: the institution collects, or gives back, by itself."""
    if order.kind == "refund":
        back_fen, item = returnable_fen(credit, order), order.items[0]
        order = order._replace(items=(item._replace(amount_fen=item.moved_fen + back_fen),))
        told = [surplus(context, order, back_fen, giver="institution")] if back_fen else []
        return with_order(credit, order), [*told]
    owed = [each for each in going_on(credit, order, moved(credit)) if latest_order(credit, each) == order]
    if not owed:
        return credit, []
    said = Said(ReasonCode.BANK_REFUSED, Outcome.HOLD, fact.code, None, "bundle")
    bundle = Bundle(order.bundle, order.mdtrt_id, order.fixmedins_code, order.agreement_no, 0)
    return credit, [after_visit(context, bundle, owed, (said,), default=Outcome.HOLD, order=order)]


def _cancel_answered(credit: Credit, wish: Order, fact: BankOrderResult, context: Context) -> Move:
    """The bank forgot the order, or says that it is too late: then its own answer brings the refund."""
    state = funded_after(wish.state, FundingAction(fact.result)) if fact.attempt == wish.attempt else None
    if state is None:
        return credit, []
    credit = with_order(credit, wish._replace(state=state))
    original = next((each for each in credit.orders if each.order_id == wish.original_order_id), None)
    forgot = state in (FundingState.CANCELLED, FundingState.SETTLED)
    if forgot and original is not None and original.in_flight:
        forgotten = original.asking_no_more() if original.kind == "refund" else original
        credit = with_order(credit, forgotten._replace(state=FundingState.CANCELLED, retry_ms=0))
        credit = _queued_again(credit, original, context)
    return emit(credit, context)


def _queued_again(credit: Credit, order: Order, context: Context) -> Credit:
    """A refund took back, or an order ended short of, what stands: that needs an order of its own."""
    for item in order.items:
        obligation = obligation_of(credit, item.setl_id)
        if obligation is None or not obligation.claim_fen:
            continue
        if order.kind == "refund" and obligation.mode == CREDIT_LINE:
            credit = _owed_again(credit, obligation)
        credit = _queued_if_unfunded(credit, obligation.setl_id, context)
    return credit


def _owed_again(credit: Credit, obligation: Obligation) -> Credit:
    """What the bank got back it does not count as repaid any more."""
    net_fen = obligation.claim_fen - unfunded_of(obligation, moved(credit))
    return with_obligation(credit, obligation._replace(paid_fen=min(obligation.paid_fen, net_fen)))


def _queued_if_unfunded(credit: Credit, setl_id: str, context: Context) -> Credit:
    obligation = obligation_of(credit, setl_id)
    assert obligation is not None, setl_id
    order = latest_order(credit, obligation)
    waits = obligation.given_back or any(covers(each, obligation) for each in credit.bundles)
    idle = order is None or is_over(credit, order)
    if waits or not idle or not unfunded_of(obligation, moved(credit)):
        return credit
    return enqueue(credit, obligation, context, ends_stay=True)


def _draw_refused(credit: Credit, order: Order, fact: BankOrderResult, context: Context) -> Move:
    """The bank did not lend: what it refused is owed to the institution by the person."""
    said: list[Output | Reply] = []
    for item in order.items:
        obligation, refused_fen = obligation_of(credit, item.setl_id), item.amount_fen - item.moved_fen
        if obligation is None or not refused_fen or obligation.reversed_by:
            continue  # reversed: nobody owes it, and a reinstatement takes the capture as it was
        captured_fen = max(0, obligation.captured_fen - refused_fen)
        changed = obligation._replace(captured_fen=captured_fen, short_by=ReasonCode.BANK_REFUSED.value)
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
