"""Trace codes of drug boxes: where each was last sold, exactly, so that no second sale is told that was none (D05).

A code is kept as its twenty digits in nine bytes, never as a hash: what an alert says can be looked up. Codes lie
sorted in buckets, a value each, so that a billion of them cost their entries and little more (`xinmai bench memory`). A
code is kept five years after its last movement: longer than a box may be on a shelf.

A sale is told twice by who sends both: as a stock movement (3505) and as a fee line with the code. The two tellings of
one institution are one sale; one that comes by the same way again, or from elsewhere, is a second one.

Only the newest movement is kept. A sale that comes later than a newer movement of its code, or in the same second, is
not judged: whether the box came back between the two is no longer known, and an alert must not guess. Nor is one after
a sale that only a fee line told more than 92 days before: its person's shard no longer knows the line, so that it could
not have told a return.
"""

from bisect import bisect_left
from struct import Struct
from typing import NamedTuple

from risk.activity import hash32, hash64
from risk.alerts import Crossing
from risk.facts import CodeMoved
from risk.local_time import DAY_MS, rfc3339, to_ms
from risk.moment import Moment
from risk.outputs import Output

BUCKETS = 2**22
"""Of the whole province: at a billion codes each holds some 240, and a sale rewrites about six kilobytes."""
KEPT_MS = 5 * 366 * DAY_MS
KEPT_DAYS_OF_A_LINE = 92
"""As long as a settlement can be reversed by its row (risk/subjects.py)."""
_PLACE_BYTES = 12  # a national institution code (domain.md 2.1)
_DIGITS = 20
_ENTRY = Struct(">9s5s12sBI")  # code, instant ms / 1000, institution, who told it sold and sales, hash of the movement
_BY_STOCK, _BY_LINE = 1, 2  # bits; 0: it came back. The six bits above them count the sales without a return
_SALES_SHIFT, _SALES_MOST = 2, 63


class Sale(NamedTuple):
    """Where and when a code was sold, and which sale without a return between that was."""

    fixmedins_code: str
    at_ms: int
    number: int


class BoxMoved(NamedTuple):
    """A box was sold or came back, told by a stock movement or by a fee line (`by_line`)."""

    drug_trac_codg: str
    fixmedins_code: str
    is_sale: bool
    at_ms: int
    event_id: str
    by_line: bool = False

    @property
    def channel(self) -> int:
        """The bit of who told it."""
        return _BY_LINE if self.by_line else _BY_STOCK


class _Known(NamedTuple):
    """The newest movement of a code; `event` of the newest stock movement: a fee line is never told twice."""

    at_s: int
    place: str
    state: int
    event: int
    sales: int


class Seen(NamedTuple):
    """`result`: applied, duplicate (the same event again, its time corrected or not), late (not newer than what is
    known of the code: too late to judge) or ignored (no trace code: D06's matter). `before` is the sale before it.
    """

    bucket: bytes
    result: str
    before: Sale | None = None


def bucket_of(code: str) -> str:
    """The name of the bucket a code lies in."""
    return f"{hash64(code) % BUCKETS:x}"


def code_shard_key(code: str) -> str:
    """What a code's shard is chosen by: its bucket, so that a bucket is filled on one shard and not thinly on all."""
    return f"code:{bucket_of(code)}"


def box_of(fact: CodeMoved) -> BoxMoved:
    """What a stock movement says of one box."""
    is_sale, at_ms = fact.movement == "sold", to_ms(fact.occurred_at)
    return BoxMoved(fact.drug_trac_codg, fact.fixmedins_code, is_sale, at_ms, fact.event_id)


def is_trace_code(code: str) -> bool:
    """Twenty decimal digits, not all of them the same: that is typed where none was scanned, and no two are one box."""
    return len(code) == _DIGITS and code.isascii() and code.isdigit() and len(set(code)) > 1


