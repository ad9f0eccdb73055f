"""What a credit record watches beside the money: demand, costs of a stay, arrears, signs of use. Types only."""

from typing import NamedTuple

from risk.activity import Stored


class Want(NamedTuple):
    """What a visit asked beyond what it got, while it is open or lately refused (rules.md L80-L100: uncovered).

    `waits_until_ms`: till when what was paid for it waits for a bill (waiting.py); 0 = the visit goes on.
    `paid_day`: the log's day of the first of these payments.
    """

    mdtrt_id: str
    fixmedins_code: str
    service: str
    asked_fen: int
    refused_until_ms: int = 0
    topped_up_fen: int = 0
    waits_until_ms: int = 0
    paid_day: int = 0


class Unbooked(NamedTuple):
    """A bill of which nothing was captured (unbooked.py). `doubted`: its event, if it does not add up.

    `undone_ms`: when it came, if it was reversed before and would have been on credit: of this authorization, if any.
    """

    setl_id: str
    mdtrt_id: str
    tender_fen: int
    doubted: str = ""
    undone_ms: int = 0
    fixmedins_code: str = ""
    authorization_id: str = ""
    final: bool = True


class Accrual(NamedTuple):
    """What an admission has cost in cash so far: the latest estimate and the unsettled lines after it (accrual.py)."""

    mdtrt_id: str
    fixmedins_code: str
    cash_fen: int
    estimated_ms: int = 0
    lines: bytes = b""


class Arrears(NamedTuple):
    """What is overdue under one agreement, and how far it was followed (arrears.py). `delivered`: notice ids."""

    agreement_no: str
    since_ms: int
    sent: int = 0
    remind_ms: int = 0
    delivered: tuple[str, ...] = ()
    file_ms: int = 0
    filed_ms: int = 0


class Left(NamedTuple):
    """A discharge that no settlement followed yet, under an open deposit-free hold (F07)."""

    mdtrt_id: str
    fixmedins_code: str
    authorization_id: str
    since_ms: int
    due_ms: int


class Alarm(NamedTuple):
    """An open L episode of a pool. `seen_at`: the institution that was told of the opening, and is told of the end."""

    rule_id: str
    service: str
    crossing_id: str
    seen_at: str = ""


class Signals(Stored, frozen=True):
    """What F01-F07 remember of how credit is used (signals.py). `open`: their episodes, `service` = level|period."""

    asked: tuple[tuple[int, str], ...] = ()
    full_visits: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    undone: tuple[int, ...] = ()
    left: tuple[Left, ...] = ()
    open: tuple[Alarm, ...] = ()
    first: tuple[str, ...] = ()  # where the first holds of agreements were asked for, silent so far (F03)
