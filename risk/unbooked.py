"""Bills of which nothing was captured, although something may be: of a visit with an open hold, by a checkout that asks
for one later; and of bills that were undone before they came, when they are reinstated.

Whichever comes first, the bill's event wins.
"""

from msgspec.structs import replace

from risk.activity import TOMBSTONE_MS, hash64
from risk.capture import bill_of, ended_wants, from_hold, obligation_of, topped_up_of
from risk.capture_decisions import Bill
from risk.credit import Context, Credit, Move
from risk.decided import quality_alert
from risk.facts import SettlementCompleted
from risk.holds import open_hold
from risk.linking import link_of, tendered_fen
from risk.watched import Unbooked

_MOST = 32  # of a stay that is billed every day, the newest


def noted(
    credit: Credit, settlement: SettlementCompleted, context: Context, *, amounts_add_up: bool, counts: bool
) -> Credit:
    """The record that knows what this settlement says, if nothing was captured of it and something still may be."""
    if obligation_of(credit, settlement.setl_id) is not None:
        return credit
    doubted = "" if amounts_add_up else context.event_id
    bill = Unbooked(settlement.setl_id, settlement.mdtrt_id, tendered_fen(settlement), doubted)
    link = link_of(credit, settlement) if not counts and bill.tender_fen else None
    if link is not None:
        bill = bill._replace(undone_ms=context.now_ms, fixmedins_code=settlement.fixmedins_code)
        if link.hold is not None:
            bill = bill._replace(authorization_id=link.hold.authorization_id, final=bill_of(settlement, link).final)
    elif not _is_held(credit, settlement.mdtrt_id):
        return credit
    return replace(credit, unbooked=(*credit.unbooked, bill)[-_MOST:])


def unbooked_of(credit: Credit, setl_id: str) -> Unbooked | None:
    """What the event of this settlement said, if nothing was captured of it yet."""
    return next((each for each in credit.unbooked if each.setl_id == setl_id), None)


def still_unbooked(credit: Credit, now_ms: int) -> Credit:
    """The record without those that were captured, or that nothing is held for any more; one that was undone may be
    reinstated for forty days.
    """
    if not credit.unbooked:
        return credit
    booked = {each.setl_id for each in credit.obligations}
    kept = tuple(
        each
        for each in credit.unbooked
        if each.setl_id not in booked
        and (_is_held(credit, each.mdtrt_id) or (each.undone_ms and now_ms - each.undone_ms <= TOMBSTONE_MS))
    )
    return credit if len(kept) == len(credit.unbooked) else replace(credit, unbooked=kept)


def booked_after_all(credit: Credit, setl: int, context: Context) -> Move:
    """A bill that was undone before it came stands now: out of its hold, or, if that has ended, a person is told."""
    bill = next((each for each in credit.unbooked if each.undone_ms and hash64(each.setl_id) == setl), None)
    if bill is None:
        return credit, []
    stands = tuple(each._replace(undone_ms=0) if each is bill else each for each in credit.unbooked)
    credit = replace(credit, unbooked=stands)
    hold = open_hold(credit, bill.fixmedins_code, bill.authorization_id)
    if hold is None or bill.doubted or hold.mdtrt_id != bill.mdtrt_id:
        where = {"mdtrt_id": bill.mdtrt_id, "observed": 0, "allowed": bill.tender_fen}
        return credit, [*quality_alert(context, "Q06", bill.fixmedins_code, **where)]
    told = Bill(
        bill.setl_id,
        bill.mdtrt_id,
        bill.fixmedins_code,
        bill.authorization_id,
        bill.tender_fen,
        bill.final,
        True,
        topped_up_of(credit, bill.mdtrt_id),
    )
    return from_hold(ended_wants(credit, bill.mdtrt_id), hold, told, context)


def _is_held(credit: Credit, mdtrt_id: str) -> bool:
    return any(each.mdtrt_id == mdtrt_id for each in credit.authorizations)
