"""Why we answered so: the closed set of reason codes, their gravity, the sentences people read, what a clerk may see.

It judges nothing. Codes are public: never renamed, never reused (contract.md "Decisions"; domain.md 8).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from risk.terms import Terms


class Outcome(StrEnum):
    """Every answer there is, mildest first: an authorization's four, then what follows a visit."""

    APPROVE = "approve"
    PARTIAL = "partial"
    FALLBACK = "fallback"
    DENY = "deny"
    NOTHING_DUE = "nothing_due"
    RELEASE = "release"
    WITHHOLD = "withhold"
    SPLIT = "split"
    TOP_UP = "top_up"
    HOLD = "hold"


GRAVITY = {outcome: gravity for gravity, outcome in enumerate(Outcome)}


class ReasonCode(StrEnum):
    """Every reason there is."""

    OK = "OK"
    SERVICE_OFF = "SERVICE_OFF"
    INSTITUTION_NOT_LIVE = "INSTITUTION_NOT_LIVE"
    NOT_SIGNED = "NOT_SIGNED"
    MANDATE_INVALID = "MANDATE_INVALID"
    INSURED_ABNORMAL = "INSURED_ABNORMAL"
    INSURED_UNVERIFIED = "INSURED_UNVERIFIED"
    OUT_OF_AREA = "OUT_OF_AREA"
    AREA_UNVERIFIED = "AREA_UNVERIFIED"
    LISTED_SHIXIN = "LISTED_SHIXIN"
    LEVEL_D = "LEVEL_D"
    UNRATED_LIMIT = "UNRATED_LIMIT"
    UNDER_INVESTIGATION = "UNDER_INVESTIGATION"
    SUSPENDED_OVERDUE = "SUSPENDED_OVERDUE"
    VELOCITY = "VELOCITY"
    RISK_HOLD = "RISK_HOLD"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    DAILY_CAP = "DAILY_CAP"
    MONTH_CAP = "MONTH_CAP"
    APPROVED_EXCEEDED = "APPROVED_EXCEEDED"
    ENTITLEMENT_OVERRIDE = "ENTITLEMENT_OVERRIDE"
    DATA_QUALITY = "DATA_QUALITY"
    DISPUTED = "DISPUTED"
    BANK_REFUSED = "BANK_REFUSED"
    REVERSAL_PENDING = "REVERSAL_PENDING"
    SURPLUS = "SURPLUS"
    EXPOSURE_OPEN = "EXPOSURE_OPEN"
    STALE_STATE = "STALE_STATE"
    DEPENDENCY_DOWN = "DEPENDENCY_DOWN"


class Said(NamedTuple):
    """One reason as the record remembers it: the clause by its policy name, the sentence by its code."""

    code: ReasonCode
    outcome: Outcome
    observed: int | str | None = None
    allowed: int | str | None = None
    clause: str = ""


TEXTS: dict[ReasonCode, tuple[str, str]] = {
    ReasonCode.OK: ("在可用额度内", "Within what is available"),
    ReasonCode.SERVICE_OFF: ("该服务未开通", "This service is not offered"),
    ReasonCode.INSTITUTION_NOT_LIVE: ("该机构尚未开通此项服务", "This institution does not take part yet"),
    ReasonCode.NOT_SIGNED: ("未签署信用承诺书或代扣（授信）协议", "No signed commitment, or no agreement with a bank"),
    ReasonCode.MANDATE_INVALID: (
        "所选协议已失效或不含此项服务",
        "The agreement ended or does not cover this",
    ),
    ReasonCode.INSURED_ABNORMAL: ("参保状态不正常", "The insurance status is not normal"),
    ReasonCode.INSURED_UNVERIFIED: ("参保状态未核实，按正常办理", "The insurance status is not known to be abnormal"),
    ReasonCode.OUT_OF_AREA: ("参保地不在试点范围", "Insured at a place this scheme does not cover"),
    ReasonCode.AREA_UNVERIFIED: ("参保地未知，按本地办理", "Insured place unknown, treated as covered"),
    ReasonCode.LISTED_SHIXIN: ("列入失信名单期间不能使用", "On a list of the dishonest"),
    ReasonCode.LEVEL_D: ("当前信用等级不适用信用支付", "The credit level is not eligible"),
    ReasonCode.UNRATED_LIMIT: ("未评级，按未评级额度办理", "Not rated: the limit for the unrated applies"),
    ReasonCode.UNDER_INVESTIGATION: ("主管部门依法暂停使用", "Stopped by an authority's dated order"),
    ReasonCode.SUSPENDED_OVERDUE: (
        "有逾期未还款项，还清即恢复",
        "An amount is overdue; paying it restores credit",
    ),
    ReasonCode.VELOCITY: ("短时内多次申请", "Several requests within a short time"),
    ReasonCode.RISK_HOLD: ("需人工核实", "A person has to look at it"),
    ReasonCode.LIMIT_EXCEEDED: ("超出可用额度", "Beyond what is available under the limit"),
    ReasonCode.DAILY_CAP: ("超出当日限额", "Beyond the cap of the day"),
    ReasonCode.MONTH_CAP: ("超出当月限额", "Beyond the cap of the month"),
    ReasonCode.APPROVED_EXCEEDED: (
        "超出已批准（已入账）金额，占用已结束",
        "Beyond what was approved or captured; the hold is over",
    ),
    ReasonCode.ENTITLEMENT_OVERRIDE: ("先救治，不收押金", "Treatment first, no deposit"),
    ReasonCode.DATA_QUALITY: ("结算金额不平，暂不扣款", "The settlement's amounts do not add; no credit moves"),
    ReasonCode.DISPUTED: (
        "本人已提出异议，结案前不扣款",
        "Disputed; nothing is taken until it is decided",
    ),
    ReasonCode.BANK_REFUSED: ("银行未放款，由本人补缴", "The bank refused; the person pays the institution"),
    ReasonCode.REVERSAL_PENDING: (
        "银行已退款而结算未冲正，冲正前不再扣款",
        "The bank gave money back while the settlement stands; nothing is taken until that is settled",
    ),
    ReasonCode.EXPOSURE_OPEN: (
        "尚有占用或未还款项，结清后自动解约",
        "Something is still held or owed: the agreement ends when it is settled",
    ),
    ReasonCode.SURPLUS: ("多付部分应退还", "More was paid than is owed: the rest is to be given back"),
    ReasonCode.STALE_STATE: ("系统繁忙", "The engine is behind"),
    ReasonCode.DEPENDENCY_DOWN: ("系统暂不可用", "The engine is not available"),
}

