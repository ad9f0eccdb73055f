"""A settlement undone, and the undoing undone. Until its order is sent amounts net; afterwards money is called back.

The claim falls and the authorization opens again for a day, not beyond the visit; a reinstatement restores the claim.
"""

from typing import Any, Protocol

from risk.activity import hash64
from risk.answers import decision
from risk.bundles import bundle_key, enqueue, heard_of, heard_while_open, visit_ends_ms
from risk.capture import obligation_of, settle, with_obligation
from risk.capture_decisions import captured
from risk.credit import Authorization, Context, Credit, Ended, HoldState, Move, Obligation, Step
from risk.exposure import Moved, held_fen, latest_order, moved
from risk.facts import SettlementCompleted, SettlementReinstated, SettlementReversed
from risk.holds import HoldAction, after, as_placed, end, ended_hold, open_hold, with_hold, without_ended
from risk.limits import agreement_of
from risk.local_time import DAY_MS, day_start_ms, local_day
from risk.ordered import FundingState, Order
from risk.orders import cancel, emit, without_lost_refunds
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome
from risk.signed import CREDIT_LINE
from risk.unbooked import booked_after_all

_VISIT_FORGOTTEN_MS = 2 * DAY_MS


class Settled(Protocol):
    """A settlement as the activity remembers it: `setl` is the hash of its `setl_id`."""

    @property
    def setl(self) -> int: ...


def counted(
    credit: Credit | None, settlement: SettlementCompleted, context: Context, *, amounts_add_up: bool, counts: bool
) -> Step:
    """A settlement comes; `counts`: unless it was reversed before. What a checkout captured of it is undone then.

    One that was undone may be reinstated, so the amounts are the event's all the same.
    """
    booked = obligation_of(credit, settlement.setl_id) if credit is not None else None
    if credit is None or booked is None:
        return settle(credit, settlement, context, amounts_add_up) if counts else (credit, [])
    said: list[Output | Reply] = []
    if not counts:
        credit, said = reverse(credit, None, settlement, context)
    record, more = settle(credit, settlement, context, amounts_add_up)
    return record, [*said, *more]


def reverse(
    credit: Credit, original: Settled | None, fact: SettlementReversed | SettlementCompleted, context: Context
) -> Move:
    """The settlement is undone: the claim falls, the authorization opens again, what was sent is called back."""
    obligation = _of_settlement(credit, original, fact.setl_id)
    if obligation is None or obligation.reversed_by:
        return _paid_otherwise(credit, context), []
    back_fen = obligation.captured_fen
    held_before_fen = held_fen(credit)
    until_ms = _reopened_until_ms(credit, obligation, context)
    credit = _reopened(credit, obligation, back_fen, until_ms)
    reopened_fen = held_fen(credit) - held_before_fen
    reversed_now = obligation._replace(
        reversed_by=context.event_id,
        given_back="",
        reopened_fen=reopened_fen,
        topped_up_fen=0,
        paid_fen=obligation.paid_fen if obligation.mode == CREDIT_LINE else 0,  # what repaid a bank the bank has
    )
    credit = with_obligation(credit, reversed_now)
    if until_ms:
        credit = heard_of(credit, obligation.mdtrt_id, context)
    decided = _gone_back(credit, obligation, back_fen, reopened_fen, context=context)
    said: list[Output | Reply] = []
    order = latest_order(credit, obligation)
    if order is not None and order.state is FundingState.SUBMITTED and not _stands(credit, order):
        credit, said = cancel(credit, order, context.event_id, context)
    credit, more = emit(credit, context)
    return credit, [decided, *said, *more]


def _of_settlement(credit: Credit, original: Settled | None, setl_id: str | None) -> Obligation | None:
    setl = original.setl if original is not None else hash64(setl_id or "")
    return next((each for each in credit.obligations if hash64(each.setl_id) == setl), None)


