"""Whose visit it is, as long as nobody has opened it: a token that told early of its end or of a line of it may have
spoken of another's.
"""

from msgspec.structs import replace

from risk.activity import Activity, Visit, hash64, visit_of
from risk.care import unpacked
from risk.credit import Credit
from risk.facts import AuthorizationRequested, Fact, FeeAdded, SettlementCompleted, VisitOpened
from risk.kept_lines import lines_of
from risk.senders import INSTITUTION, is_bound, is_foreign, speaks_for
from risk.visits import VisitFact

WithItsCode = VisitOpened | FeeAdded | SettlementCompleted | AuthorizationRequested


def foreign_early(activity: Activity, credit: Credit | None, fact: Fact) -> Visit | None:
    """The visit of that number, if only another institution's token has told of it so far. Against an end, which names
    no institution, anything counts that does; against a line, which does, only a registration. Who has money
    under its number ended what is its own: then only a registration counts as well.
    """
    if not activity.visits or not isinstance(fact, WithItsCode):
        return None
    visit = visit_of(activity, fact.mdtrt_id)
    if visit is None or visit.early is None or not is_foreign(visit.early, fact.fixmedins_code):
        return None
    if isinstance(fact, VisitOpened):
        return visit
    codes = _of_money(credit, visit.mdtrt_id)
    is_its_own = bool(codes) and not is_foreign(visit.early, codes[0])
    return None if is_its_own or visit.early.event_type == FeeAdded.event_type else visit


def without_visit(activity: Activity, visit: Visit) -> Activity:
    """The activity as if nobody had told of that visit."""
    return replace(activity, visits=tuple(each for each in activity.visits if each != visit))


def is_foreign_visit(activity: Activity, credit: Credit | None, fact: VisitFact, visit: Visit | None) -> bool:
    """Does an institution speak about the visit of another? `activity`: as it was; `visit`: as the record leaves it.

    Where nobody has opened it, or it is forgotten, it is whose hold, capture, early payment, stay, line or bill
    stands under its number, the first of them. Who opens one is heard unless another has captured under it: to bill,
    to be paid, or to ask for credit is no registration, and costs nothing. His end releases none of their holds.
    """
    if not is_bound(fact.source):
        return False
    if visit is not None and not speaks_for(fact.source, INSTITUTION, visit.fixmedins_code):
        return True
    mdtrt_id = visit.mdtrt_id if visit is not None else fact.mdtrt_id or ""
    known = visit_of(activity, mdtrt_id)
    if known is not None and known.fixmedins_type:
        return False
    if isinstance(fact, VisitOpened):
        codes = _captured(credit, mdtrt_id)
    else:
        codes = _of_money(credit, mdtrt_id) + _paid_early(credit, mdtrt_id) + _of_conduct(activity, mdtrt_id)
    return bool(codes) and not speaks_for(fact.source, INSTITUTION, codes[0])


def _of_money(credit: Credit | None, mdtrt_id: str) -> list[str]:
    if credit is None or not mdtrt_id:
        return []
    held = [hold.fixmedins_code for hold in credit.authorizations if hold.mdtrt_id == mdtrt_id]
    return held + _captured(credit, mdtrt_id)


def _captured(credit: Credit | None, mdtrt_id: str) -> list[str]:
    booked = credit.obligations if credit is not None and mdtrt_id else ()
    return [each.fixmedins_code for each in booked if each.mdtrt_id == mdtrt_id]


def _paid_early(credit: Credit | None, mdtrt_id: str) -> list[str]:
    wants = credit.wants if credit is not None and mdtrt_id else ()
    return [want.fixmedins_code for want in wants if want.mdtrt_id == mdtrt_id and want.topped_up_fen]


def _of_conduct(activity: Activity, mdtrt_id: str) -> list[str]:
    mdtrt, care = hash64(mdtrt_id), unpacked(activity.care)
    lain = [stay.fixmedins_code for stay in care.stays if stay.mdtrt_id == mdtrt]
    told = [line.fixmedins_code for line in lines_of(care.messages) if line.mdtrt_id == mdtrt]
    return [*lain, *told, *(row.fixmedins_code for row in activity.rows if row.mdtrt == mdtrt)]
