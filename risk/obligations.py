"""Payments that reach us otherwise than by our orders: at the counter, to the bank, back from the bank; and arrears.

Allocation, in this order: the settlement or order that is named; else, for a payment at the counter, what the visit
still asks; then the bills of the visit or agreement, oldest capture first. On a bill at the counter: first what was
above the line, then what the institution itself is owed. What finds nothing is surplus and is said to be given back.
"""

from typing import Any

from msgspec.structs import replace

from risk.answers import decision
from risk.capture import with_obligation
from risk.credit import Context, Credit, Move, Obligation
from risk.exposure import latest_order, moved, still_asked_fen, unfunded_of, used_of
from risk.facts import BankCured, BankOverdue, BankRefunded, BankRepaid, TopupReceived
from risk.limits import agreement_of
from risk.local_time import local_day
from risk.ordered import FundingState, Item, Order
from risk.orders import cancel, with_order
from risk.outputs import Output, Reply, derived_id
from risk.own_refunds import noticed, own_refund
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.senders import INSTITUTION, speaks_for
from risk.signed import CARD_WITHHOLD, CREDIT_LINE
from risk.standing import with_agreement
from risk.watched import Want

Booked = list[dict[str, Any]]


# --- at the counter --------------------------------------------------------------------------------------------------


def topped_up(credit: Credit, fact: TopupReceived, context: Context) -> Move:
    """The person paid at the counter. A debit that this overtakes is called back, or comes back as a refund."""
    left_fen = max(0, fact.amount_fen)
    booked: Booked = []
    if fact.setl_id:
        credit, left_fen = _paid_on_bills(credit, fact, left_fen, booked)
    today = local_day(context.now_ms)
    credit, waiting_fen = _kept_for_the_visit(credit, fact, left_fen, today, waits=False)
    left_fen -= waiting_fen
    if not fact.setl_id:
        credit, left_fen = _paid_on_bills(credit, fact, left_fen, booked)
    if left_fen and not booked:
        credit, early_fen = _kept_for_the_visit(credit, fact, left_fen, today, waits=True)
        waiting_fen, left_fen = waiting_fen + early_fen, left_fen - early_fen
    known = booked or waiting_fen or any(each.mdtrt_id == fact.mdtrt_id for each in credit.obligations)
    credit, said = _overtaken(credit, booked, context)
    if not known:
        return credit, said  # a bill that credit knows nothing of was paid
    more = {"mdtrt_id": fact.mdtrt_id, "fixmedins_code": fact.fixmedins_code or None, "waiting_fen": waiting_fen}
    return credit, [_payment(context, fact.amount_fen, booked, left_fen, giver="institution", **more), *said]


def _kept_for_the_visit(
    credit: Credit, fact: TopupReceived, fen: int, today: int, *, waits: bool
) -> tuple[Credit, int]:
    """What the visit asks above its hold is covered, so much; `waits`: the rest, paid early, waits for its bill."""
    own = [want for want in credit.wants if want.mdtrt_id == fact.mdtrt_id]
    own = [want for want in own if speaks_for(fact.source, INSTITUTION, want.fixmedins_code)]
    kept_fen = 0
    for want in own:
        part_fen = fen - kept_fen if waits else min(fen - kept_fen, still_asked_fen(credit, want))
        if part_fen:
            more = want._replace(topped_up_fen=want.topped_up_fen + part_fen, paid_day=want.paid_day or today)
            credit = replace(credit, wants=tuple(more if each is want else each for each in credit.wants))
            kept_fen += part_fen
    if own:
        return credit, kept_fen
    for hold in credit.authorizations if fen and waits else ():
        if hold.mdtrt_id == fact.mdtrt_id and speaks_for(fact.source, INSTITUTION, hold.fixmedins_code):
            want = Want(hold.mdtrt_id, hold.fixmedins_code, hold.service, 0, topped_up_fen=fen, paid_day=today)
            return replace(credit, wants=(*credit.wants, want)), fen
    return credit, 0


def _paid_on_bills(credit: Credit, fact: TopupReceived, left_fen: int, booked: Booked) -> tuple[Credit, int]:
    """The record, and what of the payment is left over."""
    for obligation in credit.obligations:
        if obligation.mdtrt_id != fact.mdtrt_id or (fact.setl_id and fact.setl_id != obligation.setl_id):
            continue
        if not speaks_for(fact.source, INSTITUTION, obligation.fixmedins_code):
            continue
        top_up_fen = min(left_fen, max(0, obligation.top_up_fen - obligation.topped_up_fen))
        left_fen -= top_up_fen
        changed = obligation._replace(topped_up_fen=obligation.topped_up_fen + top_up_fen)
        paid_fen = 0
        if obligation.mode == CARD_WITHHOLD:  # else the institution is owed nothing: the bank is
            paid_fen = min(left_fen, used_of(changed, moved(credit)))
            left_fen -= paid_fen
            changed = changed._replace(paid_fen=changed.paid_fen + paid_fen)
        if top_up_fen or paid_fen:
            fen = {"fen": top_up_fen + paid_fen, "top_up_fen": top_up_fen, "paid_fen": paid_fen}
            booked.append({"setl_id": obligation.setl_id, **fen})
            credit = with_obligation(credit, changed)
    return credit, left_fen


