"""Is money that the bank says it gave back a refund that we ordered? Its own result books it, the notice books nothing.

A notice that names the refund means it. Any other means one of its agreement, and of the visit or order that it names
if it does, of which no notice came yet: under way, if it fits; or done lately, if it is the same amount.
"""

from risk.credit import Credit
from risk.facts import BankRefunded
from risk.local_time import DAY_MS
from risk.ordered import Order

LATELY_MS = 7 * DAY_MS  # ours: a notice follows its booking within the longest holidays


def own_refund(credit: Credit, fact: BankRefunded, now_ms: int) -> Order | None:
    """The refund that the notice tells of."""
    refunds = [each for each in credit.orders if each.kind == "refund"]
    named = next((each for each in refunds if fact.order_id and each.order_id == fact.order_id), None)
    return named or next((each for each in refunds if _may_mean(fact, each) and _fits(fact, each, now_ms)), None)


def noticed(order: Order, fact: BankRefunded) -> Order:
    """The refund of which this notice came."""
    fen = _unnoticed_fen(order) if fact.amount_fen is None else fact.amount_fen
    return order._replace(noticed_fen=order.noticed_fen + fen)


def _may_mean(fact: BankRefunded, order: Order) -> bool:
    return (
        fact.agreement_no == order.agreement_no
        and (not fact.mdtrt_id or fact.mdtrt_id == order.mdtrt_id)
        and (not fact.order_id or fact.order_id == order.original_order_id)
    )


def _fits(fact: BankRefunded, order: Order, now_ms: int) -> bool:
    open_fen, said_fen = _unnoticed_fen(order), fact.amount_fen or 0
    if open_fen <= 0 or said_fen > open_fen:
        return False
    if order.in_flight or order.retry_ms:
        return True
    lately = order.moved_ms and now_ms - order.moved_ms <= LATELY_MS
    return bool(lately) and (said_fen or open_fen) in {open_fen, *dict(order.told).values()}


def _unnoticed_fen(order: Order) -> int:
    return sum(item.amount_fen for item in order.items) - order.noticed_fen
