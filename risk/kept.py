"""Why captured money may not be ordered now: hold or withhold, decided again at each record until the reason ends.

A dispute or a confirmed suspicion names what it is `about`: a settlement, visit, capture, order or authorization, the
event or decision that told of it, or an alert that this settlement raised. A suspicion that no person confirmed holds
nothing (F and P rules observe).

Meanwhile the clock of a debit stands still, from the first refusal on or before it: it is due so much later. Not where
the mandate ended: what was refused is owed, and may be paid otherwise.
"""

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from risk.bundles import waiting_in
from risk.credit import Context, Credit, Obligation, authorization_event
from risk.exposure import Moved, moved, unfunded_of
from risk.holds import ended_hold, open_hold
from risk.ordered import Bundle, FundingState, Order, stood_ms
from risk.outputs import alert_id, derived_id, event_of, record_id
from risk.policy_rules import Rule
from risk.reasons import Outcome, ReasonCode, Said
from risk.signed import Agreement

_ALERT = "al_"
_Ordered = TypeVar("_Ordered", Bundle, Order)


def kept_by(credit: Credit, obligations: list[Obligation], agreement: Agreement, context: Context) -> Said | None:
    """The first reason in this order: deceased, no mandate, reversal pending, amounts that do not add up, confirmed
    suspicion, dispute.
    """
    if credit.standing.status == "deceased":
        return Said(ReasonCode.INSURED_ABNORMAL, Outcome.HOLD, "deceased", None, "services_on")
    if not agreement.is_valid(context.now_ms):
        return Said(ReasonCode.MANDATE_INVALID, Outcome.HOLD, agreement.agreement_no, None, "bundle")
    return _questioned(credit, obligations, context)


def _questioned(credit: Credit, obligations: list[Obligation], context: Context) -> Said | None:
    """Is it open whether one of these is owed at all?"""
    for each in obligations:
        if each.given_back and each.claim_fen:
            return Said(ReasonCode.REVERSAL_PENDING, Outcome.HOLD, each.setl_id, None, "bundle")
    for each in obligations:
        if each.doubted and each.claim_fen:
            return Said(ReasonCode.DATA_QUALITY, Outcome.HOLD, each.setl_id, None, "Q03")
    suspicions = [each.about for each in credit.standing.cases if each.is_open]
    disputes = [each.about for each in credit.standing.disputes if each.is_open]
    for code, abouts in ((ReasonCode.RISK_HOLD, suspicions), (ReasonCode.DISPUTED, disputes)):
        for each in obligations if abouts else ():
            if any(concerns(about, credit, each, context) for about in abouts):
                return Said(code, Outcome.HOLD, each.setl_id, None, "bundle")
    return None


def clocked(credit: Credit, context: Context) -> Credit:
    """The record in which the clocks of closed bundles and of debits stand still, or go on, as of now."""
    if not credit.bundles and not credit.orders:
        return credit
    bundles = tuple(
        _clocked(each, credit, waiting_in(credit, each), context) if 0 < each.close_ms <= context.now_ms else each
        for each in credit.bundles
    )
    sums = moved(credit)
    orders = tuple(
        _clocked(each, credit, going_on(credit, each, sums), context)
        if each.kind == "debit" and each.state is not FundingState.SETTLED
        else each
        for each in credit.orders
    )
    same = bundles == credit.bundles and orders == credit.orders
    return credit if same else replace(credit, bundles=bundles, orders=orders)


def going_on(credit: Credit, order: Order, sums: dict[str, Moved]) -> list[Obligation]:
    """The bills that an order goes on with: one that nothing more is due or moved for keeps no other back."""
    names = {item.setl_id for item in order.items}
    members = [each for each in credit.obligations if each.setl_id in names and unfunded_of(each, sums)]
    return [each for each in members if not each.is_stopped] or members


def _clocked(each: _Ordered, credit: Credit, members: list[Obligation], context: Context) -> _Ordered:
    stopped = credit.standing.status == "deceased" or _questioned(credit, members, context) is not None
    if stopped == bool(each.stopped_ms):
        return each
    if stopped:
        return each._replace(stopped_ms=context.now_ms)
    return each._replace(stopped_ms=0, waited_ms=stood_ms(each, context.now_ms))


def concerns(about: str, credit: Credit, obligation: Obligation, context: Context) -> bool:
    """Is this settlement what the dispute or the case is about?"""
    if about.startswith(_ALERT):
        return about in set(_alert_ids(credit, obligation, context))
    names = {
        obligation.setl_id,
        obligation.mdtrt_id,
        obligation.capture_id,
        obligation.event_id,
        event_of(obligation.booked_by),
        obligation.authorization_id,
        authorization_event(obligation.fixmedins_code, obligation.authorization_id),
        *(derived_id("de_", "capture", context.psn_no, each, obligation.setl_id) for each in _told_by(obligation)),
    }
    orders = (order for order in credit.orders if any(item.setl_id == obligation.setl_id for item in order.items))
    return about in names or any(about == order.order_id for order in orders)


def _alert_ids(credit: Credit, obligation: Obligation, context: Context) -> Iterator[str]:
    """The ids of every alert that this settlement, or the checkout before it, could have raised."""
    crossings = (*_told_by(obligation), *_asked_by(credit, obligation))
    for rule_id in context.terms:
        rule = context.terms[rule_id].value
        for level in rule.levels if isinstance(rule, Rule) else ():
            for subject in (("person", context.psn_no), ("institution", obligation.fixmedins_code)):
                for service in ("", obligation.service):
                    for crossing_id in crossings:
                        yield alert_id(rule_id, level.level, subject=subject, service=service, crossing_id=crossing_id)


def _told_by(obligation: Obligation) -> tuple[str, ...]:
    """The records that told of this settlement: the one that booked it, and its own event."""
    return tuple(dict.fromkeys((obligation.booked_by, obligation.event_id)))


def _asked_by(credit: Credit, obligation: Obligation) -> tuple[str, ...]:
    """The request that was decided for it, and later calls that an alert has its name of, while they are remembered."""
    names = (obligation.fixmedins_code, obligation.authorization_id)
    known = open_hold(credit, *names) or ended_hold(credit, *names)
    if known is None:
        return ()
    event_id, calls = authorization_event(*names), known.promise.requests
    return (record_id(event_id, known.promise.position), *(f"{event_id}{call.alarm}" for call in calls if call.alarm))
