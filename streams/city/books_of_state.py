"""What the state in Redis says of orders and loans, beside what the bank's own book says, one by one."""

from collections import Counter
from collections.abc import Iterator

from connectors.state_codec import unpack_credit
from connectors.store import KEY_PREFIX, Store
from connectors.stored_bytes import value_of
from connectors.topology import tags
from risk.credit import Credit
from risk.exposure import moved, used_of
from risk.local_time import local_day
from risk.signed import CREDIT_LINE
from streams.city.bank_side import BankSide


class _State:
    """The sums of all credit records."""

    def __init__(self, credits: Iterator[Credit], last_day: int) -> None:
        self.orders, self.loans = Counter[str](), Counter[str]()
        self.owed_fen = 0
        self.wrong: list[str] = []
        for credit in credits:
            self._add(credit, last_day)

    def _add(self, credit: Credit, last_day: int) -> None:
        sums = moved(credit)
        for order in credit.orders:
            self.orders[order.order_id] += sum(item.moved_fen for item in order.items)
        for obligation in credit.obligations:
            if local_day(obligation.captured_ms) > last_day:
                self.wrong.append(f"settlement {obligation.setl_id} was captured by the wall's clock")
            if obligation.mode == CREDIT_LINE:
                self.loans[obligation.agreement_no] += used_of(obligation, sums)
            else:
                self.owed_fen += used_of(obligation, sums)


def state_against_bank(
    store: Store, partitions: int, bank: BankSide, last_day: int
) -> tuple[dict[str, int], list[str]]:
    """Sums, and a sentence for each difference."""
    rows = bank.bookings()
    booked, lent = Counter[str](), Counter[str]()
    loans = bank.loans_fen(rows)
    for row in rows:
        booked[row["order_id"]] += row["amount_fen"]
        if row["kind"] == "draw":
            lent[row["agreement_no"]] += loans.pop(row["order_id"], 0)
    state = _State(_credits(store, partitions), last_day)
    wrong = [
        f"order {name}: the bank moved {booked[name]} fen, the state says {state.orders[name]}"
        for name in sorted(booked.keys() | state.orders.keys())
        if booked[name] != state.orders[name]
    ]
    wrong += [
        f"agreement {name}: the bank is owed {lent[name]} fen, the state says {state.loans[name]}"
        for name in sorted(lent.keys() | state.loans.keys())
        if lent[name] != state.loans[name]
    ]
    sums = {
        "orders": len(booked),
        "moved_fen": sum(booked.values()),
        "loans_at_bank_fen": sum(lent.values()),
        "loans_in_state_fen": sum(state.loans.values()),
        "owed_to_institutions_fen": state.owed_fen,
    }
    return sums, state.wrong + wrong


def _credits(store: Store, partitions: int) -> Iterator[Credit]:
    for tag in tags("p", partitions):
        for key in store.keys_of(tag):
            value = store.client.get(key) if key.startswith(f"{KEY_PREFIX}{tag}:c:") else None
            if value:
                yield unpack_credit(value_of(value))
