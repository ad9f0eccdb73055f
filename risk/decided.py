"""The records that orders and after-visit decisions leave on their topics. Bodies only: when and why is orders.py."""

from typing import Any

from risk.alerts import Crossing, alert
from risk.answers import decision
from risk.credit import Context, Obligation
from risk.local_time import rfc3339
from risk.ordered import Bundle, Order
from risk.outputs import Output, derived_id
from risk.reasons import Outcome, ReasonCode, Said, gravest, in_order, reason_body


def order_output(context: Context, order: Order, not_before_ms: int = 0) -> Output:
    """One attempt of an order, for the bank: a function of the order alone, so that it can be driven again from state.

    No identity: the bank knows the person by the agreement. `not_before_ms` is for an order that does not say its own.
    """
    items = [
        {"setl_id": item.setl_id, "amount_fen": item.amount_fen - item.moved_fen}
        for item in order.items
        if item.amount_fen > item.moved_fen
    ]
    body: dict[str, Any] = {
        "order_id": order.order_id,
        "kind": order.kind,
        "attempt": order.attempt,
        "agreement_no": order.agreement_no,
        "bank_code": order.bank_code,
        "payee_fixmedins_code": order.fixmedins_code,
        "amount_fen": sum(item.amount_fen - item.moved_fen for item in order.items),
        "items": items,
        "not_before": rfc3339(order.not_before_ms or not_before_ms),
        "due_at": rfc3339(order.due_ms),
    }
    if order.original_order_id:
        body["original_order_id"] = order.original_order_id
    return Output("withholding", context.psn_no, f"{order.order_id}:{order.attempt}", body)


def after_visit(
    context: Context,
    bundle: Bundle,
    obligations: list[Obligation],
    said: tuple[Said, ...],
    *,
    default: Outcome,
    order: Order | None = None,
    observe_only: bool = False,
) -> Output:
    """What was decided about the captures of a bundle: withheld, or held back and why."""
    outcome = gravest(said, default)
    total_fen = sum(each.claim_fen for each in obligations)
    said = said or (Said(ReasonCode.OK, default, total_fen, total_fen, "bundle"),)
    body: dict[str, Any] = {
        "decision": outcome.value,
        "fixmedins_code": bundle.fixmedins_code,
        "mdtrt_id": bundle.mdtrt_id,
        "agreement_no": bundle.agreement_no,
        "captured_fen": total_fen,
        "items": [{"setl_id": each.setl_id, "amount_fen": each.claim_fen} for each in obligations],
        "reasons": [reason_body(each, context.terms) for each in in_order(said)],
    }
    if order is not None:
        body |= {
            "order_id": order.order_id,
            "funding_state": order.state.value,
            "amount_fen": sum(item.amount_fen for item in order.items),
        }
    if observe_only:
        body["observe_only"] = True
    names = (order.order_id,) if order is not None else (bundle.key, bundle.fixmedins_code, bundle.agreement_no)
    decision_id = derived_id("de_", "after_visit", context.psn_no, context.record_id, outcome.value, *names)
    return decision(context, "after_visit", decision_id, body)


def surplus(context: Context, order: Order, fen: int, *, giver: str) -> Output:
    """Money of an order that no order brings where it belongs: whoever has it gives it back."""
    said = Said(ReasonCode.SURPLUS, Outcome.RELEASE, fen, 0, "bundle")
    body = {
        "decision": said.outcome.value,
        "amount_fen": fen,
        "items": [],
        "surplus_fen": fen,
        "given_back_by": giver,
        "order_id": order.order_id,
        "agreement_no": order.agreement_no,
        "fixmedins_code": order.fixmedins_code,
        "mdtrt_id": order.mdtrt_id,
        "reasons": [reason_body(said, context.terms)],
    }
    decision_id = derived_id("de_", "surplus", context.psn_no, context.record_id, order.order_id)
    return decision(context, "payment", decision_id, body)


def quality_alert(context: Context, rule_id: str, fixmedins_code: str, **optional: Any) -> list[Output]:
    """A data-quality alert about this record at an institution, if the policy has the rule."""
    clause = context.terms.get(rule_id)
    if clause is None:
        return []
    found = Crossing(
        rule_id,
        1,
        clause.value.kind,
        clause.value.sev,
        "institution",
        fixmedins_code,
        context.record_id,
        context.occurred_ms,
        context.now_ms,
        optional.pop("observed", 1),
        optional.pop("allowed", 0),
    )
    return [
        alert(
            found,
            episode="opened",
            clause=clause.source(),
            policy_version=context.policy.version,
            texts=(clause.value.text_zh, clause.value.text_en),
            fixmedins_code=fixmedins_code,
            **optional,
        )
    ]
