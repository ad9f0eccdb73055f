"""The simulated bank's loans: what people owe it by its own book, when they pay, and what it then tells us.

It knows what the bank was ordered and moved, never our topics. Who pays when is drawn from the order's id.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import httpx

from risk.facts import AgreementLineChanged, BankCured, BankOverdue, BankRepaid, Fact
from risk.local_time import local_day, to_datetime, to_ms


class Instalment(NamedTuple):
    """So many days after the draw this share of it is paid, in percent of what is owed then."""

    days: int
    percent: int


PLANS = (
    (60, (Instalment(4, 100),)),
    (80, (Instalment(3, 50), Instalment(6, 100))),
    (92, (Instalment(9, 100),)),  # overdue before that
    (100, ()),  # never, as long as the city lasts
)
OVERDUE_DAYS = 7


class BankSide:
    """The stage manager's line to the simulator, and the bank's ledger of loans."""

    def __init__(self, url: str, seed: int) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._seed = seed
        self._repaid_fen: dict[str, int] = {}
        self._told: set[str] = set()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def manage(self, call: str, said: Any) -> None:
        """One of the simulator's calls for the stage manager."""
        self._client.post(f"/simulator/{call}", json=said).raise_for_status()

    def bookings(self) -> list[dict[str, Any]]:
        """All that the bank moved, by its own book."""
        found: list[dict[str, Any]] = self._client.get("/simulator/book").raise_for_status().json()["bookings"]
        return found

    def loans_fen(self, bookings: Iterable[dict[str, Any]]) -> dict[str, int]:
        """What is owed on each draw: drawn, less what went back, less what was repaid."""
        owed: dict[str, int] = {}
        rows = list(bookings)
        for row in rows:
            if row["kind"] == "draw":
                owed[row["order_id"]] = owed.get(row["order_id"], 0) + row["amount_fen"]
        for row in rows:
            if row["kind"] == "refund" and row["original_order_id"] in owed:
                owed[row["original_order_id"]] -= row["amount_fen"]
        # what is repaid beyond the rest of a draw goes back to the person: the bank's affair
        return {order_id: max(0, fen - self._repaid_fen.get(order_id, 0)) for order_id, fen in owed.items()}

    def notices(self, now_ms: int) -> list[tuple[str, Fact]]:
        """What banks tell on this day, and which bank does: payments, arrears, and that they were paid."""
        rows = self.bookings()
        owed, today = self.loans_fen(rows), local_day(now_ms)
        told: list[tuple[str, Fact]] = []
        for row in rows:
            if row["kind"] != "draw":
                continue
            age = today - local_day(to_ms(datetime.fromisoformat(row["booked_at"])))
            plan = self._plan(row["order_id"])
            for instalment in plan:
                ref = f"repaid:{row['order_id']}:{instalment.days}"
                if age >= instalment.days and ref not in self._told:
                    self._told.add(ref)
                    fen = owed[row["order_id"]] * instalment.percent // 100
                    told += [(row["bank_code"], fact) for fact in self._paid(row, ref, fen, now_ms)]
                    owed[row["order_id"]] -= fen
            if (
                age >= OVERDUE_DAYS
                and owed[row["order_id"]]
                and (ref := f"overdue:{row['order_id']}") not in self._told
            ):
                self._told.add(ref)
                told += [(row["bank_code"], fact) for fact in _in_arrears(row, ref, now_ms)]
        return told

    def _paid(self, row: dict[str, Any], ref: str, amount_fen: int, now_ms: int) -> list[Fact]:
        if not amount_fen:
            return []
        self._repaid_fen[row["order_id"]] = self._repaid_fen.get(row["order_id"], 0) + amount_fen
        paid: list[Fact] = [
            BankRepaid(**_common(row, ref, now_ms), order_id=row["order_id"], amount_fen=amount_fen),
        ]
        if f"overdue:{row['order_id']}" in self._told:
            paid.append(BankCured(**_common(row, f"cured:{row['order_id']}", now_ms)))
        return paid

    def _plan(self, order_id: str) -> tuple[Instalment, ...]:
        lot = int.from_bytes(blake2b(f"{self._seed}:{order_id}".encode(), digest_size=4).digest()) % 100
        return next(plan for below, plan in PLANS if lot < below)


def _in_arrears(row: dict[str, Any], ref: str, now_ms: int) -> list[Fact]:
    """The bank says so, and lends no more."""
    common = _common(row, ref, now_ms)
    cut = {name: value for name, value in common.items() if name != "bank_ref"} | {"event_id": f"notice:cut:{ref}"}
    return [BankOverdue(**common), AgreementLineChanged(**cut, bank_line_fen=0)]


def _common(row: dict[str, Any], ref: str, now_ms: int) -> dict[str, Any]:
    return {
        "event_id": f"notice:{ref}",
        "occurred_at": to_datetime(now_ms),
        "psn_no": row["agreement_no"].removeprefix("AG"),  # the city's own way of numbering agreements
        "agreement_no": row["agreement_no"],
        "bank_ref": ref,
    }
