"""Every call of the API on one screen: method, path, who may make it, who answers it."""

from dataclasses import dataclass

from connectors.bank_notice import NOTICES_PATH
from connectors.http.alert_acts import AlertActs
from connectors.http.alerts import AlertStream
from connectors.http.asgi import Route
from connectors.http.bank_notices import BankNotices
from connectors.http.checkout import Checkout
from connectors.http.events import Events
from connectors.http.notices import Notices
from connectors.http.probes import Probes
from connectors.http.reads import Reads
from connectors.http.shedding import Kind
from connectors.http.tokens import COUNTERS, ROLES
from connectors.intake import BODY_BYTES_MAX

EVENTS_BODY_WITHIN_S = 60.0  # 8 MiB over a line of 1 Mbit/s
SUPERVISORS = frozenset({"authority", "audit"})
MAY_LOOK = COUNTERS | SUPERVISORS | {"person"}
BUREAU = frozenset({"authority"})
MAY_POST = frozenset({"hospital", "pharmacy", "bank", "authority"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Who answers."""

    checkout: Checkout
    reads: Reads
    events: Events
    bank_notices: BankNotices
    alerts: AlertStream
    alert_acts: AlertActs
    notices: Notices
    probes: Probes


def routes(calls: Calls) -> list[Route]:
    """The table."""
    checkout, reads, probes = calls.checkout, calls.reads, calls.probes
    acts = calls.alert_acts
    one = "/v1/authorizations/{id}"
    return [
        Route(
            method="POST",
            path="/v1/authorizations",
            handler=checkout.authorize,
            roles=COUNTERS,
            kind=Kind.HOLD,
        ),
        Route(method="POST", path=f"{one}/increase", handler=checkout.increase, roles=COUNTERS, kind=Kind.INCREASE),
        Route(method="POST", path=f"{one}/capture", handler=checkout.capture, roles=COUNTERS, kind=Kind.END),
        Route(method="POST", path=f"{one}/release", handler=checkout.release, roles=COUNTERS, kind=Kind.END),
        Route(method="GET", path=one, handler=reads.authorization, roles=MAY_LOOK),
        Route(method="GET", path="/v1/orders/{id}", handler=reads.order, roles=MAY_LOOK | {"bank"}),
        # A query that is denied for its purpose is recorded too, so every role comes as far as that.
        Route(method="POST", path="/v1/credit-queries", handler=reads.credit, roles=ROLES),
        Route(
            method="POST",
            path="/v1/events",
            handler=calls.events.post,
            roles=MAY_POST,
            body_max=BODY_BYTES_MAX,
            body_within_s=EVENTS_BODY_WITHIN_S,
            room=calls.events.room,
        ),
        # open to everyone who can sign as a bank
        Route(method="POST", path=NOTICES_PATH, handler=calls.bank_notices.post, roles=None),
        Route(method="GET", path="/v1/alerts/stream", handler=calls.alerts.stream, roles=MAY_LOOK),
        Route(method="POST", path="/v1/suppressions", handler=acts.suppress, roles=BUREAU),
        Route(method="POST", path="/v1/suppressions/{id}/lift", handler=acts.lift, roles=BUREAU),
        Route(method="POST", path="/v1/alerts/{id}/acknowledgement", handler=acts.acknowledge, roles=BUREAU),
        Route(method="POST", path="/v1/alerts/{id}/verdict", handler=acts.judge, roles=BUREAU),
        Route(method="GET", path="/v1/notices/{id}", handler=calls.notices.members, roles=SUPERVISORS),
        Route(method="GET", path="/livez", handler=probes.live, roles=None),
        Route(method="GET", path="/readyz", handler=probes.ready, roles=None),
        Route(method="GET", path="/metrics", handler=probes.metrics, roles=None),
        Route(method="GET", path="/openapi.json", handler=probes.openapi, roles=None),
        Route(method="GET", path="/", handler=probes.console, roles=None),
    ]
