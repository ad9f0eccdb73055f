"""Facts about the person applied to the record: status, commitment, level, lists, suspensions, disputes, cases,
agreements.

A fact with an older `occurred_at` never replaces a newer one of its kind: a repeated or late fact changes nothing.
"""

from datetime import datetime

from msgspec.structs import replace

from risk.activity import Early
from risk.credit import Context, Credit, Move
from risk.facts import (
    AgreementLineChanged,
    AgreementSigned,
    CaseClosed,
    CaseConfirmed,
    CommitmentSigned,
    CreditDelisted,
    CreditDisputeClosed,
    CreditDisputeOpened,
    CreditLevelSet,
    CreditListed,
    CreditServiceResumed,
    CreditServiceSuspended,
    InsuredStatusChanged,
)
from risk.limits import agreement_of
from risk.local_time import to_ms
from risk.outputs import Output, Reply
from risk.policy_values import UNRATED
from risk.refused import forbidden_before
from risk.senders import BANK, speaks_for
from risk.signed import Agreement, Ahead, Dispute, Level, Listing, Standing, Suspension

AHEAD_MOST = 8
SUSPENSIONS_MOST = 16


def status_changed(credit: Credit, fact: InsuredStatusChanged, context: Context) -> Credit:
    """The scheme states the insurance status, and what the person is entitled to."""
    told = credit.standing
    if context.occurred_ms >= told.status_ms:
        told = told._replace(status=fact.status, status_ms=context.occurred_ms)
    if fact.entitlements is not None and context.occurred_ms >= told.entitlements_ms:
        named = tuple(sorted(set(fact.entitlements) - {"none"}))
        told = told._replace(entitlements=named, entitlements_ms=context.occurred_ms)
    return _with(credit, told)


def commitment_signed(credit: Credit, fact: CommitmentSigned, context: Context) -> Credit:
    """The person signed the 承诺书."""
    if context.occurred_ms < credit.standing.commitment_ms:
        return credit
    told = credit.standing._replace(commitment_no=fact.commitment_no, commitment_ms=context.occurred_ms)
    return _with(credit, told)


def level_set(credit: Credit, fact: CreditLevelSet, context: Context) -> Credit:
    """An authority set the level. Under investigation is no level: the last official one stands."""
    standing, told_ms = credit.standing, context.occurred_ms
    if fact.level == UNRATED and fact.unrated_reason == "under_investigation":
        return _with(credit, standing._replace(investigated_ms=max(told_ms, standing.investigated_ms)))
    level = Level(fact.level, fact.unrated_reason or "", told_ms, _ms(fact.valid_from) or told_ms, _ms(fact.valid_to))
    levels = (*(each for each in standing.levels if each.told_ms != told_ms), level)
    told = standing._replace(levels=_still_needed(levels, context.now_ms))
    if told_ms >= standing.investigated_ms:
        told = told._replace(investigated_ms=0)
    return _with(credit, told)


def _still_needed(levels: tuple[Level, ...], now_ms: int) -> tuple[Level, ...]:
    """The level in force and those still to come: what was told before the one in force can never be in force again."""
    begun = [level.told_ms for level in levels if level.from_ms <= now_ms]
    floor_ms = max(begun, default=0)
    return tuple(sorted((level for level in levels if level.told_ms >= floor_ms), key=lambda level: level.told_ms))


def listed(credit: Credit, fact: CreditListed, context: Context) -> Credit:
    """An authority put the person on a list."""
    entry = Listing(fact.list, fact.document_no, to_ms(fact.since), _ms(fact.until), context.occurred_ms, True)
    return _with_listing(credit, entry)


def delisted(credit: Credit, fact: CreditDelisted, context: Context) -> Credit:
    """An authority took the person off a list."""
    return _with_listing(credit, Listing(fact.list, fact.document_no, 0, 0, context.occurred_ms, False))


def _with_listing(credit: Credit, entry: Listing) -> Credit:
    standing = credit.standing
    before = next((each for each in standing.listings if each.list_name == entry.list_name), None)
    if before is not None and before.told_ms > entry.told_ms:
        return credit
    others = tuple(each for each in standing.listings if each is not before)
    return _with(credit, standing._replace(listings=(*others, entry)))


