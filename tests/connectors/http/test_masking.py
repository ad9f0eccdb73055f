"""What each role sees, field by field (contract.md, Decisions)."""

import asyncio
from typing import Any

import pytest

from connectors.http.alerts import seen_alert
from connectors.http.masking import masked_credit, masked_order
from connectors.http.tokens import parse_tokens
from risk.reasons import TEXTS, Outcome, ReasonCode
from tests.connectors.http.fakes import APPROVED, HOSPITAL, PHARMACY, TOKENS, Api, authorization

TABLE = parse_tokens(TOKENS)
SECRETS = (
    "level",
    "LEVEL",
    "list",
    "LISTED",
    "SHIXIN",
    "INVESTIGATION",
    "OVERDUE",
    "overdue",
    "suspicion",
    "失信",
    "逾期",
)
MASKS = {
    "LIMIT_EXCEEDED": "LIMIT",
    "DAILY_CAP": "LIMIT",
    "MONTH_CAP": "LIMIT",
    "APPROVED_EXCEEDED": "LIMIT",
    "NOT_SIGNED": "NOT_SIGNED",
    "MANDATE_INVALID": "NOT_SIGNED",
    "OUT_OF_AREA": "OUT_OF_AREA",
    "STALE_STATE": "TRY_LATER",
    "DEPENDENCY_DOWN": "TRY_LATER",
}


def denied(code: ReasonCode) -> dict[str, Any]:
    """What the lane answers: everything."""
    zh, en = TEXTS[code]
    clause = {"document": "湘医保发〔2024〕12号", "article": "31", "in_force_from": "2024-05-01"}
    reason = {
        "code": code.value,
        "outcome": Outcome.DENY.value,
        "observed": "D",
        "allowed": "A|B|C",
        "text_zh": zh,
        "text_en": en,
        "clause": clause,
    }
    return {
        **APPROVED,
        "decision": "deny",
        "state": "denied",
        "approved_fen": 0,
        "held_fen": 0,
        "reasons": [reason],
        "decision_id": "d_1",
        "level": "D",
        "suspicion": ["P03"],
    }


@pytest.mark.parametrize("code", list(ReasonCode), ids=str)
@pytest.mark.parametrize("role", ["hospital", "pharmacy"])
def test_a_counter_sees_decision_amounts_and_one_masked_reason(role: str, code: ReasonCode) -> None:
    async def scenario() -> None:
        api = Api(lambda fact: (200, denied(code)))
        fixmedins_code = HOSPITAL if role == "hospital" else PHARMACY
        answer = await api.call("POST", "/v1/authorizations", authorization(fixmedins_code=fixmedins_code), token=role)
        body = answer.json()
        mask = MASKS.get(code.value, "NOT_AVAILABLE")
        hidden = mask != "LIMIT"
        (reason,) = body.pop("reasons")
        assert reason.keys() == {"code", "text_zh", "text_en"}
        assert reason["code"] == mask
        assert body == {
            "decision": "deny",
            "state": "denied",
            "approved_fen": 0,
            "held_fen": 0,
            "captured_fen": 0,
            "top_up_fen": 0,
            "available_fen": 0 if hidden else 45_000,
            "max_approvable_fen": 0 if hidden else 50_000,
            "expires_at": "2026-03-10T08:30:00.000+08:00",
            "entitlements": [],
            "policy_version": "shaoyang-2026.1+0123456789ab",
            "log_position": "p1@17",
            "replayed": False,
        }
        assert not [word for word in SECRETS if word in answer.text]

    asyncio.run(scenario())


def test_who_may_know_sees_every_reason_with_its_clause() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: (200, denied(ReasonCode.LEVEL_D)))
        answer = await api.call("POST", "/v1/authorizations", authorization(), token="all")
        assert answer.json() == denied(ReasonCode.LEVEL_D)

    asyncio.run(scenario())


def test_a_fallback_tells_a_counter_to_try_later_and_the_operator_why() -> None:
    async def scenario() -> None:
        api = Api()
        api.replies.lost()
        for token, codes in (("hospital", ["TRY_LATER"]), ("all", ["DEPENDENCY_DOWN"])):
            body = (await api.call("POST", "/v1/authorizations", authorization(emergency=True), token=token)).json()
            assert body["decision"] == "fallback"
            assert [reason["code"] for reason in body["reasons"]] == codes
            assert body["entitlements"][0]["code"] == "EMERGENCY"

    asyncio.run(scenario())


def test_a_counter_sees_of_a_persons_credit_what_is_available_and_no_more() -> None:
    limit = {"service": "visit_first", "limit_fen": 50_000, "held_fen": 1, "used_fen": 2, "available_fen": 49_997}
    other = {**limit, "service": "deposit_free"}
    block = {"service": "deposit_free", "code": "LISTED_SHIXIN", "outcome": "deny", "observed": "失信名单"}
    body = {"psn_no": "p", "as_of": {"offset": 1}, "level": "C", "limits": [limit, other], "blocks": [block]}
    hidden = {"obligations": [{"overdue": True}], "bank_lines": [], "marks": ["list"], "unrated_reason": "new"}
    seen = masked_credit(body | hidden)
    (reason,) = seen["limits"][1].pop("reasons")
    assert reason["code"] == "NOT_AVAILABLE"
    assert seen == {
        "psn_no": "p",
        "as_of": {"offset": 1},
        "limits": [
            {"service": "visit_first", "available_fen": 49_997, "reasons": []},
            {"service": "deposit_free", "available_fen": 0},
        ],
    }


def test_an_order_never_tells_its_payee_that_the_person_is_overdue() -> None:
    order = {"order_id": "O1", "amount_fen": 5, "funding_state": "rejected", "repayment_state": "overdue", "cause": "x"}
    assert masked_order(order) == {"order_id": "O1", "amount_fen": 5, "funding_state": "rejected"}


def alert(**over: Any) -> dict[str, Any]:
    return {
        "alert_id": "al_1",
        "rule_id": "L100",
        "level": 1,
        "kind": "over_limit",
        "sev_deg": 3,
        "subject_kind": "person",
        "subject_id": "p1",
        "observed": 51_000,
        "allowed": 50_000,
        "vola_cont_zh": "额度50000",
        "vola_evid": ["e1"],
        "fixmedins_code": HOSPITAL,
        "shortfall_fen": 1_000,
        **over,
    }


def test_a_hospital_sees_its_own_patients_over_the_limit_without_the_limit() -> None:
    hospital = TABLE.of(b"Bearer hospital")
    assert seen_alert(hospital, alert()) == {
        "alert_id": "al_1",
        "rule_id": "L100",
        "kind": "over_limit",
        "sev_deg": 3,
        "subject_kind": "person",
        "subject_id": "p1",
        "fixmedins_code": HOSPITAL,
        "shortfall_fen": 1_000,
    }
    assert seen_alert(hospital, alert(fixmedins_code=PHARMACY)) is None
    assert seen_alert(hospital, alert(rule_id="P03", kind="suspicion")) is None
    assert seen_alert(hospital, alert(rule_id="P12", kind="warning")) is None


def test_supervision_sees_every_alert_whole() -> None:
    assert seen_alert(TABLE.of(b"Bearer audit"), alert(rule_id="P03")) == alert(rule_id="P03")


def test_no_bank_hears_of_alerts() -> None:
    async def scenario() -> None:
        assert (await Api().call("GET", "/v1/alerts/stream", token="bank")).status_code == 403

    asyncio.run(scenario())
