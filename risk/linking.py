"""Which settlement is on credit? Its link to an authorization, in contract.md's three steps. It moves nothing."""

from typing import NamedTuple

from risk.answers import captured_of
from risk.credit import Authorization, Credit, Ended, HoldState
from risk.facts import SettlementCompleted
from risk.holds import ended_hold, open_hold


class Link(NamedTuple):
    """What a settlement is linked to: an open hold; or, as advice, what it names (`ended`, or nothing that we know)."""

    hold: Authorization | None = None
    ended: Ended | None = None
    candidates: tuple[str, ...] = ()

    @property
    def ambiguous(self) -> bool:
        """Several holds fit: none is taken."""
        return len(self.candidates) > 1


ADVICE = Link()


def tendered_fen(settlement: SettlementCompleted) -> int:
    """What of the cash part is to be paid on credit. Only `psn_cash_pay` is ever held or captured."""
    cash_fen = max(0, settlement.psn_cash_pay_fen)
    return cash_fen if settlement.credit_fen is None else max(0, min(settlement.credit_fen, cash_fen))


def link_of(credit: Credit, settlement: SettlementCompleted) -> Link | None:
    """By `authorization_id`, else `medins_setl_id`, else the single open hold of the visit; None: paid otherwise."""
    claimed = bool(settlement.credit_fen)
    if settlement.authorization_id:
        return _named(credit, settlement, settlement.authorization_id, claimed)
    if settlement.medins_setl_id:
        for each in credit.authorizations:
            if (each.medins_setl_id, each.fixmedins_code) == (settlement.medins_setl_id, settlement.fixmedins_code):
                return Link(each)
    found = [
        each
        for each in credit.authorizations
        if (each.mdtrt_id, each.fixmedins_code) == (settlement.mdtrt_id, settlement.fixmedins_code)
        and (each.scope == "visit" or each.reopened)
    ]
    if len(found) > 1:
        return Link(candidates=tuple(each.authorization_id for each in found))
    if found:
        return Link(found[0])
    return ADVICE if claimed else None


def _named(credit: Credit, settlement: SettlementCompleted, authorization_id: str, claimed: bool) -> Link | None:
    hold = open_hold(credit, settlement.fixmedins_code, authorization_id)
    if hold is not None:
        return Link(hold)
    ended = ended_hold(credit, settlement.fixmedins_code, authorization_id)
    if ended is not None and ended.state in (HoldState.DENIED, HoldState.RELEASED):
        # refused, or given back by the institution itself: paid otherwise unless it says how much was tendered
        return Link(ended=ended) if claimed else None
    return Link(ended=ended)


def is_lapsed(ended: Ended) -> bool:
    """A promise that was never kept: it expired, or its caller was told to pay otherwise."""
    return ended.lapsed or ended.state in (HoldState.EXPIRED, HoldState.VOIDED)


def advised_fen(credit: Credit, link: Link, settlement: SettlementCompleted) -> int:
    """What is booked of a settlement that names no open hold: as told; of a lapsed promise what it had promised."""
    tender_fen = tendered_fen(settlement)
    if settlement.credit_fen is not None or link.ended is None or not is_lapsed(link.ended):
        return tender_fen
    taken = captured_of(credit, settlement.fixmedins_code, settlement.authorization_id or "")
    return min(tender_fen, max(0, link.ended.approved_fen - sum(each.claim_fen for each in taken)))
