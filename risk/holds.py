"""The life of a hold: money set aside, then captured, released or expired. One table; what is not in it cannot happen.

    none → denied                          refused: nothing was set aside
    none → held ⟲ increase                 set aside
    held → part_captured → captured        a settlement took some, then the last of it (the rest goes back)
    held, part_captured → released, expired, voided
    captured, released, … → advice         a fact booked although nothing was held any more
    captured, … → held                     re-opened by a reversal

Every move out of an open state is the end of the hold: each hold ends once.
"""

from enum import StrEnum

from msgspec.structs import replace

from risk.credit import Authorization, Credit, Ended, HoldState, authorization_key
from risk.local_time import DAY_MS
from risk.reasons import Outcome

REMEMBERED_MS = 40 * DAY_MS
DENIAL_REMEMBERED_MS = DAY_MS
DENIALS_MOST = 100


class HoldAction(StrEnum):
    """What can happen to an authorization."""

    PLACE = "place"
    DENY = "deny"
    INCREASE = "increase"
    CAPTURE_PART = "capture_part"
    CAPTURE_FINAL = "capture_final"
    RELEASE = "release"
    EXPIRE = "expire"
    VOID = "void"
    ADVISE = "advise"
    REOPEN = "reopen"


_H, _A = HoldState, HoldAction

TRANSITIONS: dict[tuple[HoldState, HoldAction], HoldState] = {
    (_H.NONE, _A.PLACE): _H.HELD,
    (_H.NONE, _A.DENY): _H.DENIED,
    (_H.NONE, _A.ADVISE): _H.ADVICE,
    (_H.HELD, _A.INCREASE): _H.HELD,
    (_H.HELD, _A.CAPTURE_PART): _H.PART_CAPTURED,
    (_H.HELD, _A.CAPTURE_FINAL): _H.CAPTURED,
    (_H.HELD, _A.RELEASE): _H.RELEASED,
    (_H.HELD, _A.EXPIRE): _H.EXPIRED,
    (_H.HELD, _A.VOID): _H.VOIDED,
    (_H.HELD, _A.REOPEN): _H.HELD,
    (_H.PART_CAPTURED, _A.INCREASE): _H.PART_CAPTURED,
    (_H.PART_CAPTURED, _A.CAPTURE_PART): _H.PART_CAPTURED,
    (_H.PART_CAPTURED, _A.CAPTURE_FINAL): _H.CAPTURED,
    (_H.PART_CAPTURED, _A.RELEASE): _H.RELEASED,
    (_H.PART_CAPTURED, _A.EXPIRE): _H.EXPIRED,
    (_H.PART_CAPTURED, _A.VOID): _H.VOIDED,
    (_H.PART_CAPTURED, _A.REOPEN): _H.PART_CAPTURED,
    (_H.CAPTURED, _A.ADVISE): _H.ADVICE,
    (_H.CAPTURED, _A.REOPEN): _H.HELD,
    (_H.RELEASED, _A.ADVISE): _H.ADVICE,
    (_H.RELEASED, _A.REOPEN): _H.HELD,
    (_H.EXPIRED, _A.ADVISE): _H.ADVICE,
    (_H.EXPIRED, _A.REOPEN): _H.HELD,
    (_H.VOIDED, _A.PLACE): _H.HELD,
    (_H.VOIDED, _A.DENY): _H.DENIED,
    (_H.VOIDED, _A.ADVISE): _H.ADVICE,
    (_H.VOIDED, _A.REOPEN): _H.HELD,
    (_H.ADVICE, _A.ADVISE): _H.ADVICE,
    (_H.ADVICE, _A.REOPEN): _H.HELD,
    (_H.DENIED, _A.ADVISE): _H.ADVICE,
    (_H.DENIED, _A.REOPEN): _H.HELD,
}


class IllegalMove(ValueError):
    """Code asked a hold to do what the table does not allow: a bug, never bad input."""

    def __init__(self, state: HoldState, action: HoldAction) -> None:
        super().__init__(f"a hold that is {state} cannot {action}; ask is_legal() first, or add the row to TRANSITIONS")
        self.state = state
        self.action = action


