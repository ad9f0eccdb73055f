"""What the bank is told to move: orders, their items and states, and captures that wait for their order (credit.py)."""

from enum import StrEnum
from typing import NamedTuple


def stood_ms(clock: "Order | Bundle", now_ms: int) -> int:
    """How long its clock stood still so far, since it last said when it is due: one that still does counts too."""
    return clock.waited_ms + (now_ms - clock.stopped_ms if clock.stopped_ms else 0)


class FundingState(StrEnum):
    """Where the money to the institution stands."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    SETTLED = "settled"
    PARTIAL = "partial"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Item(NamedTuple):
    """One settlement's part of an order, and how much of it has moved."""

    setl_id: str
    amount_fen: int
    moved_fen: int = 0


class Order(NamedTuple):
    """An instruction to the bank. `refused_ms`: last refused for the person's cause. `not_before_ms`: the attempt's.

    `told`: what each attempt is known to have moved, (attempt, fen). `sent_count` attempts left on the day `sent_day`.
    `stopped_ms`: since when its clock stands still; `waited_ms`: how much later it is due than it said (kept.py).
    Of a refund: `moved_ms`, when money of it was told last; `noticed_fen`, what notices without our order told of it.
    """

    order_id: str
    kind: str
    bundle: str
    agreement_no: str
    bank_code: str
    fixmedins_code: str
    mdtrt_id: str
    items: tuple[Item, ...]
    original_order_id: str
    attempt: int
    state: FundingState
    first_ms: int
    due_ms: int
    retry_ms: int = 0
    refused_ms: int = 0
    kept: str = ""
    not_before_ms: int = 0
    told: tuple[tuple[int, int], ...] = ()
    sent_day: int = 0
    sent_count: int = 0
    stopped_ms: int = 0
    waited_ms: int = 0
    moved_ms: int = 0
    noticed_fen: int = 0

    @property
    def late_ms(self) -> int:
        """From here on what it asked for is overdue, if the person's card refused it."""
        return self.due_ms + self.waited_ms + 1

    @property
    def in_flight(self) -> bool:
        """The bank may still move this money."""
        return self.state in (FundingState.SUBMITTED, FundingState.UNKNOWN)

    @property
    def rest_fen(self) -> int:
        """What it asked for and did not move."""
        return sum(item.amount_fen - item.moved_fen for item in self.items)

    def asking_no_more(self) -> "Order":
        """The order that asks for nothing beyond what it moved."""
        return self._replace(items=tuple(item._replace(amount_fen=item.moved_fen) for item in self.items))


class Bundle(NamedTuple):
    """Captures that wait for their order. `close_ms` 0: it closes at discharge; `emit_ms` 0: it is not closed.

    `stopped_ms`, `waited_ms`: of the clock of the debit it will be (Order).
    """

    key: str
    mdtrt_id: str
    fixmedins_code: str
    agreement_no: str
    close_ms: int
    emit_ms: int = 0
    kept: str = ""
    stopped_ms: int = 0
    waited_ms: int = 0
