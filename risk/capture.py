"""Captures: what a settlement takes out of a hold, what goes back, and what is topped up at the counter.

captured = min(tendered, held + available); the rest is top-up. A settlement without credit leaves no trace here.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.bundles import bundle_key, enqueue
from risk.capture_decisions import Bill, captured, nothing_due, undone
from risk.credit import Authorization, Context, Credit, Ended, Move, Obligation, Step
from risk.decided import quality_alert
from risk.exposure import moved, used_of
from risk.facts import SettlementCompleted
from risk.holds import HoldAction, after, as_placed, end, with_ended, with_hold
from risk.limits import agreement_of, agreements_for, bound_by, may_grow_fen
from risk.linking import Link, advised_fen, is_lapsed, link_of, tendered_fen
from risk.local_time import local_day
from risk.orders import emit
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said
from risk.requests import let_go
from risk.signed import CARD_WITHHOLD, Agreement
from risk.watched import Want


class Booking(NamedTuple):
    """What is booked: under which agreement and pool, of which authorization day, how much."""

    agreement: Agreement
    service: str
    placed_day: int
    captured_fen: int
    taken_fen: int = 0  # of it, out of the hold
    released_fen: int | None = None  # what went back because the hold ended
    short_by: ReasonCode = ReasonCode.APPROVED_EXCEEDED  # why no more than that


def settle(credit: Credit | None, settlement: SettlementCompleted, context: Context, amounts_add_up: bool) -> Step:
    """What a newly counted settlement does to the record; unlinked, or paid otherwise: nothing."""
    record = credit if credit is not None else Credit()
    booked = obligation_of(record, settlement.setl_id)
    if booked is not None:
        return (_confirmed if amounts_add_up else _doubted)(record, booked, settlement, context)
    link = None if settlement.credit_fen == 0 else link_of(record, settlement)
    if link is None:
        return (ended_wants(record, settlement.mdtrt_id) if credit is not None else None), []
    if link.ambiguous:
        told = quality_alert(
            context,
            "Q05",
            settlement.fixmedins_code,
            mdtrt_id=settlement.mdtrt_id,
            observed=len(link.candidates),
            allowed=1,
        )
        return credit, [*told]
    agreement = _agreement_for(record, link, settlement, context)
    bill = bill_of(settlement, link)._replace(topped_up_fen=topped_up_of(record, settlement.mdtrt_id))
    if not amounts_add_up:
        said = Said(ReasonCode.DATA_QUALITY, Outcome.HOLD, settlement.medfee_sumamt_fen, None, "Q03")
        return credit, [undone(bill, said, context)]
    if agreement is None:
        said = Said(ReasonCode.NOT_SIGNED, Outcome.TOP_UP, bill.tender_fen, 0, "services_on")
        return credit, [undone(bill, said, context)]
    record = ended_wants(record, settlement.mdtrt_id)
    if link.hold is not None:
        return from_hold(record, link.hold, bill, context)
    service = link.ended.service if link.ended is not None else _service_of(settlement)
    placed_day = local_day(link.ended.placed_ms if link.ended is not None else context.now_ms)
    booking = Booking(agreement, service, placed_day, advised_fen(record, link, settlement))
    return _advised(record, link.ended, bill, booking=booking, context=context)


def bill_of(settlement: SettlementCompleted, link: Link) -> Bill:
    """What the event of a linked settlement asks for."""
    hold = link.hold
    final = hold is None or hold.scope == "settlement" or (hold.service == "deposit_free" and not _mid_stay(settlement))
    return Bill(
        settlement.setl_id,
        settlement.mdtrt_id,
        settlement.fixmedins_code,
        hold.authorization_id if hold is not None else settlement.authorization_id or "",
        tendered_fen(settlement),
        final,
        True,
    )


def _mid_stay(settlement: SettlementCompleted) -> bool:
    return settlement.mid_setl_flag == "1"


def _agreement_for(credit: Credit, link: Link, settlement: SettlementCompleted, context: Context) -> Agreement | None:
    """The hold's agreement; for advice the one that was promised, else the oldest valid one for such a visit."""
    promised = link.hold or link.ended
    if promised is not None and promised.agreement_no:
        return agreement_of(credit, promised.agreement_no)
    found = agreements_for(credit, _service_of(settlement), context.now_ms)
    return found[0] if found else None


def _service_of(settlement: SettlementCompleted) -> str:
    return "deposit_free" if settlement.med_type.startswith(("2", "52")) else "visit_first"


def obligation_of(credit: Credit, setl_id: str) -> Obligation | None:
    """What was booked for this settlement."""
    return next((each for each in credit.obligations if each.setl_id == setl_id), None)


