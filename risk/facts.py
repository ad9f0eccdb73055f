"""What happened: the canonical facts of the person log, one frozen type per `event_type`. Nothing here decides.

Names are the national platform's; amounts are integer fen; `occurred_at` carries its offset. The types are the schema: the edge decodes
into them, JSON Schemas and OpenAPI are generated from them. Source: contract.md "Canonical events"; domain.md 2.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

Service = Literal["visit_first", "deposit_free"]
Scope = Literal["settlement", "visit"]
FundingMode = Literal["card_withhold", "credit_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every record of the person log carries."""

    event_type: ClassVar[str]

    event_id: str
    occurred_at: datetime
    psn_no: str
    source: str = ""
    schema_minor: int = 0


# --- the visit -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOpened(Fact):
    """A patient registered (2201) or was admitted (2401)."""

    event_type: ClassVar[str] = "visit.opened"

    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: Literal["1", "2"]
    med_type: str | None = None
    insutype: str | None = None
    dr_code: str | None = None
    dept_code: str | None = None
    mdtrtarea_admvs: str | None = None
    insuplc_admdvs: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitUpdated(Fact):
    """What the doctor recorded of the visit (2203)."""

    event_type: ClassVar[str] = "visit.updated"

    mdtrt_id: str
    med_type: str | None = None
    diag_group: str | None = None
    dr_code: str | None = None
    dept_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _VisitEnd(Fact):
    """`mdtrt_id`, or the message id of the admission that 2601 undoes."""

    mdtrt_id: str | None = None
    original_msgid: str | None = None
    dscg_way: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitClosed(_VisitEnd):
    """Discharge (2402)."""

    event_type: ClassVar[str] = "visit.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitReopened(_VisitEnd):
    """Discharge undone (2405)."""

    event_type: ClassVar[str] = "visit.reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCancelled(_VisitEnd):
    """Registration or admission undone (2202, 2404, 2601)."""

    event_type: ClassVar[str] = "visit.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAdded(Fact):
    """One line of cost (2204, 2301)."""

    event_type: ClassVar[str] = "fee.added"

    mdtrt_id: str
    feedetl_sn: str
    fixmedins_code: str
    med_list_codg: str
    cnt_x10000: int
    amount_fen: int
    ownpay_fen: int | None = None
    selfpay_prop_x10000: int | None = None
    chrg_bchno: str | None = None
    prd_days: int | None = None
    dr_code: str | None = None
    drug_trac_codg: tuple[str, ...] | None = None
    pric_uplmt_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeReversed(Fact):
    """A line, a batch, or all unsettled lines of a visit taken back: exactly one of the three is given."""

    event_type: ClassVar[str] = "fee.reversed"

    mdtrt_id: str
    feedetl_sn: str | None = None
    chrg_bchno: str | None = None
    all_unsettled: bool | None = None
    cnt_x10000: int | None = None
    amount_fen: int | None = None
    return_feedetl_sn: str | None = None


# --- the settlement --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementEstimated(Fact):
    """A pre-settlement (2206, 2303, 2101): what the bill would be."""

    event_type: ClassVar[str] = "settlement.estimated"

    mdtrt_id: str
    fixmedins_code: str
    medfee_sumamt_fen: int
    fund_pay_sumamt_fen: int
    psn_part_amt_fen: int
    acct_pay_fen: int
    psn_cash_pay_fen: int
    hosp_part_amt_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementCompleted(Fact):
    """A bill was settled (2207, 2304, 2102): the fund paid its part, the patient owes or paid `psn_cash_pay_fen`."""

    event_type: ClassVar[str] = "settlement.completed"

    setl_id: str
    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: Literal["1", "2"]
    med_type: str
    medfee_sumamt_fen: int
    fund_pay_sumamt_fen: int
    psn_part_amt_fen: int
    acct_pay_fen: int
    psn_cash_pay_fen: int
    medins_setl_id: str | None = None
    insutype: str | None = None
    dr_code: str | None = None
    hosp_part_amt_fen: int | None = None
    hifp_pay_fen: int | None = None
    credit_fen: int | None = None
    authorization_id: str | None = None
    mid_setl_flag: str | None = None
    chrg_bchno: str | None = None
    mdtrtarea_admvs: str | None = None
    insuplc_admdvs: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReversed(Fact):
    """A settlement was undone (2208, 2305, 2103, 2601): by its `setl_id`, or by the message id that made it."""

    event_type: ClassVar[str] = "settlement.reversed"

    setl_id: str | None = None
    medins_setl_id: str | None = None
    reversal_setl_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReinstated(Fact):
    """A reversal was itself undone (2601)."""

    event_type: ClassVar[str] = "settlement.reinstated"

    setl_id: str | None = None
    original_msgid: str | None = None


