"""What the records of a visit tell institutions and staff beside its bills: who lies in a house (H10), and what single
fee lines count for (dialysis, H10; a key drug, M02; the time of who executed, M08).

Both are functions of the visit and its bills as they are remembered, so what a record changes is a difference: nothing
is told twice, and whatever is taken back is taken from the day it was added to. A patient counts on the day of his
admission as long as he is there: until he is discharged or a final bill of the house stands; a line on its own day,
until it is taken back or its visit cancelled; of a part of it (line_parts.py) what is counted in money is told.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from risk.activity import COUNTED, Activity, Visit, hash64, visit_of
from risk.admissions import settled_ms
from risk.contributions import INSTITUTION, NO_BILL, STAFF, Contribution
from risk.counters import place_of
from risk.facts import FeeAdded, FeeReversed
from risk.heard import is_nobody
from risk.line_keys import left_by, line_key
from risk.moment import Moment
from risk.policy_lines import LineRow
from risk.settlements import has_second_hop
from risk.terms import Terms

Tally = tuple[int, int, int, int, int, str]
"""Line and batch (hashes), instant, counter, how much, and by whose code it counts."""

_IN_HOUSE = place_of("in_house")
_BY_STAFF = frozenset({place_of("key_drug_fen"), place_of("executed_minutes")})


def with_tallies(visit: Visit, fact: FeeAdded, at_ms: int, terms: Terms) -> Visit:
    """The visit that remembers what this line counts for, if it counts for anything."""
    clause = terms.get("line_counts")
    if clause is None or not (rows := clause.value.of(fact.med_list_codg)):
        return visit
    line, batch = line_key(fact)
    tallies = [
        (line, batch, at_ms, place_of(row.counter), amount, who)
        for row in rows
        for who, amount in _whose(row, visit, fact)
        if amount and who.strip() and not is_nobody(who, terms)
    ]
    return replace(visit, tallies=(*visit.tallies, *tallies)) if tallies else visit


def _whose(row: LineRow, visit: Visit, fact: FeeAdded) -> Iterator[tuple[str, int]]:
    """By whose code a line counts, and for how much. Who orders and who executes is often one code in two fields."""
    ordered_by = visit.dr_code if fact.dr_code is None else fact.dr_code
    if row.counter == "dialysis_lines":
        yield fact.fixmedins_code, 1
    elif row.counter == "key_drug_fen":
        yield ordered_by, fact.amount_fen
    elif fact.orders_dr_code != ordered_by:
        yield fact.orders_dr_code or "", row.minutes


def without_tallies(activity: Activity, visit: Visit, fact: FeeReversed) -> Visit:
    """The visit without those of a line, of a batch, or of all lines after the last bill that counts."""
    if fact.feedetl_sn or fact.chrg_bchno:
        return replace(visit, tallies=left_by(fact, visit.tallies))
    key = hash64(visit.mdtrt_id)
    billed_ms = max((row.at_ms for row in activity.rows if row.mdtrt == key and row.state == COUNTED), default=-1)
    return replace(visit, tallies=tuple(each for each in visit.tallies if each[2] <= billed_ms))


def visit_told(before: Activity, after: Activity, visit: Visit, moment: Moment) -> list[Contribution]:
    """What one record changed about its visit, which is `after`'s: a record of it, a bill of it, or what undoes one."""
    known = visit_of(before, visit.mdtrt_id) if before.visits else None
    was, now = _standing(before, known) if known is not None else (), _standing(after, visit)
    if was == now or not has_second_hop(moment.terms):
        return []
    if now[: len(was)] == was:  # lines come one by one, and a ward's are many
        return [_told(each, 1, moment) for each in now[len(was) :]]
    there = {_named(each): each[4] for each in now}
    less = [(each, each[4] - there.get(_named(each), 0)) for each in was]
    gone = [_told((*each[:4], amount, each[5]), -1, moment) for each, amount in less if amount]
    known_before = {_named(each) for each in was}
    return gone + [_told(each, 1, moment) for each in now if _named(each) not in known_before]


def _named(tally: Tally) -> tuple[int, int, int, int, str]:
    """Which tally it is, however much of it is left."""
    return *tally[:4], tally[5]


def _standing(activity: Activity, visit: Visit) -> tuple[Tally, ...]:
    """All that the visit counts for: what its lines do, and its patient in the house if he lies there."""
    if not visit.admission or visit.ended_ms or not visit.fixmedins_code or settled_ms(activity, visit):
        return visit.tallies
    return (0, 0, visit.opened_ms, _IN_HOUSE, 1, visit.fixmedins_code), *visit.tallies


def _told(tally: Tally, sign: int, moment: Moment) -> Contribution:
    _, _, at_ms, place, amount, code = tally
    kind = STAFF if place in _BY_STAFF else INSTITUTION
    when = (at_ms, moment.occurred_ms, moment.event_id, "")
    return Contribution(kind, code, sign, *when, 0, "1", "", 0, 0, NO_BILL, beside=((place, amount),))
