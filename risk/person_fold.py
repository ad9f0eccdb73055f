"""The fold of one person: (what is remembered, one record) → (what is remembered, what is said).

The live path, replay and proof run it. It adds nothing of its own: settlements.py counts and judges, visits.py follows
visits, lifecycle.py moves money.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from risk.activity import (
    COUNTED,
    LATE_MS,
    NOTHING,
    Activity,
    Receipt,
    Visit,
    hash64,
    visit_end_ms,
    visit_of,
    visit_of_row,
)
from risk.admissions import admission_of
from risk.boxes import BoxFact, with_boxes
from risk.business_key import business_key
from risk.capture import obligation_of
from risk.care_rules import bill_undone, cared
from risk.contributions import Contribution
from risk.credit import Context, Credit
from risk.credit_visits import credit_told
from risk.early_reversals import is_reversed, naming
from risk.facts import (
    AuthorizationCaptureRequested,
    BedChecked,
    CheckoutRequest,
    Fact,
    IdentityChecked,
    InsuredStatusChanged,
    SettlementCompleted,
    SettlementReinstated,
    SettlementReversed,
    TimerDue,
    TransferFiled,
    VisitClosed,
)
from risk.idle_days import bed_checked, is_settled
from risk.insured import told
from risk.lifecycle import Step, apply_credit, due, reinstate, reverse, settle
from risk.local_time import local_day
from risk.moment import Moment
from risk.outputs import Output, Reply
from risk.pruning import grace_ms_of, on_a_new_day
from risk.receipts import seen_content, with_seen
from risk.refused import CONFLICT, SENDER_FORBIDDEN, dead_letter, forbidden_before
from risk.senders import INSTITUTION, institution_of, is_foreign_bank, is_foreign_bill, speaks_for
from risk.settlements import Counted, amounts_add_up, filled
from risk.settlements import count as count_settlement
from risk.settlements import reinstate as reinstate_settlement
from risk.settlements import reverse as reverse_settlement
from risk.visit_claims import foreign_early, is_foreign_visit, without_visit
from risk.visit_told import visit_told
from risk.visits import VisitFact, billed, content_of, moved_on, visited

FOLD_VERSION = 1

Recount = Callable[[Credit, Receipt | None, Any, Context], Step]
"""What a settlement undone, or counted again, does to the money: `lifecycle.reverse`, `lifecycle.reinstate`."""


class Person(Struct, frozen=True, gc=False):
    """Everything the engine remembers of one person; `credit` is None for who never signed."""

    activity: Activity = NOTHING
    credit: Credit | None = None


class Applied(Struct, frozen=True, gc=False):
    """`result`: applied, duplicate, conflict, waiting or refused (a token about what is not its own)."""

    person: Person
    result: str
    said: list[Output | Reply]
    contributions: list[Contribution]

    def then(self, activity: Activity, told: Sequence[Contribution] = ()) -> "Applied":
        """The same record, after something else of it changed the activity, and what that tells."""
        return Applied(Person(activity, self.person.credit), self.result, self.said, [*self.contributions, *told])


def apply(person: Person, fact: Fact, moment: Moment) -> Applied:
    """Fold one record of this person."""
    foreign = foreign_early(person.activity, person.credit, fact)
    applied = _folded(person, fact, moment) if foreign is None else _after(foreign, person, fact, moment)
    if applied.person.credit is person.credit:
        return applied
    told = credit_told(person.credit, applied.person.credit, moment)
    return replace(applied, contributions=[*applied.contributions, *told]) if told else applied


def _after(foreign: Visit, person: Person, fact: Fact, moment: Moment) -> Applied:
    """Fold a record as if another institution's token had not told of its visit: what that moved is taken back."""
    activity = without_visit(person.activity, foreign)
    applied = _folded(replace(person, activity=activity), fact, moment)
    if applied.result == "refused":
        return replace(applied, person=person)
    told = visit_told(person.activity, activity, Visit(foreign.mdtrt_id, "", ""), moment)
    letters = [forbidden_before(foreign.early, moment)] if foreign.early is not None else []
    return replace(applied, said=[*letters, *applied.said], contributions=[*told, *applied.contributions])


