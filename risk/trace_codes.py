"""Trace codes of drug boxes: where each was last sold, exactly, so that no second sale is told that was none (D05).

A code is kept as its twenty digits in nine bytes, never as a hash: what an alert says can be looked up. Codes lie
sorted in buckets, a value each, so that a billion of them cost their entries and little more (`xinmai bench memory`). A
code is kept five years after its last movement: longer than a box may be on a shelf.

Only the newest movement is kept. A sale that comes later than a newer movement of its code, or in the same second, is
not judged: whether the box came back between the two is no longer known, and an alert must not guess. A sale that its
shop deleted (3507) and sent again under another number still counts as two.
"""

from bisect import bisect_left
from struct import Struct
from typing import NamedTuple

from risk.activity import hash32, hash64
from risk.alerts import Crossing
from risk.facts import CodeMoved
from risk.local_time import DAY_MS, rfc3339
from risk.moment import Moment
from risk.outputs import Output

BUCKETS = 2**22
"""Of the whole province: at a billion codes each holds some 240, and a sale rewrites about six kilobytes."""
KEPT_MS = 5 * 366 * DAY_MS
_PLACE_BYTES = 12  # a national institution code (domain.md 2.1)
_DIGITS = 20
_ENTRY = Struct(">9s5s12sBI")  # code, instant ms / 1000, institution, 1 = sold, 0 = came back, hash of the event
_SOLD = 1


class Sale(NamedTuple):
    """Where and when a code was sold."""

    fixmedins_code: str
    at_ms: int


class Seen(NamedTuple):
    """`result`: applied, duplicate (the same event again, its time corrected or not), late (not newer than what is
    known of the code: too late to judge) or ignored (no twenty digits: D06's matter). `before` is the sale before it.
    """

    bucket: bytes
    result: str
    before: Sale | None = None


def bucket_of(code: str) -> str:
    """The name of the bucket a code lies in."""
    return f"{hash64(code) % BUCKETS:x}"


def is_trace_code(code: str) -> bool:
    """Twenty decimal digits."""
    return len(code) == _DIGITS and code.isascii() and code.isdigit()


def seen(bucket: bytes, fact: CodeMoved, occurred_ms: int) -> Seen:
    """Apply one movement of a code. A sale after a sale is a second one; a return between them clears it."""
    place = fact.fixmedins_code.encode()
    if not is_trace_code(fact.drug_trac_codg) or len(place) > _PLACE_BYTES:
        return Seen(bucket, "ignored")
    code, at_s = int(fact.drug_trac_codg).to_bytes(9), occurred_ms // 1000
    start, known = _found(bucket, code)
    before: Sale | None = None
    if known is not None:
        known_s, known_place, state, event = known
        if event == hash32(fact.event_id):
            return Seen(bucket, "duplicate")
        if at_s <= known_s:
            return Seen(bucket, "late")
        if state == _SOLD and fact.movement == "sold":
            before = Sale(known_place, known_s * 1000)
    entry = _ENTRY.pack(code, at_s.to_bytes(5), place, fact.movement == "sold", hash32(fact.event_id))
    after = bucket[:start] + entry + bucket[start + (_ENTRY.size if known is not None else 0) :]
    return Seen(_kept(after, at_s - KEPT_MS // 1000), "applied", before)


def second_sale(fact: CodeMoved, before: Sale, moment: Moment) -> list[Output]:
    """D05 for the institution that sold last; the evidence names both sales and both institutions."""
    clause = moment.terms.get("D05")
    if clause is None:
        return []
    rule, code, stamp_ms = clause.value, fact.fixmedins_code, moment.stamp_ms
    # one movement may bring several boxes: the code is part of what crossed
    crossing_id = f"{fact.event_id}/{fact.drug_trac_codg}"
    at_ms = moment.occurred_ms
    crossing = Crossing("D05", 1, rule.kind, rule.sev, "institution", code, crossing_id, at_ms, stamp_ms, 2, 1)
    sold_before = {"fixmedins_code": before.fixmedins_code, "occurred_at": rfc3339(before.at_ms)}
    return [
        moment.alert(clause, crossing, fixmedins_code=code, drug_trac_codg=fact.drug_trac_codg, sold_before=sold_before)
    ]


def _found(bucket: bytes, code: bytes) -> tuple[int, tuple[int, str, int, int] | None]:
    """Where the code's entry begins, or would; and instant, institution, state and event if it is there."""
    size = _ENTRY.size
    place = bisect_left(range(len(bucket) // size), code, key=lambda at: bucket[at * size : at * size + 9])
    start = place * size
    if bucket[start : start + 9] != code:
        return start, None
    _, at_s, institution, state, event = _ENTRY.unpack_from(bucket, start)
    return start, (int.from_bytes(at_s), institution.rstrip(b"\0").decode(), state, event)


def _kept(bucket: bytes, floor_s: int) -> bytes:
    """Entries moved since; looked at whenever the bucket changes, so it depends on the records alone."""
    kept = [entry for entry in _ENTRY.iter_unpack(bucket) if int.from_bytes(entry[1]) >= floor_s]
    return bucket if len(kept) * _ENTRY.size == len(bucket) else b"".join(_ENTRY.pack(*entry) for entry in kept)
