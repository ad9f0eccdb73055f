"""A policy made readable: what is wrong with a bundle, and what one parameter says on a day, with its history.

The structures are plain (dict, list, str, int, bool, None), ready for JSON. The worked examples: policy_examples.py.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from risk.local_time import to_date
from risk.policy import Entry, Policy, parse_policy
from risk.policy_examples import worked_example
from risk.policy_parameters import PARAMETERS
from risk.policy_reading import near
from risk.terms import Clause, PolicyError
from risk.workdays import WorkdayYear


def policy_check(files: Mapping[str, str]) -> list[str]:
    """Everything that is wrong with a bundle, each with where, what, why and what to do; empty = usable."""
    try:
        parse_policy(files)
    except PolicyError as error:
        return list(error.problems)
    return []


def policy_list(policy: Policy, day: int) -> list[dict[str, Any]]:
    """One line per parameter that the policy ever sets: is it in force on this day, and by whose word?"""
    terms = policy.on(day)
    return [
        {
            "parameter": parameter.name,
            "meaning_zh": parameter.zh,
            "meaning_en": parameter.en,
            "in_force": parameter.name in terms,
            "clause": clause.source() if (clause := terms.get(parameter.name)) else None,
        }
        for parameter in PARAMETERS.values()
        if parameter.name in policy.entries
    ]


def policy_show(policy: Policy, name: str, day: int) -> dict[str, Any]:
    """What a parameter says on a local day: value, clause, history, next change, and one worked example in words."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise PolicyError(f"{name} is no parameter. Ask for one that exists: {near(name, tuple(PARAMETERS))}")
    history = policy.entries.get(name, ())
    clause = policy.on(day).get(name)
    example_zh, example_en = worked_example(policy, name, day)
    return {
        "policy_version": policy.version,
        "parameter": name,
        "meaning_zh": parameter.zh,
        "meaning_en": parameter.en,
        "unit": parameter.unit,
        "day": to_date(day).isoformat(),
        "in_force": clause is not None,
        "value": None if clause is None else plain(clause.value),
        "clause": None if clause is None else _clause(clause),
        "next_change": next((to_date(entry.day).isoformat() for entry in history if entry.day > day), None),
        "history": [_history(entry) for entry in history],
        "example_zh": example_zh,
        "example_en": example_en,
    }


def _clause(clause: Clause) -> dict[str, Any]:
    beside = {"url": clause.url, "note": clause.note, "checked_on": clause.checked_on}
    return clause.source() | {key: plain(content) for key, content in beside.items() if content}


def _history(entry: Entry) -> dict[str, Any]:
    if entry.clause is None:
        return _clause(entry.source) | {"repealed": True}
    return _clause(entry.clause) | {"value": plain(entry.clause.value)}


def plain(content: Any) -> Any:
    """A parameter's value as JSON would write it."""
    match content:
        case WorkdayYear(year, holidays, workdays):
            worked = {"holidays": holidays, "workdays": workdays}
            return {"year": year} | {key: [to_date(day).isoformat() for day in sorted(worked[key])] for key in worked}
        case date():
            return content.isoformat()
        case frozenset():
            return sorted(plain(item) for item in content)
        case tuple() if hasattr(content, "_asdict"):
            return {key: plain(item) for key, item in content._asdict().items()}
        case tuple() | list():
            return [plain(item) for item in content]
        case _ if is_dataclass(content):
            open_names = [part.name for part in fields(content) if not part.name.startswith("_")]
            return {name: plain(getattr(content, name)) for name in open_names}
    return content
