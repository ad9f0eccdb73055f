"""What a checkout may ask of an existing authorization: increase, release; and calls whose answer nobody waited for.

Each is idempotent by `request_id`, which lives as long as its authorization's id.
"""

from collections.abc import Collection

from risk.activity import hash64
from risk.answers import authorization_body, decision, problem, reply
from risk.authorize import ask_increase, assert_within, heard_by, refused_want, with_want
from risk.checks import INCREASE_CHECKS, judge
from risk.credit import Authorization, Context, Credit, Ended, Move, Promise, Request, authorization_event
from risk.facts import (
    AuthorizationAbandoned,
    AuthorizationIncreaseRequested,
    AuthorizationReleaseRequested,
    CheckoutRequest,
)
from risk.holds import HoldAction, after, end, ended_hold, is_denial, open_hold, with_ended, with_hold, without_ended
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome
from risk.watched import Want

INCREASE, CAPTURE, RELEASE = "increase", "capture", "release"
REQUESTS_MOST = 64


def known_hold(credit: Credit, fixmedins_code: str, authorization_id: str) -> Authorization | Ended | None:
    """The authorization of that name, open or remembered."""
    return open_hold(credit, fixmedins_code, authorization_id) or ended_hold(credit, fixmedins_code, authorization_id)


def knows_authorization(credit: Credit | None, authorization_id: str, institutions: Collection[str] | None) -> bool:
    """Whether one of `institutions` asked for credit for this person under that id, which is open or remembered yet.

    None: any institution; then an open one is found only, since an ended one is remembered by its institution too.
    """
    if credit is None:
        return False
    if institutions is None:
        return any(each.authorization_id == authorization_id for each in credit.authorizations)
    return any(known_hold(credit, each, authorization_id) is not None for each in institutions)


def with_known(credit: Credit, known: Authorization | Ended) -> Credit:
    """The record with this authorization, open or remembered, in its place."""
    return with_hold(credit, known) if isinstance(known, Authorization) else with_ended(credit, known)


def answered(known: Authorization | Ended, request_id: str) -> Request | None:
    """What was answered under this request id."""
    key = hash64(request_id)
    return next((each for each in known.promise.requests if each.key == key), None) if key else None


def remembering(promise: Promise, request: Request) -> Promise:
    """The promise that remembers this request, in the place of what it remembered under the same id.

    Of too many the oldest goes that set nothing aside: told again it does no harm. A capture is told by its bill.
    """
    kept = (*(each for each in promise.requests if each.key != request.key), request)
    if len(kept) > REQUESTS_MOST:
        gone = next((each for each in kept if not _has_grown(each)), None)
        kept = tuple(each for each in kept if each is not gone)
    return promise._replace(requests=kept)


def _has_grown(request: Request) -> bool:
    return request.kind == INCREASE and bool(request.granted_fen)


def alarmed(credit: Credit, fact: CheckoutRequest, said: list[Output | Reply], context: Context) -> Credit:
    """The record that knows of which call an alert among `said` has its name: an objection may be about the alert."""
    alerts = (each for each in said if isinstance(each, Output) and each.topic == "alerts")
    if not any(each.body["episode"] == "opened" for each in alerts):
        return credit
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    request = answered(known, fact.request_id or "") if known is not None else None
    if known is None or request is None or any(each.booked_by == context.record_id for each in credit.obligations):
        return credit
    name = authorization_event(fact.fixmedins_code, fact.authorization_id)
    request = request._replace(alarm=context.record_id.removeprefix(name))
    return with_known(credit, known._replace(promise=remembering(known.promise, request)))


