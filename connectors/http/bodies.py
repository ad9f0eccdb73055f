"""What callers may send and what they get: the typed bodies of the HTTP calls. OpenAPI is generated from them."""

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from connectors.field_checks import CODE_SHAPES
from connectors.http.problem import Problem
from risk.facts.base import FEN_MAX, Fen
from risk.facts.query import Purpose

# No colon in an id: `auth:{fixmedins_code}:{authorization_id}:{request_id}` must read one way only.
CallerId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-9;-~]+$")]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-9;-~]+$")]
MedType = Annotated[str, Meta(max_length=6, pattern=f"^{CODE_SHAPES['med_type'][0].pattern}$")]
PersonNo = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
FenAboveZero = Annotated[int, Meta(ge=1, le=FEN_MAX)]
DeadlineMs = Annotated[int, Meta(ge=1, le=10_000)]
WaitMs = Annotated[int, Meta(ge=0, le=3_000)]
ServiceName = Literal["visit_first", "deposit_free"]


class AuthorizationBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """May this visit be paid on credit, up to `amount_fen`?"""

    authorization_id: CallerId
    psn_no: PersonNo
    mdtrt_id: Code
    fixmedins_code: Code
    service: ServiceName
    med_type: MedType
    amount_fen: FenAboveZero
    scope: Literal["settlement", "visit"] = "settlement"
    agreement_no: Code | None = None
    medins_setl_id: Code | None = None
    emergency: bool = False
    answer_within_ms: DeadlineMs | None = None


class IncreaseBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """May the hold grow by `amount_fen`?"""

    request_id: CallerId
    psn_no: PersonNo
    fixmedins_code: Code
    amount_fen: FenAboveZero
    answer_within_ms: DeadlineMs | None = None


class CaptureBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Take what settlement `setl_id` leaves to the patient out of the hold."""

    request_id: CallerId
    psn_no: PersonNo
    fixmedins_code: Code
    setl_id: Code
    psn_cash_pay_fen: Fen
    final: bool | None = None
    wait_ms: WaitMs = 0


class ReleaseBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Give the hold back."""

    request_id: CallerId
    psn_no: PersonNo
    fixmedins_code: Code


class CreditQueryBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How does this person stand, and why do you ask?"""

    psn_no: PersonNo
    purpose: Purpose
    authorization_ref: Code | None = None


class ClauseAnswer(Struct, frozen=True):
    """The law or contract clause behind a reason."""

    document: str
    article: str
    in_force_from: str


class ReasonAnswer(Struct, frozen=True):
    """Why; to a counter only `code` and a sentence the clerk can say."""

    code: str
    text_zh: str
    text_en: str
    outcome: str | UnsetType = UNSET
    observed: int | str | UnsetType | None = UNSET
    allowed: int | str | UnsetType | None = UNSET
    clause: ClauseAnswer | UnsetType | None = UNSET


class EntitlementAnswer(Struct, frozen=True):
    """What the person may claim beside any decision, such as treatment first."""

    code: str
    text_zh: str
    text_en: str


class AuthorizationAnswer(Struct, frozen=True, kw_only=True):
    """What was decided and what is held now."""

    decision: Literal["approve", "partial", "deny", "fallback"]
    state: Literal["held", "part_captured", "captured", "released", "expired", "voided", "advice", "denied", "none"]
    approved_fen: int
    held_fen: int
    captured_fen: int
    top_up_fen: int
    available_fen: int | None
    max_approvable_fen: int | None
    expires_at: str | None
    entitlements: list[EntitlementAnswer]
    reasons: list[ReasonAnswer]
    policy_version: str | None
    log_position: str | None
    replayed: bool
    passes_at: str | UnsetType | None = UNSET
    captures: list[dict[str, Any]] | UnsetType = UNSET
    as_of: dict[str, Any] | UnsetType = UNSET


class CaptureAnswer(Struct, frozen=True, kw_only=True):
    """What was booked, and how the order for it stands."""

    captured_fen: int
    top_up_fen: int
    order_id: str | None
    funding_state: (
        Literal["pending", "submitted", "settled", "partial", "rejected", "unknown", "cancelled", "refunded"] | None
    )


class OrderAnswer(Struct, frozen=True, kw_only=True):
    """An instruction to the bank, and where its money is."""

    order_id: str
    kind: Literal["debit", "draw", "refund", "cancel"]
    attempt: int
    agreement_no: str
    bank_code: str
    payee_fixmedins_code: str
    amount_fen: int
    items: list[dict[str, Any]]
    funding_state: Literal["pending", "submitted", "settled", "partial", "rejected", "unknown", "cancelled", "refunded"]
    repayment_state: Literal["none", "due", "part_paid", "paid", "overdue"] | UnsetType = UNSET
    original_order_id: str | UnsetType | None = UNSET
    not_before: str | UnsetType | None = UNSET
    due_at: str | UnsetType | None = UNSET


class LimitAnswer(Struct, frozen=True, kw_only=True):
    """One pool of credit; a counter sees only what is available."""

    service: ServiceName
    available_fen: int
    limit_fen: int | UnsetType = UNSET
    held_fen: int | UnsetType = UNSET
    used_fen: int | UnsetType = UNSET
    reasons: list[ReasonAnswer] | UnsetType = UNSET


class CreditAnswer(Struct, frozen=True, kw_only=True):
    """How the person stands. A counter gets `psn_no`, `limits` with what is available, masked reasons and `as_of`."""

    psn_no: str
    limits: list[LimitAnswer]
    as_of: dict[str, Any]
    level: str | UnsetType | None = UNSET
    bank_lines: list[dict[str, Any]] | UnsetType = UNSET
    obligations: list[dict[str, Any]] | UnsetType = UNSET
    marks: list[Any] | UnsetType = UNSET
    blocks: list[dict[str, Any]] | UnsetType = UNSET


class LineAnswer(Struct, frozen=True, kw_only=True):
    """What became of one line."""

    line: int
    event_id: str | None
    result: Literal["accepted", "refused", "forbidden", "ignored"]
    facts: int
    reason: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    detail_zh: str | UnsetType = UNSET
    detail_en: str | UnsetType = UNSET


class EventsAnswer(Struct, frozen=True, kw_only=True):
    """One result per line, in order; everything accepted is in the log when this is read."""

    results: list[LineAnswer]


class ProblemAnswer(Struct, frozen=True, kw_only=True):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail_zh: str
    detail_en: str
    field: str | UnsetType = UNSET
    open_id: str | UnsetType = UNSET


Body = TypeVar("Body", bound=Struct)

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OWN_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED = re.compile(r"(missing required|unknown) field `([^`]*)`")


def decode_body(kind: type[Body], raw: bytes) -> Body:
    """`raw` as `kind`; fields named x_* are the caller's own and are not read; anything else unknown is refused."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        if "unknown field `x_" not in str(error):
            raise _named(error) from None
    except _MALFORMED as error:
        raise Problem("MALFORMED", why=str(error)) from None
    try:
        fields = _OWN_FIELDS.decode(raw)  # reads to the end what the first pass left at the first unknown field
    except _MALFORMED as error:
        raise Problem("MALFORMED", why=str(error)) from None
    known = msgspec.json.encode({name: value for name, value in fields.items() if not name.startswith("x_")})
    try:
        return msgspec.json.decode(known, type=kind)
    except msgspec.ValidationError as error:
        raise _named(error) from None


def _named(error: msgspec.ValidationError) -> Problem:
    """The problem document for `error`, naming the field."""
    text = str(error)
    if named := _NAMED.search(text):
        return Problem("FIELD_MISSING" if named[1] == "missing required" else "FIELD_UNKNOWN", named[2])
    path = _PATH.search(text)
    return Problem("FIELD_INVALID", path[1] if path else "$", why=_PATH.sub("", text))
