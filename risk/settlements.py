"""Settlements in a person's conduct: counted once, undone, counted again, and judged when they are counted.

It moves no money: what credit makes of a settlement is capture.py. Counting never depends on judging (rules.md).
"""

from binascii import crc32
from functools import lru_cache
from struct import Struct

import msgspec
from msgspec.structs import replace

from risk.activity import (
    COUNTED,
    LATE_MS,
    REVERSED,
    SILENCED,
    Activity,
    Receipt,
    Row,
    Visit,
    hash64,
    hash_of_code,
    row_of,
    visit_of,
    with_row_state,
    with_settlement,
    with_undone,
    with_year_sum,
)
from risk.admissions import admission_of
from risk.bills import is_interim, marks_of_bill, told_marks_of, with_bad_codes
from risk.contributions import (
    BAD_DOCTOR_CODE,
    BAD_INSTITUTION_CODE,
    EMERGENCY,
    INTERIM,
    SILENT,
    Beside,
    Contribution,
    contributions,
)
from risk.credit import Credit
from risk.early_reversals import come, is_capture_undone, taken_back, waiting
from risk.event_ids import message_of, split
from risk.facts import SettlementCompleted, SettlementReinstated, SettlementReversed
from risk.judging import closed, in_order, judge
from risk.line_counts import counted_again
from risk.local_time import day_start_ms
from risk.moment import Moment
from risk.outputs import Output
from risk.person_rules import after_reversal, rows_kept_ms, year_of, year_of_day
from risk.policy_counters import CounterRule
from risk.receipts import receipt_named, receipt_of, with_receipt
from risk.refused import forbidden_before
from risk.regulars import regulars_told
from risk.senders import institution_of
from risk.settlement_counts import beside
from risk.terms import Terms