def _overtaken(credit: Credit, booked: Booked, context: Context) -> Move:
    """Debits on their way that nothing is due for any more are asked back; an unknown one waits for the query."""
    said: list[Output | Reply] = []
    paid = {each["setl_id"] for each in booked if each["paid_fen"]}
    for order in credit.orders:
        if order.kind != "debit" or order.state is not FundingState.SUBMITTED:
            continue
        names = {item.setl_id for item in order.items}
        sums = moved(credit)
        due_fen = sum(unfunded_of(each, sums) for each in credit.obligations if each.setl_id in names)
        if names & paid and not due_fen:
            credit, more = cancel(credit, order, f"{context.event_id}:{order.order_id}", context)
            said += more
    return credit, said


def _payment(
    context: Context, amount_fen: int | None, booked: Booked, surplus_fen: int, *, giver: str, **more: Any
) -> Output:
    """How a payment was booked, and what of it is to be given back, by whom."""
    outcome = Outcome.RELEASE if surplus_fen else Outcome.NOTHING_DUE
    said = Said(ReasonCode.SURPLUS if surplus_fen else ReasonCode.OK, outcome, surplus_fen, 0, "bundle")
    body = {
        "decision": outcome.value,
        "amount_fen": amount_fen,
        "items": [{name: value for name, value in each.items() if name != "fen"} for each in booked],
        "surplus_fen": surplus_fen,
        "given_back_by": giver if surplus_fen else None,
        "reasons": [reason_body(said, context.terms)],
        **more,
    }
    return decision(context, "payment", derived_id("de_", "payment", context.psn_no, context.event_id), body)


# --- to the bank, and back from it -----------------------------------------------------------------------------------


def repaid(credit: Credit, fact: BankRepaid, context: Context) -> Move:
    """The bank reports a payment on the agreement."""
    booked: Booked = []
    credit, left_fen = _repaid(credit, fact, fact.amount_fen, booked)
    credit, said = _overtaken(credit, booked, context)
    if agreement_of(credit, fact.agreement_no) is None:
        return credit, said
    more = {"agreement_no": fact.agreement_no, "bank_ref": fact.bank_ref}
    return credit, [_payment(context, fact.amount_fen, booked, left_fen or 0, giver="bank", **more), *said]


def _repaid(
    credit: Credit, fact: BankRepaid | BankRefunded, left_fen: int | None, booked: Booked
) -> tuple[Credit, int | None]:
    """No amount: everything that is owed there."""
    sums = moved(credit)
    for obligation in _concerned(credit, fact):
        part_fen = used_of(obligation, sums)
        if left_fen is not None:
            part_fen = min(part_fen, max(0, left_fen))
            left_fen -= part_fen
        if part_fen:
            credit = with_obligation(credit, obligation._replace(paid_fen=obligation.paid_fen + part_fen))
            booked.append({"setl_id": obligation.setl_id, "fen": part_fen, "top_up_fen": 0, "paid_fen": part_fen})
    return credit, left_fen


def _concerned(credit: Credit, fact: BankRepaid | BankRefunded | BankOverdue | BankCured) -> list[Obligation]:
    """The bills a report of the bank may mean: of the order or visit it names, oldest capture first."""
    named = next((each for each in credit.orders if each.order_id == fact.order_id), None) if fact.order_id else None
    setl_ids = {item.setl_id for item in named.items} if named is not None else None
    found = [
        each
        for each in credit.obligations
        if each.agreement_no == fact.agreement_no
        and (not fact.mdtrt_id or fact.mdtrt_id == each.mdtrt_id)
        and (setl_ids is None or each.setl_id in setl_ids)
    ]
    return sorted(found, key=lambda each: each.captured_ms)