# --- standing: who the person is to the scheme and to the bank -------------------------------------------------------


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


# --- money that moved elsewhere --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TopupReceived(Fact):
    """The person paid the part above the line (超额补缴)."""

    event_type: ClassVar[str] = "topup.received"

    mdtrt_id: str
    amount_fen: int
    channel: Literal["counter", "online", "bank"]
    ref: str
    fixmedins_code: str = ""
    setl_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankOrderResult(Fact):
    """What the bank answered to an order."""

    event_type: ClassVar[str] = "bank.order_result"

    order_id: str
    attempt: int
    result: Literal["accepted", "settled", "partial", "rejected", "unknown", "cancelled"]
    amount_fen: int
    bank_ref: str | None = None
    code: str | None = None
    cause: Literal["person", "bank"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _BankNotice(Fact):
    """A movement on the agreement that the bank reports."""

    agreement_no: str
    bank_ref: str
    order_id: str | None = None
    mdtrt_id: str | None = None
    amount_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRepaid(_BankNotice):
    """The person repaid the bank."""

    event_type: ClassVar[str] = "bank.repaid"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRefunded(_BankNotice):
    """The bank gave money back to the person."""

    event_type: ClassVar[str] = "bank.refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankOverdue(_BankNotice):
    """The bank says that a drawn amount is overdue."""

    event_type: ClassVar[str] = "bank.overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCured(_BankNotice):
    """The bank says that the arrears are paid."""

    event_type: ClassVar[str] = "bank.cured"


# --- records that only the engine appends ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest(Fact):
    """A checkout call in the log. `attempt` is the HTTP call, `reply_to` the channel of the API process that waits."""

    authorization_id: str
    fixmedins_code: str
    attempt: str
    reply_to: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequested(CheckoutRequest):
    """May this visit be paid on credit, up to `amount_fen`?"""

    event_type: ClassVar[str] = "authorization.requested"

    mdtrt_id: str
    service: Service
    med_type: str
    amount_fen: int
    scope: Scope = "settlement"
    agreement_no: str | None = None
    medins_setl_id: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationIncreaseRequested(CheckoutRequest):
    """May the hold grow by `amount_fen`?"""

    event_type: ClassVar[str] = "authorization.increase_requested"

    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCaptureRequested(CheckoutRequest):
    """Take `psn_cash_pay_fen` of settlement `setl_id` out of the hold. `final` ends the authorization (None: final for scope settlement)."""

    event_type: ClassVar[str] = "authorization.capture_requested"

    setl_id: str
    psn_cash_pay_fen: int
    final: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationReleaseRequested(CheckoutRequest):
    """Give the hold back."""

    event_type: ClassVar[str] = "authorization.release_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationAbandoned(CheckoutRequest):
    """The API stopped waiting for this attempt and told the caller `fallback`."""

    event_type: ClassVar[str] = "authorization.abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue(Fact):
    """An instant that the person's schedule asked for has come. Everything of this person due by `due_ms` is judged now."""

    event_type: ClassVar[str] = "timer.due"

    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyActivated(Fact):
    """A policy bundle became the one in force, at this place in the log. `files`: name → TOML text."""

    event_type: ClassVar[str] = "policy.activated"

    version: str
    digest: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldActivated(Fact):
    """From here on a newer fold decides; older releases stop at this record."""

    event_type: ClassVar[str] = "fold.activated"

    fold_version: int


FACTS: dict[str, type[Fact]] = {
    kind.event_type: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Fact) and "event_type" in vars(kind)
}

ENGINE_ONLY = frozenset(
    {
        "authorization.requested",
        "authorization.increase_requested",
        "authorization.capture_requested",
        "authorization.release_requested",
        "authorization.abandoned",
        "timer.due",
        "policy.activated",
        "fold.activated",
    }
)
