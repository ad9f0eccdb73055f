"""Money that moved elsewhere: top-ups, and what the bank reports."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from risk.facts.base import Fact


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
    """What the bank answered to an order. `booked_at`: when the bank booked it, by the bank's own clock."""

    event_type: ClassVar[str] = "bank.order_result"

    order_id: str
    attempt: int
    result: Literal["accepted", "settled", "partial", "rejected", "unknown", "cancelled"]
    amount_fen: int
    bank_ref: str | None = None
    code: str | None = None
    cause: Literal["person", "bank"] | None = None
    booked_at: datetime | None = None


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
