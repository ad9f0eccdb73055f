"""The boxes on a person's fee lines, by their trace codes: what is told of them to the shards of their codes (D05), and
of boxes without a code to their institution (D06, H16), and of dear lines to the shelves of their hospital (H06).

A line sells its boxes; they come back when the line is taken back, its settlement undone or its visit cancelled: a part
of a line, and a settlement that is corrected and made again, are in doubt, and a doubt is a return. Not told: a line by
the unit (trdn_flag, or another count than codes), a second line of a visit with the same box (it was opened), and the
lines of an admission: a ward opens boxes for many. A visit that nobody has said the kind of may be one, except at a
pharmacy. Lines are remembered 92 days. A line whose item the policy lists (coded_items) and that has no code, or one
that is none, counts as one line without a code, once, at its institution, until the line is taken back or its visit
cancelled: a settlement that is undone gives it no code. A line that H06 looks at is told once, and taken back as a box
is. A person's 64 newest of them are remembered (3 KB at most). An older one could be taken back no more: that is a
doubt too, and its hospital is told that it was.
"""

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from struct import Struct
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import COUNTED, Activity, hash32, hash64, row_of, visit_of
from risk.billed import HOSPITAL
from risk.contributions import CODE, INSTITUTION, NO_BILL, SHELF, Beside, Contribution
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed, SettlementReversed, VisitCancelled
from risk.local_time import day_start_ms, local_day
from risk.moment import Moment
from risk.policy_counters import LETTERS
from risk.receipts import receipt_named
from risk.trace_codes import KEPT_DAYS_OF_A_LINE, code_shard_key, is_trace_code

_MESSAGE = Struct(">QIQ12sB")  # visit, batch, instant, institution, how many boxes
_BOX = Struct(">I9s")  # line, code
_MOST_BYTES = 255 * _BOX.size
_PLACE_BYTES = 12
LINES_OF_A_PERSON = 64
_NO_CODE = b"\xff" * 9  # more than twenty digits can say
_BILLED = b"\xfe" * 9  # as much: the line itself
_TYPES = {letter: fixmedins_type for fixmedins_type, letter in LETTERS.items()}
_ONE_UNCODED: Beside = ((place_of("uncoded_lines"), 1),)


class Box(NamedTuple):
    """A box of one line; visit, line and batch are hashes."""

    visit: int
    line: int
    batch: int
    at_ms: int
    place: bytes
    code: bytes


_Message = tuple[tuple[int, int, int, bytes], bytes]
"""What boxes of one message share (visit, batch, instant, institution), and the boxes as they lie."""
_shared: Callable[[_Message], tuple[int, int, int, bytes]] = itemgetter(0)

Boxed = tuple[Activity, list[Contribution]]
"""The activity after a fact, and what the shards of the codes are told."""
BoxFact = FeeAdded | FeeReversed | VisitCancelled | SettlementReversed


def shard_key(given: Contribution) -> str:
    """What the shard of a contribution's subject is chosen by."""
    return code_shard_key(given.subject_id) if given.subject_kind == CODE else given.subject_id


def with_boxes(before: Activity, activity: Activity, fact: BoxFact, moment: Moment) -> Boxed:
    """Fold one applied fact into the boxes that the activity after it keeps."""
    if isinstance(fact, FeeAdded):
        return _with_line(activity, fact, moment)
    named = _named(before, fact) if activity.boxes else None
    if named is None:
        return activity, []
    boxes = unpacked(activity.boxes)
    back = [box for box in boxes if named(box)]
    if not back:
        return activity, []
    kept = packed([box for box in boxes if box not in back])
    return replace(activity, boxes=kept), [_told(box, -1, moment) for box in back]


def _with_line(activity: Activity, fact: FeeAdded, moment: Moment) -> Boxed:
    place = fact.fixmedins_code.encode()
    codes = [*_boxes_of(activity, fact, moment), *_missing(fact, moment), *_billed(fact, moment)]
    if not codes or len(place) > _PLACE_BYTES:
        return activity, []
    visit, batch = hash64(fact.mdtrt_id), hash32(fact.chrg_bchno) if fact.chrg_bchno else 0
    place = place.ljust(_PLACE_BYTES, b"\0")
    messages = _messages(activity.boxes)
    own = {code for message, boxes in messages if message[0] == visit for _, code in _BOX.iter_unpack(boxes)}
    codes = [code for code in codes if code >= _BILLED or code not in own]
    if not codes:
        return activity, []
    line, shared = hash32(fact.feedetl_sn), (visit, batch, moment.occurred_ms, place)
    messages.append((shared, b"".join([_BOX.pack(line, code) for code in codes])))
    newest_ms = max([at_ms for (_, _, at_ms, _), _ in messages])
    floor_ms = day_start_ms(local_day(newest_ms) - KEPT_DAYS_OF_A_LINE)
    kept, gone = _packed([each for each in messages if each[0][2] >= floor_ms]), []
    if kept.count(_BILLED) > LINES_OF_A_PERSON:
        boxes_left = unpacked(kept)
        gone = [box for box in boxes_left if box.code == _BILLED][:-LINES_OF_A_PERSON]
        kept = packed([box for box in boxes_left if box not in gone])
    sold = [Box(visit, line, *shared[1:], code) for code in codes]
    told = [_told(box, -1, moment) for box in gone] + [_told(box, 1, moment, fact) for box in sold]
    return replace(activity, boxes=kept), told