def suspended(credit: Credit, fact: CreditServiceSuspended, context: Context) -> Credit:
    """New credit was stopped by the engine, or by an authority's order, each for itself; one without number is none."""
    document_no = fact.document_no or "" if fact.by == "authority" else ""
    if fact.by == "authority" and not document_no:
        return credit
    entry = Suspension(fact.scope, fact.by, document_no, _ms(fact.until), context.occurred_ms, True)
    newer = [each for each in _of_kind(credit, entry) if each.told_ms > entry.told_ms]
    if any(each.document_no == document_no or not each.document_no for each in newer):
        return credit
    return _with_suspension(
        credit, entry, [each for each in _of_kind(credit, entry) if each.document_no == document_no]
    )


def resumed(credit: Credit, fact: CreditServiceResumed, context: Context) -> Credit:
    """New credit is allowed again: by the end of the order that is named, else of all there were by then."""
    entry = Suspension(fact.scope, fact.by, "", 0, context.occurred_ms, False)
    told = _of_kind(credit, entry)
    over = [each for each in told if each.document_no and each.document_no == fact.document_no]
    if over:
        entry = entry._replace(document_no=over[0].document_no)
    else:
        over = [each for each in told if not each.document_no or each.told_ms <= entry.told_ms]
    if any(each.document_no == entry.document_no and each.told_ms > entry.told_ms for each in over):
        return credit
    return _with_suspension(credit, entry, over)


def _of_kind(credit: Credit, entry: Suspension) -> list[Suspension]:
    return [each for each in credit.standing.suspensions if each[:2] == entry[:2]]


def _with_suspension(credit: Credit, entry: Suspension, over: list[Suspension]) -> Credit:
    """The record with this entry instead of those; of too many the one goes that stops credit for the shortest time."""
    kept = (*(each for each in credit.standing.suspensions if each not in over), entry)
    if len(kept) > SUSPENSIONS_MOST:
        least = min(kept, key=lambda each: (each.by == "engine", each.suspended, each.until_ms, each.told_ms))
        kept = tuple(each for each in kept if each is not least)
    return _with(credit, credit.standing._replace(suspensions=kept))


def dispute_opened(credit: Credit, fact: CreditDisputeOpened, context: Context) -> Credit:
    """The person objects."""
    return _with_dispute(credit, Dispute(fact.dispute_id, fact.about, context.occurred_ms, True))


def dispute_closed(credit: Credit, fact: CreditDisputeClosed, context: Context) -> Credit:
    """The objection was decided."""
    return _with_dispute(credit, Dispute(fact.dispute_id, fact.about or "", context.occurred_ms, False))


def _with_dispute(credit: Credit, entry: Dispute) -> Credit:
    standing = credit.standing
    before = next((each for each in standing.disputes if each.dispute_id == entry.dispute_id), None)
    if before is not None and before.told_ms > entry.told_ms:
        return credit
    others = tuple(each for each in standing.disputes if each is not before)
    return _with(credit, standing._replace(disputes=(*others, entry)))


def case_confirmed(credit: Credit, fact: CaseConfirmed, context: Context) -> Credit:
    """A person looked at a suspicion and confirmed it. Only a grave one holds money back."""
    entry = Dispute(fact.case_id, fact.about, context.occurred_ms, fact.gravity == "grave")
    return _with_case(credit, entry)


def case_closed(credit: Credit, fact: CaseClosed, context: Context) -> Credit:
    """The case ended, whatever its outcome: what it held is decided again."""
    return _with_case(credit, Dispute(fact.case_id, "", context.occurred_ms, False))


def _with_case(credit: Credit, entry: Dispute) -> Credit:
    standing = credit.standing
    before = next((each for each in standing.cases if each.dispute_id == entry.dispute_id), None)
    if before is not None and before.told_ms > entry.told_ms:
        return credit
    others = tuple(each for each in standing.cases if each is not before)
    return _with(credit, standing._replace(cases=(*others, entry)))


# --- agreements ------------------------------------------------------------------------------------------------------


def agreement_signed(credit: Credit, fact: AgreementSigned, context: Context) -> Move:
    """The person and a bank signed, or signed again."""
    said: list[Output | Reply] = []
    told_ms, before = context.occurred_ms, agreement_of(credit, fact.agreement_no)
    line_fen, line_ms = fact.bank_line_fen or 0, told_ms
    if before is not None:
        if told_ms < max(before.signed_ms, before.ended_ms, before.ending_ms):
            return credit, said
        if before.line_ms > told_ms:
            line_fen, line_ms = before.line_fen, before.line_ms
    agreement = Agreement(
        fact.agreement_no,
        fact.bank_code,
        fact.funding_mode,
        tuple(fact.services),
        line_fen,
        told_ms if before is None or before.ended_ms else before.signed_ms,
        line_ms,
        _ms(fact.valid_to),
        overdue_ms=before.overdue_ms if before else 0,
        cured_ms=before.cured_ms if before else 0,
        shared=fact.line_kind == "shared",
    )
    if before is None and credit.standing.ahead:
        agreement, (credit, said) = _with_told_ahead(credit, agreement, context)
    return with_agreement(credit, agreement), said


