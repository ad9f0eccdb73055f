"""What each field of a canonical line may hold, compiled from the types of risk.facts. It checks, it never repairs."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from re import compile as pattern
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import fields

from connectors.amounts import NotFinite
from connectors.refusals import Refused
from risk.facts import ENGINE_ONLY, FACTS, Fact, SubjectFact
from risk.facts.base import AGE_MOST, COUNT_X10000_MAX, FEN_MAX, PSN_NO_LENGTH_MAX, WHOLE_MAX
from risk.facts.staff import POINTS_MOST

ID_LENGTH_MAX = 128
TEXT_LENGTH_MAX = 500
LIST_LENGTH_MAX = 1_000
YEAR_MIN, YEAR_MAX = 1990, 2147  # a lane counts days in 16 bits (connectors/codec.py YEARS)
_DIGITS_MAX = len(str(WHOLE_MAX))

FREE_TEXT = frozenset({"reason", "basis", "outcome", "clause", "about", "authority"})
# Present but empty is itself a finding (rules.md Q01, Q02), so these pass.
MAY_BE_EMPTY = frozenset({"dr_code", "fixmedins_code"})
_MOST_OF = {"points": POINTS_MOST, "age": AGE_MOST, "cnt_x10000": COUNT_X10000_MAX}
CODE_SHAPES = {
    "med_type": (pattern("[0-9]{2,6}"), "2-6 digits"),
    "insutype": (pattern("[0-9]{3,6}"), "3-6 digits"),
    "insuplc_admdvs": (pattern("[0-9]{6}"), "6 digits"),
}
"""What a national code surely looks like (domain.md 2.1, 2.5). Which codes there are differs by province and year."""
_SHAPE_SHOWN = 12
_UNPRINTABLE = pattern("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LAST_INSTANT = datetime(9999, 12, 31, 15, 59, 59, tzinfo=UTC)  # beyond it Shanghai's clock has no date

Check = Callable[[str, object], Any]


class TypeChecks(NamedTuple):
    """One event type: what builds it, a check per field, and which fields must be there."""

    kind: type[Fact]
    checks: dict[str, Check]
    required: tuple[str, ...]


def text(name: str, value: object) -> str:
    """A string without control characters or blanks at its ends, not longer than its kind allows."""
    if not isinstance(value, str):
        raise Refused("WRONG_TYPE", name, "string")
    length_max = PSN_NO_LENGTH_MAX if name == "psn_no" else TEXT_LENGTH_MAX if name in FREE_TEXT else ID_LENGTH_MAX
    if len(value) > length_max:
        raise Refused("TOO_LONG", name, length_max)
    if not value and name not in MAY_BE_EMPTY:
        raise Refused("EMPTY", name)
    if not (value.isascii() and value.isprintable()) and _UNPRINTABLE.search(value):
        raise Refused("CONTROL_CHARACTER", name)
    if value != value.strip():
        raise Refused("NOT_TRIMMED", name)
    known = CODE_SHAPES.get(name)
    if known is not None and not known[0].fullmatch(value):
        raise Refused("CODE_MALFORMED", name, known[1], _shape(value))
    return value


def _shape(value: str) -> str:
    """What a value looks like without what it says: 9 for a digit, A for an ASCII letter, ? for anything else."""
    shown = ("9" if each in "0123456789" else "A" if each.isascii() and each.isalpha() else "?" for each in value)
    return "".join(shown)[:_SHAPE_SHOWN]


def most_of(name: str) -> int:
    """The largest whole number of a field; money is named by its ending."""
    return _MOST_OF.get(name, FEN_MAX if name.endswith("_fen") else WHOLE_MAX)


def _whole(name: str, value: object) -> int:
    if isinstance(value, NotFinite):
        raise Refused("NUMBER_UNREADABLE", name)
    if isinstance(value, Decimal) and value.adjusted() < _DIGITS_MAX:
        raise Refused("NUMBER_NOT_WHOLE", name)
    if isinstance(value, Decimal):
        raise Refused("NUMBER_OUT_OF_RANGE", name, most_of(name))
    if type(value) is not int:
        raise Refused("WRONG_TYPE", name, "whole number")
    if value < 0:
        raise Refused("NUMBER_NEGATIVE", name)
    if value > most_of(name):
        raise Refused("NUMBER_OUT_OF_RANGE", name, most_of(name))
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused("WRONG_TYPE", name, "true/false")
    return value


def _instant(name: str, value: object) -> datetime:
    if not isinstance(value, str):
        raise Refused("WRONG_TYPE", name, "string (RFC 3339)")
    try:
        instant = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        raise Refused("TIME_UNREADABLE", name) from None
    if instant.tzinfo is None:
        raise Refused("TIME_WITHOUT_ZONE", name)
    # An end such as 9999-12-31 is ordinary; a thing that happened is of our time.
    if instant.year < YEAR_MIN or (name == "occurred_at" and instant.year > YEAR_MAX) or instant > _LAST_INSTANT:
        raise Refused("TIME_OUT_OF_RANGE", name, f"{YEAR_MIN} - {YEAR_MAX if name == 'occurred_at' else 9999}")
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)  # every wire carries milliseconds


def _choice(allowed: tuple[str, ...]) -> Check:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str):
            raise Refused("WRONG_TYPE", name, "string")
        if value not in allowed:
            raise Refused("BAD_VALUE", name, ", ".join(allowed))
        return value

    return check


def _listing(item: Check) -> Check:
    def check(name: str, value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise Refused("WRONG_TYPE", name, "list")
        if not value:
            raise Refused("EMPTY", name)
        if len(value) > LIST_LENGTH_MAX:
            raise Refused("TOO_LONG", name, LIST_LENGTH_MAX)
        return tuple(item(name, each) for each in value)

    return check


def _optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _check_of(hint: Any) -> Check:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return _optional(_check_of(next(each for each in arguments if each is not type(None))))
    if origin is Literal:
        return _choice(arguments)
    if origin is tuple:
        return _listing(_check_of(arguments[0]))
    plain: dict[Any, Check] = {str: text, int: _whole, bool: _flag, datetime: _instant}
    return plain[hint]


def not_sent(kind: type[Fact]) -> frozenset[str]:
    """Fields that no line carries: `source` is stamped from the sender; a subject's fact is about no person."""
    return frozenset({"source", "psn_no"}) if issubclass(kind, SubjectFact) else frozenset({"source"})


def _checks_of(kind: type[Fact]) -> TypeChecks:
    hints = get_type_hints(kind)
    named = [field for field in fields(kind) if field.name not in not_sent(kind)]
    return TypeChecks(
        kind=kind,
        checks={field.name: _check_of(hints[field.name]) for field in named},
        required=tuple(field.name for field in named if field.required),
    )


CHECKS: dict[str, TypeChecks] = {
    event_type: _checks_of(kind) for event_type, kind in FACTS.items() if event_type not in ENGINE_ONLY
}
