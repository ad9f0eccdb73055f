"""What an institution has on its shelves, item by item, from the movements it reports (3501-3507).

An `Item` is what is left, and the sums of the last forty local days: bounded, however much is sold. Beside it each of
those days has a value with its movements, a row each, so that a count counts by its instant: what is left is the newest
count and what moved after it, in whatever order they came. What is told by the unit (trdn_flag) is counted in pills: of
it is only known that something came, so that nobody knows how many boxes there are until they are counted again. Only
the day touched is rewritten (design.md 2).
"""

from struct import Struct
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Stored
from risk.facts.stock import Movement
from risk.local_time import day_start_ms, local_day

DAYS_KEPT = 40
"""Longer than the stock rules' thirty days and the 48 hours in which batches still come (domain.md 2.7)."""

OPEN_DAYS = 3
"""The newest local dates, of which a purchase may still be told."""

RATED_DAYS_MOST = 35
"""How many of them, without the newest, are looked at for what was sold of what there was."""

BRINGS: tuple[Movement, ...] = ("purchased", "changed_in", "counted")
"""What puts an item on the shelf, or finds it there."""

_SUMS = Struct(">Hqqqqq")
_SLOT, _ROW = Struct(">H"), Struct(">IBq")  # the local day; ms of the day, movement, count
_COLUMNS: dict[Movement, int] = {"purchased": 1, "purchase_returned": 2, "sold": 3, "sale_returned": 3}
_SIGNS: dict[Movement, int] = {
    "changed_in": 1,
    "purchased": 1,
    "sale_returned": 1,
    "changed_out": -1,
    "purchase_returned": -1,
    "sold": -1,
    "counted": 0,  # it finds, and moves nothing
}
_MOVING = tuple(_SIGNS)


class Item(Stored, frozen=True):
    """One item of one institution. `counted_ms`: the newest count's instant; `is_counted` False: never counted, or that
    count was deleted, so nobody knows what it began with.
    """

    newest_day: int = 0
    counted_ms: int = 0
    is_counted: bool = False
    carried_x10000: int = 0  # what that count found, and what moved after it on days that are no longer kept
    since_x10000: int = 0  # what moved on the count's own day, after it
    days: bytes = b""
    opened: str = ""  # the event that opened an episode of stock_rules.py
    rated: str = ""  # that of its second level
    by_unit_ms: int = 0  # the newest instant at which pills came in or were found; deleted or not: what came before?

    @property
    def is_known(self) -> bool:
        """Whether boxes were counted since pills came in, so that what is left can be said in boxes."""
        return self.is_counted and self.counted_ms >= self.by_unit_ms


class Day(NamedTuple):
    """What moved on one local date, as sums; `left_x10000` is what all of it did to the stock, `came_x10000` what came
    in (BRINGS), whatever left.
    """

    date: int
    purchased_x10000: int = 0
    returned_x10000: int = 0
    sold_x10000: int = 0
    left_x10000: int = 0
    came_x10000: int = 0


class Change(NamedTuple):
    """One movement, or with `sign` -1 one that is taken back. `count_x10000` is never negative."""

    movement: Movement
    count_x10000: int
    at_ms: int
    sign: int = 1
    by_unit: bool = False  # pills (trdn_flag): nobody says how many are a box, so they move none

    @property
    def left_x10000(self) -> int:
        """What it does to the stock."""
        return 0 if self.by_unit else self.sign * _SIGNS[self.movement] * self.count_x10000


NO_ITEM = Item()


def slot_of(day: int) -> int:
    """Which of an item's forty values holds a local day: the next day that needs it takes it over."""
    return day % DAYS_KEPT


def left_x10000(item: Item) -> int:
    """What is on the shelf, if the last count was right."""
    counted_day = local_day(item.counted_ms)
    return item.carried_x10000 + item.since_x10000 + sum(d.left_x10000 for d in days_of(item) if d.date > counted_day)


def days_of(item: Item) -> list[Day]:
    """The kept days that had anything, in order."""
    return [Day(*values) for values in _SUMS.iter_unpack(item.days)]


