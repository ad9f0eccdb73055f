"""The named daily counters of institutions and staff, and what one contribution adds to them.

A reversal carries the same amounts and takes away exactly what its original added, in the original's day. A counter may
be added at the end only.
"""

from typing import Final

from risk.contributions import INSTITUTION, Contribution
from risk.local_time import DAY_MS, HOUR_MS, OFFSET_MS

COUNTERS: Final = ("settlements", "medfee_fen", "fund_fen", "small_hours")
"""Their names, in the order of a day's numbers. small_hours: purchases (med_type 41*) at a pharmacy from 00:00 to
05:00, whatever policy was in force: a reversal under another one must take away what was added (D02 only reads it)."""

SMALL_HOURS: Final = COUNTERS.index("small_hours")
_SMALL_HOURS_END_MS = 5 * HOUR_MS


def in_small_hours(given: Contribution) -> bool:
    """A purchase at a pharmacy from local midnight until 05:00, when a shop is closed or nearly empty."""
    if (given.at_ms + OFFSET_MS) % DAY_MS >= _SMALL_HOURS_END_MS or given.subject_kind != INSTITUTION:
        return False
    return given.fixmedins_type == "2" and given.med_type.startswith("41")


def count(counters: list[int], given: Contribution) -> None:
    """Add what every settlement counts in to a day, or take it away."""
    sign = given.sign
    counters[0] += sign
    counters[1] += sign * given.medfee_fen
    counters[2] += sign * given.fund_fen
    if in_small_hours(given):
        counters[SMALL_HOURS] += sign