def is_legal(state: HoldState, action: HoldAction) -> bool:
    """Is there a row for it?"""
    return (state, action) in TRANSITIONS


def after(state: HoldState, action: HoldAction) -> HoldState:
    """The state after an action."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise IllegalMove(state, action) from None


# --- finding ---------------------------------------------------------------------------------------------------------


def open_hold(credit: Credit, fixmedins_code: str, authorization_id: str) -> Authorization | None:
    """The open authorization of that id at that institution."""
    for each in credit.authorizations:
        if each.authorization_id == authorization_id and each.fixmedins_code == fixmedins_code:
            return each
    return None


def ended_hold(credit: Credit, fixmedins_code: str, authorization_id: str) -> Ended | None:
    """What is remembered of an authorization that ended or was denied."""
    if not credit.ended:
        return None
    key = authorization_key(fixmedins_code, authorization_id)
    return next((each for each in credit.ended if each.key == key), None)


# --- moving ----------------------------------------------------------------------------------------------------------


def with_hold(credit: Credit, hold: Authorization) -> Credit:
    """The record with this open authorization put in its place, or added."""
    same = open_hold(credit, hold.fixmedins_code, hold.authorization_id)
    if same is None:
        return replace(credit, authorizations=(*credit.authorizations, hold))
    return replace(credit, authorizations=tuple(hold if each is same else each for each in credit.authorizations))


def with_ended(credit: Credit, ended: Ended) -> Credit:
    """The record that remembers this ended authorization, in the place of what it remembered under the same id.

    Of too many denials the one goes that was heard of longest ago: its id is free again, as it would be after a day.
    """
    others = tuple(each for each in credit.ended if each.key != ended.key)
    denied = [each for each in others if each.state is HoldState.DENIED] if ended.state is HoldState.DENIED else []
    if len(denied) >= DENIALS_MOST:
        others = tuple(each for each in others if each is not denied[0])
    return replace(credit, ended=(*others, ended))


def without_ended(credit: Credit, key: int) -> Credit:
    """The record without that memory."""
    if not any(each.key == key for each in credit.ended):
        return credit
    return replace(credit, ended=tuple(each for each in credit.ended if each.key != key))


def as_placed(hold: Authorization) -> Authorization:
    """The hold of which a bill is made anew, or stands again: it ends as it was placed if no other is waited for."""
    if not hold.again_until_ms:
        return hold
    left = hold.reopened - 1
    return hold._replace(reopened=left, again_until_ms=hold.again_until_ms if left else 0)


def end(credit: Credit, hold: Authorization, action: HoldAction, now_ms: int) -> Credit:
    """The record in which this hold ended: what was held is free again, the id is remembered as a digest."""
    state = after(hold.state, action)
    others = tuple(
        each
        for each in credit.authorizations
        if (each.fixmedins_code, each.authorization_id) != (hold.fixmedins_code, hold.authorization_id)
    )
    assert len(others) == len(credit.authorizations) - 1, "a hold ends once"
    return with_ended(
        replace(credit, authorizations=others),
        Ended(
            authorization_key(hold.fixmedins_code, hold.authorization_id),
            state,
            hold.service,
            hold.agreement_no,
            hold.approved_fen,
            hold.limit_fen,
            hold.placed_ms,
            now_ms + REMEMBERED_MS,
            hold.promise,
        ),
    )


def without_old_ids(credit: Credit, now_ms: int) -> Credit:
    """The record without the ids whose time of remembrance is over."""
    if not credit.ended or not any(each.forget_ms <= now_ms for each in credit.ended):
        return credit
    return replace(credit, ended=tuple(each for each in credit.ended if each.forget_ms > now_ms))


def is_denial(ended: Ended) -> bool:
    """Was it refused from the beginning?"""
    return ended.promise.outcome is Outcome.DENY