def changed(item: Item, slot: bytes, change: Change) -> tuple[Item, bytes] | None:
    """The item, and the value of the change's day, after it. None: a count of a day that is no longer kept."""
    day = local_day(change.at_ms)
    if change.by_unit:
        item = _turned(item, day)
        if change.movement in BRINGS and change.sign > 0:
            item = replace(item, by_unit_ms=max(item.by_unit_ms, change.at_ms))
        return (replace(item, days=_summed(item, day, change)) if day > item.newest_day - DAYS_KEPT else item), slot
    if change.movement == "counted":
        return _counted(item, slot, change, day)
    item = _turned(item, day)
    if day <= item.newest_day - DAYS_KEPT:
        after_count = change.at_ms > item.counted_ms
        return (replace(item, carried_x10000=item.carried_x10000 + change.left_x10000) if after_count else item), slot
    item = replace(item, days=_summed(item, day, change))
    if day == local_day(item.counted_ms) and change.at_ms > item.counted_ms:
        item = replace(item, since_x10000=item.since_x10000 + change.left_x10000)
    return item, _with_row(slot, day, change)


def _counted(item: Item, slot: bytes, change: Change, day: int) -> tuple[Item, bytes] | None:
    """What was found at an instant; of what is left an older count says nothing new."""
    item = _turned(item, day)
    is_kept = day > item.newest_day - DAYS_KEPT
    if change.sign < 0:
        item = replace(item, is_counted=False) if change.at_ms == item.counted_ms else item
    elif change.at_ms >= item.counted_ms:
        if not is_kept:
            return None
        since = sum(row.left_x10000 for row in _rows(slot, day) if row.at_ms > change.at_ms)
        found = change.count_x10000
        item = replace(item, counted_ms=change.at_ms, is_counted=True, carried_x10000=found, since_x10000=since)
    return (replace(item, days=_summed(item, day, change)) if is_kept else item), slot


def _turned(item: Item, day: int) -> Item:
    """A newer day: what leaves the kept ones is carried, by day, never by batch."""
    if day <= item.newest_day:
        return item
    days, floor_day, counted_day = days_of(item), day - DAYS_KEPT, local_day(item.counted_ms)
    gone = sum(each.left_x10000 for each in days if counted_day < each.date <= floor_day)
    kept = b"".join(_SUMS.pack(*each) for each in days if each.date > floor_day)
    return replace(item, newest_day=day, carried_x10000=item.carried_x10000 + gone, days=kept)


def _summed(item: Item, date: int, change: Change) -> bytes:
    sums = {each.date: list(each) for each in days_of(item)}
    of_day = sums.setdefault(date, list(Day(date)))
    column = _COLUMNS.get(change.movement)
    if column is not None and not change.by_unit:
        of_day[column] += change.sign * (-1 if change.movement == "sale_returned" else 1) * change.count_x10000
    of_day[4] += change.left_x10000
    if change.movement in BRINGS:
        of_day[5] += change.sign * change.count_x10000
    return b"".join(_SUMS.pack(*sums[each]) for each in sorted(sums))


def _holds(slot: bytes, day: int) -> bool:
    return bool(slot) and _SLOT.unpack_from(slot)[0] == day


def _rows(slot: bytes, day: int) -> list[Change]:
    """The movements of the day, if the slot is still, or already, that day's."""
    if not _holds(slot, day):
        return []
    start_ms = day_start_ms(day)
    return [Change(_MOVING[kind], count, start_ms + ms) for ms, kind, count in _ROW.iter_unpack(slot[_SLOT.size :])]


def _with_row(slot: bytes, day: int, change: Change) -> bytes:
    """The day's value with this row, or without one like it."""
    row = _ROW.pack(change.at_ms - day_start_ms(day), _MOVING.index(change.movement), change.count_x10000)
    kept = slot if _holds(slot, day) else _SLOT.pack(day)
    if change.sign > 0:
        return kept + row
    for start in range(_SLOT.size, len(kept), _ROW.size):
        if kept[start : start + _ROW.size] == row:
            return kept[:start] + kept[start + _ROW.size :]
    return kept
