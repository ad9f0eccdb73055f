"""Who sees what. A counter (hospital, pharmacy) and a bank see the decision, the amounts and one masked reason.

Never level, list, investigation, overdue or suspicion (contract.md, Decisions). Every view is an allow-list: a field
added elsewhere stays hidden until it is named here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from risk.reasons import Outcome, masked

AUTHORIZATION_FIELDS = frozenset(
    {
        "authorization_id", "request_id", "psn_no", "mdtrt_id", "fixmedins_code", "service", "scope", "agreement_no",
        "decision", "state", "approved_fen", "held_fen", "captured_fen", "top_up_fen", "available_fen",
        "max_approvable_fen", "passes_at", "expires_at", "entitlements", "policy_version", "log_position", "replayed",
        "as_of", "setl_id", "order_id", "funding_state", "reasons",
    }
)  # fmt: skip
PROBLEM_FIELDS = frozenset({"code", "field", "open_id", "detail_zh", "detail_en"})
ORDER_FIELDS = frozenset(
    {
        "order_id", "psn_no", "kind", "attempt", "agreement_no", "bank_code", "payee_fixmedins_code", "amount_fen",
        "moved_fen", "items", "original_order_id", "not_before", "due_at", "funding_state", "as_of",
    }
)  # fmt: skip
CREDIT_FIELDS = frozenset({"psn_no", "as_of"})
LIMIT_FIELDS = frozenset({"service", "available_fen", "reasons"})
ALERT_FIELDS = frozenset(
    {
        "alert_id", "service", "rule_id", "kind", "sev_deg", "subject_kind", "subject_id", "occurred_at", "detected_at",
        "episode", "mdtrt_id", "fixmedins_code", "authorization_id", "shortfall_fen", "policy_version", "test",
    }
)  # fmt: skip
COUNTER_RULES = frozenset({"L80", "L90", "L100"})


def _only(names: frozenset[str], body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in names}


def masked_authorization(body: Mapping[str, Any]) -> dict[str, Any]:
    """An authorization, increase, capture or release as a counter sees it."""
    seen = _only(AUTHORIZATION_FIELDS, masked(dict(body)) if "reasons" in body else body)
    if body.get("decision") == "deny" and seen.get("available_fen") == 0 and "max_approvable_fen" in seen:
        seen["max_approvable_fen"] = 0  # a limit that cannot be used would still tell the level
    if "captures" in body:
        seen["captures"] = [_only(AUTHORIZATION_FIELDS, each) for each in body["captures"]]
    return seen


def masked_problem(body: Mapping[str, Any]) -> dict[str, Any]:
    """A conflict as a counter sees it."""
    return _only(PROBLEM_FIELDS, body)


def masked_order(body: Mapping[str, Any]) -> dict[str, Any]:
    """An order as its payee and its bank see it: where the money is, not whether the person is overdue."""
    return _only(ORDER_FIELDS, body)


def masked_credit(body: Mapping[str, Any]) -> dict[str, Any]:
    """A credit query as a counter sees it: per service what is available, and one masked reason if it cannot be used.

    The limit would tell the level.
    """
    seen = _only(CREDIT_FIELDS, body)
    seen["limits"] = [_masked_limit(limit, body.get("blocks", ())) for limit in body.get("limits", ())]
    return seen


def _masked_limit(limit: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    against = [block for block in blocks if block.get("service") == limit["service"]]
    decision = Outcome.DENY if against else Outcome.APPROVE
    told = masked({**limit, "decision": decision, "reasons": against})
    return _only(LIMIT_FIELDS, told)


def masked_alert(body: Mapping[str, Any], institutions: frozenset[str] | None) -> dict[str, Any] | None:
    """An alert as a counter may see it, or None: only its own patients near or over the limit, without its figures."""
    if body.get("rule_id") not in COUNTER_RULES:
        return None
    if institutions is not None and body.get("fixmedins_code") not in institutions:
        return None
    return _only(ALERT_FIELDS, body)
