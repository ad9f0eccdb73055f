"""What one person did lately: settlements, visits, year sums, open episodes. It remembers; it judges nothing.

The state is a function of the person's applied records and of `newest_ms` / `touched_ms`, never of how the log was cut into batches:
everything is pruned on absolute local-day boundaries (design.md 4). Hashes are 64 bit. Amounts are fen.
"""

from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from risk.local_time import DAY_MS, HOUR_MS, day_start_ms, local_day

LATE_MS = 48 * HOUR_MS
ROW_MS = 90 * DAY_MS + LATE_MS  # the longest window, and how late an event may be judged
RECEIPT_DAYS = 400
TOMBSTONE_MS = 40 * DAY_MS
LINES_AFTER_VISIT_MS = 48 * HOUR_MS

COUNTED, REVERSED, SILENCED = 0, 1, 2  # SILENCED: reversed before it came; a reinstatement counts it

_RECEIPT = Struct(">QQIHqB")  # setl_id, medins_setl_id, content, day, fund fen, state
_SEEN = Struct(">QIH")  # business key, content, day
_LINE = Struct(">QI")  # feedetl_sn, content


def hash64(text: str) -> int:
    """64 bits of a name; 0 only for the empty string."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) if text else 0


def hash32(text: str) -> int:
    """32 bits of some content, to tell the same from other."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest())


class Row(NamedTuple):
    """A settlement that a window may still need."""

    at_ms: int
    setl: int
    event_id: str
    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: str
    med_type: str
    dr_code: str
    medfee_fen: int
    fund_fen: int
    state: int = COUNTED


class Receipt(NamedTuple):
    """What a duplicate and a late reversal need of a settlement for 400 days."""

    setl: int
    message: int
    content: int
    day: int
    fund_fen: int
    state: int


class Visit(NamedTuple):
    """A visit or an admission, until two days after its end."""

    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: str
    med_type: str = ""
    insutype: str = ""
    insuplc: str = ""
    dr_code: str = ""
    opened_ms: int = 0
    newest_ms: int = 0
    ended_ms: int = 0
    cancelled: bool = False
    emergency: bool = False
    message_id: str = ""
    lines: bytes = b""

    @property
    def admission(self) -> bool:
        """An inpatient stay ends by discharge only, never by midnight."""
        return self.med_type.startswith(("2", "52"))


class Tombstone(NamedTuple):
    """A reversal that came before its original."""

    key: int
    at_ms: int


class Undone(NamedTuple):
    """Which message reversed which settlement: 2601 names the message only."""

    message: int
    setl: int
    at_ms: int


class Episode(NamedTuple):
    """An alert that is open since `crossing_id`. `period` is the local day or year of a calendar measure, else 0.

    It ends below the re-arm point it was opened with: a reversal carries no place to look the annual cap up by.
    """

    rule_id: str
    level: int
    period: int
    crossing_id: str
    ends_below: int
    allowed: int
    reached: int = 0  # the measure as last seen, where the values it was made of are not read again


