"""A bank's statement of one day as text: NDJSON or CSV, one line per booking. It judges nothing.

Fields: order_id, attempt, kind, amount_fen, bank_ref, booked_at (RFC 3339), and, where the bank says them, bank_code
and payee_fixmedins_code. An NDJSON statement may end with `{"rows": n, "total_fen": sum of amount_fen}`; then a
statement that was cut is refused instead of compared.
"""

import csv
import json
from collections.abc import Iterable
from datetime import datetime
from io import StringIO
from typing import Any

from connectors.errors import ConnectorError
from risk.local_time import local_day, to_ms
from risk.reconciliation import Booking

FIELDS = ("order_id", "attempt", "kind", "amount_fen", "bank_ref", "booked_at")
OPTIONAL = ("bank_code", "payee_fixmedins_code")
KINDS = frozenset({"debit", "draw", "refund", "cancel"})
NDJSON = "application/x-ndjson"


def parse_statement(text: str, *, bank_code: str = "", day: int | None = None) -> list[Booking]:
    """The bookings of a statement. `bank_code`: whose it is, where its lines do not say so; `day`: which it must be."""
    text = text.removeprefix("\ufeff").strip()
    rows = list(_ndjson_rows(text) if text.startswith("{") else _csv_rows(text))
    trailer = rows.pop()[1] if rows and "rows" in rows[-1][1] else None
    bookings = [_booking(number, row, bank_code, day) for number, row in rows]
    if trailer is not None:
        total_fen = sum(booking.amount_fen for booking in bookings)
        if (len(bookings), total_fen) != (trailer["rows"], trailer.get("total_fen", total_fen)):
            raise _unreadable(
                len(rows), f"it says {trailer} and holds {len(bookings)} rows of {total_fen} fen: it was cut"
            )
    return bookings


def statement_text(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as NDJSON with the closing line."""
    written = list(rows)
    closing = {"rows": len(written), "total_fen": sum(row["amount_fen"] for row in written)}
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*written, closing])


def _ndjson_rows(text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _unreadable(number, f"no JSON: {error}") from error
        if not isinstance(row, dict):
            raise _unreadable(number, "no object")
        yield number, row


def _csv_rows(text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    table = csv.DictReader(StringIO(text))
    for row in table:
        if None in row or None in row.values():
            raise _unreadable(table.line_num, "it has more or fewer columns than the first line names")
        yield table.line_num, row


def _booking(number: int, row: dict[str, Any], bank_code: str, day: int | None) -> Booking:
    if missing := [name for name in FIELDS if row.get(name) in (None, "")]:
        raise _unreadable(number, f"{', '.join(missing)} missing")
    said = {name: str(row[name]) for name in FIELDS} | {name: str(row.get(name) or "") for name in OPTIONAL}
    for name in ("attempt", "amount_fen"):
        if not (said[name].isascii() and said[name].isdigit()):
            raise _unreadable(number, f"{name} is {said[name]!r}, expected a whole number")
    if said["kind"] not in KINDS:
        raise _unreadable(number, f"kind is {said['kind']!r}, expected one of {', '.join(sorted(KINDS))}")
    if bank_code and said["bank_code"] not in ("", bank_code):
        raise _unreadable(number, f"it is of bank {said['bank_code']}, not of {bank_code}")
    if day is not None and _day(number, said["booked_at"]) != day:
        raise _unreadable(number, f"it was booked at {said['booked_at']}, which is another day")
    return Booking(
        said["order_id"],
        int(said["attempt"]),
        said["kind"],
        int(said["amount_fen"]),
        said["bank_ref"],
        said["booked_at"],
        said["bank_code"] or bank_code,
        said["payee_fixmedins_code"],
    )


def _day(number: int, booked_at: str) -> int:
    try:
        instant = datetime.fromisoformat(booked_at)
    except ValueError as error:
        raise _unreadable(number, f"booked_at is {booked_at!r}, expected RFC 3339") from error
    if instant.tzinfo is None:
        raise _unreadable(number, f"booked_at is {booked_at!r}, without offset")
    return local_day(to_ms(instant))


def _unreadable(number: int, why: str) -> ConnectorError:
    return ConnectorError("statement", f"line {number}: {why}", retryable=False)
