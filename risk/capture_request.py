"""A capture that a checkout asks for, before or after the settlement's own event; each settlement is booked once."""

from risk.activity import hash64
from risk.answers import capture_body, problem, reply
from risk.capture import ended_wants, from_hold, obligation_of, topped_up_of
from risk.capture_decisions import Bill, order_id_of
from risk.credit import Authorization, Context, Credit, HoldState, Move, Obligation, Request
from risk.decided import quality_alert
from risk.facts import AuthorizationCaptureRequested
from risk.outputs import Output, Reply
from risk.reasons import Outcome
from risk.requests import CAPTURE, answered, known_hold, remembering, with_known
from risk.unbooked import unbooked_of
from risk.watched import Unbooked


def capture_requested(credit: Credit, fact: AuthorizationCaptureRequested, context: Context) -> Move:
    """A checkout captures. The settlement event of the same `setl_id`, before or after, books once."""
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    if known is None:
        return credit, [problem(fact, 404, "NOT_FOUND", field="authorization_id")]
    before = answered(known, fact.request_id or "")
    if before is not None:
        for name, old, new in (
            ("request_id", before.kind, CAPTURE),
            ("setl_id", before.setl_id, fact.setl_id),
            ("psn_cash_pay_fen", before.asked_fen, fact.psn_cash_pay_fen),
        ):
            if old != new:
                return credit, [problem(fact, 409, "CONFLICT", field=name)]
    said: list[Output | Reply] = []
    booked = obligation_of(credit, fact.setl_id)
    if booked is None and before is None:
        if context.is_reversed:
            return credit, [problem(fact, 409, "REVERSED", field="setl_id")]
        if not isinstance(known, Authorization):
            return credit, [problem(fact, 409, "NOT_OPEN", field="authorization_id", state=known.state.value)]
        if fact.psn_cash_pay_fen < 0:
            return credit, [problem(fact, 400, "INVALID", field="psn_cash_pay_fen")]
        told = unbooked_of(credit, fact.setl_id)
        if told is not None and fact.psn_cash_pay_fen and not told.tender_fen and not told.doubted:
            return credit, [problem(fact, 409, "PAID_OTHERWISE", field="setl_id")]
        credit, said = _captured_now(credit, known, fact, context, told=told)
        booked = obligation_of(credit, fact.setl_id)
    elif booked is None:
        pass  # nothing was due when it was first asked, and nothing is now
    elif (booked.fixmedins_code, booked.authorization_id) != (fact.fixmedins_code, fact.authorization_id):
        return credit, [problem(fact, 409, "CONFLICT", field="setl_id")]  # booked under another authorization
    elif before is None and booked.reversed_by:
        return credit, [problem(fact, 409, "REVERSED", field="setl_id")]
    elif before is None and booked.due_fen != fact.psn_cash_pay_fen:
        said += quality_alert(
            context, "Q06", booked.fixmedins_code, mdtrt_id=booked.mdtrt_id,
            observed=fact.psn_cash_pay_fen, allowed=booked.due_fen,
        )  # fmt: skip
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    if fact.request_id and before is None and known is not None:
        granted_fen = booked.captured_fen if booked else 0
        request = Request(
            hash64(fact.request_id), CAPTURE, fact.psn_cash_pay_fen, fact.setl_id, granted_fen, Outcome.WITHHOLD
        )
        credit = with_known(credit, known._replace(promise=remembering(known.promise, request)))
    return credit, [*said, reply(fact, 200, _capture_answer(credit, fact, booked, context))]


def _captured_now(
    credit: Credit, hold: Authorization, fact: AuthorizationCaptureRequested, context: Context, *,
    told: Unbooked | None,
) -> Move:  # fmt: skip
    """`told`: what the settlement's own event said before, which wins; it told of no credit, so as much as is asked."""
    asked_fen = fact.psn_cash_pay_fen
    final = hold.scope == "settlement" if fact.final is None else fact.final
    bill = Bill(
        fact.setl_id,
        hold.mdtrt_id,
        hold.fixmedins_code,
        hold.authorization_id,
        fact.psn_cash_pay_fen,
        final,
        False,
        topped_up_of(credit, hold.mdtrt_id),
    )
    said: list[Output | Reply] = []
    if told is not None and asked_fen:
        bill = bill._replace(confirmed=not told.doubted, doubted=told.doubted)
        if not told.doubted and told.tender_fen != asked_fen:
            bill = bill._replace(tender_fen=told.tender_fen, asked_fen=asked_fen)
            where = {"mdtrt_id": hold.mdtrt_id, "observed": asked_fen, "allowed": told.tender_fen}
            said += quality_alert(context, "Q06", hold.fixmedins_code, **where)
    credit, more = from_hold(ended_wants(credit, hold.mdtrt_id), hold, bill, context)
    return credit, [*said, *more]


def _capture_answer(
    credit: Credit, fact: AuthorizationCaptureRequested, booked: Obligation | None, context: Context
) -> dict[str, object]:
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    state = {"state": known.state.value if known is not None else HoldState.NONE.value}
    if booked is None:
        return {
            "authorization_id": fact.authorization_id,
            "psn_no": context.psn_no,
            "fixmedins_code": fact.fixmedins_code,
            "setl_id": fact.setl_id,
            "captured_fen": 0,
            "top_up_fen": 0,
            "order_id": "",
            "funding_state": "pending",
            "decision": Outcome.NOTHING_DUE.value,
        } | state
    return capture_body(credit, booked, context, order_id=order_id_of(credit, booked)) | state