def _paid_otherwise(credit: Credit, context: Context) -> Credit:
    """No bill on credit is meant: those of the same visit hear of it."""
    mdtrt_id = next((each.mdtrt_id for each in credit.obligations if hash64(each.mdtrt_id) == context.mdtrt), None)
    if mdtrt_id is None or "visit_grace_ms" not in context.terms:  # a place without credit
        return credit
    return heard_while_open(credit, mdtrt_id, context)


def _stands(credit: Credit, order: Order) -> bool:
    """Does any settlement of this order still stand?"""
    names = {item.setl_id for item in order.items}
    return any(each.claim_fen for each in credit.obligations if each.setl_id in names)


def _reopened(credit: Credit, obligation: Obligation, back_fen: int, until_ms: int) -> Credit:
    """2208 and a new 2207 are China's partial refund: the amount is held again for a day, not beyond the visit."""
    if not back_fen or not obligation.authorization_id or not until_ms:
        return credit
    identity = (obligation.fixmedins_code, obligation.authorization_id)
    hold = open_hold(credit, *identity)
    if hold is not None and not _is_its_own(hold, obligation):
        return credit
    if hold is not None:
        hold = hold._replace(
            state=after(hold.state, HoldAction.REOPEN),
            held_fen=hold.held_fen + back_fen,
            approved_fen=max(hold.approved_fen, hold.held_fen + back_fen),
            expires_ms=max(hold.expires_ms, until_ms) if hold.had_ended else hold.expires_ms,
            again_until_ms=0 if hold.had_ended else max(hold.again_until_ms, until_ms),
            reopened=hold.reopened + 1,
        )
        return with_hold(credit, hold)
    ended = ended_hold(credit, *identity)
    if ended is None or not _is_its_own(ended, obligation):
        return credit
    credit = without_ended(credit, ended.key)
    return with_hold(credit, _open_again(ended, obligation, back_fen, until_ms))


def _is_its_own(known: Authorization | Ended, obligation: Obligation) -> bool:
    """Is this the authorization the capture came from, and not a later one under the same id in another pool?"""
    return (known.service, known.agreement_no) == (obligation.service, obligation.agreement_no)


def _open_again(ended: Ended, obligation: Obligation, held_fen: int, until_ms: int) -> Authorization:
    return Authorization(
        obligation.authorization_id,
        obligation.fixmedins_code,
        obligation.mdtrt_id,
        obligation.service,
        "settlement",
        obligation.agreement_no,
        "",
        "",
        after(ended.state, HoldAction.REOPEN),
        held_fen,
        max(ended.approved_fen, held_fen),
        ended.limit_fen,
        ended.placed_ms,
        until_ms,
        ended.promise,
        reopened=1,
    )


def _reopened_until_ms(credit: Credit, obligation: Obligation, context: Context) -> int:
    """A day from now, or the end of the visit, whose newest event the reversal is; 0 = the visit has ended before."""
    until_ms = context.now_ms + int(context.terms["reopen_ms"].value)
    if obligation.service == "deposit_free" and context.visit_of(obligation.mdtrt_id) is None:
        # a stay is remembered for two days after its end; one that nobody registered has no other
        return until_ms if context.now_ms - obligation.captured_ms <= _VISIT_FORGOTTEN_MS else 0
    end_ms = visit_ends_ms(credit, obligation.mdtrt_id, context)
    if not end_ms:
        return until_ms
    if end_ms <= context.now_ms:
        return 0
    own_ms = day_start_ms(local_day(context.occurred_ms) + 1) + int(context.terms["visit_grace_ms"].value)
    return min(until_ms, max(end_ms, own_ms))


