"""A new authorization: asked, judged, held or refused, answered; the same call again gets the same decision.

Whether it may be is checks.py; how a hold moves is holds.py; what happens to it later is requests.py and capture.py.
"""

from binascii import crc32
from operator import attrgetter

from msgspec.structs import replace

from risk.activity import hash64
from risk.answers import authorization_body, decision, problem, reply
from risk.checks import Question, judge
from risk.credit import Authorization, Context, Credit, Ended, HoldState, Move, Promise, authorization_key
from risk.expiry import expiry_ms
from risk.exposure import exposure_fen
from risk.facts import AuthorizationRequested
from risk.holds import (
    DENIAL_REMEMBERED_MS,
    HoldAction,
    after,
    ended_hold,
    open_hold,
    with_ended,
    with_hold,
    without_ended,
)
from risk.limits import agreement_of, agreements_for, ceilings, level_in_force, offers_credit
from risk.outputs import derived_id
from risk.reasons import Outcome
from risk.signed import Agreement
from risk.watched import Want

FIELDS = ("mdtrt_id", "service", "scope", "agreement_no", "medins_setl_id", "med_type", "amount_fen", "emergency")
_asked = attrgetter(*FIELDS)
ATTEMPTS_MOST = 32
UNCOUNTED = -1  # no digest: those are not negative


def requested(credit: Credit, fact: AuthorizationRequested, context: Context) -> Move:
    """A checkout asks for a hold."""
    identity = (fact.fixmedins_code, fact.authorization_id)
    known: Authorization | Ended | None = open_hold(credit, *identity) or ended_hold(credit, *identity)
    if known is not None and not is_free(known):
        return _asked_again(credit, known, fact, context)
    if fact.amount_fen <= 0:
        return credit, [problem(fact, 400, "INVALID", field="amount_fen")]
    for each in credit.authorizations:
        if (each.mdtrt_id, each.service, each.scope) == (fact.mdtrt_id, fact.service, fact.scope):
            return credit, [problem(fact, 409, "HOLD_OPEN", field="mdtrt_id", open_id=each.authorization_id)]
    emergency = fact.emergency or (context.visit is not None and context.visit.emergency)
    question = ask(
        credit,
        context,
        service=fact.service,
        fixmedins_code=fact.fixmedins_code,
        agreement_no=fact.agreement_no or "",
        amount_fen=fact.amount_fen,
        emergency=emergency,
    )
    return _decided(credit, fact, question)


def is_free(known: Authorization | Ended) -> bool:
    """An id whose every call was abandoned is free again: its caller was told to pay otherwise."""
    return known.state is HoldState.VOIDED


def _asked_again(credit: Credit, known: Authorization | Ended, fact: AuthorizationRequested, context: Context) -> Move:
    """The same id again: the same decision with the current state, or a conflict that names the field."""
    field = differing_field(known.promise, fact)
    if field:
        return credit, [problem(fact, 409, "CONFLICT", field=field)]
    attempts = heard_by(known.promise.attempts, fact.attempt)
    if attempts != known.promise.attempts:
        known = known._replace(promise=known.promise._replace(attempts=attempts))
        credit = with_hold(credit, known) if isinstance(known, Authorization) else with_ended(credit, known)
    identity = (fact.fixmedins_code, fact.authorization_id)
    return credit, [reply(fact, 200, authorization_body(credit, identity, known, context, replayed=True))]


def heard_by(attempts: tuple[int, ...], attempt: str) -> tuple[int, ...]:
    """The calls that may have heard an answer, and this one. Of too many nobody keeps count: then none that was
    abandoned can be the last, and what is held ends by release or by the clock.
    """
    digest = hash64(attempt)
    if digest in attempts or UNCOUNTED in attempts:
        return attempts
    return (*attempts, digest if len(attempts) < ATTEMPTS_MOST else UNCOUNTED)


def _decided(credit: Credit, fact: AuthorizationRequested, question: Question) -> Move:
    verdict, context = judge(question), question.context
    identity = (fact.fixmedins_code, fact.authorization_id)
    body, fields = digests(fact)
    decision_id = derived_id("de_", "authorization", context.psn_no, context.record_id)
    promise = Promise(
        body,
        fields,
        fact.amount_fen,
        verdict.approved_fen,
        verdict.maximum_fen,
        verdict.said,
        context.occurred_ms,
        context.policy.version,
        context.position,
        bytes.fromhex(decision_id.removeprefix("de_")),
        (hash64(fact.attempt),),
        (),
        "emergency" in question.entitlements,
        tuple(each for each in question.entitlements if each != "emergency"),
        verdict.passes_ms,
    )
    credit = without_ended(credit, authorization_key(*identity)) if credit.ended else credit
    subject: Authorization | Ended
    if verdict.approved_fen:
        subject = _placed(fact, question, promise)
        credit = with_hold(credit, subject)
        assert_within(credit, subject, question)
    else:
        subject = Ended(
            authorization_key(*identity),
            after(HoldState.NONE, HoldAction.DENY),
            fact.service,
            question.agreement.agreement_no if question.agreement else "",
            0,
            0,
            context.now_ms,
            context.now_ms + DENIAL_REMEMBERED_MS,
            promise,
        )
        credit = with_ended(credit, subject)
    # only a limit leaves something uncovered; who may not use credit at all asks for nothing of it
    if verdict.approved_fen or (verdict.said and not verdict.blocked):
        credit = with_want(credit, Want(fact.mdtrt_id, fact.fixmedins_code, fact.service, fact.amount_fen))
        if verdict.outcome is not Outcome.APPROVE:
            credit = refused_want(credit, fact.mdtrt_id, fact.service, context)
    left_fen = question.left_fen - verdict.approved_fen if question.agreement is not None else 0
    told = authorization_body(credit, identity, subject, context, left_fen=left_fen)
    more = {"mdtrt_id": fact.mdtrt_id, "requested_fen": fact.amount_fen, "scope": fact.scope}
    return credit, [decision(context, "authorization", decision_id, {**told, **more}), reply(fact, 200, told)]


