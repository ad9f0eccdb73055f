"""How a lane's answer reaches the caller: masked for a counter; and the `fallback` that stands in for one."""

from typing import Literal

import orjson

from connectors.http.asgi import Answer, json_answer
from connectors.http.masking import masked_authorization, masked_problem
from connectors.http.problem import PROBLEM_JSON, problem_body
from connectors.http.tokens import Token
from connectors.replies import LaneReply
from risk.answers import EMERGENCY
from risk.facts import AuthorizationIncreaseRequested, AuthorizationRequested
from risk.reasons import TEXTS, Outcome, ReasonCode

Cause = Literal["no_lane", "behind", "log_stuck", "log_full", "late"]
REASONS: dict[Cause, ReasonCode] = {
    "no_lane": ReasonCode.DEPENDENCY_DOWN,
    "behind": ReasonCode.STALE_STATE,
    "log_stuck": ReasonCode.DEPENDENCY_DOWN,
    "log_full": ReasonCode.DEPENDENCY_DOWN,
    "late": ReasonCode.STALE_STATE,
}


def shown(token: Token, reply: LaneReply) -> Answer:
    """The lane's answer as this token may see it."""
    if reply.status == 200 and not token.is_masked:
        return Answer(200, bytes(reply.body))
    body = orjson.loads(bytes(reply.body))
    if reply.status == 200:
        return Answer(200, orjson.dumps(masked_authorization(body)))
    facts = masked_problem(body) if token.is_masked else body
    return Answer(reply.status, problem_body(reply.status, {"code": "CONFLICT", **facts}), [PROBLEM_JSON])


def fallback(token: Token, fact: AuthorizationRequested | AuthorizationIncreaseRequested, cause: Cause) -> Answer:
    """Ordinary payment: no credit was given, and none was refused."""
    code = REASONS[cause]
    text_zh, text_en = TEXTS[code]
    reason = {
        "code": code.value,
        "outcome": Outcome.FALLBACK.value,
        "observed": cause,
        "allowed": None,
        "text_zh": text_zh,
        "text_en": text_en,
        "clause": None,
    }
    body = {
        "authorization_id": fact.authorization_id,
        "decision": Outcome.FALLBACK.value,
        "state": "none",
        "approved_fen": 0,
        "held_fen": 0,
        "captured_fen": 0,
        "top_up_fen": 0,
        "available_fen": None,
        "max_approvable_fen": None,
        "expires_at": None,
        "entitlements": [EMERGENCY] if isinstance(fact, AuthorizationRequested) and fact.emergency else [],
        "reasons": [reason],
        "policy_version": None,
        "log_position": None,
        "replayed": False,
    }
    return json_answer(200, masked_authorization(body) if token.is_masked else body)