class Activity(NamedTuple):
    """Everything remembered of one person's conduct."""

    newest_ms: int = 0  # newest counted settlement; never goes back
    touched_ms: int = 0  # newest record of any kind
    area: str = ""
    receipts: bytes = b""
    seen: bytes = b""
    rows: tuple[Row, ...] = ()
    years: tuple[tuple[int, int], ...] = ()
    visits: tuple[Visit, ...] = ()
    episodes: tuple[Episode, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    undone: tuple[Undone, ...] = ()


NOTHING = Activity()


# --- visits ----------------------------------------------------------------------------------------------------------


def visit_of(activity: Activity, mdtrt_id: str) -> Visit | None:
    """The visit of that number, if it is still remembered."""
    for visit in reversed(activity.visits):
        if visit.mdtrt_id == mdtrt_id:
            return visit
    return None


def with_visit(activity: Activity, visit: Visit) -> Activity:
    """The activity with this visit put in the place of the one of the same number."""
    others = tuple(other for other in activity.visits if other.mdtrt_id != visit.mdtrt_id)
    return activity._replace(visits=(*others, visit))


def visit_end_ms(visit: Visit, grace_ms: int) -> int:
    """When the visit ends: as told, else (no admission) the first local midnight after its newest event + grace; 0 = still open."""
    if visit.ended_ms or visit.admission:
        return visit.ended_ms
    return day_start_ms(local_day(visit.newest_ms) + 1) + grace_ms


# --- receipts --------------------------------------------------------------------------------------------------------


def _find(packed: bytes, record: Struct, key: int, at: int = 0) -> int:
    """Where the record whose 64-bit field at byte `at` equals `key` begins, or -1."""
    needle, size = key.to_bytes(8), record.size
    found = packed.find(needle)
    while found >= 0 and found % size != at:
        found = packed.find(needle, found + 1)
    return found - at if found >= 0 else -1


def receipt_of(activity: Activity, setl: int, message: int = 0) -> Receipt | None:
    """The receipt of a settlement, by the hash of its `setl_id`, else of the message that made it."""
    start = _find(activity.receipts, _RECEIPT, setl) if setl else -1
    if start < 0 and message:
        start = _find(activity.receipts, _RECEIPT, message, 8)
    return Receipt(*_RECEIPT.unpack_from(activity.receipts, start)) if start >= 0 else None


def with_receipt(activity: Activity, receipt: Receipt) -> Activity:
    """The activity with this receipt in the place of the one of the same settlement."""
    packed, start = activity.receipts, _find(activity.receipts, _RECEIPT, receipt.setl)
    assert start >= 0, "only a counted settlement changes its receipt"
    return activity._replace(receipts=packed[:start] + _RECEIPT.pack(*receipt) + packed[start + _RECEIPT.size :])


# --- business keys ---------------------------------------------------------------------------------------------------


def seen_content(activity: Activity, key: int) -> int | None:
    """The content hash under which this business key was applied, or None."""
    start = _find(activity.seen, _SEEN, key)
    return _SEEN.unpack_from(activity.seen, start)[1] if start >= 0 else None


def with_seen(activity: Activity, key: int, content: int, day: int) -> Activity:
    """The activity that remembers this business key for 400 days."""
    return activity._replace(seen=activity.seen + _SEEN.pack(key, content, max(0, day)))


def line_content(visit: Visit, key: int) -> int | None:
    """The content hash of a fee line of this visit, or None."""
    start = _find(visit.lines, _LINE, key)
    return _LINE.unpack_from(visit.lines, start)[1] if start >= 0 else None


def with_line(visit: Visit, key: int, content: int) -> Visit:
    """The visit that remembers one fee line more."""
    return visit._replace(lines=visit.lines + _LINE.pack(key, content))


# --- rows and sums ---------------------------------------------------------------------------------------------------


def with_settlement(activity: Activity, row: Row, receipt: Receipt, year: int, area: str) -> Activity:
    """The activity with one settlement more: receipt, row, and (if it counts) year sum and newest time. Built once: the hot path."""
    counted = row.state == COUNTED
    newest_ms = max(activity.newest_ms, row.at_ms) if counted else activity.newest_ms
    rows = activity.rows
    if row.at_ms >= day_start_ms(local_day(activity.newest_ms - ROW_MS)):
        rows = (*rows, row)
        if len(rows) > 1 and rows[-2].at_ms > row.at_ms:
            rows = tuple(sorted(rows, key=_at_ms))  # stable: ties stay in log order
    return Activity(
        newest_ms,
        max(activity.touched_ms, row.at_ms),
        area,
        activity.receipts + _RECEIPT.pack(*receipt),
        activity.seen,
        rows,
        _added(activity.years, year, row.fund_fen) if counted else activity.years,
        activity.visits,
        activity.episodes,
        activity.tombstones,
        activity.undone,
    )


def _at_ms(row: Row) -> int:
    return row.at_ms


def _added(years: tuple[tuple[int, int], ...], year: int, delta_fen: int) -> tuple[tuple[int, int], ...]:
    """The year sums with one changed; the last three years are kept."""
    if years and years[-1][0] == year:
        return (*years[:-1], (year, years[-1][1] + delta_fen))
    sums = dict(years)
    sums[year] = sums.get(year, 0) + delta_fen
    newest = max(sums)
    return tuple(sorted((each, fen) for each, fen in sums.items() if each > newest - 3))


def with_row_state(activity: Activity, setl: int, state: int) -> Activity:
    """The activity in which the settlement's row, if it is still there, has that state."""
    rows = tuple(row._replace(state=state) if row.setl == setl else row for row in activity.rows)
    return activity._replace(rows=rows)


def row_of(activity: Activity, setl: int) -> Row | None:
    """The window row of a settlement, if it is still there."""
    return next((row for row in activity.rows if row.setl == setl), None)


def year_sum(activity: Activity, year: int) -> int:
    """What the funds paid for this person in that calendar year, fen."""
    return next((fund_fen for each, fund_fen in activity.years if each == year), 0)


def with_year_sum(activity: Activity, year: int, delta_fen: int) -> Activity:
    """The activity with the year's sum changed."""
    return activity._replace(years=_added(activity.years, year, delta_fen))


# --- forgetting ------------------------------------------------------------------------------------------------------


def pruned(activity: Activity, grace_ms: int) -> Activity:
    """The activity without what no rule, duplicate or reversal can need any more; a function of its two newest times only."""
    if not activity.touched_ms:
        return activity
    changes: dict[str, object] = {}
    floor_ms = day_start_ms(local_day(activity.newest_ms - ROW_MS))
    if activity.rows and activity.rows[0].at_ms < floor_ms:
        changes["rows"] = tuple(row for row in activity.rows if row.at_ms >= floor_ms)
    today = local_day(activity.touched_ms)
    if _has_old(activity.receipts, _RECEIPT, 3, today):
        changes["receipts"] = _younger(activity.receipts, _RECEIPT, 3, today)
    if _has_old(activity.seen, _SEEN, 2, today):
        changes["seen"] = _younger(activity.seen, _SEEN, 2, today)
    if activity.visits:
        changes["visits"] = tuple(visit for visit in activity.visits if _needed(visit, today, grace_ms))
    if activity.tombstones:
        changes["tombstones"] = tuple(
            stone for stone in activity.tombstones if activity.newest_ms - stone.at_ms <= TOMBSTONE_MS
        )
    if activity.undone:
        changes["undone"] = tuple(each for each in activity.undone if activity.touched_ms - each.at_ms <= TOMBSTONE_MS)
    return activity._replace(**changes) if changes else activity  # type: ignore[arg-type]


def _has_old(packed: bytes, record: Struct, day_field: int, today: int) -> bool:
    return any(fields[day_field] < today - RECEIPT_DAYS for fields in record.iter_unpack(packed))


def _younger(packed: bytes, record: Struct, day_field: int, today: int) -> bytes:
    """The records of the last 400 days."""
    return b"".join(
        record.pack(*fields) for fields in record.iter_unpack(packed) if fields[day_field] >= today - RECEIPT_DAYS
    )


def _needed(visit: Visit, today: int, grace_ms: int) -> bool:
    """A visit is remembered until the second local midnight after the 48 hours that follow its end."""
    end_ms = visit_end_ms(visit, grace_ms)
    return not end_ms or local_day(end_ms + LINES_AFTER_VISIT_MS) + 1 >= today
