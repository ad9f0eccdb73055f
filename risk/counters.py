"""The named daily counters of institutions and staff, and what one contribution adds to them.

A reversal carries the same amounts and takes away exactly what its original added, in the original's day. A counter may
be added at the end only. Money is fen.
"""

from typing import Final

from risk.contributions import Contribution

COUNTERS: Final = ("settlements", "medfee", "fund")
"""Their names, in the order of a day's numbers."""

PLACES: Final = {name: place for place, name in enumerate(COUNTERS)}


def count(counters: list[int], given: Contribution) -> None:
    """Add one contribution to a day, or take it away."""
    sign = given.sign
    counters[0] += sign
    counters[1] += sign * given.medfee_fen
    counters[2] += sign * given.fund_fen