def _boxes_of(activity: Activity, fact: FeeAdded, moment: Moment) -> list[bytes]:
    """The codes of the line's whole boxes."""
    codes = fact.drug_trac_codg
    if not codes or "D05" not in moment.policy.entries:
        return []
    boxes = len(set(codes))
    if fact.trdn_flag or fact.cnt_x10000 != 10_000 * boxes or boxes < len(codes):
        return []  # by the unit
    visit = visit_of(activity, fact.mdtrt_id)
    is_known = visit is not None and visit.med_type
    if (visit is not None and visit.admission) or (not is_known and fact.fixmedins_code[:1] != LETTERS["2"]):
        return []
    return [int(code).to_bytes(9) for code in codes if is_trace_code(code)]


def _missing(fact: FeeAdded, moment: Moment) -> list[bytes]:
    """Once, if the line should have a code and has none, or one that is none. Whose code tells of no kind of
    institution is not asked.
    """
    clause, codes = moment.terms.get("coded_items"), fact.drug_trac_codg or ()
    if clause is None or fact.fixmedins_code[:1] not in _TYPES or not clause.value.asks(fact.med_list_codg):
        return []
    return [] if codes and all(is_trace_code(code) for code in codes) else [_NO_CODE]


def _billed(fact: FeeAdded, moment: Moment) -> list[bytes]:
    """The line itself, if H06 looks at it."""
    clause = moment.terms.get("H06")
    is_asked = clause is not None and clause.value.asks(fact.med_list_codg, fact.amount_fen)
    return [_BILLED] if is_asked and fact.fixmedins_code[:1] == HOSPITAL else []


def _named(activity: Activity, fact: BoxFact) -> Callable[[Box], bool] | None:
    """Which boxes a fact brings back."""
    match fact:
        case FeeReversed(feedetl_sn=str(number)):
            visit, line = hash64(fact.mdtrt_id), hash32(number)
            return lambda box: box.visit == visit and box.line == line
        case FeeReversed(chrg_bchno=str(number)):
            visit, batch = hash64(fact.mdtrt_id), hash32(number)
            return lambda box: box.visit == visit and box.batch == batch
        case FeeReversed():
            visit = hash64(fact.mdtrt_id)
            counted = (row.at_ms for row in activity.rows if row.mdtrt == visit and row.state == COUNTED)
            settled_ms = max(counted, default=-1)
            return lambda box: box.visit == visit and box.at_ms > settled_ms
        case VisitCancelled(mdtrt_id=str(number)):
            visit = hash64(number)
            return lambda box: box.visit == visit
        case SettlementReversed():
            known = receipt_named(activity, fact.setl_id, fact.medins_setl_id)
            row = row_of(activity, known.setl) if known is not None else None
            return (lambda box: box.visit == row.mdtrt and box.code != _NO_CODE) if row is not None else None
    return None


def _told(box: Box, sign: int, moment: Moment, line: FeeAdded | None = None) -> Contribution:
    """It names no person. The return of a line has the line's own time beside its own."""
    place = box.place.rstrip(b"\0").decode()
    when = (box.at_ms, moment.occurred_ms, moment.event_id, "")
    if box.code == _NO_CODE:
        kind = _TYPES[place[0]]
        return Contribution(INSTITUTION, place, sign, *when, 0, kind, "", 0, 0, NO_BILL, beside=_ONE_UNCODED)
    if box.code == _BILLED:
        item, fen = (line.med_list_codg, line.amount_fen) if line is not None else ("", 0)
        return Contribution(SHELF, place, sign, *when[:3], item, box.visit ^ box.line, "", "", fen, 0, 0)
    code = f"{int.from_bytes(box.code):020d}"
    return Contribution(CODE, code, sign, *when, 0, "", "", 0, 0, 0, fixmedins_code=place)


def packed(boxes: list[Box]) -> bytes:
    """What the boxes of one message share stands once before them."""
    return _packed([((box.visit, box.batch, box.at_ms, box.place), _BOX.pack(box.line, box.code)) for box in boxes])


def unpacked(kept: bytes) -> list[Box]:
    """The boxes again."""
    return [
        Box(visit, line, batch, at_ms, place, code)
        for (visit, batch, at_ms, place), boxes in _messages(kept)
        for line, code in _BOX.iter_unpack(boxes)
    ]


def _packed(messages: list[_Message]) -> bytes:
    """Neighbours that share everything are one message, and as many as its boxes need."""
    parts = []
    for shared, group in groupby(messages, key=_shared):
        boxes = b"".join([own for _, own in group])
        for start in range(0, len(boxes), _MOST_BYTES):
            some = boxes[start : start + _MOST_BYTES]
            parts += [_MESSAGE.pack(*shared, len(some) // _BOX.size), some]
    return b"".join(parts)


def _messages(kept: bytes) -> list[_Message]:
    messages: list[_Message] = []
    at = 0
    while at < len(kept):
        *shared, count = _MESSAGE.unpack_from(kept, at)
        at += _MESSAGE.size
        until = at + count * _BOX.size
        messages.append((tuple(shared), kept[at:until]))
        at = until
    return messages
