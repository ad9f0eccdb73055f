"""What a query may be told of a credit record. It reads; nobody is judged by looking, and nothing is hidden here."""

from typing import Any

from risk.answers import ENTITLEMENTS, authorization_body, capture_body, captured_of
from risk.authorize import ask
from risk.capture_decisions import order_id_of
from risk.checks import CHECKS, institution_not_live, judge
from risk.credit import Context, Credit, Obligation
from risk.demand import demand_fen
from risk.exposure import exposure_fen, funding_of, held_fen, moved, repayment_of, used_fen, used_of
from risk.limits import agreements_for, available_fen, level_in_force, offers_credit, pool_limit_fen
from risk.local_time import rfc3339
from risk.policy_values import SERVICES
from risk.reasons import Outcome, in_order, reason_body
from risk.requests import known_hold
from risk.signed import CREDIT_LINE
from risk.standing import active_list

_PERSONAL_CHECKS = tuple(check for check in CHECKS if check is not institution_not_live)


def view(credit: Credit | None, context: Context) -> dict[str, Any]:
    """What a credit query answers: level, limits per pool, bank lines, obligations, marks, blocks with reasons."""
    record = credit if credit is not None else Credit()
    level = level_in_force(record, context.now_ms)
    return {
        "psn_no": context.psn_no,
        "level": level.code,
        "unrated_reason": level.unrated_reason or None,
        "limits": [_pool(record, service, context) for service in SERVICES] if offers_credit(context) else [],
        "bank_lines": [
            {
                "agreement_no": each.agreement_no,
                "bank_code": each.bank_code,
                "funding_mode": each.mode,
                "services": list(each.services),
                "bank_line_fen": each.line_fen if each.mode == CREDIT_LINE else None,
                "exposure_fen": exposure_fen(record, agreement_no=each.agreement_no),
                "shared": each.shared,
                "valid": each.is_valid(context.now_ms),
            }
            for each in record.agreements
        ],
        "obligations": [_obligation(record, each, context) for each in record.obligations if not each.ended_ms],
        "marks": _marks(record, context),
        "entitlements": [ENTITLEMENTS[each] for each in record.standing.entitlements],
        "blocks": _blocks(record, context),
        "policy_version": context.policy.version,
    }


def _pool(credit: Credit, service: str, context: Context) -> dict[str, Any]:
    agreements = agreements_for(credit, service, context.now_ms)
    return {
        "service": service,
        "limit_fen": pool_limit_fen(credit, service, context),
        "held_fen": held_fen(credit, service),
        "used_fen": used_fen(credit, service),
        "available_fen": available_fen(credit, service, agreements[0], context) if agreements else 0,
        "demand_fen": demand_fen(credit, service),
    }


def _obligation(credit: Credit, obligation: Obligation, context: Context) -> dict[str, Any]:
    return capture_body(credit, obligation, context, order_id=order_id_of(credit, obligation)) | {
        "mdtrt_id": obligation.mdtrt_id,
        "agreement_no": obligation.agreement_no,
        "service": obligation.service,
        "owed_fen": used_of(obligation, moved(credit)),
        "repayment_state": repayment_of(credit, obligation, context.now_ms).value,
        "captured_at": rfc3339(obligation.captured_ms),
    }


def _marks(credit: Credit, context: Context) -> list[dict[str, Any]]:
    """Open disputes, confirmed cases and lists: a dispute says nothing against anybody, only that it is contested."""
    marks: list[dict[str, Any]] = [
        {"kind": "dispute", "id": each.dispute_id, "about": each.about, "since": rfc3339(each.told_ms)}
        for each in credit.standing.disputes
        if each.is_open
    ]
    marks += [
        {"kind": "case", "id": each.dispute_id, "about": each.about, "since": rfc3339(each.told_ms)}
        for each in credit.standing.cases
        if each.is_open
    ]
    entry = active_list(credit, context.now_ms)
    if entry is not None:
        marks.append(
            {"kind": "list", "id": entry.document_no, "about": entry.list_name, "since": rfc3339(entry.since_ms)}
        )
    return marks


def _blocks(credit: Credit, context: Context) -> list[dict[str, Any]]:
    """Why a new hold of one fen would be refused, per pool."""
    blocks = []
    for service in SERVICES:
        question = ask(
            credit, context, service=service, fixmedins_code="", agreement_no="", amount_fen=1, emergency=False
        )
        said = [each for each in judge(question, _PERSONAL_CHECKS).said if each.outcome is Outcome.DENY]
        blocks += [{"service": service, **reason_body(each, context.terms)} for each in in_order(said)]
    return blocks


def authorization_view(
    credit: Credit | None, fixmedins_code: str, authorization_id: str, context: Context
) -> dict[str, Any] | None:
    """What was decided about an authorization, and where it stands; None = nothing is known of it."""
    known = known_hold(credit, fixmedins_code, authorization_id) if credit is not None else None
    if credit is None or known is None:
        return None
    booked = captured_of(credit, fixmedins_code, authorization_id)
    body = authorization_body(credit, (fixmedins_code, authorization_id), known, context, replayed=True)
    body["approved_fen"] = known.approved_fen
    body["captures"] = [capture_body(credit, each, context, order_id=order_id_of(credit, each)) for each in booked]
    return body


def order_view(credit: Credit | None, order_id: str, context: Context) -> dict[str, Any] | None:
    """Where the money of an order is; None = no such order of this person."""
    order = next((each for each in credit.orders if each.order_id == order_id), None) if credit is not None else None
    if credit is None or order is None:
        return None
    names = {item.setl_id for item in order.items}
    owed = [each for each in credit.obligations if each.setl_id in names]
    return {
        "order_id": order.order_id,
        "psn_no": context.psn_no,
        "kind": order.kind,
        "attempt": order.attempt,
        "agreement_no": order.agreement_no,
        "bank_code": order.bank_code,
        "payee_fixmedins_code": order.fixmedins_code,
        "amount_fen": sum(item.amount_fen for item in order.items),
        "moved_fen": sum(item.moved_fen for item in order.items),
        "items": [{"setl_id": item.setl_id, "amount_fen": item.amount_fen} for item in order.items],
        "original_order_id": order.original_order_id or None,
        "state": order.state.value,
        "due_at": rfc3339(order.due_ms),
        "retry_at": rfc3339(order.retry_ms) if order.retry_ms else None,
        "kept": order.kept or None,
        "settlements": [
            {
                "setl_id": each.setl_id,
                "captured_fen": each.claim_fen,
                "top_up_fen": each.top_up_fen,
                "funding_state": funding_of(credit, each).value,
                "repayment_state": repayment_of(credit, each, context.now_ms).value,
            }
            for each in owed
        ],
    }
