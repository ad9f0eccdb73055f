"""Orders to the bank: what a closed bundle becomes, what is sent again, what goes back. It moves nothing itself.

`card_withhold`: captures of a visit wait in a bundle until the visit ends, then one debit. `credit_line`: a draw for a
capture, at once. Until an order is emitted amounts net; afterwards a reversal asks for a cancel or a refund. `emit`
does whatever is ready, so that what was kept back is decided again at the person's next record.
"""

from msgspec.structs import replace

from risk.attempts import counted, leaves_ms
from risk.bundles import by_day, next_order_id, waiting_in
from risk.credit import Context, Credit, Move, Obligation
from risk.decided import after_visit, order_output
from risk.exposure import latest_order, moved, returnable_fen, surplus_of, unfunded_of
from risk.kept import going_on, kept_by
from risk.legs import FundingAction, funded_after
from risk.limits import agreement_of
from risk.local_time import day_of, day_start_ms, local_day
from risk.ordered import Bundle, FundingState, Item, Order, stood_ms
from risk.outputs import Output, Reply, derived_id
from risk.policy_values import InstitutionTable
from risk.reasons import Outcome
from risk.signed import CREDIT_LINE

OBSERVED = "OBSERVED"  # kept because the institution's orders are not live yet


def emit(credit: Credit, context: Context) -> Move:
    """Send what is ready: closed bundles, refused debits whose time has come, refunds of what came in too much."""
    said: list[Output | Reply] = []
    for bundle in credit.bundles:
        if 0 < bundle.emit_ms <= context.now_ms:
            credit, more = _emit_bundle(credit, bundle, context)
            said += more
    for order in credit.orders:
        if 0 < order.retry_ms <= context.now_ms:
            credit, more = _emit_again(credit, order, context)
            said += more
    if credit.orders:
        sums = moved(credit)
        for obligation in credit.obligations:
            surplus_fen = surplus_of(obligation, sums)
            if surplus_fen:
                credit, more = _emit_refund(credit, obligation, surplus_fen, context)
                said += more
    return credit, said


def _emit_bundle(credit: Credit, bundle: Bundle, context: Context) -> Move:
    sums = moved(credit)
    members = [(each, unfunded_of(each, sums)) for each in waiting_in(credit, bundle)]
    members = [(each, rest_fen) for each, rest_fen in members if rest_fen]
    without = tuple(each for each in credit.bundles if each is not bundle)
    if not members:
        return replace(credit, bundles=without), []
    agreement = agreement_of(credit, bundle.agreement_no)
    assert agreement is not None, bundle
    obligations = [each for each, _ in members]
    reason = kept_by(credit, obligations, agreement, context)
    if reason is not None:
        if bundle.kept == reason.code.value:
            return credit, []
        kept = bundle._replace(kept=reason.code.value)
        credit = replace(credit, bundles=(*without, kept))
        return credit, [after_visit(context, bundle, obligations, (reason,), default=Outcome.HOLD)]
    live = _live_ms(bundle, context)
    if live != context.now_ms:
        kept = bundle._replace(kept="" if live else OBSERVED, emit_ms=live or bundle.emit_ms)
        if bundle.kept == kept.kept and bundle.emit_ms == kept.emit_ms:
            return credit, []
        credit = replace(credit, bundles=(*without, kept))
        return credit, [after_visit(context, bundle, obligations, (), default=Outcome.WITHHOLD, observe_only=True)]
    if obligations[0].mode != CREDIT_LINE:
        leaves = by_day(context.now_ms, context.terms["debit_hours"].value)
        if leaves != context.now_ms:  # its reason to wait ended at night
            return replace(credit, bundles=(*without, bundle._replace(kept="", emit_ms=leaves))), []
    return _ordered(replace(credit, bundles=without), bundle, members, context)


def _ordered(credit: Credit, bundle: Bundle, members: list[tuple[Obligation, int]], context: Context) -> Move:
    agreement = agreement_of(credit, bundle.agreement_no)
    assert agreement is not None, bundle
    sums = moved(credit)
    items = tuple(Item(each.setl_id, rest_fen) for each, rest_fen in members)
    for each, rest_fen in members:
        assert rest_fen <= unfunded_of(each, sums), "an order never asks for more than is due"
    mode = members[0][0].mode
    order = Order(
        next_order_id(credit, bundle, mode),
        "draw" if mode == CREDIT_LINE else "debit",
        bundle.key,
        bundle.agreement_no,
        agreement.bank_code,
        bundle.fixmedins_code,
        bundle.mdtrt_id,
        items,
        "",
        1,
        FundingState.SUBMITTED,
        context.now_ms,
        bundle.close_ms + int(context.terms["debit_due_ms"].value) + stood_ms(bundle, context.now_ms),
        not_before_ms=bundle.emit_ms,
    )
    order = counted(order, context.now_ms)
    credit = replace(credit, orders=(*credit.orders, order))
    said: list[Output | Reply] = [order_output(context, order)]
    if order.kind == "debit" or bundle.kept:
        obligations = [each for each, _ in members]
        said.insert(0, after_visit(context, bundle, obligations, (), default=Outcome.WITHHOLD, order=order))
    return credit, said


