"""What a fee line makes a bill of its visit count as: a prescription without a signature, or for too long.

The visit notes such lines; one of which anything is taken back is noted no longer.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from risk.activity import Visit, hash32
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed
from risk.heard import exclusions_of
from risk.terms import Terms

_UNSIGNED, _LONG = place_of("unsigned_rx_bills"), place_of("long_rx_bills")


def with_noted(visit: Visit, fact: FeeAdded, terms: Terms) -> Visit:
    """The visit that notes what is wrong with this line, if anything is."""
    places = tuple(_wrong(visit, fact, terms))
    if not places:
        return visit
    line, batch = hash32(fact.feedetl_sn), hash32(fact.chrg_bchno) if fact.chrg_bchno else 0
    return replace(visit, noted=(*visit.noted, *((line, batch, place) for place in places)))


def without_noted(visit: Visit, fact: FeeReversed) -> Visit:
    """The visit without what a reversal takes back: a line, a batch, or all."""
    if fact.feedetl_sn:
        line = hash32(fact.feedetl_sn)
        return replace(visit, noted=tuple(each for each in visit.noted if each[0] != line))
    batch = hash32(fact.chrg_bchno) if fact.chrg_bchno else None
    return replace(visit, noted=tuple(each for each in visit.noted if batch is not None and each[1] != batch))


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
