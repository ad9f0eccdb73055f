"""The fold of one person: (what is remembered, one record) → (what is remembered, what is said).

The live path, replay and proof run it. It adds nothing of its own: settlements.py counts and judges, visits.py follows
visits, lifecycle.py moves money.
"""

from typing import NamedTuple

from risk.activity import (
    COUNTED,
    NOTHING,
    Activity,
    Row,
    Visit,
    hash32,
    hash64,
    seen_content,
    visit_of,
    visit_of_row,
    with_seen,
)
from risk.contributions import Contribution
from risk.credit import Context, Credit
from risk.facts import (
    BankCured,
    BankOrderResult,
    BankOverdue,
    BankRefunded,
    BankRepaid,
    CheckoutRequest,
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReinstated,
    SettlementReversed,
    TimerDue,
    TopupReceived,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.lifecycle import Step, apply_credit, due, reinstate, reverse, settle
from risk.local_time import local_day
from risk.moment import Moment
from risk.outputs import Output, Reply
from risk.pruning import pruned
from risk.settlements import amounts_add_up, filled
from risk.settlements import count as count_settlement
from risk.settlements import reinstate as reinstate_settlement
from risk.settlements import reverse as reverse_settlement
from risk.visits import VisitFact, content_of, visited

FOLD_VERSION = 1
_DEFAULT_GRACE_MS = 2 * 3_600_000


class Person(NamedTuple):
    """Everything the engine remembers of one person; `credit` is None for who never signed."""

    activity: Activity = NOTHING
    credit: Credit | None = None


class Applied(NamedTuple):
    """`result`: applied, duplicate, conflict or waiting."""

    person: Person
    result: str
    said: list[Output | Reply]
    contributions: list[Contribution]


def apply(person: Person, fact: Fact, moment: Moment) -> Applied:
    """Fold one record of this person."""
    match fact:
        case SettlementCompleted():
            applied = _settled(person, fact, moment)
        case SettlementReversed():
            applied = _reversed(person, fact, moment)
        case SettlementReinstated():
            applied = _reinstated(person, fact, moment)
        case TimerDue():
            return _due(person, fact, moment)
        case CheckoutRequest():
            applied = _credited(person, fact, moment)
        case (
            VisitOpened()
            | VisitUpdated()
            | VisitClosed()
            | VisitReopened()
            | VisitCancelled()
            | FeeAdded()
            | FeeReversed()
            | SettlementEstimated()
        ):
            applied = _visited(person, fact, moment)
        case _:
            applied = _once(person, fact, moment)
    activity = _touched(applied.person.activity, person.activity, moment)
    if activity is applied.person.activity:
        return applied
    return Applied(Person(activity, applied.person.credit), applied.result, applied.said, applied.contributions)


def _touched(activity: Activity, before: Activity, moment: Moment) -> Activity:
    """The newest record moves the day; when the day turns, what nothing needs any more is forgotten."""
    before_ms = before.touched_ms
    if moment.occurred_ms <= before_ms:
        return activity
    if activity.touched_ms < moment.occurred_ms:
        activity = activity._replace(touched_ms=moment.occurred_ms)
    if not before_ms or (
        local_day(before_ms) == local_day(moment.occurred_ms)
        and local_day(before.newest_ms) == local_day(activity.newest_ms)
    ):
        return activity
    grace = moment.terms.get("visit_grace_ms")
    return pruned(activity, grace.value if grace is not None else _DEFAULT_GRACE_MS)


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
    return applied._replace(person=applied.person._replace(credit=credit), said=[*applied.said, *more])


def _settled(person: Person, fact: SettlementCompleted, moment: Moment) -> Applied:
    visit = visit_of(person.activity, fact.mdtrt_id)
    fact = filled(fact, visit)
    counted = count_settlement(fact.psn_no, person.activity, fact, moment)
    said: list[Output] = counted.outputs
    if counted.result == "conflict":
        said = [*said, _dead_letter(fact, moment, "CONFLICT")]
    after = person._replace(activity=counted.activity)
    on_credit = person.credit is not None or fact.credit_fen or fact.authorization_id
    if counted.result != "applied" or not _counts(counted.row) or not on_credit:
        return Applied(after, counted.result, list(said), counted.contributions)
    step = settle(person.credit, fact, _context(after, fact, moment, visit), amounts_add_up(fact))
    return _with_credit(Applied(after, counted.result, list(said), counted.contributions), step)


def _counts(row: Row | None) -> bool:
    """One that was reversed before it came moves no money."""
    return row is not None and row.state == COUNTED


def _reversed(person: Person, fact: SettlementReversed, moment: Moment) -> Applied:
    counted = reverse_settlement(fact.psn_no, person.activity, fact, moment)
    after = person._replace(activity=counted.activity)
    if counted.result != "applied" or person.credit is None:
        return Applied(after, counted.result, list(counted.outputs), counted.contributions)
    visit = visit_of_row(person.activity, counted.row) if counted.row is not None else None
    step = reverse(person.credit, counted.receipt, fact, _context(after, fact, moment, visit))
    return _with_credit(Applied(after, counted.result, list(counted.outputs), counted.contributions), step)


def _reinstated(person: Person, fact: SettlementReinstated, moment: Moment) -> Applied:
    counted = reinstate_settlement(fact.psn_no, person.activity, fact, moment)
    after = person._replace(activity=counted.activity)
    if counted.result != "applied" or person.credit is None:
        return Applied(after, counted.result, list(counted.outputs), counted.contributions)
    visit = visit_of_row(person.activity, counted.row) if counted.row is not None else None
    step = reinstate(person.credit, counted.receipt, fact, _context(after, fact, moment, visit))
    return _with_credit(Applied(after, counted.result, list(counted.outputs), counted.contributions), step)


def _due(person: Person, fact: TimerDue, moment: Moment) -> Applied:
    """A due timer whose cause is gone changes no byte."""
    if person.credit is None:
        return Applied(person, "applied", [], [])
    step = due(person.credit, fact.due_ms, _context(person, fact, moment, None))
    return _with_credit(Applied(person, "applied", [], []), step)


def _visited(person: Person, fact: VisitFact, moment: Moment) -> Applied:
    done = visited(person.activity, fact, moment.occurred_ms)
    after = person._replace(activity=done.activity)
    if done.result == "conflict":
        code = done.visit.fixmedins_code if done.visit is not None else ""
        return Applied(
            after, "conflict", [*moment.quality_alert("Q04", code), _dead_letter(fact, moment, "CONFLICT")], []
        )
    if done.result != "applied" or person.credit is None:
        return Applied(after, done.result, [], [])
    step = apply_credit(person.credit, fact, _context(after, fact, moment, done.visit))
    return _with_credit(Applied(after, done.result, [], []), step)


def _credited(person: Person, fact: CheckoutRequest, moment: Moment) -> Applied:
    """Checkout requests carry their own idempotency: the credit record answers a repetition itself."""
    visit = visit_of(person.activity, getattr(fact, "mdtrt_id", ""))
    step = apply_credit(person.credit, fact, _context(person, fact, moment, visit))
    return _with_credit(Applied(person, "applied", [], []), step)


def _once(person: Person, fact: Fact, moment: Moment) -> Applied:
    """Standing, agreement, bank and top-up facts: each business key once in 400 days."""
    key, content = hash64(_business_key(fact)), content_of(fact)
    known = seen_content(person.activity, key)
    if known is not None:
        if known == content:
            return Applied(person, "duplicate", [], [])
        code = getattr(fact, "fixmedins_code", "")
        return Applied(
            person, "conflict", [*moment.quality_alert("Q04", code), _dead_letter(fact, moment, "CONFLICT")], []
        )
    after = person._replace(activity=with_seen(person.activity, key, content, local_day(moment.occurred_ms)))
    visit = visit_of(person.activity, getattr(fact, "mdtrt_id", None) or "")
    step = apply_credit(person.credit, fact, _context(after, fact, moment, visit))
    return _with_credit(Applied(after, "applied", [], []), step)


def _business_key(fact: Fact) -> str:
    """contract.md, "Duplicates": the key a repetition shares with its first."""
    match fact:
        case TopupReceived():
            return f"topup|{fact.fixmedins_code}|{fact.channel}|{fact.ref}"
        case BankOrderResult():
            return f"result|{fact.order_id}|{fact.attempt}|{fact.result}"
        case BankRepaid() | BankRefunded() | BankOverdue() | BankCured():
            return f"{fact.event_type}|{fact.agreement_no}|{fact.bank_ref}"
    return fact.event_id


def _dead_letter(fact: Fact, moment: Moment, reason: str) -> Output:
    """A record that the fold refuses: the log keeps it, the dead letter points at it."""
    identity = f"dl_{hash32(fact.event_id):08x}_{moment.position}"
    body = {
        "deadletter_id": identity,
        "reason": reason,
        "origin": moment.position,
        "event_id": fact.event_id,
        "event_type": fact.event_type,
        "detail_zh": "同一业务键，金额不同；请核对原记录。",
        "detail_en": "The same business key came with other amounts; check the original record.",
    }
    return Output("deadletter", moment.position, identity, body)
