"""Packed records of what was applied, found by a 64-bit key: receipts of settlements, business keys, fee lines."""

from struct import Struct

from msgspec.structs import astuple, replace

from risk.activity import RECEIPT, Activity, Receipt, Visit, hash64
from risk.event_ids import message_of

SEEN = Struct(">QIH")  # business key, content, day
_LINE = Struct(">QI")  # feedetl_sn, content


def _find(packed: bytes, record: Struct, key: int, at: int = 0) -> int:
    """Where the record whose 64-bit field at byte `at` equals `key` begins, or -1."""
    needle, size = key.to_bytes(8), record.size
    found = packed.find(needle)
    while found >= 0 and found % size != at:
        found = packed.find(needle, found + 1)
    return found - at if found >= 0 else -1


def receipt_of(activity: Activity, setl: int, message: int = 0) -> Receipt | None:
    """The receipt of a settlement, by the hash of its `setl_id`, else of the message that made it."""
    start = _find(activity.receipts, RECEIPT, setl) if setl else -1
    if start < 0 and message:
        start = _find(activity.receipts, RECEIPT, message, 8)
    return Receipt(*RECEIPT.unpack_from(activity.receipts, start)) if start >= 0 else None


def receipt_named(activity: Activity, setl_id: str | None, message: str | None) -> Receipt | None:
    """The receipt of the settlement that a reversal names. 2601 names the message that was sent: where a system gives
    its bills a `medins_setl_id` of its own, the row tells, as long as it is there.
    """
    known = receipt_of(activity, hash64(setl_id or ""), hash64(message or ""))
    if known is not None or not message:
        return known
    row = next((row for row in activity.rows if message_of(row.event_id) == message), None)
    return receipt_of(activity, row.setl) if row is not None else None


def with_receipt(activity: Activity, receipt: Receipt) -> Activity:
    """The activity with this receipt in the place of the one of the same settlement."""
    packed, start = activity.receipts, _find(activity.receipts, RECEIPT, receipt.setl)
    assert start >= 0, "only a counted settlement changes its receipt"
    return replace(activity, receipts=packed[:start] + RECEIPT.pack(*astuple(receipt)) + packed[start + RECEIPT.size :])


def seen_content(activity: Activity, key: int) -> int | None:
    """The content hash under which this business key was applied, or None."""
    start = _find(activity.seen, SEEN, key)
    return SEEN.unpack_from(activity.seen, start)[1] if start >= 0 else None


def with_seen(activity: Activity, key: int, content: int, day: int) -> Activity:
    """The activity that remembers this business key for 400 days."""
    return replace(activity, seen=activity.seen + SEEN.pack(key, content, max(0, day)))


def line_content(visit: Visit, key: int) -> int | None:
    """The content hash of a fee line of this visit, or None."""
    start = _find(visit.lines, _LINE, key)
    return _LINE.unpack_from(visit.lines, start)[1] if start >= 0 else None


def with_line(visit: Visit, key: int, content: int) -> Visit:
    """The visit that remembers one fee line more."""
    return replace(visit, lines=visit.lines + _LINE.pack(key, content))