def line_changed(credit: Credit, fact: AgreementLineChanged, context: Context) -> Credit:
    """The bank raised or lowered its line."""
    before = agreement_of(credit, fact.agreement_no)
    if before is None:
        told = Ahead(fact.agreement_no, fact.source, fact.bank_line_fen, context.occurred_ms)
        return with_ahead(credit, told._replace(event_id=fact.event_id, event_type=fact.event_type))
    if context.occurred_ms < before.line_ms:
        return credit
    return with_agreement(credit, before._replace(line_fen=fact.bank_line_fen, line_ms=context.occurred_ms))


def with_ahead(credit: Credit, told: Ahead) -> Credit:
    """The record that remembers what was told of an agreement before its signing; of the newest few."""
    standing = credit.standing
    same = next((each for each in standing.ahead if each[:2] == told[:2]), None)
    if same is not None:
        line = told if told.line_ms >= same.line_ms else same
        told = told._replace(line_fen=line.line_fen, line_ms=line.line_ms)
        told = told._replace(ended_ms=max(told.ended_ms, same.ended_ms), ending_ms=max(told.ending_ms, same.ending_ms))
    others = tuple(each for each in standing.ahead if each is not same)
    return _with(credit, standing._replace(ahead=(*others, told)[-AHEAD_MOST:]))


def _with_told_ahead(credit: Credit, agreement: Agreement, context: Context) -> tuple[Agreement, Move]:
    """The signing came at last: what its bank had told before of a later time holds, as if it had come in order.

    Another bank is told that its word is none.
    """
    letters: list[Output | Reply] = []
    for told in credit.standing.ahead:
        if told.agreement_no != agreement.agreement_no:
            continue
        if not speaks_for(told.source, BANK, agreement.bank_code):
            letters.append(forbidden_before(Early(told.source, told.event_id, told.event_type), context))
            continue
        if told.line_ms >= agreement.line_ms:
            agreement = agreement._replace(line_fen=told.line_fen, line_ms=told.line_ms)
        if told.ended_ms >= agreement.signed_ms:
            agreement = agreement._replace(ended_ms=told.ended_ms)
        elif told.ending_ms >= agreement.signed_ms:
            agreement = agreement._replace(ending_ms=told.ending_ms)
    left = tuple(each for each in credit.standing.ahead if each.agreement_no != agreement.agreement_no)
    return agreement, (_with(credit, credit.standing._replace(ahead=left)), letters)


def with_agreement(credit: Credit, agreement: Agreement) -> Credit:
    """The record with this agreement in the place of the one of its number, or added."""
    if agreement_of(credit, agreement.agreement_no) is None:
        return replace(credit, agreements=(*credit.agreements, agreement))
    return replace(
        credit,
        agreements=tuple(
            agreement if each.agreement_no == agreement.agreement_no else each for each in credit.agreements
        ),
    )


# --- questions -------------------------------------------------------------------------------------------------------


def active_list(credit: Credit, now_ms: int) -> Listing | None:
    """A list the person is on now."""
    for entry in credit.standing.listings:
        if entry.listed and entry.since_ms <= now_ms and (not entry.until_ms or now_ms <= entry.until_ms):
            return entry
    return None


def authority_order(credit: Credit, now_ms: int) -> Suspension | None:
    """A named authority's order with number and end date that stops new credit now (domain.md 1.6 C18)."""
    for entry in credit.standing.suspensions:
        if entry.by == "authority" and entry.suspended and entry.document_no and now_ms <= entry.until_ms:
            return entry
    return None


def engine_stop(credit: Credit, now_ms: int) -> Suspension | None:
    """A contractual stop of credit payment that the engine's operators told, in force now."""
    for entry in credit.standing.suspensions:
        if entry.by == "engine" and entry.suspended and (not entry.until_ms or now_ms <= entry.until_ms):
            return entry
    return None


def _with(credit: Credit, standing: Standing) -> Credit:
    return replace(credit, standing=standing)


def _ms(instant: datetime | None) -> int:
    return to_ms(instant) if instant is not None else 0
