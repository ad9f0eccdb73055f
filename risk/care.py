"""What a person was dispensed and where he was admitted lately: what the rules about fee lines and stays need.

Opened only when a fact about a line or an admission comes: a settlement carries it along unread. It is a function of
the applied records. What is old goes with each such fact, on day boundaries.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import msgpack
from msgspec.structs import replace

from risk.activity import LATE_MS, Stored, Visit, hash32, hash64
from risk.event_ids import split
from risk.facts import FeeAdded, FeeReversed, VisitOpened, VisitUpdated
from risk.kept_lines import Line, Messages, gathered, lines_of
from risk.local_time import DAY_MS, day_start_ms, local_day

UNSETTLED_MS = 92 * DAY_MS
"""How long a discharge waits for its settlement: a quarter of a year, ours."""

COMES_BACK_MS = 15 * DAY_MS
"""An admission within so much of a discharge there is a readmission (H02)."""

STAYS_MOST = 32
"""Admissions that nobody ever closes do not pile up: nobody lies in more beds, and in 92 days, for which a final bill
is remembered, nobody is admitted every third day. Ours.
"""


class Reach(NamedTuple):
    """How long the longest rule of a policy looks back, over fee lines, admissions, and those that nobody settled.

    `pairs`: does one ask at the settlement of an admission for the discharge before it (H02)?
    """

    lines_ms: int
    stays_ms: int
    unsettled_ms: int
    pairs: bool
    any_rule: bool


class Stay(Stored, frozen=True):
    """An admission. `ended_ms` 0: still open. `told`: the rules that have spoken of it."""

    mdtrt_id: int
    fixmedins_code: str
    opened_ms: int
    event_id: str
    med_type: str
    ended_ms: int = 0
    diag_group: str = ""
    emergency: bool = False
    cancelled: bool = False
    told: tuple[str, ...] = ()
    served: bytes = b""  # what was done, line by line (idle_days.py)
    known_ms: int = 0  # the newest instant told of it when first known as an admission; 0: none after `opened_ms`


class Above(Stored, frozen=True, order=True):
    """An open episode: rule, level, the item it is about (0: any), its month (0: a moving window)."""

    rule_id: str
    level: int
    item: int
    period: int
    crossing_id: str
    ends_below: int
    allowed: int
    reached: int = 0  # a month's measure as last seen: its lines may be forgotten before it ends
    seen_at: str = ""  # where the line that opened it was: who was told of the opening is told of the end


class Care(Stored, frozen=True):
    """Everything the rules about lines and stays remember of one person."""

    newest_ms: int = 0  # newest counted line; never goes back
    messages: Messages = ()
    stays: tuple[Stay, ...] = ()
    above: tuple[Above, ...] = ()
    found_ms: int = 0  # when he was last found in a bed of which no stay is known yet (idle_days.py)


NO_CARE = Care()
_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Care).decode


def packed(care: Care) -> bytes:
    """The care as a person's activity carries it, unread; nothing remembered is no byte."""
    return b"" if care == NO_CARE else _encode(care)


def unpacked(kept: bytes) -> Care:
    """The care again."""
    return _decode(kept) if kept else NO_CARE


def line_of(fact: FeeAdded, visit: Visit, at_ms: int, excluded: tuple[str, ...]) -> Line:
    """A fee line as the rules remember it; the kind of treatment is the visit's as it stands."""
    stem, number = split(fact.event_id, fact.fixmedins_code)
    return Line(
        at_ms,
        hash64(fact.mdtrt_id),
        hash32(fact.chrg_bchno) if fact.chrg_bchno else 0,
        fact.fixmedins_code,
        visit.med_type,
        excluded,
        stem,
        hash32(fact.feedetl_sn),
        hash64(fact.med_list_codg),
        fact.cnt_x10000,
        fact.prd_days or 0,
        number,
        by_unit=bool(fact.trdn_flag),
    )


def without_lines(care: Care, named: Callable[[Line], bool], part: int | None = None) -> tuple[Care, list[Line]]:
    """The care after lines were taken back, and those lines as they were. A `part` of a line (of its count, in ten
    thousandths) leaves the line, with less in it.
    """
    kept, taken = [], []
    for line in lines_of(care.messages):
        if not named(line):
            kept.append(line)
            continue
        taken.append(line)
        if part is not None and part < line.cnt_x10000:
            whole = line.whole_x10000 or line.cnt_x10000
            kept.append(replace(line, cnt_x10000=line.cnt_x10000 - part, whole_x10000=whole))
    return (replace(care, messages=gathered(kept)) if taken else care), taken


