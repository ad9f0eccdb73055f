"""Facts as JSON and back: what a lane reads, what every edge writes.

A lane must survive any bytes on its topic, so `decode_fact` lets through only what the fold can compute with: a known
type, numbers that fit 64-bit arithmetic, instants with an offset. It ignores fields that it does not know: they are
those of a newer `schema_minor`.
"""

from typing import Union

import msgspec

from connectors.canonical_line import check_line
from connectors.refusals import Refused
from risk.facts import FACTS, Fact, SubjectFact
from risk.facts.base import PSN_NO_LENGTH_MAX

__all__ = ["BadRecord", "Refused", "check_line", "decode_fact", "encode_fact"]

YEARS = range(1971, 2149)
"""Years that a lane can put on a calendar; the edge is narrower."""
OF_NO_PERSON = frozenset({"policy.activated", "fold.activated", "peers.published"})

_decode = msgspec.json.Decoder(Union[tuple(FACTS.values())]).decode  # noqa: UP007 - a tuple of types has no other union
_encode = msgspec.json.Encoder().encode
_REASONS = (  # the words in msgspec's message -> (public code, what it says: never content)
    ("$.event_type", "UNKNOWN_EVENT_TYPE", "no such event_type; a newer release may know it: upgrade, then retry it"),
    ("missing required field `event_type`", "BAD_FIELD", "event_type is missing"),
    ("timezone", "TIME_WITHOUT_ZONE", "an instant has no offset"),
    ("$.psn_no", "BAD_PSN_NO", f"psn_no is no text of at most {PSN_NO_LENGTH_MAX} characters"),
    ("`int` >=", "NUMBER_OUT_OF_RANGE", "a number is negative, or above what its field holds"),
    ("`int` <=", "NUMBER_OUT_OF_RANGE", "a number is negative, or above what its field holds"),
)


class BadRecord(Exception):
    """A record that is no fact. `reason` is a public code, `detail` says what is wrong and never repeats content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode_fact(data: bytes) -> Fact:
    """The fact in one record of the log. Raises BadRecord; unknown fields are ignored."""
    try:
        fact: Fact = _decode(data)
    except msgspec.ValidationError as error:
        raise _bad_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRecord("NOT_JSON", "not one JSON object in UTF-8") from None
    if fact.occurred_at.year not in YEARS:
        raise BadRecord("TIME_OUT_OF_RANGE", f"occurred_at is outside {YEARS[0]} to {YEARS[-1]}")
    if not fact.psn_no and fact.event_type not in OF_NO_PERSON and not isinstance(fact, SubjectFact):
        raise BadRecord("BAD_PSN_NO", "psn_no is empty")
    return fact


def _bad_field(message: str) -> BadRecord:
    """msgspec names the value of a wrong enum ("Invalid enum value '...'"): content never reaches a log."""
    for words, reason, detail in _REASONS:
        if words in message:
            return BadRecord(reason, detail)
    telling = message.startswith("Invalid")
    return BadRecord("BAD_FIELD", "a field has a value that is not allowed" if telling else message)


def encode_fact(fact: Fact) -> bytes:
    """The fact as canonical JSON: `event_type` first, defaults left out, instants with the offset they have."""
    return _encode(fact)