def seen(bucket: bytes, box: BoxMoved) -> Seen:
    """Apply one movement of a box. A sale after a sale is a second one; a return between them clears it."""
    place = box.fixmedins_code.encode()
    if not is_trace_code(box.drug_trac_codg) or len(place) > _PLACE_BYTES:
        return Seen(bucket, "ignored")
    code, at_s = int(box.drug_trac_codg).to_bytes(9), box.at_ms // 1000
    start, known = _found(bucket, code)
    event = 0 if box.by_line else hash32(box.event_id)
    told = _Known(at_s, box.fixmedins_code, box.channel if box.is_sale else 0, event, int(box.is_sale))
    before: Sale | None = None
    size = 0
    if known is not None:
        size = _ENTRY.size
        if told.event and told.event == known.event:
            return Seen(bucket, "duplicate")
        after = _sold(known, told) if box.is_sale else _returned(known, told, box)
        if after is None:
            return Seen(bucket, "late")
        told, before = after
    state = told.state | told.sales << _SALES_SHIFT
    entry = _ENTRY.pack(code, told.at_s.to_bytes(5), told.place.encode(), state, told.event)
    return Seen(_kept(bucket[:start] + entry + bucket[start + size :], at_s - KEPT_MS // 1000), "applied", before)


def _sold(known: _Known, told: _Known) -> tuple[_Known, Sale | None] | None:
    """A sale of a code that is known."""
    event = told.event or known.event
    if known.state and known.place == told.place and not known.state & told.state:
        return _Known(max(known.at_s, told.at_s), told.place, known.state | told.state, event, known.sales), None
    if told.at_s <= known.at_s:
        return None
    forgotten = known.state == _BY_LINE and told.at_s - known.at_s > KEPT_DAYS_OF_A_LINE * DAY_MS // 1000
    if not known.state or forgotten:
        return told._replace(event=event), None
    sales = min(known.sales + 1, _SALES_MOST)
    return told._replace(event=event, sales=sales), Sale(known.place, known.at_s * 1000, known.sales)


def _returned(known: _Known, told: _Known, box: BoxMoved) -> tuple[_Known, Sale | None] | None:
    """A return. One of a fee line names a sale that was told, so it is never too late at its own institution."""
    if told.at_s <= known.at_s and not (box.by_line and known.place == told.place):
        return None
    return told._replace(at_s=max(known.at_s, told.at_s), event=told.event or known.event), None


def second_sale(box: BoxMoved, before: Sale, moment: Moment) -> list[Output]:
    """D05 for the institution that sold last; the evidence names both sales and both institutions."""
    clause = moment.terms.get("D05")
    if clause is None:
        return []
    rule, code, stamp_ms = clause.value, box.fixmedins_code, moment.stamp_ms
    # one movement may bring several boxes: the code is part of what crossed
    crossing_id = f"{box.event_id}/{box.drug_trac_codg}"
    at_ms = moment.occurred_ms
    sale = before.number + 1
    crossing = Crossing("D05", 1, rule.kind, rule.sev, "institution", code, crossing_id, at_ms, stamp_ms, sale, 1)
    sold_before = {"fixmedins_code": before.fixmedins_code, "occurred_at": rfc3339(before.at_ms)}
    return [
        moment.alert(clause, crossing, fixmedins_code=code, drug_trac_codg=box.drug_trac_codg, sold_before=sold_before)
    ]


def _found(bucket: bytes, code: bytes) -> tuple[int, _Known | None]:
    """Where the code's entry begins, or would; and what it says if it is there."""
    size = _ENTRY.size
    place = bisect_left(range(len(bucket) // size), code, key=lambda at: bucket[at * size : at * size + 9])
    start = place * size
    if bucket[start : start + 9] != code:
        return start, None
    _, at_s, institution, state, event = _ENTRY.unpack_from(bucket, start)
    state, sales = state & (_BY_STOCK | _BY_LINE), state >> _SALES_SHIFT
    return start, _Known(int.from_bytes(at_s), institution.rstrip(b"\0").decode(), state, event, sales)


def _kept(bucket: bytes, floor_s: int) -> bytes:
    """Entries moved since; looked at whenever the bucket changes, so it depends on the records alone."""
    kept = [entry for entry in _ENTRY.iter_unpack(bucket) if int.from_bytes(entry[1]) >= floor_s]
    return bucket if len(kept) * _ENTRY.size == len(bucket) else b"".join(_ENTRY.pack(*entry) for entry in kept)
