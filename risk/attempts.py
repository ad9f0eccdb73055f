"""When an attempt of an order may leave: the ladder from the first attempt, the hours of the day, so many a day."""

from risk.bundles import by_day
from risk.credit import Context
from risk.local_time import day_start_ms, local_day
from risk.ordered import Order


def next_attempt_ms(order: Order, context: Context) -> int:
    """The next step of the ladder, counted from the first attempt, in the debit hours; 0 = the ladder has ended.

    A refund has as many attempts however long the bank was away: what it brings back is not ours to forgo.
    """
    hours, ladder = context.terms["debit_hours"].value, context.terms["debit_retry_ms"].value
    for step in ladder[order.attempt - 1 :]:
        at_ms = by_day(order.first_ms + step, hours)
        if at_ms > context.now_ms:
            return _another_day(order, at_ms, context)
    if order.kind == "refund" and order.attempt <= len(ladder):
        return by_day(context.now_ms + ladder[0], hours)
    return 0


def leaves_ms(order: Order, context: Context) -> int:
    """When an attempt that is ready now may leave: now, or at the next hour that debits are allowed."""
    if order.kind != "debit":
        return context.now_ms
    return _another_day(order, by_day(context.now_ms, context.terms["debit_hours"].value), context)


def _another_day(order: Order, at_ms: int, context: Context) -> int:
    """That instant, or the next day's first hour, if this day had its attempts."""
    most: int = context.terms["debit_max_per_day"].value
    if order.kind != "debit" or local_day(at_ms) != order.sent_day or order.sent_count < most:
        return at_ms
    return by_day(day_start_ms(local_day(at_ms) + 1), context.terms["debit_hours"].value)


def counted(order: Order, now_ms: int) -> Order:
    """The order with one attempt more on this local day."""
    today = local_day(now_ms)
    return order._replace(sent_day=today, sent_count=order.sent_count + 1 if order.sent_day == today else 1)
