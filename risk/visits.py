"""Visits and their fee lines as a person's records tell them: opened, updated, ended, reopened, and each line once."""

from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import COUNTED, Activity, Row, Visit, hash32, hash64, visit_of, with_visit
from risk.early_reversals import was_reversed
from risk.event_ids import message_of
from risk.facts import (
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementEstimated,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.item_limits import with_limited, without_limited
from risk.line_counts import with_billed, with_noted, without_noted
from risk.line_parts import in_part, with_part, without_parts
from risk.receipts import line_content, receipt_of, with_line
from risk.senders import bound_to, early
from risk.terms import Terms
from risk.visit_told import with_tallies, without_tallies

VisitFact = (
    VisitOpened
    | VisitUpdated
    | VisitClosed
    | VisitReopened
    | VisitCancelled
    | FeeAdded
    | FeeReversed
    | SettlementEstimated
)


_SALE = "2102"  # a visit that a pharmacy's bill opened; the message that opens one is its registration


class Visited(NamedTuple):
    """`result` is applied, undone (a line that was taken back before it came), duplicate or conflict; the visit it
    concerned, if one is known.
    """

    activity: Activity
    result: str
    visit: Visit | None


def content_of(fact: Fact) -> int:
    """Same key, same amounts: a duplicate. Other amounts: a conflict."""
    return hash32("|".join([f"{name}={getattr(fact, name)}" for name in _amounts_of(type(fact))]))


@lru_cache(maxsize=128)
def _amounts_of(kind: type[Fact]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_fen"))


def visited(activity: Activity, fact: VisitFact, occurred_ms: int, terms: Terms) -> Visited:
    """Apply one record about a visit, once by its business key; the visit remembers its keys as long as it is
    remembered.
    """
    visit = _visit_before(activity, fact, occurred_ms)
    if visit is None:
        return Visited(activity, "applied", None)
    if isinstance(fact, VisitOpened):
        return _kept(
            activity, _opened(visit, fact, occurred_ms), occurred_ms
        )  # fills blanks: told twice, it adds nothing
    key, content = hash64(_key(fact)), content_of(fact)
    known = line_content(visit, key)
    if known is not None:
        return Visited(activity, "duplicate" if known == content else "conflict", visit)
    if isinstance(fact, FeeAdded) and _is_undone(activity, visit, fact):
        return _kept(activity, with_line(visit, key, content), occurred_ms)._replace(result="undone")
    if isinstance(fact, FeeReversed):
        after = _taken_back(activity, visit, fact)
    else:
        after = _applied(visit, fact, occurred_ms, terms)
    return _kept(activity, with_line(after, key, content), occurred_ms)


def _is_undone(activity: Activity, visit: Visit, fact: FeeAdded) -> bool:
    """Was its visit cancelled, or the pharmacy's bill that this line stands in (2102), whose id is its batch, undone,
    or will it be when it comes?
    """
    if visit.cancelled:
        return True
    if visit.fixmedins_type == "1" or not fact.chrg_bchno:
        return False
    setl, message = hash64(fact.chrg_bchno), hash64(message_of(fact.event_id))
    known = receipt_of(activity, setl, message)
    return was_reversed(activity, fact.fixmedins_code, setl, message) if known is None else known.state != COUNTED


def _kept(activity: Activity, visit: Visit, occurred_ms: int) -> Visited:
    visit = replace(visit, newest_ms=max(visit.newest_ms, occurred_ms))
    after = with_visit(activity, visit)
    if visit.insuplc not in ("", activity.area):
        after = replace(after, area=visit.insuplc)
    return Visited(after, "applied", visit)


def moved_on(activity: Activity, visit: Visit | None, occurred_ms: int) -> Activity:
    """The activity in which this visit's newest event is no older than a bill of it, or what undid one."""
    if visit is None or occurred_ms <= visit.newest_ms:
        return activity
    return with_visit(activity, replace(visit, newest_ms=occurred_ms))


def billed(before: Activity, activity: Activity, visit: Visit | None, row: Row) -> Activity:
    """The activity with a bill of this visit, moved on; what the visit noted is on the bill."""
    if visit is None:
        return activity
    noting = with_billed(before, visit, row) if visit.noted else visit
    if noting.limited and row.state == COUNTED:
        noting = replace(noting, limited=())
    if noting is visit:
        return moved_on(activity, visit, row.at_ms)
    return with_visit(activity, replace(noting, newest_ms=max(visit.newest_ms, row.at_ms)))


def _key(fact: VisitFact) -> str:
    """The business key of contract.md, "Duplicates"."""
    match fact:
        case VisitCancelled():
            return fact.event_type
        case FeeAdded():
            return f"fee|{fact.feedetl_sn}"
        case FeeReversed() if fact.return_feedetl_sn:
            return f"return|{fact.return_feedetl_sn}"
    return fact.event_id


def _visit_before(activity: Activity, fact: VisitFact, occurred_ms: int) -> Visit | None:
    """The visit the record is about; a registration, a line or an end makes one that is not known yet."""
    if isinstance(fact, VisitClosed | VisitReopened | VisitCancelled) and not fact.mdtrt_id:
        message = hash64(fact.original_msgid or "")
        meant = "end_message" if isinstance(fact, VisitReopened) else "message"
        return next((each for each in activity.visits if message and getattr(each, meant) == message), None)
    known = visit_of(activity, fact.mdtrt_id or "")
    if known is None and isinstance(fact, VisitOpened | FeeAdded | VisitClosed | VisitCancelled):
        code = fact.fixmedins_code if isinstance(fact, VisitOpened | FeeAdded) else bound_to(fact.source)
        told = None if isinstance(fact, VisitOpened) else early(fact)
        return Visit(fact.mdtrt_id or "", code, "", opened_ms=occurred_ms, newest_ms=occurred_ms, early=told)
    return known


def _opened(visit: Visit, fact: VisitOpened, occurred_ms: int) -> Visit:
    """The registration fills what is not known yet: what a later record told stands. It says whose the visit is: a line
    before it may have been coded for another place.
    """
    return replace(
        visit,
        fixmedins_code=visit.fixmedins_code if visit.fixmedins_type else fact.fixmedins_code,
        fixmedins_type=visit.fixmedins_type or fact.fixmedins_type,
        med_type=visit.med_type or fact.med_type or "",
        insutype=visit.insutype or fact.insutype or "",
        insuplc=visit.insuplc or fact.insuplc_admdvs or "",
        dr_code=visit.dr_code or fact.dr_code or "",
        opened_ms=min(visit.opened_ms, occurred_ms),
        emergency=visit.emergency or fact.emergency,
        diag_group=visit.diag_group or _illness(fact),
        early=None,
        message=visit.message or (0 if fact.event_id.startswith(_SALE) else hash64(message_of(fact.event_id))),
    )


def _illness(fact: VisitOpened | VisitUpdated) -> str:
    """The group of diagnoses, in the capitals that ICD and a policy write: some systems send c34."""
    return (fact.diag_group or "").upper()


def _applied(visit: Visit, fact: VisitFact, occurred_ms: int, terms: Terms) -> Visit:
    match fact:
        case VisitUpdated():
            return replace(
                visit,
                med_type=fact.med_type or visit.med_type,
                dr_code=visit.dr_code if fact.dr_code is None else fact.dr_code,
                diag_group=_illness(fact) or visit.diag_group,
            )
        case VisitClosed():
            return replace(visit, ended_ms=occurred_ms, end_message=hash64(message_of(fact.event_id)))
        case VisitCancelled():
            return without_parts(replace(visit, ended_ms=occurred_ms, cancelled=True, tallies=()))
        case VisitReopened():
            return replace(visit, ended_ms=0, end_message=0)
        case FeeAdded():
            noting = with_limited(with_noted(visit, fact, terms), fact, terms)
            return with_part(visit, with_tallies(noting, fact, occurred_ms, terms), fact)
    return visit


def _taken_back(activity: Activity, visit: Visit, fact: FeeReversed) -> Visit:
    if not visit.parts:
        return visit
    after = in_part(visit, fact)
    if after is not None:
        return after
    after = without_limited(without_noted(activity, visit, fact), fact)
    return without_parts(without_tallies(activity, after, fact))
