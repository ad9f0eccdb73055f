"""Who the person is to the scheme and to the bank: status, agreements, level, lists, disputes, suspensions."""

from typing import Literal

from risk.facts.base import Fact, Fen, FundingMode, Instant, Service, Whole


class InsuredStatusChanged(Fact, frozen=True, kw_only=True, tag="insured.status_changed"):
    """The insurance status as the scheme states it, and what the person is entitled to whatever the credit says.

    `entitlements` absent: nothing new was said of them; `none` alone: there are none any more.
    """

    status: Literal["normal", "suspended", "terminated", "deceased"]
    entitlements: tuple[Literal["poverty_alleviated", "none"], ...] | None = None


class CommitmentSigned(Fact, frozen=True, kw_only=True, tag="commitment.signed"):
    """The 承诺书 was signed (SY-22)."""

    commitment_no: str
    version: str
    channel: str
    signed_by: Literal["self", "guardian"] = "self"


class AgreementSigned(Fact, frozen=True, kw_only=True, tag="agreement.signed"):
    """A mandate with a bank: `card_withhold` (签约代扣) or `credit_line` (授信扣款)."""

    agreement_no: str
    bank_code: str
    funding_mode: FundingMode
    services: tuple[Service, ...]
    line_kind: Literal["dedicated", "shared"] | None = None
    bank_line_fen: Fen | None = None
    valid_to: Instant | None = None


class AgreementLineChanged(Fact, frozen=True, kw_only=True, tag="agreement.line_changed"):
    """The bank raised or lowered its line."""

    agreement_no: str
    bank_line_fen: Fen


class AgreementTerminated(Fact, frozen=True, kw_only=True, tag="agreement.terminated"):
    """The mandate ended: by the bank's word at once, by the person's wish when nothing is held or owed any more."""

    agreement_no: str
    bank_line_fen: Fen | None = None
    requested_by: Literal["person", "bank"] | None = None


class CreditLevelSet(Fact, frozen=True, kw_only=True, tag="credit.level_set"):
    """An authority set the official level; `UNRATED` carries its reason (HN20)."""

    level: str
    decided_by: str
    score_x100: Whole | None = None
    unrated_reason: Literal["new", "no_use", "under_investigation", "other"] | None = None
    period: str | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    basis: str | None = None


class CreditListed(Fact, frozen=True, kw_only=True, tag="credit.listed"):
    """An authority put the person on a list of the dishonest (失信)."""

    list: str
    document_no: str
    clause: str
    since: Instant
    authority: str
    until: Instant | None = None


class CreditDelisted(Fact, frozen=True, kw_only=True, tag="credit.delisted"):
    """An authority took the person off a list."""

    list: str
    document_no: str
    authority: str
    clause: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class CreditDisputeOpened(Fact, frozen=True, kw_only=True, tag="credit.dispute_opened"):
    """The person objects to a fact, a record or an alert (HN24)."""

    dispute_id: str
    about: str


class CreditDisputeClosed(Fact, frozen=True, kw_only=True, tag="credit.dispute_closed"):
    """The objection was decided."""

    dispute_id: str
    about: str | None = None
    outcome: str | None = None


class CreditServiceSuspended(Fact, frozen=True, kw_only=True, tag="credit.service_suspended"):
    """New credit stopped: by the engine (contract, non-payment) or by an authority's numbered order."""

    scope: Literal["credit_payment", "networked_settlement"]
    by: Literal["engine", "authority"]
    reason: str
    document_no: str | None = None
    until: Instant | None = None


class CreditServiceResumed(Fact, frozen=True, kw_only=True, tag="credit.service_resumed"):
    """New credit allowed again."""

    scope: Literal["credit_payment", "networked_settlement"]
    by: Literal["engine", "authority"]
    reason: str
    document_no: str | None = None


class CaseConfirmed(Fact, frozen=True, kw_only=True, tag="case.confirmed"):
    """A person confirmed a suspicion about a settlement, visit, event, record or alert. A `grave` one holds money."""

    case_id: str
    about: str
    decided_by: str
    gravity: Literal["ordinary", "grave"]
    document_no: str | None = None


class CaseClosed(Fact, frozen=True, kw_only=True, tag="case.closed"):
    """A case ended."""

    case_id: str
    decided_by: str
    outcome: str | None = None
    document_no: str | None = None


class NoticeDelivered(Fact, frozen=True, kw_only=True, tag="notice.delivered"):
    """A reminder reached the person through the institution or 湘医保: the engine holds no phone."""

    notice_id: str
    channel: Literal["institution", "xiang_yibao", "post"]