def _gone_back(credit: Credit, obligation: Obligation, back_fen: int, reopened_fen: int, *, context: Context) -> Output:
    hold = open_hold(credit, obligation.fixmedins_code, obligation.authorization_id)
    body: dict[str, Any] = {
        "decision": Outcome.RELEASE.value,
        "authorization_id": obligation.authorization_id or None,
        "state": hold.state.value if hold is not None else HoldState.CAPTURED.value,
        "fixmedins_code": obligation.fixmedins_code,
        "mdtrt_id": obligation.mdtrt_id,
        "setl_id": obligation.setl_id,
        "agreement_no": obligation.agreement_no,
        "service": obligation.service,
        "reversed_fen": back_fen,
        "reopened_fen": reopened_fen,
        # paid at the counter for what is undone: given back there, or put toward the new bill under a new ref; one that
        # stands again asks for it anew
        "counter_return_fen": obligation.topped_up_fen + (obligation.paid_fen if obligation.mode != CREDIT_LINE else 0),
        "held_fen": hold.held_fen if hold is not None else 0,
        "captured_fen": 0,
        "top_up_fen": 0,
        "reasons": [],
    }
    decision_id = derived_id("de_", "reversal", context.psn_no, context.event_id, obligation.setl_id)
    return decision(context, "after_visit", decision_id, body)


def reinstate(credit: Credit, original: Settled | None, fact: SettlementReinstated, context: Context) -> Move:
    """The reversal was itself undone: the claim stands again, out of what it put on hold as far as that is still held.

    What another bill took meanwhile, or what expired, is owed all the same. Only so does a claim that stands again pass
    the limit: a fact is booked, and of its hold nothing is left.
    """
    obligation = _of_settlement(credit, original, fact.setl_id)
    if obligation is None:
        credit, said = booked_after_all(credit, original.setl if original is not None else 0, context)
        return _paid_otherwise(credit, context), said
    if not obligation.reversed_by:
        return _paid_otherwise(credit, context), []
    credit, taken_fen, released_fen = _taken_again(credit, obligation, context.now_ms)
    capture_id = derived_id("cp_", obligation.agreement_no, obligation.setl_id, context.event_id)
    told = moved(credit).get(obligation.setl_id, Moved())
    if obligation.mode == CREDIT_LINE and told.refunded_fen:  # what the bank got back it does not count as repaid
        net_fen = told.funded_fen - told.refunded_fen
        obligation = obligation._replace(paid_fen=min(obligation.paid_fen, net_fen))
    obligation = obligation._replace(
        reversed_by="",
        ended_ms=0,
        reopened_fen=0,
        capture_id=capture_id,
        bundle=bundle_key(
            obligation.mode,
            context,
            setl_id=obligation.setl_id,
            mdtrt_id=obligation.mdtrt_id,
            capture_id=capture_id,
        ),
    )
    credit = without_lost_refunds(with_obligation(credit, obligation), obligation.setl_id)
    credit = heard_while_open(credit, obligation.mdtrt_id, context)
    credit = enqueue(credit, obligation, context, ends_stay=True)
    credit, said = emit(credit, context)
    agreement = agreement_of(credit, obligation.agreement_no)
    assert agreement is not None, obligation
    decided = captured(credit, obligation, agreement, context, told=(taken_fen, released_fen, 0))
    return credit, [decided, *said]


def _taken_again(credit: Credit, obligation: Obligation, now_ms: int) -> tuple[Credit, int, int | None]:
    """The record without what the reversal put on hold: how much that was, and 0 if it ended a hold it had opened."""
    hold = open_hold(credit, obligation.fixmedins_code, obligation.authorization_id)
    if hold is None or not obligation.reopened_fen or not _is_its_own(hold, obligation):
        return credit, 0, None
    taken_fen = min(hold.held_fen, obligation.reopened_fen, obligation.captured_fen)
    hold = hold._replace(held_fen=hold.held_fen - taken_fen)
    credit = with_hold(credit, hold)
    if hold.had_ended and not hold.held_fen:
        return end(credit, hold, HoldAction.CAPTURE_FINAL, now_ms), taken_fen, 0
    hold = as_placed(hold)
    return with_hold(credit, hold._replace(state=after(hold.state, HoldAction.CAPTURE_PART))), taken_fen, None