def _placed(fact: AuthorizationRequested, question: Question, promise: Promise) -> Authorization:
    context = question.context
    assert question.agreement is not None, "checked by mandate_invalid"
    return Authorization(
        fact.authorization_id,
        fact.fixmedins_code,
        fact.mdtrt_id,
        fact.service,
        fact.scope,
        question.agreement.agreement_no,
        fact.medins_setl_id or "",
        fact.med_type,
        after(HoldState.NONE, HoldAction.PLACE),
        promise.approved_fen,
        promise.approved_fen,
        question.ceilings[0].allowed_fen,
        context.now_ms,
        expiry_ms(fact.service, fact.scope, context),
        promise,
    )


def assert_within(credit: Credit, hold: Authorization, question: Question) -> None:
    """At every approval held + used fits every ceiling it was judged by."""
    limit_fen = question.ceilings[0].allowed_fen
    assert exposure_fen(credit, hold.service) <= limit_fen, (hold, limit_fen)
    agreement = question.agreement
    if agreement is not None and agreement.mode == "credit_line":
        assert exposure_fen(credit, agreement_no=agreement.agreement_no) <= agreement.line_fen, (hold, agreement)


# --- the body of a request, to compare -------------------------------------------------------------------------------


def digests(fact: AuthorizationRequested) -> tuple[int, bytes]:
    """64 bits of the whole body (deadlines aside), and 16 bits of each field, to name the one that differs."""
    texts = [str(value or "") for value in _asked(fact)]
    return hash64("\0".join(texts)), b"".join([_digest(text) for text in texts])


def _digest(text: str) -> bytes:
    return (crc32(text.encode()) & 0xFFFF).to_bytes(2)


def differing_field(promise: Promise, fact: AuthorizationRequested) -> str:
    """The first field in which this body differs from the one that was answered; "" = the same body."""
    body, fields = digests(fact)
    if body == promise.body:
        return ""
    differ = (at for at in range(0, len(fields), 2) if promise.fields[at : at + 2] != fields[at : at + 2])
    return FIELDS[next(differ, 2 * FIELDS.index("amount_fen")) // 2]


# --- what a visit asked ----------------------------------------------------------------------------------------------


def with_want(credit: Credit, wanted: Want) -> Credit:
    """The record in which this visit's latest request or estimate is so much; nothing, if the hold covers it."""
    name = (wanted.mdtrt_id, wanted.service)
    before = next((each for each in credit.wants if (each.mdtrt_id, each.service) == name), None)
    held_fen = sum([each.held_fen for each in credit.authorizations if (each.mdtrt_id, each.service) == name])
    covered = wanted.asked_fen <= held_fen
    if before is None and covered:
        return credit
    others = tuple(each for each in credit.wants if each is not before)
    if covered and (before is None or not before.topped_up_fen):
        return replace(credit, wants=others)
    want = wanted if before is None else before._replace(asked_fen=wanted.asked_fen)
    return replace(credit, wants=(*others, want))


def refused_want(credit: Credit, mdtrt_id: str, service: str, context: Context) -> Credit:
    """The record in which this visit's request was refused by a limit, which counts as demand for a day."""
    until_ms = context.now_ms + int(context.terms["uncovered_ms"].value)
    return replace(
        credit,
        wants=tuple(
            each._replace(refused_until_ms=until_ms) if (each.mdtrt_id, each.service) == (mdtrt_id, service) else each
            for each in credit.wants
        ),
    )


# --- the question ----------------------------------------------------------------------------------------------------


def choose_agreement(credit: Credit, service: str, asked: str, now_ms: int) -> Agreement | None:
    """The agreement asked for if it is valid and covers the service; none asked: the oldest such."""
    found = agreements_for(credit, service, now_ms)
    if asked:
        return next((each for each in found if each.agreement_no == asked), None)
    return found[0] if found else None


def ask(
    credit: Credit, context: Context, *, service: str, fixmedins_code: str, agreement_no: str, amount_fen: int,
    emergency: bool,
) -> Question:  # fmt: skip
    """A question about a new hold."""
    agreement = choose_agreement(credit, service, agreement_no, context.now_ms)
    level = level_in_force(credit, context.now_ms)
    found = ceilings(credit, service, agreement, context) if offers_credit(context) else ()
    entitled = (*(("emergency",) if emergency else ()), *credit.standing.entitlements)
    return Question(
        credit, context, service, fixmedins_code, agreement_no, agreement, amount_fen, entitled, level, found
    )


def ask_increase(credit: Credit, context: Context, hold: Authorization, amount_fen: int) -> Question:
    """A question about a hold that should grow; its level was judged when it was placed."""
    agreement = agreement_of(credit, hold.agreement_no)
    if agreement is not None and not agreement.lends(hold.service, context.now_ms):
        agreement = None
    level = level_in_force(credit, context.now_ms)
    found = ceilings(credit, hold.service, agreement, context, hold=hold)
    return Question(
        credit,
        context,
        hold.service,
        hold.fixmedins_code,
        hold.agreement_no,
        agreement,
        amount_fen,
        (),
        level,
        found,
    )
