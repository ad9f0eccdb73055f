"""What a credit record forgets, and when: by the record and the instant alone, never by how records were batched."""

from msgspec.structs import replace

from risk.credit import Credit, Obligation
from risk.exposure import Moved, moved, surplus_of, unfunded_of, used_of
from risk.local_time import local_day
from risk.ordered import FundingState

MONEY_DAYS = 400


def forgotten(credit: Credit, now_ms: int) -> Credit:
    """The record without wants that lost their visit, money 400 days after its end, and old closed disputes."""
    if credit.wants:
        credit = _open_wants(credit)
    if credit.obligations:
        credit = _old_money(_marked_ends(credit, now_ms), local_day(now_ms))
    if credit.standing.disputes or credit.standing.cases:
        credit = _old_disputes(credit, local_day(now_ms))
    return credit


def _open_wants(credit: Credit) -> Credit:
    """A want lasts as long as its visit has an open authorization, its refusal counts, or money waits for the bill."""
    live = {(each.mdtrt_id, each.service) for each in credit.authorizations}
    wants = tuple(
        want
        for want in credit.wants
        if want.refused_until_ms or want.topped_up_fen or (want.mdtrt_id, want.service) in live
    )
    return credit if len(wants) == len(credit.wants) else replace(credit, wants=wants)


def _marked_ends(credit: Credit, now_ms: int) -> Credit:
    """Each obligation says since when nothing of it is open."""
    sums = moved(credit)
    working = {
        item.setl_id
        for order in credit.orders
        if order.in_flight or order.retry_ms or order.state is FundingState.UNKNOWN
        for item in order.items
    }
    changed = tuple(_marked(each, sums, each.setl_id in working, now_ms) for each in credit.obligations)
    return credit if changed == credit.obligations else replace(credit, obligations=changed)


def _marked(obligation: Obligation, sums: dict[str, Moved], working: bool, now_ms: int) -> Obligation:
    is_open = working or used_of(obligation, sums) or unfunded_of(obligation, sums) or surplus_of(obligation, sums)
    if is_open:
        return obligation._replace(ended_ms=0) if obligation.ended_ms else obligation
    return obligation if obligation.ended_ms else obligation._replace(ended_ms=now_ms)


def _old_money(credit: Credit, today: int) -> Credit:
    kept = tuple(
        each for each in credit.obligations if not each.ended_ms or today - local_day(each.ended_ms) <= MONEY_DAYS
    )
    if len(kept) == len(credit.obligations):
        return credit
    names = {each.setl_id for each in kept}
    orders = tuple(order for order in credit.orders if any(item.setl_id in names for item in order.items))
    return replace(credit, obligations=kept, orders=orders)


def _old_disputes(credit: Credit, today: int) -> Credit:
    standing = credit.standing
    disputes, cases = (
        tuple(each for each in entries if each.is_open or today - local_day(each.told_ms) <= MONEY_DAYS)
        for entries in (standing.disputes, standing.cases)
    )
    if len(disputes) == len(standing.disputes) and len(cases) == len(standing.cases):
        return credit
    return replace(credit, standing=standing._replace(disputes=disputes, cases=cases))