_AMOUNTS = Struct(">6Q")
SECOND_HOP_RULES = ("D01", "M03", "M04", "M09", "P18", "Q01", "Q02")
"""Those about institutions and staff that are not written in the grammar of policy_counters.py."""


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What a settlement record did: applied, duplicate, conflict, refused, or waiting (no original)."""

    activity: Activity
    result: str
    outputs: list[Output]
    contributions: list[Contribution]
    row: Row | None = None
    receipt: Receipt | None = None


def amounts_add_up(fact: SettlementCompleted) -> bool:
    """medfee = fund + psn_part + hosp_part and psn_part = acct + cash, each to the fen or one beside it."""
    whole = fact.fund_pay_sumamt_fen + fact.psn_part_amt_fen + (fact.hosp_part_amt_fen or 0)
    person = fact.acct_pay_fen + fact.psn_cash_pay_fen
    return abs(fact.medfee_sumamt_fen - whole) <= 1 and abs(fact.psn_part_amt_fen - person) <= 1


def filled(fact: SettlementCompleted, visit: Visit | None) -> SettlementCompleted:
    """The settlement with what only the visit knew: doctor, insurance, place, emergency."""
    if visit is None:
        return fact
    return replace(
        fact,
        dr_code=visit.dr_code or None if fact.dr_code is None else fact.dr_code,
        insutype=fact.insutype or visit.insutype or None,
        insuplc_admdvs=fact.insuplc_admdvs or visit.insuplc or None,
        emergency=fact.emergency or visit.emergency,
    )


def row_of_settlement(
    fact: SettlementCompleted, at_ms: int, setl: int, *, marks: int, bill_marks: int, state: int, beside: Beside
) -> Row:
    """What a window may need of a settlement; a placeholder is no place, and no rule counts by it."""
    return Row(
        at_ms,
        setl,
        *split(fact.event_id, fact.fixmedins_code),
        hash64(fact.mdtrt_id),
        fact.fixmedins_code,
        "" if marks & BAD_INSTITUTION_CODE else fact.fixmedins_type,
        fact.med_type,
        fact.dr_code or "",
        fact.medfee_sumamt_fen,
        fact.fund_pay_sumamt_fen,
        state,
        with_bad_codes(bill_marks, marks) if marks else bill_marks,
        beside,
    )


def count(
    psn_no: str, activity: Activity, fact: SettlementCompleted, moment: Moment, *, credit: Credit | None = None
) -> Counted:
    """Count a settlement (already filled from its visit), once by `setl_id`, and judge it."""
    setl, content = hash64(fact.setl_id), content_of(fact)
    known = receipt_of(activity, setl) if activity.receipts else None
    if known is not None:
        if known.content == content:
            return Counted(activity, "duplicate", [], [])
        alerts = moment.quality_alert("Q04", fact.fixmedins_code, mdtrt_id=fact.mdtrt_id)
        return Counted(activity, "conflict", alerts, [])

    message = hash64(fact.medins_setl_id or message_of(fact.event_id))
    sent = hash64(message_of(fact.event_id)) if activity.tombstones else message
    activity, early, foreign = come(activity, fact.fixmedins_code, setl, message, sent)
    letters = [forbidden_before(each, moment) for each in foreign]
    state = SILENCED if early or is_capture_undone(credit, fact.setl_id) else COUNTED
    marks = marks_of(fact, moment.terms)
    more = beside(activity, fact, marks=marks, policy=moment.policy, terms=moment.terms)
    visit = visit_of(activity, fact.mdtrt_id) if activity.visits else None
    visit = admission_of(activity, visit, fact.mdtrt_id, fact.med_type)
    bill_marks = marks_of_bill(fact, visit, moment.terms, at_ms=moment.occurred_ms, insured=activity.insured)
    row = row_of_settlement(
        fact, moment.occurred_ms, setl, marks=marks, bill_marks=bill_marks, state=state, beside=more
    )
    code = hash_of_code(fact.fixmedins_code)
    receipt = Receipt(setl, message, content, moment.day, row.fund_fen, state, code)
    after = with_settlement(
        activity,
        row,
        receipt,
        year=year_of_day(moment.day),
        area=fact.insuplc_admdvs or activity.area,
        kept_ms=rows_kept_ms(moment.policy),
    )
    if state == SILENCED:
        return Counted(after, "applied", letters, [], row)

    wrong = [] if amounts_add_up(fact) else moment.quality_alert("Q03", fact.fixmedins_code, mdtrt_id=fact.mdtrt_id)
    outputs = letters + wrong
    late = row.at_ms < activity.newest_ms - LATE_MS
    if not late:
        after, found = judge(fact, after, row, moment)
        outputs += found
    if not has_second_hop(moment.terms):
        return Counted(after, "applied", outputs, [], row)
    moved = contributions(psn_no, row, sign=1, event_id=fact.event_id, moved_ms=row.at_ms, marks=marks)
    moved += regulars_told(psn_no, (activity.rows, after.rows), row, moment.terms, by=_by(moment), silent=late)
    return Counted(after, "applied", outputs, moved, row)


def reverse(psn_no: str, activity: Activity, fact: SettlementReversed, moment: Moment) -> Counted:
    """Take away exactly what the original added, in its day and year; wait for an original that has not come."""
    setl = hash64(fact.setl_id or "")
    message = hash64(fact.medins_setl_id or "")
    known = receipt_named(activity, fact.setl_id, fact.medins_setl_id)
    if known is None:
        after_it = waiting(activity, setl or message, fact, moment.occurred_ms)
        if after_it is None:
            return Counted(activity, "duplicate", [], [])
        after_it = with_undone(after_it, message_of(fact.event_id), setl or message, moment.occurred_ms)
        return Counted(after_it, "waiting", [], [])
    if known.state != COUNTED:
        return Counted(activity, "duplicate", [], [])

    row = row_of(activity, known.setl)
    after = with_receipt(activity, replace(known, state=REVERSED))
    after = with_row_state(after, known.setl, REVERSED)
    after = with_year_sum(after, year_of(day_start_ms(known.day)), -known.fund_fen)
    after = with_undone(after, message_of(fact.event_id), known.setl, moment.occurred_ms)
    outputs = []
    late = moment.occurred_ms < activity.newest_ms - LATE_MS  # a reversal that itself comes too late closes nothing
    ended = () if late else after_reversal(after, row or _of_old(known), moment)
    for episode, left in ended:
        outputs.append(closed(psn_no, episode, left, moment))
        after = replace(after, episodes=tuple(each for each in after.episodes if each != episode))
    if row is None or not has_second_hop(moment.terms):
        return Counted(after, "applied", in_order(outputs), [], row, known)
    moved = contributions(
        psn_no,
        row,
        sign=-1,
        event_id=fact.event_id,
        moved_ms=moment.occurred_ms,
        marks=told_marks_of(row),
    )
    moved += regulars_told(psn_no, (activity.rows, after.rows), row, moment.terms, by=_by(moment))
    return Counted(after, "applied", in_order(outputs), moved, row, known)


def reinstate(
    psn_no: str, activity: Activity, fact: SettlementReinstated, moment: Moment, *, credit: Credit | None = None
) -> Counted:
    """A reversal was itself undone: the settlement counts again and opens nothing. `credit` knows whose it is before
    it comes.
    """
    setl = hash64(fact.setl_id or "")
    message = hash64(fact.original_msgid or "")
    setl = next((each.setl for each in activity.undone if message and each.message == message), setl)
    known = receipt_of(activity, setl, message) or receipt_of(activity, 0, setl)
    if known is None:  # undone and done again before it came: it will count
        left = taken_back(activity, setl, fact.source, institution_of(credit, fact.setl_id or ""))
        return Counted(activity, "refused", [], []) if left is None else Counted(left, "waiting", [], [])
    if known.state == COUNTED:
        return Counted(activity, "duplicate", [], [])
    row = row_of(activity, known.setl)
    after = with_receipt(activity, replace(known, state=COUNTED))
    after = with_row_state(after, known.setl, COUNTED)
    after = with_year_sum(after, year_of(day_start_ms(known.day)), known.fund_fen)
    if row is None:
        return Counted(after, "applied", [], [], None, known)
    after, row = counted_again(after, replace(row, state=COUNTED))
    after = replace(after, newest_ms=max(after.newest_ms, row.at_ms))
    if not has_second_hop(moment.terms):
        return Counted(after, "applied", [], [], row, known)
    moved = contributions(
        psn_no,
        row,
        sign=1,
        event_id=fact.event_id,
        moved_ms=moment.occurred_ms,
        marks=SILENT | told_marks_of(row),
    )
    moved += regulars_told(psn_no, (activity.rows, after.rows), row, moment.terms, by=_by(moment), silent=True)
    return Counted(after, "applied", [], moved, row, known)


def _by(moment: Moment) -> tuple[str, int]:
    return moment.event_id, moment.occurred_ms


@lru_cache(maxsize=64)
def has_second_hop(terms: Terms) -> bool:
    """Does any rule look at institutions or staff? Without one nothing is sent to them."""
    return any(name in SECOND_HOP_RULES or isinstance(terms[name].value, CounterRule) for name in terms)


def _of_old(receipt: Receipt) -> Row:
    """What is left of a settlement older than any window: it counts in its year only."""
    at_ms = day_start_ms(receipt.day)
    return Row(at_ms, receipt.setl, *split("", ""), 0, "", "", "", "", 0, receipt.fund_fen)


def content_of(fact: SettlementCompleted) -> int:
    """Same key, same amounts: a duplicate. Other amounts: a conflict."""
    return crc32(
        _AMOUNTS.pack(
            fact.medfee_sumamt_fen,
            fact.fund_pay_sumamt_fen,
            fact.psn_part_amt_fen,
            fact.acct_pay_fen,
            fact.psn_cash_pay_fen,
            fact.hosp_part_amt_fen or 0,
        )
    )


def marks_of(fact: SettlementCompleted, terms: Terms) -> int:
    """What the contributions of a settlement say of it."""
    told = (EMERGENCY if fact.emergency else 0) | (INTERIM if is_interim(fact) else 0)
    return bad_codes_of(fact.fixmedins_code, fact.dr_code, terms) | told


@lru_cache(maxsize=16_384)
def bad_codes_of(fixmedins_code: str, dr_code: str | None, terms: Terms) -> int:
    """Which codes are placeholders; an absent doctor is silent, a present and empty one is not."""
    clause = terms.get("placeholder_codes")
    if clause is None:
        return 0
    marks = BAD_INSTITUTION_CODE if clause.value.matches(fixmedins_code) else 0
    if dr_code is not None and clause.value.matches(dr_code):
        marks |= BAD_DOCTOR_CODE
    return marks
