"""The bodies of answers and decisions, as contract.md names their fields. Nothing is decided here, nothing hidden."""

from typing import Any

from risk.credit import Authorization, Context, Credit, Ended, Obligation, Promise, Request
from risk.exposure import funding_of
from risk.facts import Fact
from risk.limits import agreement_of, available_fen
from risk.local_time import local_day, rfc3339
from risk.outputs import Output, Reply
from risk.reasons import Outcome, ReasonCode, Said, in_order, reason_body
from risk.terms import Terms

EMERGENCY = {
    "code": "EMERGENCY",
    "text_zh": "急诊抢救：先救治，不收押金",
    "text_en": "Emergency: treatment first, no deposit",
}

POVERTY_ALLEVIATED = {
    "code": "POVERTY_ALLEVIATED",
    "text_zh": "脱贫人口：先诊疗后付费，不收押金",
    "text_en": "Entitled to treatment before payment, no deposit",
}

ENTITLEMENTS = {"emergency": EMERGENCY, "poverty_alleviated": POVERTY_ALLEVIATED}

CONFLICTS = {
    "CONFLICT": (
        "该编号已用于内容不同的另一请求；请核对，或换用新编号",
        "This id was used before with other content; check it, or choose a new one",
    ),
    "HOLD_OPEN": (
        "该次就诊已有一笔信用支付授权未结束；请先结算或撤销（编号见 open_id）",
        "This visit already has an open hold of this kind (open_id); settle or release it first",
    ),
    "NOT_OPEN": (
        "该笔授权已结束，不能再操作；如仍需信用支付请重新申请",
        "The authorization has ended; ask for a new one if credit is still wanted",
    ),
    "PAID_OTHERWISE": (
        "该笔结算已用其他方式支付，不能再从信用额度扣款",
        "This settlement was paid otherwise; nothing can be captured for it",
    ),
    "REVERSED": ("该笔结算已撤销（冲正），不能再扣款", "This settlement was reversed; nothing can be captured for it"),
    "NOT_FOUND": ("没有这笔授权；请核对编号和机构", "No such authorization; check its id and institution"),
    "TOO_MANY": (
        "该笔授权追加次数过多；请结算或撤销后重新申请",
        "This authorization was increased too often; settle or release it and ask anew",
    ),
    "INVALID": ("金额必须大于零", "The amount must be positive"),
}


def reasons_body(said: tuple[Said, ...], terms: Terms, asked_fen: int, maximum_fen: int) -> list[dict[str, Any]]:
    """The reasons, gravest first; where nothing stood against it, OK with the limit's clause comes first."""
    ordered = in_order(said) if len(said) > 1 else said
    if not ordered or ordered[0].outcome is Outcome.APPROVE:
        ordered = (Said(ReasonCode.OK, Outcome.APPROVE, asked_fen, maximum_fen, "limit"), *ordered)
    return [reason_body(each, terms) for each in ordered]


def captured_of(credit: Credit, fixmedins_code: str, authorization_id: str) -> list[Obligation]:
    """The settlements captured under an authorization."""
    return [
        each
        for each in credit.obligations
        if each.authorization_id == authorization_id and each.fixmedins_code == fixmedins_code
    ]


