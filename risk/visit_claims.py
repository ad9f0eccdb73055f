"""Whose visit it is. Who opens one, bills it or asks credit for it says so with his own code; an institution's token
that told of its lines or its end before may have spoken of another's.
"""

from msgspec.structs import replace

from risk.activity import Activity, Visit, hash64, visit_of
from risk.care import unpacked
from risk.credit import Credit
from risk.facts import AuthorizationRequested, Fact, SettlementCompleted, VisitOpened
from risk.kept_lines import lines_of
from risk.senders import INSTITUTION, is_bound, is_foreign, speaks_for
from risk.visits import VisitFact


def foreign_early(activity: Activity, fact: Fact) -> Visit | None:
    """The visit of that number, if only another institution's token has told of it so far."""
    if not activity.visits or not isinstance(fact, VisitOpened | SettlementCompleted | AuthorizationRequested):
        return None
    visit = visit_of(activity, fact.mdtrt_id)
    return visit if visit is not None and is_foreign(visit.early, fact.fixmedins_code) else None


def without_visit(activity: Activity, visit: Visit) -> Activity:
    """The activity as if nobody had told of that visit."""
    return replace(activity, visits=tuple(each for each in activity.visits if each != visit))


def is_foreign_visit(activity: Activity, credit: Credit | None, fact: VisitFact, visit: Visit | None) -> bool:
    """Does an institution speak about the visit of another? `activity`: as it was; `visit`: as the record leaves it.

    Where nobody has opened it, or it is forgotten, it is whose holds, captures, bills, stay or lines stand under its
    number; who opens one that others have only billed is heard: a bill is no registration.
    """
    if not is_bound(fact.source):
        return False
    if visit is not None and not speaks_for(fact.source, INSTITUTION, visit.fixmedins_code):
        return True
    mdtrt_id = visit.mdtrt_id if visit is not None else fact.mdtrt_id or ""
    known = visit_of(activity, mdtrt_id)
    if known is not None and known.fixmedins_type:
        return False
    codes = _of_money(credit, mdtrt_id)
    if not isinstance(fact, VisitOpened):
        codes |= _of_conduct(activity, mdtrt_id)
    return bool(codes) and not any(speaks_for(fact.source, INSTITUTION, code) for code in codes)


def _of_money(credit: Credit | None, mdtrt_id: str) -> set[str]:
    if credit is None or not mdtrt_id:
        return set()
    held = {hold.fixmedins_code for hold in credit.authorizations if hold.mdtrt_id == mdtrt_id}
    return held | {each.fixmedins_code for each in credit.obligations if each.mdtrt_id == mdtrt_id}


def _of_conduct(activity: Activity, mdtrt_id: str) -> set[str]:
    mdtrt, care = hash64(mdtrt_id), unpacked(activity.care)
    if not mdtrt:
        return set()
    billed = {row.fixmedins_code for row in activity.rows if row.mdtrt == mdtrt}
    lain = {stay.fixmedins_code for stay in care.stays if stay.mdtrt_id == mdtrt}
    return billed | lain | {line.fixmedins_code for line in lines_of(care.messages) if line.mdtrt_id == mdtrt}
