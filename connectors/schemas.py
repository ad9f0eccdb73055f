"""JSON Schema of every canonical event and the AsyncAPI of the topics, generated from risk.facts; a test compares.

Regenerate: `python -m connectors.schemas config/schemas`.
"""

import sys
from datetime import datetime
from inspect import getdoc
from json import dumps
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec.structs import fields

from connectors.canonical_line import EXACTLY_ONE
from connectors.field_checks import (
    CODE_SHAPES,
    FREE_TEXT,
    ID_LENGTH_MAX,
    MAY_BE_EMPTY,
    TEXT_LENGTH_MAX,
    most_of,
    not_sent,
)
from connectors.topology import Topics
from risk.facts import ENGINE_ONLY, FACTS, Fact, SubjectFact
from risk.facts.base import PSN_NO_LENGTH_MAX

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TOPICS: dict[str, tuple[str, str]] = {
    "events": ("psn_no", "the one log: facts about a person, checkout requests, timers, policy switches, in order"),
    "subjects": ("target shard (explicit partition)", "second hop: institutions, pharmacies, staff"),
    "decisions": ("psn_no", "every authorization and capture, hold, withhold and top-up decision, with reasons"),
    "withholding": ("psn_no", "orders to the bank; results come back as bank.* events"),
    "alerts": ("subject id", "warnings, over-limit, suspicions, data quality"),
    "queries": ("shard", "who asked what, when, why; denied ones too"),
    "handling": ("suppression, alert or notice id", "what people and routes did about alerts"),
    "deadletter": ("origin", "refused input, without personal data"),
    "national": ("none", "raw national messages inside the sender's zone, kept for a short time"),
}


def _text_schema(name: str) -> dict[str, Any]:
    longest = PSN_NO_LENGTH_MAX if name == "psn_no" else TEXT_LENGTH_MAX if name in FREE_TEXT else ID_LENGTH_MAX
    if name in CODE_SHAPES:
        return {"type": "string", "pattern": f"^{CODE_SHAPES[name][0].pattern}$"}
    return {"type": "string", "maxLength": longest} | ({} if name in MAY_BE_EMPTY else {"minLength": 1})


def _field_schema(name: str, hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return _field_schema(name, next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "minItems": 1, "items": _field_schema(name, arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer", "minimum": 0, "maximum": most_of(name)}
    return _text_schema(name)


def event_schema(kind: type[Fact]) -> dict[str, Any]:
    """The JSON Schema of one event as an edge accepts it."""
    hints = get_type_hints(kind)
    properties = {"event_type": {"const": kind.event_type}}
    hidden = {"psn_no"} & not_sent(kind)
    properties |= {f.name: _field_schema(f.name, hints[f.name]) for f in fields(kind) if f.name not in hidden}
    schema: dict[str, Any] = {
        "$schema": _DRAFT,
        "$id": f"{kind.event_type}.json",
        "title": kind.event_type,
        "description": getdoc(kind),
        "type": "object",
        "properties": properties,
        "required": ["event_type", *(field.name for field in fields(kind) if field.required)],
        "patternProperties": {"^x_": {}},
        "additionalProperties": False,
    }
    if kind.event_type in ENGINE_ONLY:
        schema["description"] += " Only the engine appends it; edges refuse it from outside."
    if kind.event_type in EXACTLY_ONE:
        schema["oneOf"] = [{"required": [name]} for name in EXACTLY_ONE[kind.event_type]]
    return schema


def asyncapi() -> dict[str, Any]:
    """The topics as AsyncAPI 3.0. The events are described one by one; of the other topics, key and meaning."""
    topics = Topics()
    messages = {event: {"payload": {"$ref": f"./{event}.json"}} for event in sorted(FACTS)}
    of_subjects = {event for event, kind in FACTS.items() if issubclass(kind, SubjectFact)}
    carried = {"events": messages.keys() - of_subjects, "subjects": of_subjects}
    channels = {}
    for name, (key, meaning) in _TOPICS.items():
        channels[name] = {
            "address": getattr(topics, name),
            "description": f"{meaning}; key: {key}",
            "messages": {event: {"$ref": f"#/components/messages/{event}"} for event in sorted(carried.get(name, ()))},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Xinmai topics",
            "version": "1",
            "description": "Amounts are whole fen, instants RFC 3339 with offset. Outputs come at least once with "
            "deterministic ids: consumers dedupe by id. The prefix xinmai. is a setting.",
        },
        "channels": channels,
        "components": {"messages": messages},
    }


def schema_files() -> dict[str, str]:
    """Every file of config/schemas that is generated here: name → text."""
    described = {f"{event_type}.json": event_schema(kind) for event_type, kind in sorted(FACTS.items())}
    described["asyncapi.json"] = asyncapi()
    return {name: dumps(body, ensure_ascii=False, indent=2) + "\n" for name, body in described.items()}


def write_schemas(directory: Path) -> None:
    """Regenerate the files in `directory`."""
    for name, written in schema_files().items():
        (directory / name).write_text(written, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
