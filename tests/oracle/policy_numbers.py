"""A city's rules as its file has them, read by the standard library: no number passes through the engine."""

import tomllib
from datetime import date
from typing import Any

from tests.oracle.judge import Level

DAY_MS = 86_400_000


def in_force(files: dict[str, str], day: date) -> dict[str, dict[str, Any]]:
    """What each entry says on a day, by its name: of several the latest that has begun."""
    found: dict[str, dict[str, Any]] = {}
    for name, entries in tomllib.loads(files["rules.toml"]).items():
        begun = [each for each in entries if each["effective_from"] <= day]
        if begun:
            last = max(begun, key=lambda each: each["effective_from"])
            found[name] = last["value"]
    return found


def days_off(files: dict[str, str]) -> tuple[frozenset[date], frozenset[date]]:
    """Holidays, and the weekends that are worked."""
    years = [each["value"] for each in tomllib.loads(files["workdays.toml"])["workdays"]]
    return frozenset(d for y in years for d in y["holidays"]), frozenset(d for y in years for d in y["workdays"])


def levels_of(rule: dict[str, Any]) -> tuple[Level, ...]:
    """Its levels; without a re-arm point of its own one is armed again below four fifths, and at least one below."""
    found = []
    for row in rule["levels"]:
        theta = row["theta"]
        seconds = row.get("window_seconds", 0) + 3600 * row.get("window_hours", 0)
        rearm = row.get("rearm", min(theta * 4 // 5, theta - 1))
        found.append(Level(theta, rearm, seconds * 1000, row.get("window_days", 0)))
    return tuple(found)


def with_numbers(files: dict[str, str], changed: dict[str, dict[str, str]], keep: frozenset[str]) -> dict[str, str]:
    """The same book with only the entries of `keep`, in which the texts of `changed` (by rule) are replaced."""
    entries = [f"[[{each}" for each in files["rules.toml"].split("\n[[")[1:]]
    kept, said = [], set[tuple[str, str]]()
    for entry in entries:
        name = entry[2 : entry.index("]]")]
        if name not in keep:
            continue
        for old, new in changed.get(name, {}).items():
            said |= {(name, old)} if old in entry else set()
            entry = entry.replace(old, new)
        kept.append(entry)
    for name, texts in changed.items():
        for old in texts:
            assert (name, old) in said, f"{name} says no more: {old}"
    return {"policy.toml": files["policy.toml"], "rules.toml": "\n".join(kept), "workdays.toml": files["workdays.toml"]}
