"""When a hold ends by itself: by the clock, by its visit's day, or some working days after a discharge."""

from risk.activity import Visit
from risk.credit import Authorization, Context, Credit
from risk.facts import VisitOpened, VisitUpdated
from risk.holds import with_hold
from risk.local_time import day_start_ms, local_day
from risk.workdays import WorkdayUnknown, terms_add_working_days


def expiry_ms(service: str, scope: str, context: Context) -> int:
    """When a hold placed now ends by itself; 0 = not before a discharge that has not come."""
    if service == "deposit_free":
        return _deposit_ends_ms(context.visit, context.now_ms, context)
    if scope == "visit":
        return _after_day_ms(context.now_ms, context)
    return context.now_ms + int(context.terms["settlement_hold_ms"].value)


def _deposit_ends_ms(visit: Visit | None, newest_ms: int, context: Context) -> int:
    """Some days after the discharge. Where nobody registered a stay none will be told: like an outpatient's, two days
    after the day of the newest thing heard.
    """
    if visit is not None and (visit.ended_ms or visit.admission):
        return after_discharge_ms(visit.ended_ms, context)
    return _after_day_ms(newest_ms, context)


def _after_day_ms(instant_ms: int, context: Context) -> int:
    return day_start_ms(local_day(instant_ms) + 1) + int(context.terms["visit_hold_after_day_ms"].value)


def after_discharge_ms(ended_ms: int, context: Context) -> int:
    """The end of the last working day a deposit-free hold outlives its discharge; an unknown year keeps the hold."""
    if not ended_ms:
        return 0
    try:
        last = terms_add_working_days(
            context.policy, local_day(ended_ms), context.terms["deposit_hold_working_days"].value
        )
    except WorkdayUnknown:
        return 0  # fails closed: nobody guesses, the hold waits for its settlement or release
    return day_start_ms(last + 1)


def registered(credit: Credit, fact: VisitOpened | VisitUpdated, context: Context) -> Credit:
    """A stay is known as one: what its hospital held for it before lasts as long."""
    visit = context.visit
    if visit is None or visit.ended_ms or not visit.admission:
        return credit
    for hold in credit.authorizations:
        if lasts_as_long(hold, visit) and hold.expires_ms:
            credit = with_hold(credit, hold._replace(expires_ms=0))
    return credit


def prolonged(hold: Authorization, context: Context) -> Authorization:
    """The hold whose time has come, but of whose visit more was heard meanwhile."""
    visit = context.visit_of(hold.mdtrt_id)
    if visit is None or not lasts_as_long(hold, visit) or "bundle" not in context.terms:
        return hold
    until_ms = _deposit_ends_ms(visit, visit.newest_ms, context)
    return hold if 0 < until_ms <= context.now_ms else hold._replace(expires_ms=until_ms)


def lasts_as_long(hold: Authorization, visit: Visit) -> bool:
    """Is it a deposit-free hold for this stay? One of another institution under its number ends by its own time."""
    own = hold.mdtrt_id == visit.mdtrt_id and visit.fixmedins_code in ("", hold.fixmedins_code)
    return own and hold.service == "deposit_free" and not hold.had_ended
