"""What was told of a person that his bills are held against: insurance status, failed face checks, transfers on file.

Kept for anybody, signed or not; who was never told of has nothing here. Rules P14 and P16, and the exclusion of
transfers.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from risk.facts import Fact, IdentityChecked, InsuredStatusChanged, TransferFiled
from risk.local_time import DAY_MS, to_ms

_CODES: Final = {"normal": 0, "suspended": 1, "terminated": 2, "deceased": 3}
_MOST = 16
"""A scheme that repeats itself every day does not pile up."""

_TRANSFER_KEPT_MS: Final = 400 * DAY_MS
"""A later admission is still held against the one that a transfer led to, and a stay may be long."""


class Insured(Struct, frozen=True, array_like=True, gc=False):
    """`statuses`: since when (ms) he is what (0: insured as usual), in the order of time; ties in log order.

    `failures`: face checks that failed (ms, at which institution; "" = nobody said) and that none mended since.
    `transfers`: from when, until when (0: no end), to which institution ("" = any).
    `passed_ms`: the newest face check that passed; a failure that comes late and is not newer is mended already.
    """

    statuses: tuple[tuple[int, int], ...] = ()
    failures: tuple[tuple[int, str], ...] = ()
    transfers: tuple[tuple[int, int, str], ...] = ()
    passed_ms: int = 0


NOBODY = Insured()


def told(insured: Insured | None, fact: Fact, at_ms: int, floor_ms: int) -> Insured | None:
    """What is known after this fact. No bill from before `floor_ms` is judged any more: a status over by then goes."""
    before = insured or NOBODY
    match fact:
        case InsuredStatusChanged():
            return replace(before, statuses=_with_status(before, at_ms, _CODES[fact.status], floor_ms))
        case IdentityChecked(result="failed"):
            if at_ms <= before.passed_ms:
                return insured
            failures = sorted((*before.failures, (at_ms, fact.fixmedins_code or "")))
            return replace(before, failures=tuple(failures[-_MOST:]))
        case IdentityChecked():
            unmended = tuple(each for each in before.failures if each[0] > at_ms)
            return replace(before, failures=unmended, passed_ms=max(before.passed_ms, at_ms))
        case TransferFiled():
            filed = (to_ms(fact.valid_from), to_ms(fact.valid_to) if fact.valid_to else 0, fact.to_fixmedins_code or "")
            return replace(before, transfers=tuple(sorted({*before.transfers, filed})[-_MOST:]))
    return insured


def _with_status(before: Insured, at_ms: int, status: int, floor_ms: int) -> tuple[tuple[int, int], ...]:
    """What was over by the floor goes: all before the run in force then, but for what that run followed.

    A repetition is kept, for a word between the two may still come late; among too many, the ends of runs say most.
    """
    changes = sorted((*before.statuses, (at_ms, status)), key=lambda change: change[0])
    first = sum(since_ms <= floor_ms for since_ms, _ in changes) - 1  # in force at the floor
    while first > 0 and changes[first][1]:
        first -= 1
    changes = changes[max(first, 0) :]
    return tuple(changes if len(changes) <= _MOST else _ends_of_runs(changes)[-_MOST:])


def _ends_of_runs(changes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first and the last of each row of words that say alike that he is insured, or that he is not."""
    usual = [not status for _, status in changes]
    neighbours = zip([None, *usual], usual, [*usual[1:], None], strict=False)
    return [change for change, (left, own, right) in zip(changes, neighbours, strict=True) if not left == own == right]


def without_past(insured: Insured, floor_ms: int) -> Insured | None:
    """What is left when no bill looks at a face check of before `floor_ms` any more; None if that is nothing."""
    left = replace(
        insured,
        failures=tuple([each for each in insured.failures if each[0] >= floor_ms]),
        transfers=tuple([each for each in insured.transfers if not 0 < each[1] < floor_ms - _TRANSFER_KEPT_MS]),
        passed_ms=insured.passed_ms if insured.passed_ms >= floor_ms else 0,
    )
    return None if left == NOBODY else left


def is_told_against(insured: Insured | None) -> bool:
    """Was anything told that a bill could be held against?"""
    return insured is not None and (bool(insured.failures) or any(status for _, status in insured.statuses))


def abnormal_since(insured: Insured | None, at_ms: int) -> int | None:
    """Since when he was not insured as usual then, whatever was said of it since; None if he was, or nobody said so."""
    began_ms = None
    for since_ms, status in insured.statuses if insured is not None else ():
        if since_ms <= at_ms:
            began_ms = (since_ms if began_ms is None else began_ms) if status else None
    return began_ms


def failed_checks(insured: Insured | None, after_ms: int, until_ms: int, place: str) -> int:
    """The unmended failures of (after, until] at that institution, or at one that nobody named."""
    failures = insured.failures if insured is not None else ()
    return sum(after_ms < at_ms <= until_ms and where in ("", place) for at_ms, where in failures)


def was_transferred(insured: Insured | None, at_ms: int, place: str) -> bool:
    """Was a transfer to that institution on file at that instant?"""
    transfers = insured.transfers if insured is not None else ()
    return any(
        from_ms <= at_ms and (not until_ms or at_ms < until_ms) and where in ("", place)
        for from_ms, until_ms, where in transfers
    )
