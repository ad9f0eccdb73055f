"""Reversals that came before their settlement: they wait forty days, each for what its sender may undo."""

from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import COUNTED, TOMBSTONE_MS, Activity, Early, Tombstone, hash64
from risk.credit import Credit
from risk.facts import SettlementReinstated, SettlementReversed
from risk.receipts import receipt_of
from risk.senders import INSTITUTION, bound_to, early, is_bound, is_foreign, speaks_for


class Come(NamedTuple):
    """A settlement has come: was it undone before, and who undid what is not its own?"""

    activity: Activity
    is_undone: bool
    foreign: list[Early]


def waiting(activity: Activity, key: int, fact: SettlementReversed, at_ms: int) -> Activity | None:
    """The activity in which this reversal waits; None: it does already, or one does that may undo anybody's."""
    by = early(fact)
    for stone in activity.tombstones:
        if stone.key == key and (stone.early is None or (by is not None and stone.early.source == by.source)):
            return None
    return replace(activity, tombstones=(*activity.tombstones, Tombstone(key, at_ms, by)))


def taken_back(activity: Activity, key: int, source: str, owner: str) -> Activity | None:
    """The activity in which no reversal waits for this settlement any more; None: one would that this source may not
    take back. `owner`: whose settlement it is, as far as its capture tells; else only what its own institution said
    itself is known to be an institution's to take back.
    """
    stones = [stone for stone in activity.tombstones if stone.key == key]
    if not stones:
        return activity
    own = [stone for stone in stones if _may_take_back(stone, source, owner)]
    if not own or any(stone.early is None for stone in stones if stone not in own):
        return None
    return replace(activity, tombstones=tuple(stone for stone in activity.tombstones if stone not in own))


def _may_take_back(stone: Tombstone, source: str, owner: str) -> bool:
    if not is_bound(source):
        return True
    if owner:
        return not is_foreign(stone.early, owner)
    return stone.early is not None and speaks_for(source, INSTITUTION, bound_to(stone.early.source))


def come(activity: Activity, fixmedins_code: str, *names: int) -> Come:
    """The activity without what waited for this settlement, by the hash of its id or message."""
    stones = [stone for stone in activity.tombstones if stone.key in names]
    if not stones:
        return Come(activity, is_undone=False, foreign=[])
    foreign = [stone.early for stone in stones if stone.early is not None and is_foreign(stone.early, fixmedins_code)]
    left = tuple(stone for stone in activity.tombstones if stone not in stones)
    return Come(replace(activity, tombstones=left), was_reversed(activity, fixmedins_code, *names), foreign)


def was_reversed(activity: Activity, fixmedins_code: str, *names: int) -> bool:
    """Does a reversal wait for this settlement of this institution?"""
    return any(
        activity.newest_ms - stone.at_ms <= TOMBSTONE_MS
        for stone in activity.tombstones
        if stone.key in names and not is_foreign(stone.early, fixmedins_code)
    )


def is_capture_undone(credit: Credit | None, setl_id: str) -> bool:
    """Did a checkout capture it, and a reversal undo that? The money knows it longer than a reversal waits, until that
    one is taken back.
    """
    return credit is not None and any(each.setl_id == setl_id and each.reversed_by for each in credit.obligations)


def naming(activity: Activity, credit: Credit | None, fact: SettlementReinstated) -> SettlementReinstated:
    """A reinstatement that names the reversal's message only, with the settlement, if a checkout captured that."""
    message = hash64(fact.original_msgid or "") if credit is not None and not fact.setl_id else 0
    setl = next((each.setl for each in activity.undone if message and each.message == message), 0)
    booked = credit.obligations if credit is not None and setl else ()
    return next((replace(fact, setl_id=each.setl_id) for each in booked if hash64(each.setl_id) == setl), fact)


def is_reversed(activity: Activity, setl_id: str, fixmedins_code: str) -> bool:
    """Was this settlement undone, or will it be the moment it comes?"""
    setl = hash64(setl_id)
    known = receipt_of(activity, setl)
    if known is not None:
        return known.state != COUNTED
    return any(stone.key == setl and not is_foreign(stone.early, fixmedins_code) for stone in activity.tombstones)
