"""The whole life of a credit payment on one screen: record type → what it does, then what is always done after it.

Entry points of the fold: `apply_credit`, `settle`, `reverse`, `reinstate`, `due`, `next_due`. All are pure.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from risk import capture, obligations, order_answers, reversal, standing
from risk import requests as asked
from risk.accrual import estimated, fee_added, fee_reversed, remembered_stays, settled_lines, without_accrual
from risk.arrears import delivered, followed
from risk.arrears import next_ms as arrears_ms
from risk.authorize import requested
from risk.bundles import closed_bundles, heard_of, visit_ended, visit_reopened
from risk.capture_request import capture_requested
from risk.credit import EMPTY, Context, Credit, Move, Step, with_terms
from risk.decided import quality_alert
from risk.demand import watch
from risk.expiry import after_discharge_ms, lasts_as_long, prolonged, registered
from risk.exposure import assert_sound
from risk.facts import (
    AgreementLineChanged,
    AgreementSigned,
    AgreementTerminated,
    AuthorizationAbandoned,
    AuthorizationCaptureRequested,
    AuthorizationIncreaseRequested,
    AuthorizationReleaseRequested,
    AuthorizationRequested,
    BankCured,
    BankOrderResult,
    BankOverdue,
    BankRefunded,
    BankRepaid,
    CaseClosed,
    CaseConfirmed,
    CheckoutRequest,
    CommitmentSigned,
    CreditDelisted,
    CreditDisputeClosed,
    CreditDisputeOpened,
    CreditLevelSet,
    CreditListed,
    CreditServiceResumed,
    CreditServiceSuspended,
    Fact,
    FeeAdded,
    FeeReversed,
    InsuredStatusChanged,
    NoticeDelivered,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReinstated,
    SettlementReversed,
    TopupReceived,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.forgetting import forgotten
from risk.holds import HoldAction, open_hold, without_old_ids
from risk.kept import clocked
from risk.legs import assert_legs_moved
from risk.orders import emit
from risk.outputs import Output, Reply
from risk.reversal import Settled
from risk.senders import INSTITUTION, speaks_for
from risk.signals import next_ms as signals_ms
from risk.signals import signalled
from risk.unbooked import noted, still_unbooked
from risk.unsigning import terminated, wound_down
from risk.view import authorization_view, order_view, view
from risk.waiting import waited

__all__ = [
    "Step",
    "apply_credit",
    "authorization_view",
    "due",
    "next_due",
    "order_view",
    "reinstate",
    "reverse",
    "settle",
    "view",
]

Handler = Callable[[Credit, Any, Context], Credit | Move]


def visit_closed(credit: Credit, fact: VisitClosed | VisitCancelled, context: Context) -> Move:
    """The visit ended: it asks for nothing more, its bundles close, a deposit-free hold lasts some working days yet.
    A cancelled one releases the holds that its sender may speak of; another's ends by its time.
    """
    said: list[Output | Reply] = []
    visit = context.visit
    if visit is None:
        return credit, said
    credit = capture.ended_wants(visit_ended(credit, visit, context), visit.mdtrt_id)
    if isinstance(fact, VisitCancelled):
        credit = without_accrual(credit, visit.mdtrt_id)
    for hold in credit.authorizations:
        if hold.mdtrt_id != visit.mdtrt_id:
            continue
        if isinstance(fact, VisitCancelled) and speaks_for(fact.source, INSTITUTION, hold.fixmedins_code):
            credit, more = asked.let_go(credit, hold, HoldAction.RELEASE, context)
            said += more
        elif lasts_as_long(hold, visit):
            until_ms = after_discharge_ms(visit.ended_ms or context.occurred_ms, context)
            credit = asked.with_known(credit, hold._replace(expires_ms=until_ms))
            if not until_ms:  # an unknown year: fails closed, and says so
                said += quality_alert(context, "Q07", hold.fixmedins_code, mdtrt_id=visit.mdtrt_id)
    return credit, said


def visit_opened_again(credit: Credit, fact: VisitReopened, context: Context) -> Credit:
    """A discharge was undone: the stay goes on."""
    visit = context.visit
    if visit is None:
        return credit
    credit = visit_reopened(credit, visit, context)
    for hold in credit.authorizations:
        if lasts_as_long(hold, visit):
            credit = asked.with_known(credit, hold._replace(expires_ms=0))
    return credit


HANDLERS: dict[type[Fact], Handler] = {
    # who the person is
    InsuredStatusChanged: standing.status_changed,
    CommitmentSigned: standing.commitment_signed,
    CreditLevelSet: standing.level_set,
    CreditListed: standing.listed,
    CreditDelisted: standing.delisted,
    CreditServiceSuspended: standing.suspended,
    CreditServiceResumed: standing.resumed,
    CreditDisputeOpened: standing.dispute_opened,
    CreditDisputeClosed: standing.dispute_closed,
    CaseConfirmed: standing.case_confirmed,
    CaseClosed: standing.case_closed,
    AgreementSigned: standing.agreement_signed,
    AgreementLineChanged: standing.line_changed,
    AgreementTerminated: terminated,
    # what a checkout asks
    AuthorizationRequested: requested,
    AuthorizationIncreaseRequested: asked.increase_requested,
    AuthorizationCaptureRequested: capture_requested,
    AuthorizationReleaseRequested: asked.release_requested,
    AuthorizationAbandoned: asked.abandoned,
    # what the visit does
    SettlementEstimated: estimated,
    FeeAdded: fee_added,
    FeeReversed: fee_reversed,
    VisitOpened: registered,
    VisitUpdated: registered,
    VisitClosed: visit_closed,
    VisitCancelled: visit_closed,
    VisitReopened: visit_opened_again,
    # what money does elsewhere
    TopupReceived: obligations.topped_up,
    BankOrderResult: order_answers.order_result,
    BankRepaid: obligations.repaid,
    BankRefunded: obligations.refunded,
    BankOverdue: obligations.overdue,
    BankCured: obligations.cured,
    NoticeDelivered: delivered,
}

# Without any record only these begin one; money facts about a person nobody knows concern nobody.
BEGINNERS: tuple[type[Fact], ...] = (*list(HANDLERS)[:14], AuthorizationRequested)

# Of an authorization that is there: answered also where nobody knows the person.
_OF_ONE_THERE = frozenset(
    {AuthorizationIncreaseRequested, AuthorizationCaptureRequested, AuthorizationReleaseRequested}
)
_TELL_OF_A_VISIT = (SettlementEstimated, FeeReversed)


def apply_credit(credit: Credit | None, fact: Fact, context: Context) -> Step:
    """Fold one record that is no settlement, reversal or timer."""
    kind = type(fact)
    if credit is None and kind not in BEGINNERS and kind not in _OF_ONE_THERE:
        return None, []
    record = without_old_ids(credit if credit is not None else EMPTY, context.now_ms)
    context = with_terms(context)
    if kind in _OF_ONE_THERE:
        assert isinstance(fact, CheckoutRequest)
        known = open_hold(record, fact.fixmedins_code, fact.authorization_id)
        if known is not None:
            context = replace(context, visit=context.visit_of(known.mdtrt_id))
    if isinstance(fact, _TELL_OF_A_VISIT):
        record = heard_of(record, fact.mdtrt_id, context)
    handler = HANDLERS.get(kind)
    done = handler(record, fact, context) if handler is not None else record
    before, (record, said) = record, (done, []) if isinstance(done, Credit) else done
    assert_legs_moved(before, record, fact, context.now_ms)
    return _finished(record, said, fact, context)


def settle(
    credit: Credit | None, settlement: SettlementCompleted, context: Context, amounts_add_up: bool, *,
    counts: bool = True,
) -> Step:  # fmt: skip
    """Fold a newly told settlement; `counts`: unless it was reversed before it came."""
    context = with_terms(context)
    if "bundle" not in context.terms:
        return credit, []  # a place without credit
    if credit is not None and counts:
        credit = heard_of(without_old_ids(credit, context.now_ms), settlement.mdtrt_id, context)
    record, said = reversal.counted(credit, settlement, context, amounts_add_up=amounts_add_up, counts=counts)
    if record is not None:
        record = noted(record, settlement, context, amounts_add_up=amounts_add_up, counts=counts)
    if record is not None and record.accruals and counts:
        record = settled_lines(record, settlement)
    return _finished(record, said, settlement if counts else None, context)


def reverse(credit: Credit | None, original: Settled | None, fact: SettlementReversed, context: Context) -> Step:
    """Fold a reversal. `original`: the settlement as the activity remembers it."""
    if credit is None:
        return None, []
    credit, context = without_old_ids(credit, context.now_ms), with_terms(context)
    return _finished(*reversal.reverse(credit, original, fact, context), fact, context)


def reinstate(credit: Credit | None, original: Settled | None, fact: SettlementReinstated, context: Context) -> Step:
    """Fold a reinstatement."""
    if credit is None:
        return None, []
    credit, context = without_old_ids(credit, context.now_ms), with_terms(context)
    return _finished(*reversal.reinstate(credit, original, fact, context), fact, context)


def due(credit: Credit | None, due_ms: int, context: Context) -> Step:
    """Everything scheduled by now happens. A timer whose cause is gone changes nothing."""
    if credit is None:
        return None, []
    context = with_terms(replace(context, now_ms=max(context.now_ms, due_ms)))
    if (first_ms := next_due(credit)) is None or first_ms > context.now_ms:
        return credit, []
    said: list[Output | Reply] = []
    for hold in credit.authorizations:
        if 0 < hold.ends_ms <= context.now_ms:
            if (longer := prolonged(hold, context)) is not hold:
                credit = asked.with_known(credit, longer)
                continue
            credit, more = asked.let_go(credit, hold, HoldAction.EXPIRE, context)
            said += more
    credit = replace(
        credit,
        wants=tuple(
            want._replace(refused_until_ms=0) if want.refused_until_ms <= context.now_ms else want
            for want in credit.wants
        ),
    )
    if "bundle" in context.terms:
        credit = closed_bundles(credit, context)
    return _finished(credit, said, None, context)


def next_due(credit: Credit | None) -> int | None:
    """The earliest instant at which something of this person happens by itself."""
    if credit is None:
        return None
    instants = [hold.ends_ms for hold in credit.authorizations]
    instants += [instant for want in credit.wants for instant in (want.refused_until_ms, want.waits_until_ms)]
    instants += [each.emit_ms or each.close_ms for each in credit.bundles if not each.kept]
    instants += [order.retry_ms for order in credit.orders if not order.kept]
    instants += [arrears_ms(credit), signals_ms(credit)]
    return min([instant for instant in instants if instant], default=None)


def _finished(credit: Credit | None, said: list[Output | Reply], fact: Fact | None, context: Context) -> Step:
    """What follows every record: what is ready is sent, what is over is forgotten, what crossed is told."""
    if credit is None:
        return None, said
    if "bundle" in context.terms:
        credit, more = emit(clocked(credit, context), context)
        credit = still_unbooked(forgotten(credit, context.now_ms), context.now_ms)
        if credit.accruals or credit.wants:
            credit, back = waited(remembered_stays(credit, context), context)
            said += back
        credit, ended = wound_down(credit, context)
        credit, late = followed(credit, context)
        credit, alarms = watch(credit, fact, context)
        credit, signs = signalled(credit, fact, context)
        said = [*said, *more, *ended, *late, *alarms, *signs]
        if isinstance(fact, CheckoutRequest) and type(fact) in _OF_ONE_THERE:
            credit = asked.alarmed(credit, fact, said, context)
    assert_sound(credit)
    return (credit if credit != EMPTY else None), said
