"""Records that only the engine appends: checkout calls, timers, switches of policy and of fold."""

from dataclasses import dataclass
from typing import ClassVar

from risk.facts.base import Fact, Scope, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest(Fact):
    """A checkout call in the log. `attempt` is the HTTP call, `reply_to` the channel of the API process that waits."""

    authorization_id: str
    fixmedins_code: str
    attempt: str
    reply_to: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequested(CheckoutRequest):
    """May this visit be paid on credit, up to `amount_fen`?"""

    event_type: ClassVar[str] = "authorization.requested"

    mdtrt_id: str
    service: Service
    med_type: str
    amount_fen: int
    scope: Scope = "settlement"
    agreement_no: str | None = None
    medins_setl_id: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationIncreaseRequested(CheckoutRequest):
    """May the hold grow by `amount_fen`?"""

    event_type: ClassVar[str] = "authorization.increase_requested"

    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCaptureRequested(CheckoutRequest):
    """Take `psn_cash_pay_fen` of settlement `setl_id` out of the hold.

    `final` ends the authorization; None: final for scope settlement.
    """

    event_type: ClassVar[str] = "authorization.capture_requested"

    setl_id: str
    psn_cash_pay_fen: int
    final: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationReleaseRequested(CheckoutRequest):
    """Give the hold back."""

    event_type: ClassVar[str] = "authorization.release_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationAbandoned(CheckoutRequest):
    """The API stopped waiting for this attempt and told the caller `fallback`."""

    event_type: ClassVar[str] = "authorization.abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue(Fact):
    """An instant that the person's schedule asked for has come: everything of his due by `due_ms` is judged now."""

    event_type: ClassVar[str] = "timer.due"

    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyActivated(Fact):
    """A policy bundle became the one in force, at this place in the log. `files`: name → TOML text."""

    event_type: ClassVar[str] = "policy.activated"

    version: str
    digest: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldActivated(Fact):
    """From here on a newer fold decides; older releases stop at this record."""

    event_type: ClassVar[str] = "fold.activated"

    fold_version: int
