"""The fee lines of a stay that no settlement has taken yet, packed; and what of a line the person pays in cash."""

from struct import Struct
from typing import NamedTuple

from risk.activity import hash32, hash64
from risk.facts import FeeAdded

_LINE = Struct(">QIqqq")  # feedetl_sn, chrg_bchno, count, amount fen, cash fen
_WHOLE = 10_000


class Line(NamedTuple):
    """One fee line, or what is left of it."""

    number: int
    batch: int
    cnt_x10000: int
    amount_fen: int
    cash_fen: int

    def without(self, amount_fen: int | None, cnt_x10000: int | None) -> "Line":
        """The line after a part of it was taken back, by amount, else by count; neither, or all of it: nothing."""
        part, whole = (amount_fen, self.amount_fen) if amount_fen is not None else (cnt_x10000, self.cnt_x10000)
        if part is None or part >= whole:
            return self._replace(cnt_x10000=0, amount_fen=0, cash_fen=0)
        return self._replace(
            cnt_x10000=max(0, self.cnt_x10000 - _share(self.cnt_x10000, part, whole)),
            amount_fen=max(0, self.amount_fen - _share(self.amount_fen, part, whole)),
            cash_fen=max(0, self.cash_fen - _share(self.cash_fen, part, whole)),
        )


def _share(total: int, part: int, whole: int) -> int:
    return (total * max(0, part) + whole // 2) // whole


def line_of(fact: FeeAdded, cash_ratio_x10000: int) -> Line:
    """ownpay + (amount - ownpay) × the line's own share; an unknown share is the policy's cash ratio."""
    amount_fen = max(0, fact.amount_fen)
    own_fen = min(max(0, fact.ownpay_fen or 0), amount_fen)
    share_x10000 = fact.selfpay_prop_x10000
    if share_x10000 is None:
        share_x10000 = cash_ratio_x10000
    cash_fen = own_fen + _share(amount_fen - own_fen, min(max(0, share_x10000), _WHOLE), _WHOLE)
    batch = hash32(fact.chrg_bchno) if fact.chrg_bchno else 0
    return Line(hash64(fact.feedetl_sn), batch, max(0, fact.cnt_x10000), amount_fen, cash_fen)


def unpacked(packed: bytes) -> list[Line]:
    """The lines, in the order they came."""
    return [Line(*values) for values in _LINE.iter_unpack(packed)]


def packed(lines: list[Line]) -> bytes:
    """The lines that still cost something."""
    return b"".join(_LINE.pack(*line) for line in lines if line.amount_fen)


def appended(before: bytes, line: Line) -> bytes:
    """The packed lines and one more."""
    return before + _LINE.pack(*line)
