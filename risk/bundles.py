"""Captures that wait to become one order: a debit per visit (一次性费用结算) or settlement, or a draw alone.

It knows when a bundle closes; what is done with a closed one is orders.py.
"""

from msgspec.structs import replace

from risk.activity import Visit, visit_end_ms
from risk.credit import Context, Credit, Obligation
from risk.exposure import latest_order, moved, unfunded_of
from risk.local_time import DAY_MS, HOUR_MS, OFFSET_MS, day_start_ms, local_day
from risk.ordered import Bundle, FundingState, Order
from risk.outputs import derived_id
from risk.policy_values import DebitHours
from risk.signed import CREDIT_LINE


def by_day(instant_ms: int, hours: DebitHours) -> int:
    """The instant itself inside the debit hours, else the next first hour."""
    of_day_ms = (instant_ms + OFFSET_MS) % DAY_MS
    if hours.first * HOUR_MS <= of_day_ms < hours.last * HOUR_MS:
        return instant_ms
    day = local_day(instant_ms) + (of_day_ms >= hours.last * HOUR_MS)
    return day_start_ms(day) + hours.first * HOUR_MS


# --- bundles ---------------------------------------------------------------------------------------------------------


def bundle_key(mode: str, context: Context, *, setl_id: str, mdtrt_id: str, capture_id: str) -> str:
    """What is ordered together: a draw alone, a debit per visit or per settlement as the policy says."""
    if mode == CREDIT_LINE:
        return capture_id
    return mdtrt_id if context.terms["bundle"].value == "visit" else setl_id


def visit_ends_ms(credit: Credit, mdtrt_id: str, context: Context) -> int:
    """When a visit ends: as told; 0 = an open stay; else by its newest event, which a checkout may tell of first.

    Of a visit that was never registered only its bills tell.
    """
    told_ms = max((each.told_ms for each in credit.obligations if each.mdtrt_id == mdtrt_id), default=0)
    visit = context.visit_of(mdtrt_id) or Visit(mdtrt_id, "", "")
    if visit.newest_ms < told_ms:
        visit = replace(visit, newest_ms=told_ms)
    return visit_end_ms(visit, int(context.terms["visit_grace_ms"].value))


def heard_of(credit: Credit, mdtrt_id: str, context: Context) -> Credit:
    """The record in which the bills of a visit that was never registered know its newest event."""
    if not credit.obligations or context.visit_of(mdtrt_id) is not None:
        return credit
    at_ms = context.occurred_ms
    changed = tuple(
        each._replace(told_ms=at_ms) if each.mdtrt_id == mdtrt_id and each.told_ms < at_ms else each
        for each in credit.obligations
    )
    return credit if changed == credit.obligations else replace(credit, obligations=changed)


def heard_while_open(credit: Credit, mdtrt_id: str, context: Context) -> Credit:
    """The same of what undoes a bill, or lets it count again: that opens no visit again."""
    if 0 < visit_ends_ms(credit, mdtrt_id, context) <= context.now_ms:
        return credit
    return heard_of(credit, mdtrt_id, context)


def enqueue(credit: Credit, obligation: Obligation, context: Context, *, ends_stay: bool) -> Credit:
    """The record in which this capture waits for its order. `ends_stay`: the last settlement of an admission."""
    same = next((each for each in credit.bundles if covers(each, obligation)), None)
    if obligation.mode == CREDIT_LINE:
        bundle = _new_bundle(obligation, context.now_ms, context.now_ms)
    else:
        close_ms = _close_ms(credit, obligation, context, ends_stay=ends_stay)
        closed = 0 < close_ms <= context.now_ms
        emit_ms = by_day(context.now_ms, context.terms["debit_hours"].value) if closed else 0
        bundle = _new_bundle(obligation, close_ms, emit_ms)
    return replace(credit, bundles=(*(each for each in credit.bundles if each is not same), bundle))


def _new_bundle(obligation: Obligation, close_ms: int, emit_ms: int) -> Bundle:
    return Bundle(
        obligation.bundle,
        obligation.mdtrt_id,
        obligation.fixmedins_code,
        obligation.agreement_no,
        close_ms,
        emit_ms,
    )


def _close_ms(credit: Credit, obligation: Obligation, context: Context, *, ends_stay: bool) -> int:
    """When the bundle closes: now, at the visit's end, or 0 = at a discharge that has not come."""
    if obligation.bundle == obligation.setl_id:
        return context.now_ms
    if obligation.service == "deposit_free" and context.visit_of(obligation.mdtrt_id) is None:
        return context.now_ms if ends_stay else 0
    return visit_ends_ms(credit, obligation.mdtrt_id, context)