def authorization_body(
    credit: Credit,
    identity: tuple[str, str],
    subject: Authorization | Ended,
    context: Context,
    *,
    replayed: bool = False,
    request: Request | None = None,
    left_fen: int | None = None,
) -> dict[str, Any]:
    """The answer about an authorization as it stands; `request`: what was answered to one increase of it."""
    fixmedins_code, authorization_id = identity
    promise = subject.promise
    booked = captured_of(credit, fixmedins_code, authorization_id) if credit.obligations else []
    said, asked_fen = (request.reasons, request.asked_fen) if request else (promise.reasons, promise.asked_fen)
    outcome = request.outcome if request else promise.outcome
    # an increase that asked too much says so by its own top-up; the first answer keeps its own
    short_fen = asked_fen - (request.granted_fen if request else promise.approved_fen)
    top_up_fen, captured_fen = short_fen * (outcome is not Outcome.DENY), 0
    if booked:
        top_up_fen, captured_fen = sum(each.top_up_fen for each in booked), sum(each.claim_fen for each in booked)
    expires_ms = subject.ends_ms if isinstance(subject, Authorization) else 0
    if left_fen is None:
        agreement = agreement_of(credit, subject.agreement_no)
        left_fen = available_fen(credit, subject.service, agreement, context) if agreement else 0
    return {
        "authorization_id": authorization_id,
        "psn_no": context.psn_no,
        "fixmedins_code": fixmedins_code,
        "decision_id": promise.decision_id,
        "decision": str(outcome),
        "state": str(subject.state),
        "service": subject.service,
        "agreement_no": subject.agreement_no or None,
        # the same call again hears the same decision; what was granted since is in held and captured
        "approved_fen": promise.approved_fen if replayed and request is None else subject.approved_fen,
        "held_fen": subject.held_fen if isinstance(subject, Authorization) else 0,
        "captured_fen": captured_fen,
        "top_up_fen": top_up_fen,
        "available_fen": left_fen,
        "max_approvable_fen": promise.maximum_fen,
        "expires_at": rfc3339(expires_ms) if expires_ms else None,
        "passes_at": rfc3339(promise.passes_ms) if promise.passes_ms and request is None else None,
        "entitlements": [ENTITLEMENTS[each] for each in _entitlements_of(promise)],
        "reasons": reasons_body(said, _terms_of(promise, context), asked_fen, promise.maximum_fen),
        "policy_version": promise.policy_version,
        "log_position": promise.position,
        "replayed": replayed,
    }


def _entitlements_of(promise: Promise) -> tuple[str, ...]:
    """What was shown beside the decision: an emergency first."""
    return (*(("emergency",) if promise.emergency else ()), *promise.entitlements)


def _terms_of(promise: Promise, context: Context) -> Terms:
    """The terms the promise was made under: a clause once in force is never edited."""
    return context.policy.on(local_day(promise.decided_ms))


def capture_body(credit: Credit, obligation: Obligation, context: Context, *, order_id: str) -> dict[str, Any]:
    """What a capture answers: captured, top-up, and where the money is."""
    return {
        "authorization_id": obligation.authorization_id,
        "psn_no": context.psn_no,
        "fixmedins_code": obligation.fixmedins_code,
        "setl_id": obligation.setl_id,
        "capture_id": obligation.capture_id,
        "captured_fen": obligation.claim_fen,
        "top_up_fen": obligation.top_up_fen,
        "order_id": order_id,
        "funding_state": funding_of(credit, obligation).value,
    }


def decision(context: Context, kind: str, decision_id: str, body: dict[str, Any]) -> Output:
    """One record of decisions.v1. `kind`: authorization, capture, after_visit."""
    own = {"decision_id": decision_id, "psn_no": context.psn_no}
    whole = {
        "decision_id": decision_id,
        "kind": kind,
        "psn_no": context.psn_no,
        "occurred_at": rfc3339(context.occurred_ms),
        "decided_at": rfc3339(context.now_ms),
        "event_id": context.event_id,
        "policy_version": context.policy.version,
        "log_position": context.position,
        **body,
        **own,  # whatever the body calls them
    }
    whole.pop("replayed", None)
    return Output("decisions", context.psn_no, decision_id, whole)


def problem(fact: Fact, status: int, code: str, **details: Any) -> Reply:
    """A refusal to handle a call: 404, or 409 with the field or the open id."""
    text_zh, text_en = CONFLICTS[code]
    body = {"code": code, **details, "detail_zh": text_zh, "detail_en": text_en, "psn_no": fact.psn_no}
    return reply(fact, status, body)


def reply(fact: Fact, status: int, body: dict[str, Any]) -> Reply:
    """The answer to the call that this record carries."""
    return Reply(getattr(fact, "reply_to", ""), getattr(fact, "attempt", ""), status, body)
