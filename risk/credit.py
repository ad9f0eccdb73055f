"""One person's credit record: signed, promised, held, captured, ordered and paid. Immutable; it decides nothing.

Sums are computed (exposure.py), never stored. Every field is an int, a str, bytes, a bool or a tuple of such: the
record packs by position; new fields go to the end with a default. Amounts are fen, instants ms; 0 and "" mean "none".
`None` instead of a record: nothing was ever told about the person.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from risk.activity import Stored, Visit, hash64
from risk.local_time import local_day
from risk.ordered import Bundle, Order
from risk.outputs import Output, Reply, record_id
from risk.policy import Policy
from risk.reasons import Outcome, Said, gravest
from risk.signed import Agreement, Standing
from risk.terms import Terms
from risk.watched import Accrual, Alarm, Arrears, Signals, Unbooked, Want


class HoldState(StrEnum):
    """Where an authorization stands (contract.md "Decisions": state)."""

    NONE = "none"
    DENIED = "denied"
    HELD = "held"
    PART_CAPTURED = "part_captured"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
    VOIDED = "voided"
    ADVICE = "advice"


class Request(NamedTuple):
    """What was answered under a `request_id`: increase, capture, release. `attempts`: calls that may have heard it.
    `alarm`: how its record's name ends, if an alert is named after it that no bill tells of.
    """

    key: int
    kind: str
    asked_fen: int
    setl_id: str
    granted_fen: int
    outcome: Outcome
    reasons: tuple[Said, ...] = ()
    attempts: tuple[int, ...] = ()
    alarm: str = ""


class Promise(NamedTuple):
    """What was asked and answered, to be answered again. `body`, `fields`: digests of the request (requests.py).

    `passes_ms`: when a cap that alone stood against it frees enough again; 0 = none did, or it never will.
    """

    body: int
    fields: bytes
    asked_fen: int
    approved_fen: int
    maximum_fen: int
    reasons: tuple[Said, ...]
    decided_ms: int
    policy_version: str
    position: str
    decision: bytes  # the hash in its id
    attempts: tuple[int, ...] = ()
    requests: tuple[Request, ...] = ()
    emergency: bool = False
    entitlements: tuple[str, ...] = ()
    passes_ms: int = 0

    @property
    def outcome(self) -> Outcome:
        """The gravest reason's outcome."""
        return gravest(self.reasons, Outcome.APPROVE)

    @property
    def decision_id(self) -> str:
        """The decision's id as it was answered."""
        return f"de_{self.decision.hex()}"


class Authorization(NamedTuple):
    """An open authorization. `limit_fen`: the policy limit at its placing. `expires_ms` 0: not before a discharge.
    `reopened`: bills given back to it that are waited for; `again_until_ms`: till when, 0 if it had ended before.
    """

    authorization_id: str
    fixmedins_code: str
    mdtrt_id: str
    service: str
    scope: str
    agreement_no: str
    medins_setl_id: str
    med_type: str
    state: HoldState
    held_fen: int
    approved_fen: int
    limit_fen: int
    placed_ms: int
    expires_ms: int
    promise: Promise
    reopened: int = 0
    again_until_ms: int = 0

    @property
    def ends_ms(self) -> int:
        """When it ends by itself."""
        return self.expires_ms and max(self.expires_ms, self.again_until_ms)

    @property
    def had_ended(self) -> bool:
        """Is it open only because a reversal opened it again?"""
        return bool(self.reopened) and not self.again_until_ms


class Ended(NamedTuple):
    """An authorization that ended or was denied, remembered by the digest of its id until `forget_ms`.

    `lapsed`: it is advice now, and had expired or was voided before: no more is booked than it had promised.
    """

    key: int
    state: HoldState
    service: str
    agreement_no: str
    approved_fen: int
    limit_fen: int
    placed_ms: int
    forget_ms: int
    promise: Promise
    lapsed: bool = False


