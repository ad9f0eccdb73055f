"""What one person did lately: settlements, visits, year sums, open episodes. It remembers; it judges nothing.

The state is a function of the person's applied records, never of how the log was cut into batches: what is forgotten is
forgotten on absolute local-day boundaries (pruning.py; design.md 4). Hashes are 64 bit. Amounts are fen.
"""

from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from struct import Struct

import msgspec
from msgspec.structs import astuple, replace

from risk.event_ids import joined
from risk.facts.base import SUM_MAX
from risk.insured import Insured
from risk.local_time import DAY_MS, HOUR_MS, day_start_ms, local_day

LATE_MS = 48 * HOUR_MS
RECEIPT_DAYS = 400
TOMBSTONE_MS = 40 * DAY_MS
LINES_AFTER_VISIT_MS = 48 * HOUR_MS

COUNTED, REVERSED, SILENCED = 0, 1, 2  # SILENCED: reversed before it came; a reinstatement counts it

RECEIPT = Struct(">QQIHqBI")  # setl_id, medins_setl_id, content, day, fund fen, state, institution


def hash64(text: str) -> int:
    """64 bits of a name; 0 only for the empty string."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) if text else 0


def hash32(text: str) -> int:
    """32 bits of some content, to tell the same from other."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest())


@lru_cache(maxsize=16_384)
def hash_of_code(code: str) -> int:
    """32 bits of an institution's code; 0 where it is not known."""
    return hash32(code) if code else 0


def is_admission(med_type: str) -> bool:
    """Is it a kind of treatment for which one is admitted?"""
    return med_type.startswith(("2", "52"))


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A part of a value as the store keeps it: an array in the order of its fields. One more than known is refused: a
    newer release wrote it, and an older one would write it back without.
    """


class Row(Stored, frozen=True):
    """A settlement that a window may still need. `stem`, `number`: its event id (event_ids.py)."""

    at_ms: int
    setl: int
    stem: bytes
    number: int
    mdtrt: int  # hash of mdtrt_id: visits are only told apart
    fixmedins_code: str
    fixmedins_type: str
    med_type: str
    dr_code: str
    medfee_fen: int
    fund_fen: int
    state: int = COUNTED
    marks: int = 0  # bills.py: what else a rule may ask of it, a bit each
    beside: tuple[tuple[int, int], ...] = ()  # what it added to its institution's day beside itself (counters.py)

    @property
    def event_id(self) -> str:
        """The event that told of it: evidence."""
        return joined(self.stem, self.number, self.fixmedins_code)


class Receipt(Stored, frozen=True):
    """What a duplicate and a late reversal need of a settlement for 400 days."""

    setl: int
    message: int
    content: int
    day: int
    fund_fen: int
    state: int
    institution: int = 0  # hash of its code: who may undo it when its row is gone


class Early(Stored, frozen=True):
    """A record of an institution's own token about what nobody knew yet: whose that is, shows when it comes."""

    source: str
    event_id: str
    event_type: str


class Visit(Stored, frozen=True):
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
    message: int = 0  # hash of the message that opened it: 2601 names it so
    lines: bytes = b""
    diag_group: str = ""
    noted: tuple[tuple[int, int, int, int], ...] = ()  # line, batch, counter, its first bill (line_counts.py)
    limited: tuple[tuple[int, int, str, str, str, bool], ...] = ()  # lines on no bill yet (item_limits.py: Limited)
    tallies: tuple[tuple[int, int, int, int, int, str], ...] = ()  # what its lines count for (visit_told.py)
    noted_on: tuple[tuple[int, int, int], ...] = ()  # counter, first bill, and each bill these lines are or were on
    parts: tuple[tuple[int, int, int, int, int], ...] = ()  # how much is left of the lines that count (line_parts.py)
    early: Early | None = None  # the line or end that made it, until it is opened
    end_message: int = 0  # hash of the message that ended it, for 2601 as well

    @property
    def admission(self) -> bool:
        """An inpatient stay ends by discharge only, never by midnight."""
        return is_admission(self.med_type)


class Tombstone(Stored, frozen=True):
    """A reversal that came before its original."""

    key: int
    at_ms: int
    early: Early | None = None


class Undone(Stored, frozen=True):
    """Which message reversed which settlement: 2601 names the message only."""

    message: int
    setl: int
    at_ms: int


class Episode(Stored, frozen=True, order=True):
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
    place: str = ""  # the institution it is about; "" = the person
    opened_day: int = 0  # a person's: the local day it opened on, whose clause it ends under
    seen_at: str = ""  # where the bill that opened it was: who was told of the opening is told of the end
    slope: bool = False  # P12's: what part of the year came lately, no share of the cap; its number may change its kind


