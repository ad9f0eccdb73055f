"""What happened: the canonical facts of the person log, one frozen type per `event_type`. Nothing here decides.

Names are the national platform's; amounts are integer fen; `occurred_at` carries its offset. The types are the schema:
the edge decodes into them, JSON Schemas and OpenAPI are generated from them. Source: contract.md "Canonical events",
domain.md 2. They are msgspec Structs, the one library beside numpy that risk/ uses: it only computes, and a record is
decoded and checked in half a microsecond instead of five. Read visit, settlement, checks, standing, money, stock,
staff, query, engine, in this order.
"""

from risk.facts.base import Fact, FundingMode, InstitutionFact, Scope, Service, StaffFact, SubjectFact
from risk.facts.checks import BedChecked, IdentityChecked, TransferFiled
from risk.facts.engine import (
    AuthorizationAbandoned,
    AuthorizationCaptureRequested,
    AuthorizationIncreaseRequested,
    AuthorizationReleaseRequested,
    AuthorizationRequested,
    CheckoutRequest,
    FoldActivated,
    PolicyActivated,
    TimerDue,
)
from risk.facts.money import BankCured, BankOrderResult, BankOverdue, BankRefunded, BankRepaid, TopupReceived
from risk.facts.peers import PeersPublished
from risk.facts.query import QueryLogged
from risk.facts.settlement import SettlementCompleted, SettlementEstimated, SettlementReinstated, SettlementReversed
from risk.facts.staff import StaffPointsDetermined, StaffStatusChanged
from risk.facts.standing import (
    AgreementLineChanged,
    AgreementSigned,
    AgreementTerminated,
    CaseClosed,
    CaseConfirmed,
    CommitmentSigned,
    CreditDelisted,
    CreditDisputeClosed,
    CreditDisputeOpened,
    CreditLevelSet,
    CreditListed,
    CreditServiceResumed,
    CreditServiceSuspended,
    InsuredStatusChanged,
    NoticeDelivered,
)
from risk.facts.stock import CodeMoved, PriceTold, StockMoved, StockUndone
from risk.facts.visit import (
    FeeAdded,
    FeeReversed,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)

__all__ = [
    "ENGINE_ONLY",
    "FACTS",
    "AgreementLineChanged",
    "AgreementSigned",
    "AgreementTerminated",
    "AuthorizationAbandoned",
    "AuthorizationCaptureRequested",
    "AuthorizationIncreaseRequested",
    "AuthorizationReleaseRequested",
    "AuthorizationRequested",
    "BankCured",
    "BankOrderResult",
    "BankOverdue",
    "BankRefunded",
    "BankRepaid",
    "BedChecked",
    "CaseClosed",
    "CaseConfirmed",
    "CheckoutRequest",
    "CodeMoved",
    "CommitmentSigned",
    "CreditDelisted",
    "CreditDisputeClosed",
    "CreditDisputeOpened",
    "CreditLevelSet",
    "CreditListed",
    "CreditServiceResumed",
    "CreditServiceSuspended",
    "Fact",
    "FeeAdded",
    "FeeReversed",
    "FoldActivated",
    "FundingMode",
    "IdentityChecked",
    "InstitutionFact",
    "InsuredStatusChanged",
    "NoticeDelivered",
    "PeersPublished",
    "PolicyActivated",
    "PriceTold",
    "QueryLogged",
    "Scope",
    "Service",
    "SettlementCompleted",
    "SettlementEstimated",
    "SettlementReinstated",
    "SettlementReversed",
    "StaffFact",
    "StaffPointsDetermined",
    "StaffStatusChanged",
    "StockMoved",
    "StockUndone",
    "SubjectFact",
    "TimerDue",
    "TopupReceived",
    "TransferFiled",
    "VisitCancelled",
    "VisitClosed",
    "VisitOpened",
    "VisitReopened",
    "VisitUpdated",
]

_NO_EVENTS = (Fact, CheckoutRequest, SubjectFact, InstitutionFact, StaffFact)
FACTS: dict[str, type[Fact]] = {
    str(kind.__struct_config__.tag): kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Fact) and kind not in _NO_EVENTS
}
for _event_type, _kind in FACTS.items():
    _kind.event_type = _event_type

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
        "peers.published",
        "code.moved",
        "price.told",
        "stock.undone",
        "query.logged",
    }
)
