"""Facts as JSON and back: what a lane reads, what every edge writes.

A lane must survive any bytes on its topic, so `decode_fact` lets through only what the fold can compute with: a known
type, numbers that fit 64-bit arithmetic, instants with an offset. It ignores fields that it does not know: they are
those of a newer `schema_minor`.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import datetime
from functools import reduce
from operator import attrgetter, or_
from typing import Any, NamedTuple, cast, get_args, get_type_hints

import msgspec
import orjson

from connectors.canonical_line import check_line
from connectors.refusals import Refused
from risk.facts import FACTS, Fact
from risk.local_time import SHANGHAI

__all__ = ["BadRecord", "Refused", "check_line", "decode_fact", "encode_fact"]

AMOUNT_MAX = 10**16 - 1
"""The largest amount in fen: the national num(16,2)."""
PSN_NO_LENGTH_MAX = 64
YEARS = range(1971, 2149)
"""Years that a lane can put on a calendar; the edge is narrower."""
OF_NO_PERSON = frozenset({"policy.activated", "fold.activated"})

_PREFIX = b'{"event_type":"'
_TOO_WIDE_BITS = 54  # 2**54 > AMOUNT_MAX; a negative number or-ed in keeps the sign


class BadRecord(Exception):
    """A record that is no fact. `reason` is a public code, `detail` says what is wrong and never repeats content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class _Plan(NamedTuple):
    """How one event type is decoded and encoded."""

    decoder: msgspec.json.Decoder[Any]
    whole_numbers: Callable[[Fact], tuple[int | None, ...]]
    other_instants: tuple[str, ...]
    defaults: tuple[tuple[str, object], ...]


class _Kind(msgspec.Struct):
    event_type: str


def _holds(hint: object, kind: type) -> bool:
    return hint is kind or kind in get_args(hint)


def _plan(kind: type[Fact]) -> _Plan:
    hints = get_type_hints(kind)
    whole = [field.name for field in fields(kind) if _holds(hints[field.name], int)]
    instants = [field.name for field in fields(kind) if _holds(hints[field.name], datetime)]
    read = attrgetter(*whole, "schema_minor")  # one name more, so that it always answers a tuple
    return _Plan(
        decoder=msgspec.json.Decoder(kind),
        whole_numbers=cast(Callable[[Fact], tuple[int | None, ...]], read),
        other_instants=tuple(name for name in instants if name != "occurred_at"),
        defaults=tuple((field.name, field.default) for field in fields(kind) if field.name != "occurred_at"),
    )


_PLANS = {event_type: _plan(kind) for event_type, kind in FACTS.items()}
_BYTES_PLANS = {event_type.encode(): plan for event_type, plan in _PLANS.items()}
_PEEK = msgspec.json.Decoder(_Kind)


def _plan_of(data: bytes) -> _Plan:
    if data.startswith(_PREFIX):  # what encode_fact writes: no need to parse twice
        plan = _BYTES_PLANS.get(data[len(_PREFIX) : data.find(b'"', len(_PREFIX))])
        if plan is not None:
            return plan
    event_type = _PEEK.decode(data).event_type
    plan = _PLANS.get(event_type)
    if plan is None:
        raise BadRecord("UNKNOWN_EVENT_TYPE", "no such event_type; a newer release may know it: upgrade, then retry it")
    return plan


def decode_fact(data: bytes) -> Fact:
    """The fact in one record of the log. Raises BadRecord; unknown fields are ignored."""
    try:
        plan = _plan_of(data)
        fact: Fact = plan.decoder.decode(data)
    except msgspec.ValidationError as error:
        raise BadRecord("BAD_FIELD", _without_content(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRecord("NOT_JSON", "not one JSON object in UTF-8") from None
    if fact.occurred_at.tzinfo is None:
        raise BadRecord("TIME_WITHOUT_ZONE", "occurred_at has no offset")
    if fact.occurred_at.year not in YEARS:
        raise BadRecord("TIME_OUT_OF_RANGE", f"occurred_at is outside {YEARS[0]} to {YEARS[-1]}")
    if reduce(or_, filter(None, plan.whole_numbers(fact)), 0) >> _TOO_WIDE_BITS:
        raise BadRecord("NUMBER_OUT_OF_RANGE", f"a number is negative or above {AMOUNT_MAX}")
    if plan.other_instants:
        _check_instants(fact, plan.other_instants)
    if not 0 < len(fact.psn_no) <= PSN_NO_LENGTH_MAX and fact.event_type not in OF_NO_PERSON:
        raise BadRecord("BAD_PSN_NO", f"psn_no is empty or longer than {PSN_NO_LENGTH_MAX}")
    return fact


def _check_instants(fact: Fact, names: tuple[str, ...]) -> None:
    for name in names:
        instant = getattr(fact, name)
        if instant is not None and instant.tzinfo is None:
            raise BadRecord("TIME_WITHOUT_ZONE", f"{name} has no offset")


def _without_content(message: str) -> str:
    """msgspec names the value of a wrong enum ("Invalid enum value '...'"): content never reaches a log."""
    return "a field has a value that is not allowed" if message.startswith("Invalid") else message


def _instant(instant: datetime) -> str:
    """What risk.local_time.rfc3339 writes, without the way through milliseconds."""
    return instant.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


def encode_fact(fact: Fact) -> bytes:
    """The fact as canonical JSON: `event_type` first (a lane finds its decoder by it), defaults left out."""
    plan = _PLANS[fact.event_type]
    record: dict[str, object] = {"event_type": fact.event_type, "occurred_at": _instant(fact.occurred_at)}
    for name, default in plan.defaults:
        value = getattr(fact, name)
        if default is MISSING or value != default:
            record[name] = _instant(value) if isinstance(value, datetime) else value
    return orjson.dumps(record)