class Obligation(NamedTuple):
    """One settlement on credit. `due_fen` = tendered = captured + top-up. `paid_fen`: repaid, or paid otherwise.

    `given_back`: the event by which the bank returned the debit of what still stands, without our order. `booked_by`:
    the record that booked it; `event_id`: the event that told of it last; `told_ms`: when it was booked, or the newest
    event of a visit nobody registered. `overdue_ms`: since when. `reopened_fen`: what its reversal put on hold again.
    `doubted`: its own event, if the amounts that it tells do not add up.
    `short_by`: the code of what left a top-up. `paid_day`: the log's day of the first payment that came before it.
    `bank_overdue_ms`, `bank_cured_ms`: when the bank last said so of this very one (of all: Agreement).
    """

    capture_id: str
    setl_id: str
    mdtrt_id: str
    fixmedins_code: str
    authorization_id: str
    agreement_no: str
    service: str
    mode: str
    bundle: str
    due_fen: int
    captured_fen: int
    placed_day: int
    captured_ms: int
    confirmed: bool
    topped_up_fen: int = 0
    paid_fen: int = 0
    reversed_by: str = ""
    ended_ms: int = 0
    event_id: str = ""
    given_back: str = ""
    booked_by: str = ""
    told_ms: int = 0
    overdue_ms: int = 0
    reopened_fen: int = 0
    doubted: str = ""
    bank_overdue_ms: int = 0
    bank_cured_ms: int = 0
    short_by: str = ""
    paid_day: int = 0

    @property
    def claim_fen(self) -> int:
        """What the capture still stands for."""
        return 0 if self.reversed_by else self.captured_fen

    @property
    def is_stopped(self) -> bool:
        """Is nothing more moved for it? The bank gave it back by itself, or its own event does not add up."""
        return bool(self.given_back or self.doubted)

    @property
    def top_up_fen(self) -> int:
        """What the person owes at the counter, before anything was topped up."""
        return 0 if self.reversed_by else self.due_fen - self.captured_fen


class Credit(Stored, frozen=True):
    """The whole record."""

    standing: Standing = Standing()
    agreements: tuple[Agreement, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    ended: tuple[Ended, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    orders: tuple[Order, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    wants: tuple[Want, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    accruals: tuple[Accrual, ...] = ()
    arrears: tuple[Arrears, ...] = ()
    signals: Signals = Signals()
    unbooked: tuple[Unbooked, ...] = ()


EMPTY = Credit()


class Context(Struct, frozen=True, gc=False):
    """Where and when a record is applied. `terms`: of its own day; `visit`: its own; `visits`: the person's."""

    now_ms: int
    occurred_ms: int
    event_id: str
    position: str
    terms: Terms
    policy: Policy
    visit: Visit | None
    visits: tuple[Visit, ...]
    psn_no: str
    area: str = ""
    is_reversed: bool = False  # the settlement that a capture names was undone already
    mdtrt: int = 0  # of a settlement that is undone or counts again: the hash of its visit's id
    is_settled: bool = False  # of a visit that was closed: a bill that is no interim one stands

    @property
    def record_id(self) -> str:
        """What is said at this record is named by it."""
        return record_id(self.event_id, self.position)

    def visit_of(self, mdtrt_id: str) -> Visit | None:
        """The person's visit of that number, if it is still remembered."""
        return next((visit for visit in reversed(self.visits) if visit.mdtrt_id == mdtrt_id), None)


Step = tuple[Credit | None, list[Output | Reply]]
Move = tuple[Credit, list[Output | Reply]]


def authorization_event(fixmedins_code: str, authorization_id: str) -> str:
    """The id of the event that asks for an authorization; a later call about it adds its request id."""
    return f"auth:{fixmedins_code}:{authorization_id}"


def authorization_key(fixmedins_code: str, authorization_id: str) -> int:
    """The digest under which an authorization is remembered: its id is unique per person and institution."""
    return hash64(f"{fixmedins_code}\0{authorization_id}")


def with_terms(context: Context) -> Context:
    """The context under terms that can move money: of the record's day, or, before there were any, of today."""
    if "bundle" in context.terms:
        return context
    return replace(context, terms=context.policy.on(local_day(context.now_ms)))