class Activity(Stored, frozen=True):
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
    care: bytes = b""  # what was dispensed, and admissions: carried unread (care.py)
    insured: Insured | None = None
    boxes: bytes = b""  # of fee lines, by trace code: carried unread too (boxes.py)


NOTHING = Activity()
at_ms_of = attrgetter("at_ms")  # by what rows are ordered


# --- visits ----------------------------------------------------------------------------------------------------------


def visit_of(activity: Activity, mdtrt_id: str) -> Visit | None:
    """The visit of that number, if it is still remembered."""
    for visit in reversed(activity.visits):
        if visit.mdtrt_id == mdtrt_id:
            return visit
    return None


def visit_of_row(activity: Activity, row: Row) -> Visit | None:
    """The visit a settlement belongs to, if it is still remembered."""
    return next((visit for visit in reversed(activity.visits) if hash64(visit.mdtrt_id) == row.mdtrt), None)


def with_visit(activity: Activity, visit: Visit) -> Activity:
    """The activity with this visit put in the place of the one of the same number."""
    others = [other for other in activity.visits if other.mdtrt_id != visit.mdtrt_id]
    return replace(activity, visits=(*others, visit))


def visit_end_ms(visit: Visit, grace_ms: int) -> int:
    """When the visit ends: as told, else the first local midnight after its newest event + grace; 0 = an open
    admission.
    """
    if visit.ended_ms or visit.admission:
        return visit.ended_ms
    return day_start_ms(local_day(visit.newest_ms) + 1) + grace_ms


# --- rows and sums ---------------------------------------------------------------------------------------------------


def with_settlement(activity: Activity, row: Row, receipt: Receipt, *, year: int, area: str, kept_ms: int) -> Activity:
    """The activity with one settlement more: receipt, row, and (if it counts) year sum and newest time.

    Built in one go, because every settlement takes this way.
    """
    counted = row.state == COUNTED
    newest_ms = max(activity.newest_ms, row.at_ms) if counted else activity.newest_ms
    rows = activity.rows
    if row.at_ms >= day_start_ms(local_day(activity.newest_ms - kept_ms)):
        rows = (*rows, row)
        if len(rows) > 1 and rows[-2].at_ms > row.at_ms:
            rows = tuple(sorted(rows, key=at_ms_of))  # stable: ties stay in log order
    return Activity(
        newest_ms,
        max(activity.touched_ms, row.at_ms),
        area,
        activity.receipts + RECEIPT.pack(*astuple(receipt)),
        activity.seen,
        rows,
        _added(activity.years, year, row.fund_fen) if counted else activity.years,
        activity.visits,
        activity.episodes,
        activity.tombstones,
        activity.undone,
        activity.care,
        activity.insured,
        activity.boxes,
    )


def _added(years: tuple[tuple[int, int], ...], year: int, delta_fen: int) -> tuple[tuple[int, int], ...]:
    """The year sums with one changed; the last three years are kept."""
    if years and years[-1][0] == year:
        return (*years[:-1], (year, _in_range(years[-1][1] + delta_fen)))
    sums = dict(years)
    sums[year] = _in_range(sums.get(year, 0) + delta_fen)
    newest = max(sums)
    return tuple(sorted((each, fen) for each, fen in sums.items() if each > newest - 3))


def _in_range(fen: int) -> int:
    return max(-SUM_MAX, min(fen, SUM_MAX))


def with_row_state(activity: Activity, setl: int, state: int) -> Activity:
    """The activity in which the settlement's row, if it is still there, has that state."""
    rows = tuple(replace(row, state=state) if row.setl == setl else row for row in activity.rows)
    return replace(activity, rows=rows)


def row_of(activity: Activity, setl: int) -> Row | None:
    """The window row of a settlement, if it is still there."""
    return next((row for row in activity.rows if row.setl == setl), None)


def with_undone(activity: Activity, message: str, setl: int, at_ms: int) -> Activity:
    """The activity that knows which message reversed this settlement, if one did."""
    if not message:
        return activity
    return replace(activity, undone=(*activity.undone, Undone(hash64(message), setl, at_ms)))


def year_sum(activity: Activity, year: int) -> int:
    """What the funds paid for this person in that calendar year, fen."""
    return next((fund_fen for each, fund_fen in activity.years if each == year), 0)


def with_year_sum(activity: Activity, year: int, delta_fen: int) -> Activity:
    """The activity with the year's sum changed."""
    return replace(activity, years=_added(activity.years, year, delta_fen))
