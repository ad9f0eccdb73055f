"""How a visit tells its fee lines apart: by 32-bit hashes of their number and of their batch."""

from collections.abc import Iterable
from typing import Any, TypeVar

from risk.activity import hash32
from risk.facts import FeeAdded, FeeReversed

Kept = TypeVar("Kept", bound=tuple[Any, ...])


def line_key(fact: FeeAdded) -> tuple[int, int]:
    """Line and batch; 0: it has none."""
    return hash32(fact.feedetl_sn), hash32(fact.chrg_bchno) if fact.chrg_bchno else 0


def left_by(fact: FeeReversed, lines: Iterable[Kept]) -> tuple[Kept, ...]:
    """Those of the lines (line and batch come first in each) that the reversal of a line, of a batch, or of all leaves.
    What takes back a part of a line is line_parts.py's.
    """
    if fact.feedetl_sn:
        line = hash32(fact.feedetl_sn)
        return tuple(each for each in lines if each[0] != line)
    if fact.chrg_bchno:
        batch = hash32(fact.chrg_bchno)
        return tuple(each for each in lines if each[1] != batch)
    return ()
