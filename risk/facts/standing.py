"""Who the person is to the scheme and to the bank: status, agreements, level, lists, disputes, suspensions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from risk.facts.base import Fact, FundingMode, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class InsuredStatusChanged(Fact):
    """The insurance status as the scheme states it."""

    event_type: ClassVar[str] = "insured.status_changed"

    status: Literal["normal", "suspended", "terminated", "deceased"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentSigned(Fact):
    """The 承诺书 was signed (SY-22)."""

    event_type: ClassVar[str] = "commitment.signed"

    commitment_no: str
    version: str
    channel: str
    signed_by: Literal["self", "guardian"] = "self"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned(Fact):
    """A mandate with a bank: `card_withhold` (签约代扣) or `credit_line` (授信扣款)."""

    event_type: ClassVar[str] = "agreement.signed"

    agreement_no: str
    bank_code: str
    funding_mode: FundingMode
    services: tuple[Service, ...]
    line_kind: Literal["dedicated", "shared"] | None = None
    bank_line_fen: int | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementLineChanged(Fact):
    """The bank raised or lowered its line."""

    event_type: ClassVar[str] = "agreement.line_changed"

    agreement_no: str
    bank_line_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTerminated(Fact):
    """The mandate ended."""

    event_type: ClassVar[str] = "agreement.terminated"

    agreement_no: str
    bank_line_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLevelSet(Fact):
    """An authority set the official level; `UNRATED` carries its reason (HN20)."""

    event_type: ClassVar[str] = "credit.level_set"

    level: str
    decided_by: str
    score_x100: int | None = None
    unrated_reason: Literal["new", "no_use", "under_investigation", "other"] | None = None
    period: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditListed(Fact):
    """An authority put the person on a list of the dishonest (失信)."""

    event_type: ClassVar[str] = "credit.listed"

    list: str
    document_no: str
    clause: str
    since: datetime
    authority: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDelisted(Fact):
    """An authority took the person off a list."""

    event_type: ClassVar[str] = "credit.delisted"

    list: str
    document_no: str
    authority: str
    clause: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDisputeOpened(Fact):
    """The person objects to a fact, a record or an alert (HN24)."""

    event_type: ClassVar[str] = "credit.dispute_opened"

    dispute_id: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDisputeClosed(Fact):
    """The objection was decided."""

    event_type: ClassVar[str] = "credit.dispute_closed"

    dispute_id: str
    about: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditServiceSuspended(Fact):
    """New credit stopped: by the engine (contract, non-payment) or by an authority's numbered order."""

    event_type: ClassVar[str] = "credit.service_suspended"

    scope: Literal["credit_payment", "networked_settlement"]
    by: Literal["engine", "authority"]
    reason: str
    document_no: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditServiceResumed(Fact):
    """New credit allowed again."""

    event_type: ClassVar[str] = "credit.service_resumed"

    scope: Literal["credit_payment", "networked_settlement"]
    by: Literal["engine", "authority"]
    reason: str
    document_no: str | None = None
