"""What a fee line makes a bill of its visit count as: a prescription without a signature, or for too long.

The visit notes such lines until nothing is left of them (line_parts.py). A line is on the first bill that
finds it noted, and on the next one if that is undone: whether a bill stands is its receipt's word, so that a note
neither comes nor goes with a reversal. A line that was put on the next one is noted for both: the first, if it counts
again while the next one stands, counts the line no longer, now and later. Lines of a counter that came on one bill
first are on the same bills ever after: those are noted once for all of them.
"""

from collections.abc import Iterator
from functools import lru_cache

from msgspec.structs import replace

from risk.activity import COUNTED, Activity, Row, Visit, visit_of_row, with_visit
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed
from risk.heard import exclusions_of, is_nobody
from risk.line_keys import left_by, line_key
from risk.receipts import receipt_of
from risk.terms import Terms

_UNSIGNED, _LONG = place_of("unsigned_rx_bills"), place_of("long_rx_bills")

Line = tuple[int, int, int]
"""A fee line, its batch, and the counter of a day; its note adds its first bill (hash of its setl_id; 0: none yet)."""

Group = tuple[int, int]
"""The lines of one counter that came on one bill first."""


def with_noted(visit: Visit, fact: FeeAdded, terms: Terms) -> Visit:
    """The visit that notes what is wrong with this line, if anything is."""
    places = tuple(_wrong(visit, fact, terms))
    if not places:
        return visit
    line, batch = line_key(fact)
    return replace(visit, noted=(*visit.noted, *((line, batch, place, 0) for place in places)))


def without_noted(activity: Activity, visit: Visit, fact: FeeReversed) -> Visit:
    """The visit without what a reversal takes back: a line, a batch, or all that is on no bill that stands."""
    noted = left_by(fact, visit.noted)
    if not fact.feedetl_sn and not fact.chrg_bchno:
        on_bills = _on_bills(activity, visit)
        noted = tuple(note for note in visit.noted if note[2:] in on_bills)
    groups = {note[2:] for note in noted}
    return replace(visit, noted=noted, noted_on=tuple(each for each in visit.noted_on if each[:2] in groups))


def open_notes(activity: Activity, visit: Visit) -> set[Line]:
    """What is noted and on no bill that stands."""
    on_bills = _on_bills(activity, visit)
    return {note[:3] for note in visit.noted if note[2:] not in on_bills}


def with_billed(before: Activity, visit: Visit, row: Row) -> Visit:
    """The visit whose open notes are on this bill, where it counts them; `before` is the activity without it."""
    places = {place for place, _ in row.beside}
    taken = {line for line in open_notes(before, visit) if line[2] in places}
    if not taken:
        return visit
    noted = tuple((*note[:3], note[3] or row.setl) if note[:3] in taken else note for note in visit.noted)
    groups = sorted({note[2:] for note in noted if note[:3] in taken})
    return replace(visit, noted=noted, noted_on=(*visit.noted_on, *((*group, row.setl) for group in groups)))


def counted_again(activity: Activity, row: Row) -> tuple[Activity, Row]:
    """The activity, and its bill that counts again: without the lines that a bill made in its place counts."""
    visit = visit_of_row(activity, row)
    if visit is None:
        return activity, row
    mine: set[Group] = {each[:2] for each in visit.noted_on if each[2] == row.setl}
    lost = mine & _on_bills(activity, visit, but=row.setl)
    if not lost:
        return activity, row
    left = tuple(each for each in visit.noted_on if each[2] != row.setl or each[:2] not in lost)
    activity = with_visit(activity, replace(visit, noted_on=left))
    places = {place for place, _ in lost} - {place for place, _ in mine - lost}
    row = replace(row, beside=tuple(each for each in row.beside if each[0] not in places))
    return replace(activity, rows=tuple(row if each.setl == row.setl else each for each in activity.rows)), row


def _on_bills(activity: Activity, visit: Visit, but: int = 0) -> set[Group]:
    return {each[:2] for each in visit.noted_on if each[2] != but and not _is_undone(activity, each[2])}


def _is_undone(activity: Activity, setl: int) -> bool:
    known = receipt_of(activity, setl)
    return known is not None and known.state != COUNTED


def _wrong(visit: Visit, fact: FeeAdded, terms: Terms) -> Iterator[int]:
    if fact.rx_flag and not _is_signed(fact, terms):
        yield _UNSIGNED
    if fact.prd_days and _too_long(visit, fact, terms):
        yield _LONG


def _is_signed(fact: FeeAdded, terms: Terms) -> bool:
    """Does it name a prescription and a pharmacist? 无 is neither; 9, 00 or 99 is a number that a counter may give."""
    return all(code and (code.strip().isdigit() or not is_nobody(code, terms)) for code in (fact.rxno, fact.phar_code))


def _too_long(visit: Visit, fact: FeeAdded, terms: Terms) -> bool:
    """By the lines that P05 draws for this kind of treatment; no P05, no line."""
    least = _long_days(terms, visit.med_type)
    if least is None or (fact.prd_days or 0) < least:
        return False
    rule = terms["P05"].value
    if not rule.admits(visit.med_type, fact.med_list_codg):
        return False
    return not any(name in rule.exclusions for name in exclusions_of(terms, visit))


@lru_cache(maxsize=1_024)
def _long_days(terms: Terms, med_type: str) -> int | None:
    """The fewest days that are too many for some item."""
    clause = terms.get("P05")
    return min((level.theta for level in clause.value.levels_for(med_type)), default=None) if clause else None
