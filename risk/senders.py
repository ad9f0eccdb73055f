"""Whose money a fact may move: the `source` of a bound token names its bank or its institution.

`bank:CODE` (the worker's own), `bank:CODE/token`, `institution:CODE/token`; a token of several institutions says with
each line for which. Any other source is bound to nothing: an operator, a file.
"""

from risk.activity import Row
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


def institution_of(credit: Credit | None, row: Row | None, setl_id: str) -> str:
    """Whose settlement it is, as far as the capture or the remembered row tells."""
    if row is not None:
        return row.fixmedins_code
    booked = credit.obligations if credit is not None and setl_id else ()
    return next((each.fixmedins_code for each in booked if each.setl_id == setl_id), "")
