"""What an institution has on its shelves, item by item, from the movements it reports (3501-3507).

One value per (institution, item), bounded: what is left since the last count, and the keys of the movements of forty
local days. An older movement counts for nothing, so its key needs no memory; nothing here grows with time.
"""

from struct import Struct
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Stored, hash32, hash64
from risk.facts import StockMoved
from risk.local_time import local_day

DAYS_KEPT = 40
"""Longer than the stock rules' thirty days and the 48 hours in which batches still come (domain.md 2.7)."""

_KEY = Struct(">HQI")  # local day, event_id, content
_SIGNS = {"changed_in": 1, "purchased": 1, "sale_returned": 1, "changed_out": -1, "purchase_returned": -1, "sold": -1}


class Item(Stored, frozen=True):
    """One item of one institution. `counted_day` 0: never counted, so nobody knows what `left_x10000` began with."""

    newest_day: int = 0
    counted_day: int = 0
    purchased_day: int = 0
    left_x10000: int = 0
    keys: bytes = b""


NO_ITEM = Item()


class Moved(NamedTuple):
    """`result`: applied, duplicate, conflict (the same id with another content), or late (too old to count)."""

    item: Item
    result: str


def moved(item: Item, fact: StockMoved, occurred_ms: int) -> Moved:
    """Apply one movement once. A count sets what is left; any other movement changes it."""
    day = local_day(occurred_ms)
    if day <= item.newest_day - DAYS_KEPT:
        return Moved(item, "late")
    key, content = hash64(fact.event_id), _content_of(fact)
    for _, known, known_content in _KEY.iter_unpack(item.keys):
        if known == key:
            return Moved(item, "duplicate" if known_content == content else "conflict")
    count = fact.cnt_x10000 or 0
    counts = fact.movement == "counted"
    newest_day = max(item.newest_day, day)
    item = replace(
        item,
        newest_day=newest_day,
        counted_day=max(item.counted_day, day) if counts else item.counted_day,
        purchased_day=max(item.purchased_day, day) if fact.movement == "purchased" else item.purchased_day,
        left_x10000=_left(item, fact, day, count),
        keys=_kept(item.keys + _KEY.pack(day, key, content), newest_day - DAYS_KEPT),
    )
    return Moved(item, "applied")


def _left(item: Item, fact: StockMoved, day: int, count_x10000: int) -> int:
    """A count older than the last one, or a movement before it, is already in what was counted."""
    if day < item.counted_day:
        return item.left_x10000
    return count_x10000 if fact.movement == "counted" else item.left_x10000 + _SIGNS[fact.movement] * count_x10000


def _kept(keys: bytes, floor_day: int) -> bytes:
    """The keys of the days that still count: by day, never by batch."""
    return b"".join(_KEY.pack(*entry) for entry in _KEY.iter_unpack(keys) if entry[0] > floor_day)


def _content_of(fact: StockMoved) -> int:
    return hash32(f"{fact.movement}|{fact.med_list_codg}|{fact.cnt_x10000}|{fact.pric_x1000000}")
