"""The ordinary settlement in one straight line: counted, judged, contributed. Most records are one.

It decides nothing of its own. Whatever is not ordinary is None here and takes the whole way (person_fold.py); for what
is, both ways give the same bytes and the same contributions (tests/risk/test_ordinary.py).
"""

from risk.activity import COUNTED, LATE_MS, Activity, Receipt, hash64, hash_of_code, visit_of, with_settlement
from risk.admissions import admission_of
from risk.bills import marks_of_bill
from risk.contributions import Contribution, contributions
from risk.event_ids import message_of
from risk.facts import SettlementCompleted
from risk.judging import judge
from risk.moment import Moment
from risk.outputs import Output
from risk.person_rules import rows_kept_ms, year_of_day
from risk.pruning import on_a_new_day
from risk.receipts import receipt_of
from risk.regulars import regulars_told
from risk.senders import is_foreign
from risk.settlement_counts import beside
from risk.settlements import amounts_add_up, content_of, filled, has_second_hop, marks_of, row_of_settlement
from risk.visits import billed

Ordinary = tuple[Activity, list[Output], list[Contribution]]


def ordinary(activity: Activity, fact: SettlementCompleted, moment: Moment) -> Ordinary | None:
    """The activity with the settlement counted, what is said of it, and what it contributes; None unless it is
    ordinary.

    The person has no credit record.
    """
    at_ms, day, policy, terms = moment.occurred_ms, moment.day, moment.policy, moment.terms
    if activity.tombstones or fact.credit_fen or fact.authorization_id:
        return None
    if at_ms < activity.newest_ms - LATE_MS or not amounts_add_up(fact):
        return None
    setl = hash64(fact.setl_id)
    if activity.receipts and receipt_of(activity, setl) is not None:
        return None
    visit = visit_of(activity, fact.mdtrt_id) if activity.visits else None
    if visit is not None and (is_foreign(visit.early, fact.fixmedins_code) or (visit.admission and not visit.ended_ms)):
        return None  # it is another's; the bill may say that he lies there no longer
    known = admission_of(activity, visit, fact.mdtrt_id, fact.med_type) if activity.care else visit
    fact = filled(fact, known)
    marks = marks_of(fact, terms)
    more = beside(activity, fact, marks=marks, policy=policy, terms=terms)
    bill_marks = marks_of_bill(fact, known, terms, at_ms=at_ms, insured=activity.insured)
    row = row_of_settlement(fact, at_ms, setl, marks=marks, bill_marks=bill_marks, state=COUNTED, beside=more)
    message, code = hash64(fact.medins_setl_id or message_of(fact.event_id)), hash_of_code(fact.fixmedins_code)
    receipt = Receipt(setl, message, content_of(fact), day, row.fund_fen, COUNTED, code)
    after = with_settlement(
        activity,
        row,
        receipt,
        year=year_of_day(day),
        area=fact.insuplc_admdvs or activity.area,
        kept_ms=rows_kept_ms(policy),
    )
    after, said = judge(fact, after, row, moment)
    rows = activity.rows, after.rows
    after = billed(activity, after, visit, row)
    after = on_a_new_day(activity, after, moment)
    if not has_second_hop(terms):
        return after, said, []
    told = contributions(fact.psn_no, row, sign=1, event_id=fact.event_id, moved_ms=at_ms, marks=marks)
    return after, said, told + regulars_told(fact.psn_no, rows, row, terms, by=(fact.event_id, at_ms))
