"""The bank's statement of a day beside what the log says of the same orders: a report that adds to the fen.

It names differences; it moves no money and corrects nothing. A person decides what follows from one.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

MOVING = frozenset({"settled", "partial"})
_OPEN = frozenset({"", "accepted", "unknown"})
_SIGN = {"debit": 1, "draw": 1, "refund": -1}
Key = tuple[str, int]


class Finding(StrEnum):
    """What one line of the report says; all but the first are differences."""

    MATCHED = "matched"
    MISSING_AT_BANK = "missing_at_bank"
    MISSING_WITH_US = "missing_with_us"
    AMOUNT_DIFFERS = "amount_differs"
    BOOKED_TWICE = "booked_twice"
    STILL_UNKNOWN = "still_unknown"


class Booking(NamedTuple):
    """One line of a bank's statement: money that the bank says it moved."""

    order_id: str
    attempt: int
    kind: str
    amount_fen: int
    bank_ref: str
    booked_at: str
    bank_code: str = ""
    institution: str = ""

    @property
    def signed_fen(self) -> int:
        """What the institution received; a refund is negative."""
        return signed(self.kind, self.amount_fen)


class Told(NamedTuple):
    """One result of an attempt, as the log has it. `day`: on which the bank booked it, else when it was told."""

    result: str
    amount_fen: int
    day: int
    bank_ref: str = ""


class Attempt(NamedTuple):
    """One attempt of an order as the log has it. `result` "": nobody answered; `day`: of its result, else emitted."""

    order_id: str
    attempt: int
    kind: str
    bank_code: str
    institution: str
    moved_fen: int
    result: str
    day: int

    @property
    def signed_fen(self) -> int:
        """What the institution received, by our log; a refund is negative."""
        return signed(self.kind, self.moved_fen)

    @property
    def is_open(self) -> bool:
        """Whether the bank's final word is still to come."""
        return self.result in _OPEN


class Line(NamedTuple):
    """One line of the report: what the bank says, what we say, and what that is."""

    finding: Finding
    order_id: str
    attempt: int
    kind: str
    bank_code: str
    institution: str
    bank_fen: int
    our_fen: int
    bank_ref: str = ""
    note: str = ""

    @property
    def difference_fen(self) -> int:
        """What the bank says beyond what we say."""
        return self.bank_fen - self.our_fen


class Total(NamedTuple):
    """A sum of lines, of one bank and institution or of all."""

    bank_fen: int = 0
    our_fen: int = 0
    lines: int = 0
    differing: int = 0

    @property
    def difference_fen(self) -> int:
        """What the bank says beyond what we say."""
        return self.bank_fen - self.our_fen

    def plus(self, line: Line) -> "Total":
        """With one line more."""
        differs = line.finding is not Finding.MATCHED
        return Total(
            self.bank_fen + line.bank_fen, self.our_fen + line.our_fen, self.lines + 1, self.differing + differs
        )


class Report(NamedTuple):
    """All lines: every fen of the statement and every fen of ours of that day stands in exactly one of them."""

    lines: tuple[Line, ...]

    @property
    def differences(self) -> tuple[Line, ...]:
        """What somebody has to look at."""
        return tuple(line for line in self.lines if line.finding is not Finding.MATCHED)

    @property
    def total(self) -> Total:
        """Of everything."""
        total = Total()
        for line in self.lines:
            total = total.plus(line)
        return total

    def totals(self) -> dict[tuple[str, str], Total]:
        """By bank and institution."""
        sums: dict[tuple[str, str], Total] = {}
        for line in self.lines:
            key = (line.bank_code, line.institution)
            sums[key] = sums.get(key, Total()).plus(line)
        return dict(sorted(sums.items()))

    def found(self) -> dict[Finding, Total]:
        """By what was found."""
        sums = {finding: Total() for finding in Finding}
        for line in self.lines:
            sums[line.finding] = sums[line.finding].plus(line)
        return sums


def signed(kind: str, amount_fen: int) -> int:
    """The amount as the institution sees it: debits and draws arrive, refunds leave, a cancel moves nothing."""
    return _SIGN.get(kind, 0) * amount_fen


def attempt_of(
    key: Key, *, kind: str, bank_code: str, institution: str, ordered_fen: int, day: int, told: Iterable[Told]
) -> Attempt:
    """An attempt with everything that was told of it: each result counts once, and never moves more than was ordered.

    Money that moved is booked however late it is told; without it the last word stands.
    """
    first: dict[str, Told] = {}
    for each in told:
        first.setdefault(each.result, each)
    moving = [each for each in first.values() if each.result in MOVING]
    final = [each for each in first.values() if each.result not in _OPEN]
    last = (moving or final or list(first.values()) or [Told("", 0, day)])[-1]
    moved_fen = min(ordered_fen, sum(each.amount_fen for each in moving))
    return Attempt(*key, kind, bank_code, institution, moved_fen, last.result, last.day)


def compare(day: int, statement: Iterable[Booking], attempts: Mapping[Key, Attempt]) -> Report:
    """The statement of `day` against our attempts. A booking is found whatever day we were told of it."""
    booked: dict[Key, list[Booking]] = {}
    for booking in statement:
        booked.setdefault((booking.order_id, booking.attempt), []).append(booking)
    lines = [line for key, bookings in booked.items() for line in _of_statement(bookings, attempts.get(key))]
    for key, ours in attempts.items():
        if key in booked or ours.day > day:
            continue
        if ours.is_open:
            note = ours.result or "no answer"
            lines.append(_line(Finding.STILL_UNKNOWN, None, ours, note=note))
        elif ours.day == day and ours.signed_fen:
            lines.append(_line(Finding.MISSING_AT_BANK, None, ours))
    return Report(tuple(sorted(lines, key=lambda line: (line.bank_code, line.institution, line[1:3], line.bank_ref))))


def _of_statement(bookings: list[Booking], ours: Attempt | None) -> list[Line]:
    """What the statement says of one attempt. Of several bookings the one like ours is the right one."""
    like = [booking for booking in bookings if ours is not None and booking.signed_fen == ours.signed_fen]
    right = (like or bookings)[0]
    lines = [_line(_finding(right, ours), right, ours, note=_note(right, ours))]
    for booking in bookings:
        if booking is not right:
            twice = _line(Finding.BOOKED_TWICE, booking, ours, note=f"beside {right.bank_ref}")
            lines.append(twice._replace(our_fen=0))
    return lines


def _finding(booking: Booking, ours: Attempt | None) -> Finding:
    if ours is None:
        return Finding.MISSING_WITH_US
    if ours.is_open:
        return Finding.STILL_UNKNOWN
    if ours.result not in MOVING:
        return Finding.MISSING_WITH_US
    same = (booking.kind, booking.signed_fen) == (ours.kind, ours.signed_fen)
    return Finding.MATCHED if same else Finding.AMOUNT_DIFFERS


def _note(booking: Booking, ours: Attempt | None) -> str:
    if ours is None:
        return "no such attempt in our log"
    if ours.result not in MOVING:
        return ours.result or "no answer"
    return "" if booking.kind == ours.kind else f"we ordered a {ours.kind}"


def _line(finding: Finding, booking: Booking | None, ours: Attempt | None, *, note: str = "") -> Line:
    known = booking if ours is None else ours
    assert known is not None, "a line says something of somebody"
    return Line(
        finding,
        known.order_id,
        known.attempt,
        known.kind,
        known.bank_code,
        known.institution,
        booking.signed_fen if booking is not None else 0,
        ours.signed_fen if ours is not None else 0,
        booking.bank_ref if booking is not None else "",
        note,
    )
