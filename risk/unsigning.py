"""The end of an agreement. A person un-signs at zero exposure only; before that the wish is kept and winds it down.

* The bank says that the mandate ended: it ended. Nothing may be debited under it (orders.py keeps it, MANDATE_INVALID).
* The person wishes to un-sign (domain.md 3.4 step 1): with nothing held or owed under it the agreement ends at once.
  Else nothing new is lent under it from now on and no hold grows (contract.md: an ended agreement binds increases at
  once), what is owed is still debited as signed, and it ends by itself when the last fen is settled.
* A service closed by signing again without it binds the same way: its holds grow no more, what is owed is debited.
"""

from risk.answers import decision
from risk.credit import Context, Credit, Move
from risk.exposure import exposure_fen
from risk.facts import AgreementTerminated
from risk.limits import agreement_of
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.signed import Agreement, Ahead
from risk.standing import with_agreement, with_ahead


def terminated(credit: Credit, fact: AgreementTerminated, context: Context) -> Move:
    """The mandate ended, or should."""
    before = agreement_of(credit, fact.agreement_no)
    if before is None:
        at_ms, wished = context.occurred_ms, fact.requested_by == "person"
        told = Ahead(fact.agreement_no, fact.source, event_id=fact.event_id, event_type=fact.event_type)
        return with_ahead(credit, told._replace(ending_ms=at_ms) if wished else told._replace(ended_ms=at_ms)), []
    if before.ended_ms or context.occurred_ms < before.signed_ms:
        return credit, []
    if fact.requested_by != "person":
        return with_agreement(credit, before._replace(ended_ms=context.occurred_ms, ending_ms=0)), []
    if before.ending_ms:
        return credit, []
    credit = with_agreement(credit, before._replace(ending_ms=context.occurred_ms))
    if _is_clear(credit, before):
        return credit, []  # `wound_down` ends it within this very record
    said = Said(
        ReasonCode.EXPOSURE_OPEN, Outcome.HOLD, exposure_fen(credit, agreement_no=before.agreement_no), 0, "services_on"
    )
    return credit, [_decided(before, said, context)]


def wound_down(credit: Credit, context: Context) -> Move:
    """Agreements whose end was wished for end when nothing is held, owed or under way any more."""
    said: list[Output | Reply] = []
    for agreement in credit.agreements:
        if agreement.ending_ms and not agreement.ended_ms and _is_clear(credit, agreement):
            credit = with_agreement(credit, agreement._replace(ended_ms=max(context.now_ms, 1), ending_ms=0))
            said.append(_decided(agreement, Said(ReasonCode.OK, Outcome.RELEASE, 0, 0, "services_on"), context))
    return credit, said


def _is_clear(credit: Credit, agreement: Agreement) -> bool:
    number = agreement.agreement_no
    working = any(each.agreement_no == number and (each.in_flight or each.retry_ms) for each in credit.orders)
    return not working and not exposure_fen(credit, agreement_no=number)


def _decided(agreement: Agreement, said: Said, context: Context) -> Output:
    body = {
        "decision": said.outcome.value,
        "agreement_no": agreement.agreement_no,
        "bank_code": agreement.bank_code,
        "exposure_fen": said.observed,
        "reasons": [reason_body(said, context.terms)],
    }
    name = (context.psn_no, context.record_id, said.outcome.value, agreement.agreement_no)
    return decision(context, "agreement", derived_id("de_", "agreement", *name), body)
