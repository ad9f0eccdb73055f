"""The strict edge for canonical events: somebody else's JSON in; one fact out, or a Refused. Never a guess."""

import json
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from connectors.amounts import NotFinite
from connectors.field_checks import CHECKS, Check, TypeChecks
from connectors.refusals import Refused
from risk.facts import ENGINE_ONLY, Fact

LINE_BYTES_MAX = 64 * 1024
FUTURE_MS_MAX = 5 * 60_000

_RESERVED_PREFIXES = ("auth:", "timer:", "policy:", "fold:")  # the engine's own ids: a stranger's would hide them
_PRIVATE = "x_"
EXACTLY_ONE: dict[str, tuple[str, ...]] = {
    "fee.reversed": ("feedetl_sn", "chrg_bchno", "all_unsettled"),
    "settlement.reversed": ("setl_id", "medins_setl_id"),
    "settlement.reinstated": ("setl_id", "original_msgid"),
    "visit.closed": ("mdtrt_id", "original_msgid"),
    "visit.reopened": ("mdtrt_id", "original_msgid"),
    "visit.cancelled": ("mdtrt_id", "original_msgid"),
}
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # a float would round before anybody could refuse it


def parse_object(data: bytes) -> dict[str, Any]:
    """One line as a JSON object, its decimals exact."""
    if len(data) > LINE_BYTES_MAX:
        raise Refused("TOO_LARGE", limit=LINE_BYTES_MAX)
    try:
        record = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        record = _parse_leniently(data)
    if not isinstance(record, dict):
        raise Refused("NOT_JSON")
    return record


def _parse_leniently(data: bytes) -> object:
    """The same with NaN let through, so that the refusal can name the field that holds it."""
    try:
        return json.loads(data.decode(), parse_float=Decimal, parse_constant=lambda _: NotFinite())
    except (ValueError, RecursionError):
        raise Refused("NOT_JSON") from None


def check_line(
    data: bytes,
    *,
    source: str,
    now_ms: int | None,
    allowed_types: Collection[str] | None = None,
    pseudonym: Callable[[str], str] | None = None,
) -> Fact:
    """The fact in a canonical line, stamped with `source`. Raises Refused.

    `now_ms` None: the clock is the log's own, so nothing is too early. `allowed_types` None: every type that may come
    from outside. `pseudonym` replaces psn_no.
    """
    return check_record(
        parse_object(data), source=source, now_ms=now_ms, allowed_types=allowed_types, pseudonym=pseudonym
    )


def check_record(
    record: dict[str, Any],
    *,
    source: str,
    now_ms: int | None,
    allowed_types: Collection[str] | None = None,
    pseudonym: Callable[[str], str] | None = None,
) -> Fact:
    """`check_line` for a line that is parsed already."""
    event_type = record.get("event_type")
    known = _known_type(event_type, allowed_types)
    values = _checked_fields(record, known.checks)
    for name in known.required:
        if values.get(name) is None:
            raise Refused("MISSING_FIELD", name)
    if values["event_id"].startswith(_RESERVED_PREFIXES):
        raise Refused("RESERVED_EVENT_ID", "event_id", ", ".join(_RESERVED_PREFIXES))
    _check_whole(known.kind.event_type, values)
    if pseudonym is not None and "psn_no" in values:
        values["psn_no"] = pseudonym(values["psn_no"])
    fact = known.kind(**values, source=source)
    return check_future(fact, now_ms)


def check_future(fact: Fact, now_ms: int | None) -> Fact:
    """The fact, unless it claims to happen more than five minutes after `now_ms`."""
    if now_ms is not None and fact.occurred_at.timestamp() * 1000 > now_ms + FUTURE_MS_MAX:
        raise Refused("TIME_IN_FUTURE", "occurred_at")
    return fact


def _known_type(event_type: object, allowed_types: Collection[str] | None) -> TypeChecks:
    if event_type is None:
        raise Refused("MISSING_FIELD", "event_type")
    if not isinstance(event_type, str):
        raise Refused("WRONG_TYPE", "event_type", "string")
    if event_type in ENGINE_ONLY:
        raise Refused("ENGINE_ONLY", "event_type")
    if event_type not in CHECKS:
        raise Refused("UNKNOWN_EVENT_TYPE", "event_type")
    if allowed_types is not None and event_type not in allowed_types:
        raise Refused("EVENT_TYPE_FORBIDDEN", "event_type")
    return CHECKS[event_type]


def _checked_fields(record: dict[str, Any], checks: dict[str, Check]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in record.items():
        check = checks.get(name)
        if check is not None:
            values[name] = check(name, value)
        elif name not in ("event_type", "source") and not name.startswith(_PRIVATE):
            raise Refused("UNKNOWN_FIELD", name)
    return {name: value for name, value in values.items() if value is not None}


def _check_whole(event_type: str, values: dict[str, Any]) -> None:
    """What no single field can tell."""
    one_of = EXACTLY_ONE.get(event_type)
    if one_of is not None and sum(values.get(name) is not None for name in one_of) != 1:
        raise Refused("EXACTLY_ONE_OF", None, ", ".join(one_of))
    if event_type == "fee.reversed":
        _check_fee_reversal(values)
    elif event_type == "settlement.completed":
        if values.get("credit_fen", 0) > values["psn_cash_pay_fen"]:
            _contradicts("credit_fen", "credit_fen <= psn_cash_pay_fen")
    elif event_type == "agreement.signed":
        if (values.get("bank_line_fen") is None) is (values["funding_mode"] == "credit_line"):
            _contradicts("bank_line_fen", "credit_line: required; card_withhold: absent")
    elif event_type == "credit.level_set":
        if values.get("unrated_reason") is not None and values["level"] != "UNRATED":
            _contradicts("unrated_reason", "level = UNRATED")
    elif event_type == "stock.moved":
        _check_movement(values)
    elif event_type.startswith("staff."):
        _check_staff(values)
    elif event_type in ("credit.service_suspended", "credit.service_resumed"):
        _check_order(event_type, values)


def _check_fee_reversal(values: dict[str, Any]) -> None:
    if values.get("all_unsettled") is False:
        _contradicts("all_unsettled", "true / absent")
    part = {"amount_fen", "cnt_x10000", "return_feedetl_sn"} & values.keys()
    if part and values.get("feedetl_sn") is None:
        _contradicts(min(part), "feedetl_sn")


def _check_movement(values: dict[str, Any]) -> None:
    """What is taken back is named by its batch; what moved, by item and count. An empty code is no institution's."""
    needed = ("fixmedins_bchno",) if values["movement"] == "deleted" else ("med_list_codg", "cnt_x10000")
    for name in (*needed, "fixmedins_code"):
        if values.get(name) in (None, ""):
            raise Refused("MISSING_FIELD", name)


def _check_staff(values: dict[str, Any]) -> None:
    """An empty code is nobody's, though a bill may carry one; a status ends after it began."""
    if not values["dr_code"]:
        raise Refused("MISSING_FIELD", "dr_code")
    until = values.get("until")
    if until is not None and until <= values["since"]:
        _contradicts("until", "until > since")


def _check_order(event_type: str, values: dict[str, Any]) -> None:
    if values["by"] != "authority":
        _contradicts("by", "authority (the engine's own orders do not come from outside)")
    if event_type == "credit.service_suspended" and values.get("document_no") is None:
        raise Refused("MISSING_FIELD", "document_no")


def _contradicts(field: str, allowed: str) -> NoReturn:
    raise Refused("CONTRADICTION", field, allowed)
