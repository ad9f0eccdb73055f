"""Money that moved elsewhere: top-ups, and what the bank reports."""

from typing import Literal

from risk.facts.base import Fact, Fen, Instant, Whole


class TopupReceived(Fact, frozen=True, kw_only=True, tag="topup.received"):
    """The person paid the part above the line (超额补缴)."""

    mdtrt_id: str
    amount_fen: Fen
    channel: Literal["counter", "online", "bank"]
    ref: str
    fixmedins_code: str = ""
    setl_id: str | None = None


class BankOrderResult(Fact, frozen=True, kw_only=True, tag="bank.order_result"):
    """What the bank answered to an order. `booked_at`: when the bank booked it, by the bank's own clock."""

    order_id: str
    attempt: Whole
    result: Literal["accepted", "settled", "partial", "rejected", "unknown", "cancelled"]
    amount_fen: Fen
    bank_ref: str | None = None
    code: str | None = None
    cause: Literal["person", "bank"] | None = None
    booked_at: Instant | None = None


class _BankNotice(Fact, frozen=True, kw_only=True):
    """A movement on the agreement that the bank reports."""

    agreement_no: str
    bank_ref: str
    order_id: str | None = None
    mdtrt_id: str | None = None
    amount_fen: Fen | None = None


class BankRepaid(_BankNotice, frozen=True, kw_only=True, tag="bank.repaid"):
    """The person repaid the bank."""


class BankRefunded(_BankNotice, frozen=True, kw_only=True, tag="bank.refunded"):
    """The bank gave money back to the person."""


class BankOverdue(_BankNotice, frozen=True, kw_only=True, tag="bank.overdue"):
    """The bank says that a drawn amount is overdue."""


class BankCured(_BankNotice, frozen=True, kw_only=True, tag="bank.cured"):
    """The bank says that the arrears are paid."""
