"""What is left of the fee lines that a visit counts for something (its notes, tallies and limited lines).

A reversal of a part of a line takes what is counted in money down by that part; what is counted by the line (a
dialysis, somebody's time, a prescription without a signature) stands until nothing of the line is left. Parts come by
count, by amount or by both: by count where one is told, and an amount that is not told is the count's share of the
whole, rounded down once however many parts there are.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Visit, hash32
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed

_IN_FEN = place_of("key_drug_fen")


class Part(NamedTuple):
    """A line (the hash of its number), its count and amount, and what is left of both."""

    line: int
    cnt_x10000: int
    amount_fen: int
    cnt_left: int
    fen_left: int

    def without(self, fact: FeeReversed) -> "Part | None":
        """What a reversal leaves of the line; None: nothing."""
        count, fen = fact.cnt_x10000, fact.amount_fen
        if count is None and fen is None:
            return None
        cnt_left = self.cnt_left - (count or 0)
        share_fen = self._worth(self.cnt_left) - self._worth(cnt_left) if fen is None else fen
        fen_left = self.fen_left - share_fen
        if (fen_left if count is None else cnt_left) <= 0:
            return None
        return self._replace(cnt_left=cnt_left, fen_left=max(0, fen_left))

    def _worth(self, count: int) -> int:
        return self.amount_fen * count // self.cnt_x10000 if self.cnt_x10000 else 0


def with_part(before: Visit, after: Visit, fact: FeeAdded) -> Visit:
    """The visit that remembers how much of a line there is, if the line made it count anything."""
    if after is before:
        return after
    part = Part(hash32(fact.feedetl_sn), fact.cnt_x10000, fact.amount_fen, fact.cnt_x10000, fact.amount_fen)
    return replace(after, parts=(*after.parts, tuple(part)))


def in_part(visit: Visit, fact: FeeReversed) -> Visit | None:
    """The visit after a part of one line was taken back; None where that is not all that the reversal does."""
    line = hash32(fact.feedetl_sn) if fact.feedetl_sn else None
    known = next((Part(*each) for each in visit.parts if each[0] == line), None)
    left = known.without(fact) if known is not None else None
    if left is None:
        return None
    tallies = tuple(
        (*each[:4], left.fen_left, each[5]) if each[0] == line and each[3] == _IN_FEN else each
        for each in visit.tallies
    )
    parts = tuple(tuple(left) if each[0] == line else each for each in visit.parts)
    return replace(visit, tallies=tallies, parts=parts)


def without_parts(visit: Visit) -> Visit:
    """The visit without lines that count for nothing any more."""
    counted = {each[0] for each in (*visit.noted, *visit.limited, *visit.tallies)}
    return replace(visit, parts=tuple(each for each in visit.parts if each[0] in counted))
