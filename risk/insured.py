"""What the scheme told of a person that his bills are held against: the status of his insurance (P16).

Kept for anybody, signed or not; who was never told of has nothing here.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

_CODES: Final = {"normal": 0, "suspended": 1, "terminated": 2, "deceased": 3}
_STATUSES_MOST = 16
"""A scheme that repeats itself every day does not pile up."""


class Insured(Struct, frozen=True, array_like=True, gc=False):
    """`statuses`: since when (ms) he is what (0: insured as usual), in the order of time; ties in log order."""

    statuses: tuple[tuple[int, int], ...] = ()


NOBODY = Insured()


def with_status(insured: Insured | None, at_ms: int, status: str, floor_ms: int) -> Insured:
    """One change more. No bill from before `floor_ms` is judged any more: what was over by then is forgotten."""
    before = insured or NOBODY
    changes = sorted((*before.statuses, (at_ms, _CODES[status])), key=lambda change: change[0])
    in_force = [place for place, (since_ms, _) in enumerate(changes) if since_ms <= floor_ms]
    return replace(before, statuses=tuple(changes[in_force[-1] if in_force else 0 :][-_STATUSES_MOST:]))


def was_abnormal(insured: Insured | None) -> bool:
    """Was he lately told to be anything but insured as usual?"""
    return insured is not None and any(status for _, status in insured.statuses)


def abnormal_since(insured: Insured | None, at_ms: int) -> int | None:
    """Since when the status then in force was not the usual one; None if it was, or nobody said otherwise."""
    told = [change for change in insured.statuses if change[0] <= at_ms] if insured is not None else []
    return told[-1][0] if told and told[-1][1] else None