def increase_requested(credit: Credit, fact: AuthorizationIncreaseRequested, context: Context) -> Move:
    """May the hold grow?"""
    identity = (fact.fixmedins_code, fact.authorization_id)
    known = known_hold(credit, *identity)
    if known is None:
        return credit, [problem(fact, 404, "NOT_FOUND", field="authorization_id")]
    before = answered(known, fact.request_id or "")
    if before is not None:
        if (before.kind, before.asked_fen) != (INCREASE, fact.amount_fen):
            return credit, [problem(fact, 409, "CONFLICT", field=_field(before, INCREASE))]
        before = before._replace(attempts=heard_by(before.attempts, fact.attempt))
        known = known._replace(promise=remembering(known.promise, before))
        credit = with_known(credit, known)
        told = authorization_body(credit, identity, known, context, replayed=True, request=before)
        return credit, [reply(fact, 200, told)]
    if isinstance(known, Ended):
        return credit, [problem(fact, 409, "NOT_OPEN", field="authorization_id", state=known.state.value)]
    if fact.amount_fen <= 0:
        return credit, [problem(fact, 400, "INVALID", field="amount_fen")]
    if sum(_has_grown(each) for each in known.promise.requests) >= REQUESTS_MOST:
        return credit, [problem(fact, 409, "TOO_MANY", field="request_id")]
    return _increased(credit, known, fact, context)


def _increased(credit: Credit, hold: Authorization, fact: AuthorizationIncreaseRequested, context: Context) -> Move:
    question = ask_increase(credit, context, hold, fact.amount_fen)
    verdict = judge(question, INCREASE_CHECKS)
    key, attempt = hash64(fact.request_id or ""), hash64(fact.attempt)
    request = Request(
        key, INCREASE, fact.amount_fen, "", verdict.approved_fen, verdict.outcome, verdict.said, (attempt,)
    )
    grown = grown_hold(hold, verdict.approved_fen)
    if key:
        grown = grown._replace(promise=remembering(grown.promise, request))
    credit = with_hold(credit, grown)
    if verdict.approved_fen:
        assert_within(credit, grown, question)
    wanted_fen = hold.held_fen + fact.amount_fen
    credit = with_want(credit, Want(hold.mdtrt_id, hold.fixmedins_code, hold.service, wanted_fen))
    if verdict.outcome is not Outcome.APPROVE and not verdict.blocked:
        credit = refused_want(credit, hold.mdtrt_id, hold.service, context)
    identity = (hold.fixmedins_code, hold.authorization_id)
    told = authorization_body(credit, identity, grown, context, request=request)
    decision_id = derived_id("de_", "increase", context.psn_no, context.record_id)
    told |= {"decision_id": decision_id, "max_approvable_fen": verdict.maximum_fen, "log_position": context.position}
    more = {"mdtrt_id": hold.mdtrt_id, "requested_fen": fact.amount_fen, "request_id": fact.request_id}
    return credit, [decision(context, "authorization", decision_id, {**told, **more}), reply(fact, 200, told)]


def grown_hold(hold: Authorization, more_fen: int) -> Authorization:
    """The hold with so much more set aside."""
    if not more_fen:
        return hold
    return hold._replace(
        state=after(hold.state, HoldAction.INCREASE),
        held_fen=hold.held_fen + more_fen,
        approved_fen=hold.approved_fen + more_fen,
    )


def release_requested(credit: Credit, fact: AuthorizationReleaseRequested, context: Context) -> Move:
    """The institution gives the hold back. Releasing what already ended changes nothing and says how it ended."""
    identity = (fact.fixmedins_code, fact.authorization_id)
    known = known_hold(credit, *identity)
    if known is None:
        return credit, [problem(fact, 404, "NOT_FOUND", field="authorization_id")]
    before = answered(known, fact.request_id or "")
    if before is not None and before.kind != RELEASE:
        return credit, [problem(fact, 409, "CONFLICT", field=_field(before, RELEASE))]
    if isinstance(known, Ended):
        return credit, [reply(fact, 200, authorization_body(credit, identity, known, context, replayed=True))]
    if fact.request_id:
        request = Request(hash64(fact.request_id), RELEASE, 0, "", 0, Outcome.RELEASE)
        known = known._replace(promise=remembering(known.promise, request))
    credit, told = let_go(with_hold(credit, known), known, HoldAction.RELEASE, context)
    ended = ended_hold(credit, *identity)
    assert ended is not None
    return credit, [*told, reply(fact, 200, authorization_body(credit, identity, ended, context))]


