"""What a settlement adds to a day of its institution and doctor beside what every one adds, known to the person only.

It is kept in the settlement's row, so that its reversal takes away the same.
"""

from collections.abc import Iterator

from risk.activity import COUNTED, Activity, Visit, hash64, visit_of
from risk.admissions import admission_of
from risk.bills import is_interim
from risk.care import Stay, comes_back, unpacked
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, Beside
from risk.counters import place_of
from risk.facts import SettlementCompleted
from risk.heard import exclusions_of, is_nobody
from risk.line_counts import open_notes
from risk.local_time import local_day
from risk.policy import Policy
from risk.terms import Terms
from risk.workdays import WorkdayUnknown

_OWN, _BLANK = place_of("inpatient_own_fen"), place_of("blank_records")
_FIRST_SEEN = place_of("first_seen")
_HOLIDAY, _AGAIN = place_of("holiday_admissions"), place_of("readmissions")


def beside(activity: Activity, fact: SettlementCompleted, *, marks: int, policy: Policy, terms: Terms) -> Beside:
    """Pairs of a counter and what is added to it, in the order of the counters; an ordinary bill has none.

    `activity` is the person's before it.
    """
    if marks & BAD_INSTITUTION_CODE:
        return ()
    visit = visit_of(activity, fact.mdtrt_id) if activity.visits else None
    known = admission_of(activity, visit, fact.mdtrt_id, fact.med_type)
    said = []
    if fact.fixmedins_type == "2":
        if fact.med_type.startswith("41") and not _was_here(activity, fact.fixmedins_code):
            said.append((_FIRST_SEEN, 1))
    else:
        if marks & BAD_DOCTOR_CODE or (known is not None and known.fixmedins_type and _is_blank(known, terms)):
            said.append((_BLANK, 1))
        if fact.med_type.startswith("2"):
            said += _of_a_stay(activity, fact, known, policy=policy, terms=terms)
    if visit is not None and visit.noted:
        said += [(place, 1) for place in {note[2] for note in open_notes(activity, visit)}]
    return tuple(sorted(said)) if said else ()


def _is_blank(visit: Visit, terms: Terms) -> bool:
    """Does nobody say of what illness?"""
    return not visit.diag_group or is_nobody(visit.diag_group, terms)


def _was_here(activity: Activity, code: str) -> bool:
    """Does anything that was settled here for this person stand, as far as rows reach back?"""
    return any(row.fixmedins_code == code and row.state == COUNTED for row in activity.rows)


def _of_a_stay(
    activity: Activity, fact: SettlementCompleted, admission: Visit | None, *, policy: Policy, terms: Terms
) -> Iterator[tuple[int, int]]:
    """What is all the patient's own; and once a stay, not at an interim bill: admitted on a day off, or again."""
    if fact.fulamt_ownpay_amt_fen:
        yield _OWN, fact.fulamt_ownpay_amt_fen
    if is_interim(fact):
        return
    if admission is None or not admission.fixmedins_type:  # nobody registered it
        return
    care = unpacked(activity.care)
    if _is_day_off(local_day(admission.opened_ms), policy):
        yield _HOLIDAY, 1
    if any(_is_readmission(admission, stay, terms) for stay in care.stays if stay.mdtrt_id != hash64(fact.mdtrt_id)):
        yield _AGAIN, 1


def _is_day_off(day: int, policy: Policy) -> bool:
    """By the State Council's table; a year without one has no day off: nobody is accused by a guess."""
    try:
        return not policy.workdays.is_working(day)
    except WorkdayUnknown:
        return False


def _is_readmission(admission: Visit, earlier: Stay, terms: Terms) -> bool:
    """Discharged here within fifteen days before, neither stay among what P11 leaves out (dialysis, oncology ...)."""
    clause = terms.get("P11")
    left_out = clause.value.exclusions if clause is not None else ()
    return comes_back(admission, earlier) and not any(
        name in left_out for each in (admission, earlier) for name in exclusions_of(terms, each)
    )