def topped_up_of(credit: Credit, mdtrt_id: str) -> int:
    """What was paid at the counter for a visit before it settled."""
    return sum(want.topped_up_fen for want in credit.wants if want.mdtrt_id == mdtrt_id)


def paid_since(credit: Credit, mdtrt_id: str) -> int:
    """The day of the first of these payments; 0 = nothing was paid."""
    return min([each.paid_day for each in credit.wants if each.mdtrt_id == mdtrt_id and each.paid_day], default=0)


def without_wants(credit: Credit, mdtrt_id: str) -> Credit:
    """The visit asks for nothing more, and what was paid for it is booked or goes back."""
    if not any(want.mdtrt_id == mdtrt_id for want in credit.wants):
        return credit
    return replace(credit, wants=tuple(want for want in credit.wants if want.mdtrt_id != mdtrt_id))


def ended_wants(credit: Credit, mdtrt_id: str) -> Credit:
    """The visit settled or ended: it asks for nothing more; what was paid for it waits for its bill."""
    kept = [want for want in credit.wants if want.mdtrt_id != mdtrt_id or want.topped_up_fen]
    if len(kept) == len(credit.wants) and not any(want.mdtrt_id == mdtrt_id for want in kept):
        return credit
    ended = (each._replace(asked_fen=0, refused_until_ms=0) if each.mdtrt_id == mdtrt_id else each for each in kept)
    return replace(credit, wants=tuple(ended))


# --- booking ---------------------------------------------------------------------------------------------------------


def from_hold(credit: Credit, hold: Authorization, bill: Bill, context: Context) -> Move:
    """Take it out of the hold; what the hold lacks, out of what is available; the rest is top-up."""
    agreement = agreement_of(credit, hold.agreement_no)
    assert agreement is not None, hold
    asked_fen = bill.tender_fen if bill.asked_fen is None else min(bill.asked_fen, bill.tender_fen)
    captured_fen = min(asked_fen, hold.held_fen + may_grow_fen(credit, hold, context))
    exceeds = ReasonCode.APPROVED_EXCEEDED if asked_fen < bill.tender_fen else ReasonCode.OK
    short_by = bound_by(credit, hold, context) if captured_fen < asked_fen else exceeds
    if not bill.tender_fen:
        said: list[Output | Reply] = [nothing_due(bill, context)]
        if bill.final:
            credit, more = let_go(without_wants(credit, bill.mdtrt_id), hold, HoldAction.RELEASE, context)
            said += more
        return credit, said
    taken_fen = min(captured_fen, hold.held_fen)
    grown_fen = captured_fen - taken_fen
    hold = hold._replace(held_fen=hold.held_fen - taken_fen, approved_fen=hold.approved_fen + grown_fen)
    credit = with_hold(credit, hold)
    if bill.final:
        credit = end(credit, hold, HoldAction.CAPTURE_FINAL, context.now_ms)
    else:
        hold = as_placed(hold)
        credit = with_hold(credit, hold._replace(state=after(hold.state, HoldAction.CAPTURE_PART)))
    booking = Booking(
        agreement,
        hold.service,
        local_day(hold.placed_ms),
        captured_fen,
        taken_fen,
        hold.held_fen if bill.final else None,
        short_by,
    )
    return _book(credit, bill, booking, context)


def _advised(credit: Credit, ended: Ended | None, bill: Bill, *, booking: Booking, context: Context) -> Move:
    """A fact is booked even above the limit: the institution was told, or says, that it is paid on credit."""
    if not bill.tender_fen:
        return without_wants(credit, bill.mdtrt_id), [nothing_due(bill, context)]
    if ended is not None:
        advised = ended._replace(state=after(ended.state, HoldAction.ADVISE), lapsed=is_lapsed(ended))
        credit = with_ended(credit, advised)
    return _book(credit, bill, booking, context)


