"""What a fee line makes a bill of its visit count as: a prescription without a signature, or for too long.

The visit notes such lines; one of which anything is taken back is noted no longer. A line is on the first bill that
finds it noted, and on the next one if that is undone: whether a bill stands is its receipt's word, so that a note
neither comes nor goes with a reversal.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from risk.activity import COUNTED, Activity, Row, Visit
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed
from risk.heard import exclusions_of
from risk.line_keys import left_by, line_key
from risk.receipts import receipt_of
from risk.terms import Terms

_UNSIGNED, _LONG = place_of("unsigned_rx_bills"), place_of("long_rx_bills")

Note = tuple[int, int, int, int]
"""A fee line, its batch, the counter of a day, and the bill that adds to it (hash of its setl_id; 0: none yet)."""


def with_noted(visit: Visit, fact: FeeAdded, terms: Terms) -> Visit:
    """The visit that notes what is wrong with this line, if anything is."""
    places = tuple(_wrong(visit, fact, terms))
    if not places:
        return visit
    line, batch = line_key(fact)
    return replace(visit, noted=(*visit.noted, *((line, batch, place, 0) for place in places)))


def without_noted(visit: Visit, fact: FeeReversed) -> Visit:
    """The visit without what a reversal takes back: a line, a batch, or all."""
    return replace(visit, noted=left_by(fact, visit.noted))


def open_notes(activity: Activity, visit: Visit) -> list[Note]:
    """What is noted and on no bill that stands."""
    return [note for note in visit.noted if not note[3] or _is_undone(activity, note[3])]


def with_billed(before: Activity, visit: Visit, row: Row) -> Visit:
    """The visit whose open notes are on this bill, where it counts them; `before` is the activity without it."""
    places = {place for place, _ in row.beside}
    taken = {note for note in open_notes(before, visit) if note[2] in places}
    if not taken:
        return visit
    return replace(visit, noted=tuple((*note[:3], row.setl) if note in taken else note for note in visit.noted))


def _is_undone(activity: Activity, setl: int) -> bool:
    known = receipt_of(activity, setl)
    return known is not None and known.state != COUNTED


def _wrong(visit: Visit, fact: FeeAdded, terms: Terms) -> Iterator[int]:
    if fact.rx_flag and not (fact.rxno and fact.phar_code):
        yield _UNSIGNED
    if fact.prd_days and _too_long(visit, fact, terms):
        yield _LONG


def _too_long(visit: Visit, fact: FeeAdded, terms: Terms) -> bool:
    """By the lines that P05 draws for this kind of treatment; no P05, no line."""
    clause = terms.get("P05")
    if clause is None or not clause.value.admits(visit.med_type, fact.med_list_codg):
        return False
    rule = clause.value
    if not any((fact.prd_days or 0) >= level.theta for level in rule.levels_for(visit.med_type)):
        return False
    return not any(name in rule.exclusions for name in exclusions_of(terms, visit))
