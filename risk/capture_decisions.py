"""What is decided about one settlement on credit, as decisions.v1 carries it. When and how much is capture.py."""

from typing import NamedTuple

from risk.answers import capture_body, decision
from risk.bundles import given_up, next_order_id
from risk.credit import Context, Credit, HoldState, Obligation
from risk.exposure import latest_order
from risk.kept import kept_by
from risk.outputs import Output, derived_id
from risk.reasons import Outcome, ReasonCode, Said, gravest, in_order, reason_body
from risk.requests import known_hold
from risk.signed import Agreement

_CLAUSES = {
    ReasonCode.DAILY_CAP: "day_cap_fen",
    ReasonCode.MONTH_CAP: "month_cap_fen",
    ReasonCode.MANDATE_INVALID: "services_on",
    ReasonCode.APPROVED_EXCEEDED: "bundle",
    ReasonCode.BANK_REFUSED: "bundle",
}


class Bill(NamedTuple):
    """A settlement as a capture needs it, told by an event or by a checkout."""

    setl_id: str
    mdtrt_id: str
    fixmedins_code: str
    authorization_id: str
    tender_fen: int
    final: bool
    confirmed: bool
    topped_up_fen: int = 0
    doubted: str = ""
    asked_fen: int | None = None  # by a checkout, if its event had come before and says otherwise


def captured(
    credit: Credit,
    obligation: Obligation,
    agreement: Agreement,
    context: Context,
    *,
    told: tuple[int, int | None, int] = (0, None, 0),
) -> Output:
    """The decision about one captured settlement. `told`: out of the hold, back from it, too much paid early."""
    taken_fen, released_fen, surplus_fen = told
    said: list[Said] = []
    if obligation.top_up_fen:
        outcome = Outcome.SPLIT if obligation.captured_fen else Outcome.TOP_UP
        code = ReasonCode(obligation.short_by or ReasonCode.LIMIT_EXCEEDED)
        clause = _CLAUSES.get(code, "limit")
        said.append(Said(code, outcome, obligation.due_fen, obligation.captured_fen, clause))
    kept = kept_by(credit, [obligation], agreement, context) if obligation.captured_fen else None
    if kept is not None:
        said.append(kept)
    refused = given_up(credit, obligation)
    if refused is not None:
        said.append(Said(ReasonCode.BANK_REFUSED, Outcome.HOLD, refused.order_id, None, "bundle"))
    if not said:
        said.append(Said(ReasonCode.OK, Outcome.WITHHOLD, obligation.due_fen, obligation.captured_fen, "bundle"))
    body = capture_body(credit, obligation, context, order_id=order_id_of(credit, obligation)) | {
        "decision": gravest(said, Outcome.WITHHOLD).value,
        "state": _state_of(credit, obligation).value,
        "mdtrt_id": obligation.mdtrt_id,
        "agreement_no": obligation.agreement_no,
        "service": obligation.service,
        "due_fen": obligation.due_fen,
        "from_hold_fen": taken_fen,
        "topped_up_fen": obligation.topped_up_fen,
        "paid_fen": obligation.paid_fen,
        "counter_return_fen": surplus_fen,
        "reasons": [reason_body(each, context.terms) for each in in_order(said)],
    }
    if released_fen is not None:
        body["released_fen"] = released_fen
    decision_id = derived_id("de_", "capture", context.psn_no, context.record_id, obligation.setl_id)
    return decision(context, "capture", decision_id, body)


def _state_of(credit: Credit, obligation: Obligation) -> HoldState:
    known = known_hold(credit, obligation.fixmedins_code, obligation.authorization_id)
    return known.state if known is not None else HoldState.ADVICE


def order_id_of(credit: Credit, obligation: Obligation) -> str:
    """The order that brings this capture's money: the one that was sent, else the one its bundle will become."""
    refused = given_up(credit, obligation)
    if refused is not None:
        return refused.order_id
    for bundle in credit.bundles:
        if (bundle.key, bundle.agreement_no) == (obligation.bundle, obligation.agreement_no):
            return next_order_id(credit, bundle, obligation.mode)
    order = latest_order(credit, obligation)
    return order.order_id if order is not None else ""


def nothing_due(bill: Bill, context: Context) -> Output:
    """Linked, and nothing to pay."""
    said = Said(ReasonCode.OK, Outcome.NOTHING_DUE, 0, 0, "bundle")
    return _decision_only(bill, (said,), Outcome.NOTHING_DUE, context)


def undone(bill: Bill, said: Said, context: Context) -> Output:
    """Linked, and nothing may be captured."""
    return _decision_only(bill, (said,), said.outcome, context)


def _decision_only(bill: Bill, said: tuple[Said, ...], outcome: Outcome, context: Context) -> Output:
    """A decision about a linked settlement from which nothing was captured."""
    body = {
        "decision": outcome.value,
        "authorization_id": bill.authorization_id or None,
        "fixmedins_code": bill.fixmedins_code,
        "mdtrt_id": bill.mdtrt_id,
        "setl_id": bill.setl_id,
        "captured_fen": 0,
        "top_up_fen": bill.tender_fen if outcome is Outcome.TOP_UP else 0,
        "due_fen": bill.tender_fen,
        "counter_return_fen": bill.topped_up_fen if outcome is Outcome.NOTHING_DUE and bill.final else 0,
        "reasons": [reason_body(each, context.terms) for each in said],
    }
    decision_id = derived_id("de_", "capture", context.psn_no, context.record_id, bill.setl_id)
    return decision(context, "capture", decision_id, body)