def _folded(person: Person, fact: Fact, moment: Moment) -> Applied:
    if isinstance(fact, SettlementCompleted):  # first and plainly: most records are
        return _touched(person, _settled(person, fact, moment), moment)
    if isinstance(fact, VisitFact):
        return _visited(person, fact, moment)
    if isinstance(fact, CheckoutRequest):  # and somebody stands at a counter
        return _touched(person, _credited(person, fact, moment), moment)
    match fact:
        case SettlementReversed():
            counted = reverse_settlement(fact.psn_no, person.activity, fact, moment)
            applied = _touched(person, _recounted(person, fact, moment, counted=counted, money=reverse), moment)
            if applied.result != "applied":
                return applied
            activity, more = bill_undone(applied.person.activity, counted.row, fact, moment)
            activity, told = with_boxes(person.activity, activity, fact, moment)
            return replace(applied.then(activity, told), said=[*applied.said, *more])
        case SettlementReinstated():
            fact = naming(person.activity, person.credit, fact)
            counted = reinstate_settlement(fact.psn_no, person.activity, fact, moment, credit=person.credit)
            return _touched(person, _recounted(person, fact, moment, counted=counted, money=reinstate), moment)
        case TimerDue():
            return _due(person, fact, moment)
    return _touched(person, _once(person, fact, moment), moment)


def _touched(person: Person, applied: Applied, moment: Moment) -> Applied:
    """The newest record moves the day; when the day turns, what nothing needs any more is forgotten."""
    if applied.result == "refused":
        return applied
    after = applied.person.activity
    activity = on_a_new_day(person.activity, after, moment, applied.person.credit)
    return applied if activity is after else applied.then(activity)


def _context(person: Person, fact: Fact, moment: Moment, visit: Visit | None) -> Context:
    return Context(
        now_ms=moment.now_ms,
        occurred_ms=moment.occurred_ms,
        event_id=moment.event_id,
        position=moment.position,
        terms=moment.terms,
        policy=moment.policy,
        visit=visit,
        visits=person.activity.visits,
        psn_no=fact.psn_no,
        area=person.activity.area,
    )


def _with_credit(applied: Applied, step: Step) -> Applied:
    """What happened to the activity, and then to the credit record."""
    credit, more = step
    return replace(applied, person=Person(applied.person.activity, credit), said=[*applied.said, *more])


def _settled(person: Person, fact: SettlementCompleted, moment: Moment) -> Applied:
    credit = person.credit
    if credit is not None and not speaks_for(fact.source, INSTITUTION, institution_of(credit, fact.setl_id)):
        return _refused(person, fact, moment)
    visit = visit_of(person.activity, fact.mdtrt_id) if person.activity.visits else None
    as_told, fact = fact, filled(fact, admission_of(person.activity, visit, fact.mdtrt_id, fact.med_type))
    counted = count_settlement(fact.psn_no, person.activity, fact, moment, credit=credit)
    said: list[Output] = counted.outputs
    if counted.result == "conflict":
        said = [*said, dead_letter(as_told, moment, CONFLICT)]
    activity = counted.activity
    counts = counted.row is not None and counted.row.state == COUNTED  # one undone before it came captures nothing
    if counted.row is not None:
        activity = billed(person.activity, activity, visit, counted.row)
        if not counts:
            activity, more = bill_undone(activity, counted.row, fact, moment)
            said = [*said, *more]
    told = counted.contributions
    if visit is not None and visit.admission:  # his bill may say that he lies there no longer
        told = [*told, *visit_told(person.activity, activity, visit, moment)]
    after = Person(activity, credit)
    applied = Applied(after, counted.result, list(said), told)
    on_credit = credit is not None or fact.credit_fen or fact.authorization_id
    if not on_credit or counted.result != "applied":
        return applied
    context = _context(after, fact, moment, visit)
    return _with_credit(applied, settle(credit, fact, context, amounts_add_up(fact), counts=counts))


def _recounted(
    person: Person, fact: SettlementReversed | SettlementReinstated, moment: Moment, *, counted: Counted, money: Recount
) -> Applied:
    """A settlement was undone, or counts again: first in conduct, then, by `money`, in credit."""
    institution = counted.receipt.institution if counted.receipt is not None else 0
    if counted.result == "refused" or is_foreign_bill(person.credit, institution, fact, fact.setl_id or ""):
        return _refused(person, fact, moment)
    after = replace(person, activity=counted.activity)
    applied = Applied(after, counted.result, list(counted.outputs), counted.contributions)
    if counted.result != "applied" and not _is_captured(person.credit, fact, counted):
        return applied
    visit = visit_of_row(counted.activity, counted.row) if counted.row is not None else None
    if visit is not None and visit.admission:
        applied = applied.then(counted.activity, visit_told(person.activity, counted.activity, visit, moment))
    if person.credit is not None:
        context = _context(after, fact, moment, visit)
        if counted.row is not None:
            context = replace(context, mdtrt=counted.row.mdtrt)
        applied = _with_credit(applied, money(person.credit, counted.receipt, fact, context))
    end_ms = visit_end_ms(visit, grace_ms_of(moment.terms)) if visit is not None else 0
    if 0 < end_ms <= moment.now_ms:
        return applied  # what undoes a bill does not open its visit again
    return applied.then(moved_on(counted.activity, visit, moment.occurred_ms))


