"""Differences put into the simulated banks' statements on purpose, and what the report must then say, exactly."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
from typing import Any, NamedTuple

from connectors.bank_book import Plant, PlantKind
from risk.reconciliation import Finding, Report, signed

KINDS: tuple[PlantKind, ...] = ("omit", "twice", "amount", "invent")
_FINDINGS = {
    "omit": Finding.MISSING_AT_BANK,
    "twice": Finding.BOOKED_TWICE,
    "amount": Finding.AMOUNT_DIFFERS,
    "invent": Finding.MISSING_WITH_US,
}


class Named(NamedTuple):
    """One difference: what it is, of which attempt, and by how much."""

    finding: str
    order_id: str
    attempt: int
    difference_fen: int


def planted(bookings: Iterable[dict[str, Any]], count: int) -> Iterator[tuple[Plant, Named]]:
    """`count` differences, spread over all that was booked, each kind in turn."""
    rows = list(bookings)
    step = max(1, len(rows) // max(1, count))
    for number, (row, kind) in enumerate(zip(rows[::step][:count], cycle(KINDS), strict=False)):
        order_id = f"or_nobody{number}" if kind == "invent" else row["order_id"]
        attempt = 1 if kind == "invent" else row["attempt"]
        told_fen = row["amount_fen"] + 1 + number if kind == "amount" else row["amount_fen"]
        plant = Plant(
            kind=kind,
            order_id=order_id,
            attempt=attempt,
            amount_fen=told_fen,
            bank_code=row["bank_code"],
            payee_fixmedins_code=row["payee_fixmedins_code"],
            booked_at=row["booked_at"],
        )
        yield plant, Named(_FINDINGS[kind].value, order_id, attempt, _difference_fen(kind, row, told_fen))


def _difference_fen(kind: PlantKind, row: dict[str, Any], told_fen: int) -> int:
    whole_fen = signed(row["kind"], row["amount_fen"])
    match kind:
        case "omit":
            return -whole_fen
        case "amount":
            return signed(row["kind"], told_fen - row["amount_fen"])
        case "invent":
            return int(row["amount_fen"])
    return whole_fen


def named(days: Mapping[int, Report]) -> list[Named]:
    """The differences that the reports name."""
    return sorted(
        Named(line.finding.value, line.order_id, line.attempt, line.difference_fen)
        for report in days.values()
        for line in report.differences
    )
