"""What a settlement adds to its institution's day beside what every one adds, known on the person's shard only.

It is kept in the settlement's row, so that its reversal takes away the same.
"""

from risk.activity import Visit
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, Beside
from risk.counters import place_of
from risk.facts import SettlementCompleted

_OWN = place_of("inpatient_own_fen")
_BLANK: Beside = ((place_of("blank_records"), 1),)


def beside(fact: SettlementCompleted, visit: Visit | None, marks: int) -> Beside:
    """At a hospital: a blank doctor or diagnosis, and what of an inpatient's bill is all his own.

    An absent doctor is silent, as in Q02; so is the diagnosis of a visit of which nothing was told.
    """
    if fact.fixmedins_type != "1" or marks & BAD_INSTITUTION_CODE:
        return ()
    blank = marks & BAD_DOCTOR_CODE or (visit is not None and not visit.diag_group)
    said = _BLANK if blank else ()
    if fact.fulamt_ownpay_amt_fen and fact.med_type.startswith("2"):
        said = ((_OWN, fact.fulamt_ownpay_amt_fen), *said)
    return said
