"""What an institution has told of its stock: the ids of four hundred days, and the batches that a 3507 may name.

Both lie in buckets by hash, a value each, so that a record rewrites a few kilobytes at the busiest hospital too: twenty
thousand movements a day are 27 KB of ids a bucket. An id is the institution's, whatever item it names.
"""

from struct import Struct
from typing import Literal

from risk.activity import Stored, hash32, hash64
from risk.facts import StockMoved, StockUndone
from risk.facts.stock import Movement, codes_moved
from risk.local_time import local_day, to_ms

BUCKETS = 4096
KEYS_KEPT_DAYS = 400
"""As every other business key (contract.md, "Duplicates")."""
BATCHES_KEPT_DAYS = 40
LINES_OF_A_BATCH = 16
"""More under one number: it numbers no line (some systems send one number always), and a deletion would be a guess."""

_KEY = Struct(">HQI")  # local day, event_id, content


class BatchLine(Stored, frozen=True):
    """A movement that its institution may still delete."""

    batch: int
    at_ms: int
    movement: Movement
    med_list_codg: str
    cnt_x10000: int
    codes: tuple[str, ...] = ()
    by_unit: bool = False


class Batches(Stored, frozen=True):
    """The movements of one bucket, in the order they came."""

    lines: tuple[BatchLine, ...] = ()


NO_BATCHES = Batches()


def bucket_of(name: str) -> str:
    """The bucket of an event id or a batch number."""
    return f"{hash64(name) % BUCKETS:x}"


def repeated(keys: bytes, fact: StockMoved | StockUndone) -> Literal["", "duplicate", "conflict", "late"]:
    """Was this id told before? `late`: it would have been forgotten by now, so nobody knows."""
    key, day = hash64(fact.event_id), local_day(to_ms(fact.occurred_at))
    newest = 0
    for known_day, known, content in _KEY.iter_unpack(keys):
        newest = max(newest, known_day)
        if known == key:
            return "duplicate" if content == _content_of(fact) else "conflict"
    return "late" if day <= newest - KEYS_KEPT_DAYS else ""


def with_key(keys: bytes, fact: StockMoved | StockUndone) -> bytes:
    """The bucket with this id; ids of days long gone leave it, by day, never by batch."""
    entries = [*_KEY.iter_unpack(keys), (local_day(to_ms(fact.occurred_at)), hash64(fact.event_id), _content_of(fact))]
    floor_day = max(day for day, _, _ in entries) - KEYS_KEPT_DAYS
    return b"".join(_KEY.pack(*entry) for entry in entries if entry[0] > floor_day)


def _content_of(fact: StockMoved | StockUndone) -> int:
    """What counts of it. Its time does not: sent again with its time corrected, it is the same movement."""
    if isinstance(fact, StockUndone):
        return hash32(f"{fact.movement}|{fact.med_list_codg}|{fact.cnt_x10000}|{fact.moved_at}")
    named = f"{fact.movement}|{fact.med_list_codg}|{fact.cnt_x10000}|{fact.pric_x1000000}"
    return hash32(f"{named}|{fact.fixmedins_bchno}|{fact.deletes}")


def with_line(batches: Batches, fact: StockMoved) -> Batches:
    """The bucket with this movement under its batch: one more than a deletion may name is enough to know."""
    assert fact.fixmedins_bchno is not None
    assert fact.med_list_codg is not None
    batch, at_ms = hash64(fact.fixmedins_bchno), to_ms(fact.occurred_at)
    codes = tuple(each.drug_trac_codg for each in codes_moved(fact))
    line = BatchLine(batch, at_ms, fact.movement, fact.med_list_codg, fact.cnt_x10000 or 0, codes, bool(fact.trdn_flag))
    lines = (*batches.lines, line)
    floor_day = max(local_day(each.at_ms) for each in lines) - BATCHES_KEPT_DAYS
    mine = [each for each in lines if each.batch == batch]
    spare = mine[0] if len(mine) > LINES_OF_A_BATCH + 1 else None
    return Batches(tuple(each for each in lines if each is not spare and local_day(each.at_ms) > floor_day))


def named_by(batches: Batches, fact: StockMoved) -> list[BatchLine]:
    """What a deletion takes back: the batch's movements, of the kind it says or of any."""
    assert fact.fixmedins_bchno is not None
    batch, kind = hash64(fact.fixmedins_bchno), fact.deletes or ""
    return [each for each in batches.lines if each.batch == batch and _is_of(each.movement, kind)]


def _is_of(movement: Movement, kind: str) -> bool:
    return not kind or movement == kind or (kind == "changed" and movement in ("changed_in", "changed_out"))


def without(batches: Batches, lines: list[BatchLine]) -> Batches:
    """The bucket after these were taken back."""
    return Batches(tuple(each for each in batches.lines if each not in lines))
