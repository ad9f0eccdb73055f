"""What a person's activity forgets, and when: on local-day boundaries, by its own newest times, never by batch."""

from collections.abc import Callable
from struct import Struct

from msgspec.structs import replace

from risk.activity import (
    LINES_AFTER_VISIT_MS,
    RECEIPT,
    RECEIPT_DAYS,
    TOMBSTONE_MS,
    Activity,
    Visit,
    hash64,
    visit_end_ms,
)
from risk.admissions import without_settled
from risk.credit import EMPTY, Credit
from risk.insured import without_past
from risk.local_time import HOUR_MS, day_start_ms, local_day
from risk.moment import Moment
from risk.person_rules import rows_kept_ms
from risk.receipts import SEEN
from risk.terms import Terms

_DEFAULT_GRACE_MS = 2 * HOUR_MS


def on_a_new_day(before: Activity, after: Activity, moment: Moment, credit: Credit | None = None) -> Activity:
    """The activity moved on to a record's instant and local day; when a day turns, what nothing needs any more goes."""
    at_ms = moment.occurred_ms
    if at_ms <= before.touched_ms:
        return after
    if after.touched_ms < at_ms:
        after = replace(after, touched_ms=at_ms)
    if not before.touched_ms:
        return after
    if local_day(before.touched_ms) == moment.day and local_day(before.newest_ms) == local_day(after.newest_ms):
        return after
    after = pruned(after, rows_kept_ms=rows_kept_ms(moment.policy), grace_ms=grace_ms_of(moment.terms))
    return _without_old_keys(after, credit or EMPTY)


def grace_ms_of(terms: Terms) -> int:
    """How long after midnight a visit ends, also where no credit is offered."""
    grace = terms.get("visit_grace_ms")
    return int(grace.value) if grace is not None else _DEFAULT_GRACE_MS


def pruned(activity: Activity, *, rows_kept_ms: int, grace_ms: int) -> Activity:
    """The activity without what no rule can need any more; a function of its two newest times only."""
    if not activity.touched_ms:
        return activity
    changes: dict[str, object] = {}
    floor_ms = day_start_ms(local_day(activity.newest_ms - rows_kept_ms))
    if activity.rows and activity.rows[0].at_ms < floor_ms:
        changes["rows"] = tuple(row for row in activity.rows if row.at_ms >= floor_ms)
    today = local_day(activity.touched_ms)
    if activity.visits:
        visits = tuple(visit for visit in activity.visits if _needed(visit, today, grace_ms))
        changes["visits"] = without_settled(visits, activity.rows, floor_ms)
    if activity.tombstones:
        changes["tombstones"] = tuple(
            stone for stone in activity.tombstones if activity.newest_ms - stone.at_ms <= TOMBSTONE_MS
        )
    if activity.undone:
        changes["undone"] = tuple(each for each in activity.undone if activity.touched_ms - each.at_ms <= TOMBSTONE_MS)
    if activity.insured is not None:
        changes["insured"] = without_past(activity.insured, floor_ms)
    return replace(activity, **changes) if changes else activity


def _without_old_keys(activity: Activity, credit: Credit) -> Activity:
    """The activity with the receipts and keys of the last 400 days; those of money stay as long as what is owed, or was
    paid early, does: a bill may be undone, and a payment sent again, however old (forgetting.py says till when).
    """
    since = local_day(activity.touched_ms) - RECEIPT_DAYS
    receipts, seen = activity.receipts, activity.seen
    if _has_old(receipts, RECEIPT, 3, since):
        bills = {hash64(each.setl_id) for each in credit.obligations}
        receipts = _kept(receipts, RECEIPT, lambda fields: fields[3] >= since or fields[0] in bills)
    if _has_old(seen, SEEN, 2, since):
        early = [each.paid_day for each in credit.obligations] + [each.paid_day for each in credit.wants]
        first = min([since, *(each.placed_day for each in credit.obligations), *(day for day in early if day)])
        seen = _kept(seen, SEEN, lambda fields: fields[2] >= first)
    if (receipts, seen) == (activity.receipts, activity.seen):
        return activity
    return replace(activity, receipts=receipts, seen=seen)


def _has_old(packed: bytes, record: Struct, day_field: int, since: int) -> bool:
    """Records stand in the order they were applied; the first tells whether it is time to look at all of them."""
    return bool(packed) and record.unpack_from(packed)[day_field] < since


def _kept(packed: bytes, record: Struct, is_needed: Callable[[tuple[int, ...]], bool]) -> bytes:
    return b"".join(record.pack(*fields) for fields in record.iter_unpack(packed) if is_needed(fields))


def _needed(visit: Visit, today: int, grace_ms: int) -> bool:
    """A visit is remembered until the second local midnight after the 48 hours that follow its end; an admission that
    nobody ended, as long as admissions.py says.
    """
    end_ms = visit_end_ms(visit, grace_ms)
    return not end_ms or local_day(end_ms + LINES_AFTER_VISIT_MS) + 1 >= today