def named_by(fact: FeeReversed, settled_ms: int) -> Callable[[Line], bool]:
    """Which lines a reversal takes back. `settled_ms`: the newest settlement of their visit; what is newer is
    unsettled.
    """
    visit = hash64(fact.mdtrt_id)
    if fact.feedetl_sn:
        key = hash32(fact.feedetl_sn)
        return lambda line: line.mdtrt_id == visit and line.key == key
    if fact.chrg_bchno:
        batch = hash32(fact.chrg_bchno)
        return lambda line: line.mdtrt_id == visit and line.batch == batch
    return lambda line: line.mdtrt_id == visit and line.at_ms > settled_ms


def stay_of(care: Care, mdtrt_id: str | int) -> Stay | None:
    """The admission of that number (or of its hash), if it is still remembered."""
    if not care.stays:
        return None
    mdtrt = hash64(mdtrt_id) if isinstance(mdtrt_id, str) else mdtrt_id
    return next((stay for stay in care.stays if stay.mdtrt_id == mdtrt), None)


def with_stay(care: Care, stay: Stay) -> Care:
    """The care with this admission in the place of the one of its number. Of more than `STAYS_MOST` the oldest ended
    ones go; one that nobody ended goes with its visit (admissions.py).
    """
    others = [each for each in care.stays if each.mdtrt_id != stay.mdtrt_id]
    stays = sorted((*others, stay), key=lambda each: (each.opened_ms, each.mdtrt_id))
    if len(stays) > STAYS_MOST:
        over = [each.mdtrt_id for each in stays if each.ended_ms][: len(stays) - STAYS_MOST]
        stays = [each for each in stays if each.mdtrt_id not in over]
    return replace(care, stays=tuple(stays))


def admitted(fact: VisitOpened | VisitUpdated, visit: Visit, at_ms: int, known_ms: int) -> Stay:
    """The stay that an admission begins."""
    return Stay(
        hash64(visit.mdtrt_id),
        visit.fixmedins_code,
        at_ms,
        fact.event_id,
        visit.med_type,
        ended_ms=visit.ended_ms,
        diag_group=visit.diag_group,
        emergency=visit.emergency,
        cancelled=visit.cancelled,
        known_ms=known_ms if known_ms > at_ms else 0,
    )


def comes_back(admission: Visit | Stay, earlier: Stay) -> bool:
    """Was he discharged there shortly before this admission?"""
    return (
        bool(earlier.ended_ms)
        and not earlier.cancelled
        and earlier.fixmedins_code == admission.fixmedins_code
        and 0 <= admission.opened_ms - earlier.ended_ms <= COMES_BACK_MS
    )


def forgetting(
    care: Care, at_ms: int, reach: Reach, *, is_settled: Callable[[int], bool], is_remembered: Callable[[int], bool]
) -> Care:
    """The care without what no rule can need any more on the local day of `at_ms`, the newest record's.

    `is_settled`: has the visit of that hash a counted bill? An admission that ended waits for one, and where pairs
    are asked for, the discharge before an admission stays as long as that admission. `is_remembered`: is that visit
    still known? One that nobody ended goes with it (admissions.py).
    """
    floor_ms = day_start_ms(local_day(care.newest_ms - reach.lines_ms - LATE_MS))
    messages = care.messages
    if messages and messages[0].at_ms < floor_ms:
        messages = gathered(line for line in lines_of(messages) if line.at_ms >= floor_ms)
    if not care.stays:
        return care if messages is care.messages else replace(care, messages=messages)
    since_ms, unsettled_ms = (
        day_start_ms(local_day(at_ms - each - LATE_MS)) for each in (reach.stays_ms, reach.unsettled_ms)
    )
    needed = [
        stay
        for stay in care.stays
        if (not stay.ended_ms and is_remembered(stay.mdtrt_id))
        or stay.ended_ms >= since_ms
        or (stay.ended_ms >= unsettled_ms and not stay.cancelled and not is_settled(stay.mdtrt_id))
    ]
    stays = tuple(
        stay
        for stay in care.stays
        if stay in needed or (reach.pairs and any(comes_back(each, stay) for each in needed))
    )
    return replace(care, messages=messages, stays=stays)