def let_go(credit: Credit, hold: Authorization, action: HoldAction, context: Context) -> Move:
    """End a hold without a capture, and say so once."""
    credit = end(credit, hold, action, context.now_ms)
    identity = (hold.fixmedins_code, hold.authorization_id)
    ended = ended_hold(credit, *identity)
    assert ended is not None
    body = {
        **authorization_body(credit, identity, ended, context),
        "decision": Outcome.RELEASE.value,
        "mdtrt_id": hold.mdtrt_id,
        "released_fen": hold.held_fen,
        "log_position": context.position,
    }
    # the id of an ended authorization is free again and may end again: only its place tells the endings apart
    decision_id = derived_id("de_", action.value, context.psn_no, context.position, *identity)
    return credit, [decision(context, "authorization", decision_id, body)]


# --- calls nobody waited for -----------------------------------------------------------------------------------------


def abandoned(credit: Credit, fact: AuthorizationAbandoned, context: Context) -> Move:
    """The API told the caller `fallback`. When every applied call of an id was abandoned, what it holds is released."""
    known = known_hold(credit, fact.fixmedins_code, fact.authorization_id)
    if known is None:
        return credit, []
    attempt = hash64(fact.attempt)
    if fact.request_id:
        return _increase_abandoned(credit, known, fact, context)
    if attempt not in known.promise.attempts:
        return credit, []
    left = tuple(each for each in known.promise.attempts if each != attempt)
    known = known._replace(promise=known.promise._replace(attempts=left))
    credit = with_known(credit, known)
    if left:
        return credit, []
    if isinstance(known, Authorization):
        return let_go(credit, known, HoldAction.VOID, context)
    if is_denial(known):
        return without_ended(credit, known.key), []  # `fallback` is not remembered: the id is free
    return credit, []


def _increase_abandoned(
    credit: Credit, known: Authorization | Ended, fact: AuthorizationAbandoned, context: Context
) -> Move:
    request, attempt = answered(known, fact.request_id or ""), hash64(fact.attempt)
    if request is None or request.kind != INCREASE or attempt not in request.attempts:
        return credit, []
    left = tuple(each for each in request.attempts if each != attempt)
    if left:
        promise = remembering(known.promise, request._replace(attempts=left))
        return with_known(credit, known._replace(promise=promise)), []
    others = tuple(each for each in known.promise.requests if each is not request)
    known = known._replace(promise=known.promise._replace(requests=others))
    back_fen = min(request.granted_fen, known.held_fen) if isinstance(known, Authorization) else 0
    if not isinstance(known, Authorization) or not back_fen:
        return with_known(credit, known), []
    known = known._replace(held_fen=known.held_fen - back_fen, approved_fen=known.approved_fen - back_fen)
    return with_hold(credit, known), [_given_back(with_hold(credit, known), known, back_fen, context)]


def _given_back(credit: Credit, hold: Authorization, back_fen: int, context: Context) -> Output:
    """Part of a hold went back while the rest stays."""
    identity = (hold.fixmedins_code, hold.authorization_id)
    body = authorization_body(credit, identity, hold, context) | {
        "decision": Outcome.RELEASE.value,
        "mdtrt_id": hold.mdtrt_id,
        "released_fen": back_fen,
        "log_position": context.position,
    }
    decision_id = derived_id("de_", "abandoned", context.psn_no, context.position, *identity)
    return decision(context, "authorization", decision_id, body)


def _field(before: Request, kind: str) -> str:
    return "request_id" if before.kind != kind else "amount_fen"
