"""The strict edge for national messages: one transaction per line in, the facts it makes out, each or its refusal."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from connectors.amounts import AmountProfiles
from connectors.canonical_line import check_future
from connectors.national_fields import Making, Message
from connectors.national_mapping import HANDLERS, NOTHING_TO_RECORD
from connectors.refusals import Refused
from risk.facts import Fact

_OF_INSTITUTIONS = "350"  # stock: an institution tells of itself, and whoever bought is nobody's business


class Reading(NamedTuple):
    """One outcome of a line: a refusal (perhaps with the fact it is about), a fact, or why there is none."""

    event_id: str | None
    fact: Fact | None = None
    refused: Refused | None = None
    ignored: str | None = None


def read_national(
    record: dict[str, Any],
    *,
    source: str,
    now_ms: int | None,
    profiles: AmountProfiles,
    allowed_types: Collection[str] | None = None,
    pseudonym: Callable[[str], str] | None = None,
) -> list[Reading]:
    """The outcomes of one transaction, in the order of its lines; never empty. Arguments as in check_line."""
    try:
        message = Message(record, source)
    except Refused as refused:
        return [Reading(None, refused=refused)]
    try:
        makings = _makings(message, profiles, pseudonym)
    except Refused as refused:
        return [Reading(_event_id(message, 0), refused=refused)]
    if isinstance(makings, str):
        return [Reading(_event_id(message, 0), ignored=makings)]
    readings = []
    for n, make in enumerate(makings):
        try:
            fact = make()
            if allowed_types is not None and fact.event_type not in allowed_types:
                raise Refused("EVENT_TYPE_FORBIDDEN", "infno")
        except Refused as refused:
            readings.append(Reading(_event_id(message, n), refused=refused))
            continue
        readings.append(_on_time(fact, now_ms))
    return readings


def _on_time(fact: Fact, now_ms: int | None) -> Reading:
    """A fact of the future is refused and kept: it can be retried once its time has come."""
    try:
        return Reading(fact.event_id, check_future(fact, now_ms))
    except Refused as refused:
        return Reading(fact.event_id, fact, refused)


def _event_id(message: Message, n: int) -> str:
    return f"{message.infno}:{message.msgid}:{n}"


def _makings(message: Message, profiles: AmountProfiles, pseudonym: Callable[[str], str] | None) -> list[Making] | str:
    """What makes the facts of a message, or why there are none."""
    number = message.infno[:-1] if message.infno[-1:].isalpha() else message.infno  # 2203A is 2203, revised
    handler = HANDLERS.get(number)
    if handler is None:
        if number not in NOTHING_TO_RECORD:  # 2102 mistyped as 2012: money that nobody would miss
            raise Refused("UNKNOWN_INFNO", "infno")
        return "NOTHING_TO_RECORD"
    if not message.succeeded():
        return "FAILED_TRANSACTION"
    if message.infno.startswith(_OF_INSTITUTIONS):
        return handler(message)
    psn_no = message.both.text("psn_no")
    if psn_no is None:
        raise Refused("PSN_NO_MISSING", "psn_no")
    message.psn_no = psn_no if pseudonym is None else pseudonym(psn_no)
    message.profile = profiles.of(message.envelope.text("fixmedins_code"), message.source)
    return handler(message)
