"""The named daily counters of institutions and staff, and what one contribution adds to them.

A reversal carries the same amounts and takes away exactly what its original added, in the original's day, whatever
policy was in force: a rule only reads. A counter may be added at the end only: its place is its name on the wire.
"""

from typing import Final

from risk.contributions import INSTITUTION, INTERIM, NO_BILL, Contribution
from risk.local_time import DAY_MS, HOUR_MS, OFFSET_MS

COUNTERS: Final = (
    "settlements",
    "medfee_fen",
    "fund_fen",
    "small_hours",
    "night",
    "inpatient_bills",
    "inpatient_fee_fen",
    "outpatient_bills",
    "outpatient_fee_fen",
    "inpatient_own_fen",
    "blank_records",
    "uncoded_lines",
    "first_seen",
    "holiday_admissions",
    "readmissions",
    "unsigned_rx_bills",
    "long_rx_bills",
    "credit_visits",
    "overdue_credit_visits",
    "in_house",
    "dialysis_lines",
    "key_drug_fen",
    "executed_minutes",
)
"""Their names, in the order of a day's numbers. Every bill tells the first nine.

small_hours, night: purchases (med_type 41*) at a pharmacy from 00:00 to 05:00, from 22:00 to 06:00. inpatient:
med_type 2*; outpatient: 11*, 13*, 14*. An interim bill (中途结算) adds to inpatient_fee_fen and not to inpatient_bills:
shares and means are of stays. The others come with a contribution that has something to say of them
(settlement_counts.py, to the institution and the doctor alike; uncoded_lines: boxes.py; on credit: credit_visits.py;
in_house, and what fee lines count for: visit_told.py).
"""

_PLACE: Final = {name: place for place, name in enumerate(COUNTERS)}
_SMALL_HOURS_END_MS = 5 * HOUR_MS
_NIGHT_END_MS, _NIGHT_START_MS = 6 * HOUR_MS, 22 * HOUR_MS
_SMALL_HOURS, _NIGHT = (_PLACE[name] for name in ("small_hours", "night"))
_FEES = {
    "2": (_PLACE["inpatient_bills"], _PLACE["inpatient_fee_fen"]),
    "11": (_PLACE["outpatient_bills"], _PLACE["outpatient_fee_fen"]),
}
_OUTPATIENT = ("11", "13", "14")
_EVERY_BILL = 0b111


def place_of(name: str) -> int:
    """Where a counter stands in a day's numbers."""
    return _PLACE[name]


def count(counters: list[int], given: Contribution) -> int:
    """Add what a contribution says to a day, or take it away; the set of counters that it named, as bits."""
    sign, touched = given.sign, 0
    if not given.marks & NO_BILL:
        counters[0] += sign
        counters[1] += sign * given.medfee_fen
        counters[2] += sign * given.fund_fen
        touched = _EVERY_BILL | _of_its_kind(counters, given)
    for place, amount in given.beside:
        counters[place] += sign * amount
        touched |= 1 << place
    return touched


def _of_its_kind(counters: list[int], given: Contribution) -> int:
    """What a purchase, an admission or a visit to a clinic adds."""
    med_type, sign = given.med_type, given.sign
    if med_type.startswith("41"):
        return _at_a_pharmacy(counters, given) if given.fixmedins_type == "2" else 0
    kind = "2" if med_type.startswith("2") else "11" if med_type.startswith(_OUTPATIENT) else ""
    if not kind:
        return 0
    bills, fees = _FEES[kind]
    counters[fees] += sign * given.medfee_fen
    if kind == "2" and given.marks & INTERIM:
        return 1 << fees
    counters[bills] += sign
    return 1 << bills | 1 << fees


def _at_a_pharmacy(counters: list[int], given: Contribution) -> int:
    touched, sign = 0, given.sign
    if given.subject_kind != INSTITUTION:
        return touched
    since_midnight_ms = (given.at_ms + OFFSET_MS) % DAY_MS
    if since_midnight_ms < _SMALL_HOURS_END_MS:
        counters[_SMALL_HOURS] += sign
        touched = 1 << _SMALL_HOURS
    if since_midnight_ms < _NIGHT_END_MS or since_midnight_ms >= _NIGHT_START_MS:
        counters[_NIGHT] += sign
        touched |= 1 << _NIGHT
    return touched