def _emit_again(credit: Credit, order: Order, context: Context) -> Move:
    """The next attempt of a refused or partly paid debit or refund, for what is still due; nothing due ends it."""
    sums = moved(credit)
    members = going_on(credit, order, moved(credit))
    by_setl = {each.setl_id: each for each in members}
    rest = []
    for item in order.items:
        obligation = by_setl.get(item.setl_id)
        due_fen = 0
        if obligation is not None and latest_order(credit, obligation) == order:  # else a later debit asks for it
            due_fen = unfunded_of(obligation, sums)
        if order.kind == "refund":
            due_fen = returnable_fen(credit, order)
        rest.append(item._replace(amount_fen=item.moved_fen + due_fen))
    if not sum(item.amount_fen - item.moved_fen for item in rest):
        state = FundingState.SETTLED if sum(item.moved_fen for item in rest) else FundingState.CANCELLED
        return with_order(credit, order._replace(items=tuple(rest), state=state, retry_ms=0, kept="")), []
    agreement = agreement_of(credit, order.agreement_no)
    assert agreement is not None, order
    reason = kept_by(credit, members, agreement, context) if order.kind == "debit" else None
    if reason is not None:
        if order.kept == reason.code.value:
            return credit, []
        held = Bundle(order.bundle, order.mdtrt_id, order.fixmedins_code, order.agreement_no, 0)
        said = after_visit(context, held, members, (reason,), default=Outcome.HOLD, order=order)
        return with_order(credit, order._replace(kept=reason.code.value)), [said]
    leaves = leaves_ms(order, context)
    if leaves != context.now_ms:
        return with_order(credit, order._replace(kept="", retry_ms=leaves)), []
    next_state = funded_after(order.state, FundingAction.RETRY)
    assert next_state is not None, "an order that the bank may still move is never sent again"
    again = order._replace(
        items=tuple(rest),
        attempt=order.attempt + 1,
        state=next_state,
        retry_ms=0,
        kept="",
        not_before_ms=order.retry_ms,
        due_ms=order.due_ms + stood_ms(order, context.now_ms),  # as the bank is told from now on
        stopped_ms=0,
        waited_ms=0,
    )
    again = counted(again, context.now_ms)
    return with_order(credit, again), [order_output(context, again)]


def _emit_refund(credit: Credit, obligation: Obligation, amount_fen: int, context: Context) -> Move:
    """What came in and stands for nothing goes back the way it came."""
    original = next(
        each
        for each in reversed(credit.orders)
        if each.kind in ("debit", "draw")
        and any(item.setl_id == obligation.setl_id and item.moved_fen for item in each.items)
    )
    cause = obligation.reversed_by or context.event_id
    order_id = derived_id("or_", obligation.agreement_no, "refund", cause)
    again = sum(each.kind == "refund" and each.items[0].setl_id == obligation.setl_id for each in credit.orders)
    if any(each.order_id == order_id for each in credit.orders):
        order_id = derived_id("or_", obligation.agreement_no, "refund", cause, obligation.setl_id, again + 1)
    order = original._replace(
        order_id=order_id,
        kind="refund",
        items=(Item(obligation.setl_id, amount_fen),),
        original_order_id=original.order_id,
        attempt=1,
        state=FundingState.SUBMITTED,
        first_ms=context.now_ms,
        due_ms=context.now_ms,
        retry_ms=0,
        refused_ms=0,
        kept="",
        not_before_ms=context.now_ms,
        told=(),
        stopped_ms=0,  # the clock of the order it is about is not its own
        waited_ms=0,
    )
    return replace(credit, orders=(*credit.orders, order)), [order_output(context, order)]


def cancel(credit: Credit, order: Order, cause: str, context: Context) -> Move:
    """Ask the bank to forget an order that it has not answered and nothing stands behind any more."""
    order_id = derived_id("or_", order.agreement_no, "cancel", cause)
    if any(each.order_id == order_id for each in credit.orders):
        return credit, []
    wish = order._replace(
        order_id=order_id,
        kind="cancel",
        items=tuple(item._replace(amount_fen=item.amount_fen - item.moved_fen, moved_fen=0) for item in order.items),
        original_order_id=order.order_id,
        attempt=1,
        state=FundingState.SUBMITTED,
        first_ms=context.now_ms,
        due_ms=context.now_ms,
        not_before_ms=context.now_ms,
        told=(),
        stopped_ms=0,  # the clock of the order it is about is not its own
        waited_ms=0,
    )
    return replace(credit, orders=(*credit.orders, wish)), [order_output(context, wish)]


def without_lost_refunds(credit: Credit, setl_id: str) -> Credit:
    """The settlement stands again: what the bank would not bring back is to stay, and is asked for anew if undone."""
    lost = {
        order.order_id
        for order in credit.orders
        if order.kind == "refund" and order.items[0].setl_id == setl_id and not (order.in_flight or order.retry_ms)
    }
    orders = tuple(order.asking_no_more() if order.order_id in lost else order for order in credit.orders)
    return replace(credit, orders=orders) if lost else credit


def with_order(credit: Credit, order: Order) -> Credit:
    """The record with this order in the place of the one of its id."""
    return replace(credit, orders=tuple(order if each.order_id == order.order_id else each for each in credit.orders))


def _live_ms(bundle: Bundle, context: Context) -> int:
    """Now if the institution's orders are really sent; else the instant from which they will be, 0 = nobody knows."""
    table: InstitutionTable = context.terms["institutions"].value
    if table.sends_orders(bundle.fixmedins_code, local_day(context.now_ms)):
        return context.now_ms
    row = table.find(bundle.fixmedins_code)
    if row is None or row.orders_live_from is None:
        return 0
    return by_day(day_start_ms(day_of(row.orders_live_from)), context.terms["debit_hours"].value)
