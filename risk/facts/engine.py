"""Records that only the engine appends: checkout calls, timers, switches of policy and of fold."""

from risk.facts.base import Fact, Fen, Scope, Service, Whole


class CheckoutRequest(Fact, frozen=True, kw_only=True):
    """A checkout call in the log. `attempt` is the HTTP call, `reply_to` the channel of the API process that waits."""

    authorization_id: str
    fixmedins_code: str
    attempt: str
    reply_to: str = ""
    request_id: str | None = None


class AuthorizationRequested(CheckoutRequest, frozen=True, kw_only=True, tag="authorization.requested"):
    """May this visit be paid on credit, up to `amount_fen`?"""

    mdtrt_id: str
    service: Service
    med_type: str
    amount_fen: Fen
    scope: Scope = "settlement"
    agreement_no: str | None = None
    medins_setl_id: str | None = None
    emergency: bool = False


class AuthorizationIncreaseRequested(
    CheckoutRequest, frozen=True, kw_only=True, tag="authorization.increase_requested"
):
    """May the hold grow by `amount_fen`?"""

    amount_fen: Fen


class AuthorizationCaptureRequested(CheckoutRequest, frozen=True, kw_only=True, tag="authorization.capture_requested"):
    """Take `psn_cash_pay_fen` of settlement `setl_id` out of the hold.

    `final` ends the authorization; None: final for scope settlement.
    """

    setl_id: str
    psn_cash_pay_fen: Fen
    final: bool | None = None


class AuthorizationReleaseRequested(CheckoutRequest, frozen=True, kw_only=True, tag="authorization.release_requested"):
    """Give the hold back."""


class AuthorizationAbandoned(CheckoutRequest, frozen=True, kw_only=True, tag="authorization.abandoned"):
    """The API stopped waiting for this attempt and told the caller `fallback`."""


class TimerDue(Fact, frozen=True, kw_only=True, tag="timer.due"):
    """An instant that the person's schedule asked for has come: everything of his due by `due_ms` is judged now."""

    due_ms: Whole


class PolicyActivated(Fact, frozen=True, kw_only=True, tag="policy.activated"):
    """A policy bundle became the one in force, at this place in the log. `files`: name → TOML text."""

    version: str
    digest: str
    files: dict[str, str]


class FoldActivated(Fact, frozen=True, kw_only=True, tag="fold.activated"):
    """From here on a newer fold decides; older releases stop at this record."""

    fold_version: Whole
