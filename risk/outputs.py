"""What the fold says to the outside: records for output topics, replies to checkout, contributions to the second hop.

Every output carries a deterministic id: derived again after a crash, it is sent again with the same id (design.md 3.3).
"""

from hashlib import sha256
from typing import Any, Literal, NamedTuple

_CHECKOUT = "auth:"  # what the id of every checkout call begins with, and of nothing that comes from outside

Topic = Literal["alerts", "decisions", "withholding", "deadletter"]


class Output(NamedTuple):
    """One record for an output topic. `body` is its JSON content and carries `id` under its public name."""

    topic: Topic
    key: str
    id: str
    body: dict[str, Any]


class Reply(NamedTuple):
    """The answer to one checkout attempt: an HTTP status and the full, unmasked body."""

    reply_to: str
    attempt: str
    status: int
    body: dict[str, Any]


def derived_id(prefix: str, *parts: object) -> str:
    """`prefix` + the first 32 hex digits of SHA-256 over the parts joined by '|'."""
    text = "|".join(map(str, parts))
    return f"{prefix}{sha256(text.encode()).hexdigest()[:32]}"


def record_id(event_id: str, position: str) -> str:
    """What names one record of the log: the event's own id; with its place for a call of a checkout.

    Calls about one authorization share an id: a retry, what was abandoned, an id asked for again. So do those of two
    people whom one institution gave the same id.
    """
    return f"{event_id} {position}" if event_id.startswith(_CHECKOUT) else event_id


def event_of(record: str) -> str:
    """The event id in what names a record."""
    return record.rpartition(" ")[0] if record.startswith(_CHECKOUT) else record


def alert_id(rule_id: str, level: int, *, subject: tuple[str, str], service: str, crossing_id: str) -> str:
    """The public id of an alert (contract.md, Alerts); `subject` = (kind, id)."""
    return derived_id("al_", rule_id, level, *subject, service, crossing_id)
