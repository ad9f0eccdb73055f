"""The two legs of a captured settlement as tables: where its money to the institution stands, and what is still owed.

Funding: what an answer to the current attempt of an order does. Absent = the answer changes no state (money that it
brings is booked all the same, and goes back if nothing stands for it). Repayment: what each kind of change may turn a
state into; absent = it may not change. Repayment itself is computed from sums (exposure.py); the table is asserted.

    pending → submitted ⇄ unknown → settled | partial | rejected | cancelled
    partial, rejected (cancelled by the bank) → submitted       the next attempt of the ladder: never while in flight
    settled → refunded                                          read from the refunds of a settlement
"""

from enum import StrEnum

from risk.credit import Credit
from risk.exposure import Repayment, repayment_of
from risk.facts import BankCured, BankOrderResult, BankOverdue, BankRefunded, BankRepaid, Fact, TopupReceived
from risk.ordered import FundingState


class FundingAction(StrEnum):
    """What can happen to an order after it was sent: six answers, and the next attempt."""

    ACCEPTED = "accepted"
    SETTLED = "settled"
    PARTIAL = "partial"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    RETRY = "retry"


_F, _A = FundingState, FundingAction

FUNDING: dict[tuple[FundingState, FundingAction], FundingState] = {
    (_F.SUBMITTED, _A.ACCEPTED): _F.SUBMITTED,
    (_F.SUBMITTED, _A.SETTLED): _F.SETTLED,
    (_F.SUBMITTED, _A.PARTIAL): _F.PARTIAL,
    (_F.SUBMITTED, _A.REJECTED): _F.REJECTED,
    (_F.SUBMITTED, _A.UNKNOWN): _F.UNKNOWN,
    (_F.SUBMITTED, _A.CANCELLED): _F.CANCELLED,
    (_F.UNKNOWN, _A.ACCEPTED): _F.SUBMITTED,
    (_F.UNKNOWN, _A.SETTLED): _F.SETTLED,
    (_F.UNKNOWN, _A.PARTIAL): _F.PARTIAL,
    (_F.UNKNOWN, _A.REJECTED): _F.REJECTED,
    (_F.UNKNOWN, _A.UNKNOWN): _F.UNKNOWN,
    (_F.UNKNOWN, _A.CANCELLED): _F.CANCELLED,
    (_F.PARTIAL, _A.SETTLED): _F.SETTLED,  # the rest came after all
    (_F.PARTIAL, _A.PARTIAL): _F.PARTIAL,
    (_F.PARTIAL, _A.RETRY): _F.SUBMITTED,
    (_F.REJECTED, _A.SETTLED): _F.SETTLED,  # the bank corrects itself: money moved
    (_F.REJECTED, _A.PARTIAL): _F.PARTIAL,
    (_F.REJECTED, _A.RETRY): _F.SUBMITTED,
    (_F.CANCELLED, _A.SETTLED): _F.SETTLED,  # too late to forget
    (_F.CANCELLED, _A.PARTIAL): _F.PARTIAL,
    (_F.CANCELLED, _A.RETRY): _F.SUBMITTED,
}


def funded_after(state: FundingState, action: FundingAction) -> FundingState | None:
    """The state of an order after an answer to its current attempt; None: nothing changes."""
    return FUNDING.get((state, action))


class RepaymentAction(StrEnum):
    """What can happen to what is owed."""

    STAND = "stand"  # captured, or a reversal was undone
    PAY = "pay"
    FALL_DUE = "fall_due"
    STOP_CLOCK = "stop_clock"  # cured, or no longer the person's fault
    CLAIM_FALLS = "claim_falls"  # reversed, or the bank did not lend
    GIVE_BACK = "give_back"  # money went back while the claim stands


_R, _B = Repayment, RepaymentAction

REPAYMENT: dict[tuple[Repayment, RepaymentAction], frozenset[Repayment]] = {
    (_R.NONE, _B.STAND): frozenset({_R.DUE, _R.PART_PAID, _R.PAID, _R.OVERDUE}),
    (_R.DUE, _B.PAY): frozenset({_R.PART_PAID, _R.PAID}),
    (_R.DUE, _B.FALL_DUE): frozenset({_R.OVERDUE}),
    (_R.DUE, _B.CLAIM_FALLS): frozenset({_R.NONE}),
    (_R.PART_PAID, _B.PAY): frozenset({_R.PART_PAID, _R.PAID}),
    (_R.PART_PAID, _B.FALL_DUE): frozenset({_R.OVERDUE}),
    (_R.PART_PAID, _B.CLAIM_FALLS): frozenset({_R.NONE, _R.PART_PAID, _R.PAID}),
    (_R.PART_PAID, _B.GIVE_BACK): frozenset({_R.DUE, _R.PART_PAID}),
    (_R.PAID, _B.CLAIM_FALLS): frozenset({_R.NONE, _R.PAID}),
    (_R.PAID, _B.GIVE_BACK): frozenset({_R.DUE, _R.PART_PAID, _R.OVERDUE}),
    (_R.OVERDUE, _B.PAY): frozenset({_R.OVERDUE, _R.PAID}),
    (_R.OVERDUE, _B.STOP_CLOCK): frozenset({_R.DUE, _R.PART_PAID}),
    (_R.OVERDUE, _B.CLAIM_FALLS): frozenset({_R.NONE, _R.OVERDUE, _R.PAID}),
    (_R.OVERDUE, _B.GIVE_BACK): frozenset({_R.OVERDUE}),
}

# What each fact about money elsewhere may do to what is owed.
EFFECTS: dict[type[Fact], tuple[RepaymentAction, ...]] = {
    BankOrderResult: (_B.PAY, _B.FALL_DUE, _B.STOP_CLOCK, _B.CLAIM_FALLS, _B.GIVE_BACK),
    BankRepaid: (_B.PAY,),
    BankRefunded: (_B.PAY, _B.GIVE_BACK),  # to a credit line it pays, to a card it undoes a debit
    BankOverdue: (_B.FALL_DUE,),
    BankCured: (_B.STOP_CLOCK,),
    TopupReceived: (_B.PAY,),
}


def may_become(state: Repayment, effects: tuple[RepaymentAction, ...]) -> frozenset[Repayment]:
    """Every state that these effects may leave behind."""
    return frozenset({state}).union(*(REPAYMENT.get((state, each), frozenset()) for each in effects))


def assert_legs_moved(before: Credit, after: Credit, fact: Fact, now_ms: int) -> None:
    """A fact about money changed what is owed only as the table allows. A failure here is a bug and stops the shard."""
    effects = EFFECTS.get(type(fact))
    if effects is None or not before.obligations:
        return
    now = {each.setl_id: each for each in after.obligations}
    for obligation in before.obligations:
        if obligation.setl_id in now:
            was = repayment_of(before, obligation, now_ms)
            became = repayment_of(after, now[obligation.setl_id], now_ms)
            assert became in may_become(was, effects), (fact.event_type, obligation.setl_id, was, became)
