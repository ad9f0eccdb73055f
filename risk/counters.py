"""The named daily counters of institutions and staff, and what one contribution adds to them.

A reversal carries the same amounts and takes away exactly what its original added, in the original's day. A counter may
be added at the end only.
"""

from typing import Final

from risk.contributions import Contribution
from risk.local_time import DAY_MS, HOUR_MS, OFFSET_MS

COUNTERS: Final = ("settlements", "medfee_fen", "fund_fen", "small_hours")
"""Their names, in the order of a day's numbers. small_hours: settlements that D02 counts, from 00:00 to 05:00."""

SMALL_HOURS: Final = COUNTERS.index("small_hours")
_SMALL_HOURS_END_MS = 5 * HOUR_MS


def in_small_hours(at_ms: int) -> bool:
    """From local midnight until 05:00, when a shop is closed or nearly empty."""
    return (at_ms + OFFSET_MS) % DAY_MS < _SMALL_HOURS_END_MS


def count(counters: list[int], given: Contribution) -> None:
    """Add what every settlement counts in to a day, or take it away."""
    sign = given.sign
    counters[0] += sign
    counters[1] += sign * given.medfee_fen
    counters[2] += sign * given.fund_fen