def _book(credit: Credit, bill: Bill, booking: Booking, context: Context) -> Move:
    agreement, service, placed_day, captured_fen = booking[:4]
    assert 0 <= captured_fen <= bill.tender_fen, bill
    capture_id = derived_id("cp_", agreement.agreement_no, bill.setl_id, context.event_id)
    # the institution is the creditor of a debit: what it was paid beforehand needs no debit any more
    topped_up_fen = min(bill.topped_up_fen, bill.tender_fen - captured_fen)
    paid_fen = min(bill.topped_up_fen - topped_up_fen, captured_fen) if agreement.mode == CARD_WITHHOLD else 0
    obligation = Obligation(
        capture_id,
        bill.setl_id,
        bill.mdtrt_id,
        bill.fixmedins_code,
        bill.authorization_id,
        agreement.agreement_no,
        service,
        agreement.mode,
        bundle_key(agreement.mode, context, setl_id=bill.setl_id, mdtrt_id=bill.mdtrt_id, capture_id=capture_id),
        bill.tender_fen,
        captured_fen,
        placed_day,
        context.now_ms,
        bill.confirmed,
        topped_up_fen=topped_up_fen,
        paid_fen=paid_fen,
        event_id=context.event_id,
        booked_by=context.record_id,
        told_ms=context.occurred_ms,
        short_by=booking.short_by.value if captured_fen < bill.tender_fen else "",
        doubted=bill.doubted,
        paid_day=paid_since(credit, bill.mdtrt_id),
    )
    credit = replace(without_wants(credit, bill.mdtrt_id), obligations=(*credit.obligations, obligation))
    left_fen = bill.topped_up_fen - topped_up_fen - paid_fen
    if left_fen and not bill.final:  # paid early: it waits for the next bill of the visit
        rest = Want(bill.mdtrt_id, bill.fixmedins_code, service, 0, topped_up_fen=left_fen)
        rest = rest._replace(paid_day=obligation.paid_day)
        credit, left_fen = replace(credit, wants=(*credit.wants, rest)), 0
    ordered: list[Output | Reply] = []
    if captured_fen:
        credit = enqueue(credit, obligation, context, ends_stay=bill.final)
        credit, ordered = emit(credit, context)
    told = (booking.taken_fen, booking.released_fen, left_fen)
    return credit, [captured(credit, obligation, agreement, context, told=told), *ordered]


# --- the same settlement, told twice ---------------------------------------------------------------------------------


def _confirmed(credit: Credit, booked: Obligation, settlement: SettlementCompleted, context: Context) -> Move:
    """The event of a settlement that a checkout captured: booked once; if the amounts differ the event wins."""
    if booked.confirmed:
        return credit, []
    credit = ended_wants(credit, settlement.mdtrt_id)
    told_fen = tendered_fen(settlement)
    if told_fen == booked.due_fen:
        return with_obligation(credit, booked._replace(confirmed=True, event_id=context.event_id)), []
    said: list[Output | Reply] = [
        *quality_alert(
            context, "Q06", booked.fixmedins_code, mdtrt_id=booked.mdtrt_id, observed=booked.due_fen, allowed=told_fen
        )
    ]
    # more than was captured is paid at the counter: the hold is gone; less goes back the way it came
    captured_fen = min(booked.captured_fen, told_fen)
    changed = booked._replace(confirmed=True, due_fen=told_fen, captured_fen=captured_fen, event_id=context.event_id)
    if changed.top_up_fen and not changed.short_by:
        changed = changed._replace(short_by=ReasonCode.APPROVED_EXCEEDED.value)
    changed, back_fen = _paid_at_counter(credit, changed)
    credit, more = emit(with_obligation(credit, changed), context)
    if booked.reversed_by:
        return credit, [*said, *more]  # nothing of it stands
    agreement = agreement_of(credit, booked.agreement_no)
    assert agreement is not None, booked
    return credit, [*said, captured(credit, changed, agreement, context, told=(0, None, back_fen)), *more]


def _doubted(credit: Credit, booked: Obligation, settlement: SettlementCompleted, context: Context) -> Move:
    """The event of a settlement that a checkout captured does not add up: nothing more is moved for it."""
    if booked.confirmed:
        return credit, []
    changed = booked._replace(doubted=context.event_id, event_id=context.event_id)
    credit = with_obligation(ended_wants(credit, settlement.mdtrt_id), changed)
    agreement = agreement_of(credit, booked.agreement_no)
    assert agreement is not None, booked
    return credit, [] if booked.reversed_by else [captured(credit, changed, agreement, context)]


def _paid_at_counter(credit: Credit, obligation: Obligation) -> tuple[Obligation, int]:
    """A bill whose amounts changed takes of what was paid on it what it still can; the rest is given back there."""
    back_fen = max(0, obligation.topped_up_fen - (obligation.due_fen - obligation.captured_fen))
    obligation = obligation._replace(topped_up_fen=obligation.topped_up_fen - back_fen)
    if obligation.mode == CARD_WITHHOLD:
        paid_fen = min(obligation.paid_fen, obligation.captured_fen)
        back_fen += obligation.paid_fen - paid_fen
        obligation = obligation._replace(paid_fen=paid_fen)
        owed_fen = min(back_fen, used_of(obligation, moved(credit)))
        return obligation._replace(paid_fen=paid_fen + owed_fen), back_fen - owed_fen
    return obligation, back_fen


def with_obligation(credit: Credit, obligation: Obligation) -> Credit:
    """The record with this obligation in the place of the one of its settlement."""
    return replace(
        credit,
        obligations=tuple(obligation if each.setl_id == obligation.setl_id else each for each in credit.obligations),
    )