_CLERK = {
    "LIMIT": ("可用信用额度不足，差额请用其他方式支付", "Not enough credit available; please pay the rest another way"),
    "NOT_SIGNED": ("尚未签约信用支付，请用其他方式", "Credit payment is not signed up; please pay another way"),
    "NOT_AVAILABLE": ("暂不能使用信用支付，请用其他方式", "Credit payment cannot be used now; please pay another way"),
    "OUT_OF_AREA": (
        "参保地暂未开通信用支付，请用其他方式",
        "Not offered for this place; please pay another way",
    ),
    "TRY_LATER": (
        "信用支付暂时繁忙，请用其他方式或稍后再试",
        "Busy; please pay another way or try later",
    ),
}

_MASKS = {
    ReasonCode.LIMIT_EXCEEDED: "LIMIT",
    ReasonCode.DAILY_CAP: "LIMIT",
    ReasonCode.MONTH_CAP: "LIMIT",
    ReasonCode.APPROVED_EXCEEDED: "LIMIT",
    ReasonCode.NOT_SIGNED: "NOT_SIGNED",
    ReasonCode.MANDATE_INVALID: "NOT_SIGNED",
    ReasonCode.OUT_OF_AREA: "OUT_OF_AREA",
    ReasonCode.STALE_STATE: "TRY_LATER",
    ReasonCode.DEPENDENCY_DOWN: "TRY_LATER",
}

_NO_REASON_NEEDED = frozenset({Outcome.APPROVE, Outcome.WITHHOLD, Outcome.NOTHING_DUE, Outcome.RELEASE})


def gravest(said: Iterable[Said], default: Outcome) -> Outcome:
    """The outcome of several reasons is the gravest of theirs."""
    found: Outcome | None = None
    for each in said:
        if found is None or GRAVITY[each.outcome] > GRAVITY[found]:
            found = each.outcome
    return default if found is None else found


def in_order(said: Iterable[Said]) -> tuple[Said, ...]:
    """Gravest first; among equals the order of the checks stays."""
    return tuple(sorted(said, key=lambda each: -GRAVITY[each.outcome]))


def reason_body(said: Said, terms: Terms) -> dict[str, Any]:
    """One reason as decisions and answers carry it."""
    clause = terms.get(said.clause) if said.clause else None
    text_zh, text_en = TEXTS[said.code]
    return {
        "code": str(said.code),
        "outcome": str(said.outcome),
        "observed": said.observed,
        "allowed": said.allowed,
        "text_zh": text_zh,
        "text_en": text_en,
        "clause": clause.source() if clause is not None else None,
    }


def mask_of(code: str) -> str:
    """What a clerk sees instead of a reason: never level, list, investigation, overdue or suspicion."""
    return _MASKS.get(ReasonCode(code), "NOT_AVAILABLE")


def masked(body: dict[str, Any]) -> dict[str, Any]:
    """What a hospital or pharmacy sees: the same decision and amounts, one masked reason, one sentence to say."""
    reasons = body.get("reasons") or []
    told = [reason for reason in reasons if reason["outcome"] not in _NO_REASON_NEEDED][:1]
    if body.get("decision") == Outcome.FALLBACK and not told:
        told = [{"code": ReasonCode.DEPENDENCY_DOWN.value}]
    seen = {**body, "reasons": [_clerk(mask_of(reason["code"])) for reason in told]}
    if body.get("decision") == Outcome.DENY and seen["reasons"] and seen["reasons"][0]["code"] != "LIMIT":
        seen["available_fen"] = 0  # what the pool would hold says something about the level
    return seen


def _clerk(mask: str) -> dict[str, str]:
    text_zh, text_en = _CLERK[mask]
    return {"code": mask, "text_zh": text_zh, "text_en": text_en}