def refunded(credit: Credit, fact: BankRefunded, context: Context) -> Move:
    """The bank gave money back. Of a refund that we ordered, its own result books it; any other is booked here.

    On a credit line it pays the debt. On a card it undoes a debit, and the person owes the institution again: that
    looks like a reversal still to come, so nothing is taken again by itself.
    """
    own = own_refund(credit, fact, context.now_ms)
    if own is not None:
        heard: dict[str, Any] = {"agreement_no": fact.agreement_no, "bank_ref": fact.bank_ref}
        heard |= {"refund_order_id": own.order_id, "ordered_fen": fact.amount_fen or 0}
        decided = _payment(context, fact.amount_fen, [], 0, giver="bank", **heard)
        return with_order(credit, noticed(own, fact)), [decided]
    booked: Booked = []
    said: list[Output | Reply] = []
    left_fen = fact.amount_fen
    for obligation in reversed(_concerned(credit, fact)):
        told = moved(credit).get(obligation.setl_id)
        part_fen = told.funded_fen - told.refunded_fen - told.returning_fen if told is not None else 0
        if left_fen is not None:
            part_fen = min(part_fen, max(0, left_fen))
            left_fen -= part_fen
        if part_fen > 0:
            credit, more = _given_back(credit, obligation, part_fen, fact=fact, context=context)
            booked.append({"setl_id": obligation.setl_id, "fen": part_fen, "top_up_fen": 0, "paid_fen": 0,
                           "refunded_fen": part_fen})  # fmt: skip
            said += more
    agreement = agreement_of(credit, fact.agreement_no)
    if agreement is None:
        return credit, []
    if agreement.mode == CREDIT_LINE and left_fen:
        credit, left_fen = _repaid(credit, fact, left_fen, booked)  # drawn without us: observed only
    names: dict[str, Any] = {"agreement_no": fact.agreement_no, "bank_ref": fact.bank_ref}
    names["unplaced_fen"] = left_fen or 0
    return credit, [_payment(context, fact.amount_fen, booked, 0, giver="bank", **names), *said]


def _given_back(
    credit: Credit, obligation: Obligation, amount_fen: int, *, fact: BankRefunded, context: Context
) -> Move:
    """Money went back for a settlement without our order: kept as a refund that is done, so that none follows it."""
    original = latest_order(credit, obligation)
    assert original is not None, "only what an order brought can go back"
    done = Order(
        derived_id("or_", obligation.agreement_no, "refund", fact.bank_ref, obligation.setl_id),
        "refund",
        obligation.bundle,
        obligation.agreement_no,
        original.bank_code,
        obligation.fixmedins_code,
        obligation.mdtrt_id,
        (Item(obligation.setl_id, amount_fen, amount_fen),),
        original.order_id,
        1,
        FundingState.SETTLED,
        context.now_ms,
        context.now_ms,
        not_before_ms=context.now_ms,
    )
    if obligation.mode == CREDIT_LINE:
        paid_fen = obligation.paid_fen + min(amount_fen, used_of(obligation, moved(credit)))
        changed = obligation._replace(paid_fen=paid_fen)
        return with_obligation(replace(credit, orders=(*credit.orders, done)), changed), []
    credit = replace(credit, orders=(*credit.orders, done))
    if not obligation.claim_fen:
        return credit, []
    credit = with_obligation(credit, obligation._replace(given_back=context.event_id))
    said = Said(ReasonCode.REVERSAL_PENDING, Outcome.HOLD, amount_fen, None, "bundle")
    body = {
        "decision": Outcome.HOLD.value,
        "fixmedins_code": obligation.fixmedins_code,
        "mdtrt_id": obligation.mdtrt_id,
        "setl_id": obligation.setl_id,
        "agreement_no": obligation.agreement_no,
        "amount_fen": amount_fen,
        "reasons": [reason_body(said, context.terms)],
    }
    decision_id = derived_id("de_", "given_back", context.psn_no, context.event_id, obligation.setl_id)
    return credit, [decision(context, "after_visit", decision_id, body)]


# --- arrears at the bank ---------------------------------------------------------------------------------------------


def overdue(credit: Credit, fact: BankOverdue, context: Context) -> Credit:
    """The bank says that a drawn amount is overdue: of the order or visit it names, else whatever was drawn by then."""
    named = _named(credit, fact)
    for each in named:
        late_ms = max(each.bank_overdue_ms, context.occurred_ms)
        credit = with_obligation(credit, each._replace(bank_overdue_ms=late_ms))
    agreement = agreement_of(credit, fact.agreement_no)
    if named or agreement is None:
        return credit
    return with_agreement(credit, agreement._replace(overdue_ms=max(agreement.overdue_ms, context.occurred_ms)))


def cured(credit: Credit, fact: BankCured, context: Context) -> Credit:
    """The bank says that the arrears are paid: those of the order or visit it names, else all of the agreement."""
    named = _named(credit, fact)
    for each in named:
        cured_ms = max(each.bank_cured_ms, context.occurred_ms)
        credit = with_obligation(credit, each._replace(bank_cured_ms=cured_ms))
    agreement = agreement_of(credit, fact.agreement_no)
    if named or agreement is None:
        return credit
    return with_agreement(credit, agreement._replace(cured_ms=max(agreement.cured_ms, context.occurred_ms)))


def _named(credit: Credit, fact: BankOverdue | BankCured) -> list[Obligation]:
    """The bills that the notice names; none, also where nothing of that name is known: it is about the agreement."""
    known = fact.mdtrt_id or any(each.order_id == fact.order_id for each in credit.orders)
    return _concerned(credit, fact) if known else []
