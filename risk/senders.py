"""Whose money a fact may move: the `source` of a bound token names its bank or its institution.

`bank:CODE` (the worker's own), `bank:CODE/token`, `institution:CODE/token`; a token of several institutions says with
each line for which. Any other source is bound to nothing: an operator, a file.
"""

from risk.activity import Early, hash_of_code
from risk.credit import Credit
from risk.facts import (
    AgreementLineChanged,
    AgreementSigned,
    AgreementTerminated,
    BankCured,
    BankOrderResult,
    BankOverdue,
    BankRefunded,
    BankRepaid,
    Fact,
)
from risk.limits import agreement_of

BANK, INSTITUTION = "bank", "institution"


def bound_source(kind: str, code: str, name: str) -> str:
    """The source of what a token of one bank or one institution sends."""
    return f"{kind}:{code}/{name}"


def speaks_for(source: str, kind: str, code: str) -> bool:
    """May this source say something about a bank's or an institution's own? Where nobody's is known: yes."""
    own = f"{kind}:{code}"
    return not code or not source.startswith(f"{kind}:") or source == own or source.startswith(f"{own}/")


def bound_to(source: str) -> str:
    """The institution that this source is bound to; empty: it may speak of any."""
    return source.removeprefix(f"{INSTITUTION}:").partition("/")[0] if is_bound(source) else ""


def is_bound(source: str) -> bool:
    """Is it the token of an institution?"""
    return source.startswith(f"{INSTITUTION}:")


def early(fact: Fact) -> Early | None:
    """Who says something about what nobody knows yet; None: who may say it of anybody's."""
    return Early(fact.source, fact.event_id, fact.event_type) if is_bound(fact.source) else None


def is_foreign(told: Early | None, fixmedins_code: str) -> bool:
    """Was it another institution than this one that said so?"""
    return told is not None and not speaks_for(told.source, INSTITUTION, fixmedins_code)


def is_foreign_bill(credit: Credit | None, institution: int, fact: Fact, setl_id: str) -> bool:
    """Does an institution speak about the settlement of another? `institution`: the hash of its code, as far as the
    settlement is remembered.
    """
    if not is_bound(fact.source):
        return False
    if institution:
        told = fact.source.removeprefix(f"{INSTITUTION}:").split("/")
        return all(hash_of_code("/".join(told[:end])) != institution for end in range(1, len(told) + 1))
    return not speaks_for(fact.source, INSTITUTION, institution_of(credit, setl_id))


def is_foreign_bank(credit: Credit, fact: Fact) -> bool:
    """Does a bank speak about the order or agreement of another bank?"""
    return not speaks_for(fact.source, BANK, _bank_of(credit, fact))


def _bank_of(credit: Credit, fact: Fact) -> str:
    match fact:
        case BankOrderResult():
            return next((each.bank_code for each in credit.orders if each.order_id == fact.order_id), "")
        case (
            BankRepaid()
            | BankRefunded()
            | BankOverdue()
            | BankCured()
            | AgreementSigned()
            | AgreementLineChanged()
            | AgreementTerminated()
        ):
            agreement = agreement_of(credit, fact.agreement_no)
            return agreement.bank_code if agreement is not None else ""
    return ""


def institution_of(credit: Credit | None, setl_id: str) -> str:
    """Whose settlement it is, as far as the capture tells."""
    booked = credit.obligations if credit is not None and setl_id else ()
    return next((each.fixmedins_code for each in booked if each.setl_id == setl_id), "")