def covers(bundle: Bundle, obligation: Obligation) -> bool:
    """Does this capture wait in this bundle?"""
    return (bundle.key, bundle.fixmedins_code, bundle.agreement_no) == (
        obligation.bundle,
        obligation.fixmedins_code,
        obligation.agreement_no,
    )


def visit_ended(credit: Credit, visit: Visit, context: Context) -> Credit:
    """The visit was closed or cancelled: its bundles close now. A place without credit has none, and no hours."""
    if not credit.bundles:
        return credit
    emit_ms = by_day(context.now_ms, context.terms["debit_hours"].value)
    return _with_bundles(
        credit,
        tuple(
            each._replace(close_ms=context.now_ms, emit_ms=emit_ms)
            if each.mdtrt_id == visit.mdtrt_id and not each.emit_ms
            else each
            for each in credit.bundles
        ),
    )


def visit_reopened(credit: Credit, visit: Visit, context: Context) -> Credit:
    """A discharge was undone: bundles that were not ordered yet wait for the next one."""
    if not credit.bundles:
        return credit
    close_ms = visit_ends_ms(credit, visit.mdtrt_id, context)
    return _with_bundles(
        credit,
        tuple(
            each._replace(close_ms=close_ms, emit_ms=0) if each.key == visit.mdtrt_id else each
            for each in credit.bundles
        ),
    )


def closed_bundles(credit: Credit, context: Context) -> Credit:
    """Bundles whose visit ended by the clock are closed; a newer event of the visit moves its end."""
    if not any(0 < each.close_ms <= context.now_ms and not each.emit_ms for each in credit.bundles):
        return credit
    bundles = []
    for each in credit.bundles:
        if 0 < each.close_ms <= context.now_ms and not each.emit_ms:
            end_ms = visit_ends_ms(credit, each.mdtrt_id, context)
            if end_ms and end_ms <= context.now_ms:
                each = each._replace(emit_ms=by_day(context.now_ms, context.terms["debit_hours"].value))
            else:
                each = each._replace(close_ms=end_ms)
        bundles.append(each)
    return _with_bundles(credit, tuple(bundles))


def _with_bundles(credit: Credit, bundles: tuple[Bundle, ...]) -> Credit:
    return replace(credit, bundles=bundles) if bundles != credit.bundles else credit


def waiting_in(credit: Credit, bundle: Bundle) -> list[Obligation]:
    """The captures of a bundle that no order is at work on, without those that nothing may be moved for."""
    found = []
    for obligation in credit.obligations:
        if covers(bundle, obligation) and obligation.claim_fen and not obligation.is_stopped:
            order = latest_order(credit, obligation)
            if order is None or is_over(credit, order):
                found.append(obligation)
    return found


def is_over(credit: Credit, order: Order) -> bool:
    """Nothing of it is to come, so what it left unfunded may be ordered anew. A draw that the bank refused, whole or in
    part, is never tried again; a debit that was given up stays so, whatever word the bank had for it.
    """
    if order.in_flight or order.retry_ms:
        return False
    if order.kind == "draw" or order.state is FundingState.SETTLED:
        return True
    return order.state is FundingState.CANCELLED and (not order.rest_fen or is_called_back(credit, order))


def given_up(credit: Credit, obligation: Obligation) -> Order | None:
    """The debit that nobody asks the bank for any more, though money is owed: the institution collects by itself."""
    order = latest_order(credit, obligation)
    if order is None or order.in_flight or order.retry_ms or is_over(credit, order):
        return None
    return order if unfunded_of(obligation, moved(credit)) else None


def is_called_back(credit: Credit, order: Order) -> bool:
    """Did we ask the bank to forget it?"""
    return any(each.kind == "cancel" and each.original_order_id == order.order_id for each in credit.orders)


def next_order_id(credit: Credit, bundle: Bundle, mode: str) -> str:
    """The id the bundle's next order will have: a draw by its capture, a debit by its bundle and ordinal.

    A draw that follows another one of the same capture, for what a refund took back since, has its ordinal too.
    """
    kind = "draw" if mode == CREDIT_LINE else "debit"
    before = sum(
        (each.kind, each.bundle, each.fixmedins_code, each.agreement_no)
        == (kind, bundle.key, bundle.fixmedins_code, bundle.agreement_no)
        for each in credit.orders
    )
    if kind == "draw":
        ordinal = (before + 1,) if before else ()
        return derived_id("or_", bundle.agreement_no, "draw", bundle.key, *ordinal)
    return derived_id("or_", bundle.agreement_no, "debit", bundle.fixmedins_code, bundle.key, before + 1)