def _is_captured(credit: Credit | None, fact: SettlementReversed | SettlementReinstated, counted: Counted) -> bool:
    """Has a checkout captured it, although its own event has not come? Then there is money to move, if no conduct."""
    return counted.result == "waiting" and credit is not None and obligation_of(credit, fact.setl_id or "") is not None


def _due(person: Person, fact: TimerDue, moment: Moment) -> Applied:
    """A due timer whose cause is gone changes no byte."""
    if person.credit is None:
        return Applied(person, "applied", [], [])
    credit, said = due(person.credit, fact.due_ms, _context(person, fact, moment, None))
    return Applied(Person(person.activity, credit), "applied", said, [])


def _visited(person: Person, fact: VisitFact, moment: Moment) -> Applied:
    """A record about a visit or its lines, in one straight line: the visit, the day, the money, the care, the boxes."""
    before, credit = person.activity, person.credit
    done = visited(before, fact, moment.occurred_ms, moment.terms)
    if is_foreign_visit(before, credit, fact, done.visit):
        return _refused(person, fact, moment)
    activity = on_a_new_day(before, done.activity, moment, credit)
    if done.result != "applied":
        said: list[Output | Reply] = []
        if done.result == "conflict":
            code = done.visit.fixmedins_code if done.visit is not None else ""
            said = [*moment.quality_alert("Q04", code), dead_letter(fact, moment, CONFLICT)]
        return Applied(Person(activity, credit), "applied" if done.result == "undone" else done.result, said, [])
    told = visit_told(before, done.activity, done.visit, moment) if done.visit is not None else []
    said = []
    if credit is not None:
        context = _context(Person(done.activity, credit), fact, moment, done.visit)
        if isinstance(fact, VisitClosed) and done.visit is not None:
            context = replace(context, is_settled=is_settled(activity, hash64(done.visit.mdtrt_id)))
        credit, said = apply_credit(credit, fact, context)
    activity, more = cared(before, activity, fact, moment)
    if isinstance(fact, BoxFact):
        activity, boxed = with_boxes(before, activity, fact, moment)
        told = [*told, *boxed]
    return Applied(Person(activity, credit), "applied", [*said, *more], told)


def _credited(person: Person, fact: CheckoutRequest, moment: Moment) -> Applied:
    """Checkout requests carry their own idempotency: the credit record answers a repetition itself."""
    visit = visit_of(person.activity, getattr(fact, "mdtrt_id", ""))
    context = _context(person, fact, moment, visit)
    if isinstance(fact, AuthorizationCaptureRequested):
        context = replace(context, is_reversed=is_reversed(person.activity, fact.setl_id, fact.fixmedins_code))
    credit, said = apply_credit(person.credit, fact, context)
    return Applied(Person(person.activity, credit), "applied", said, [])


def _once(person: Person, fact: Fact, moment: Moment) -> Applied:
    """Standing, agreement, bank and top-up facts: each business key once in 400 days."""
    if person.credit is not None and is_foreign_bank(person.credit, fact):
        return _refused(person, fact, moment)  # and takes no key: the bank's own word is still to come
    key, content = hash64(business_key(fact)), content_of(fact)
    known = seen_content(person.activity, key)
    if known is not None:
        if known == content:
            return Applied(person, "duplicate", [], [])
        code = getattr(fact, "fixmedins_code", "")
        return Applied(
            person, "conflict", [*moment.quality_alert("Q04", code), dead_letter(fact, moment, CONFLICT)], []
        )
    # by the log's day: what is told a year late may be told again tomorrow
    activity = with_seen(person.activity, key, content, local_day(max(moment.occurred_ms, moment.now_ms)))
    if isinstance(fact, InsuredStatusChanged | IdentityChecked | TransferFiled):
        insured = told(activity.insured, fact, moment.occurred_ms, activity.newest_ms - LATE_MS)
        activity = replace(activity, insured=insured)
    if isinstance(fact, BedChecked):
        activity = bed_checked(activity, fact, moment)
    after = replace(person, activity=activity)
    visit = visit_of(person.activity, getattr(fact, "mdtrt_id", None) or "")
    step = apply_credit(person.credit, fact, _context(after, fact, moment, visit))
    return _with_credit(Applied(after, "applied", [], []), step)


def _refused(person: Person, fact: Fact, moment: Moment) -> Applied:
    """A token spoke about what is another's: nothing changes."""
    return Applied(person, "refused", [dead_letter(fact, moment, SENDER_FORBIDDEN)], [])
