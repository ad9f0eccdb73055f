"""Reads the story files strictly: a word nobody knows is an error that names file and step. Not a test."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from risk.local_time import SHANGHAI, to_ms
from tests.e2e.stories.vocabulary import BRINGS_IN, CHOICES, DEEDS, ROWS, STEP, STORY, THEN, Words, in_fen, type_of

FOLDER = Path(__file__).parents[2] / "cases" / "stories"
FEN = 100


class StoryError(ValueError):
    """A story file says something that nobody can play."""


class Step(NamedTuple):
    """One entry: at that instant somebody does something, and then it must be so. Amounts are fen already."""

    number: int
    at_ms: int
    at: datetime
    who: str
    does: str
    said: Mapping[str, Any]
    then: Mapping[str, Any]


class Story(NamedTuple):
    """One file."""

    name: str
    title_zh: str
    title_en: str
    rests_on: tuple[str, ...]
    pool: str
    steps: tuple[Step, ...]


def read_stories(folder: Path = FOLDER) -> list[Story]:
    """Every story of a folder, by name."""
    return [read_story(path) for path in sorted(folder.glob("*.toml"))]


def read_story(path: Path) -> Story:
    """One story file, or a StoryError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise StoryError(f"{path.name} is no TOML: {error}") from error
    _check(told, Words(STORY - {"pool"}, frozenset({"pool"})), path.name)
    _check_choice(told, path.name)
    if not told["rests_on"] or not all(isinstance(each, str) for each in told["rests_on"]):
        raise StoryError(f"{path.name}: rests_on must name the law or plan, one text for each place")
    steps = tuple(_step(number, entry, f"{path.name}, step {number}") for number, entry in enumerate(told["step"], 1))
    if not steps:
        raise StoryError(f"{path.name} tells nothing: it has no [[step]]")
    for before, after in pairwise(steps):
        if after.at_ms < before.at_ms:
            raise StoryError(f"{path.name}, step {after.number}: {after.at} is before the step above it")
    _check_names(steps, path.name)
    return Story(
        path.stem,
        told["title_zh"],
        told["title_en"],
        tuple(told["rests_on"]),
        told.get("pool", "visit_first"),
        steps,
    )


def _check_names(steps: tuple[Step, ...], name: str) -> None:
    """Whatever a step speaks of was brought in by it or before: a misspelt name would be compared with nothing."""
    known: dict[str, set[str]] = {kind: set() for kind in BRINGS_IN.values()}
    for step in steps:
        kind = BRINGS_IN.get(step.does)
        if kind is not None:
            known[kind].add(step.said[kind])
        told = [step.said, *(row for rows in ROWS for row in step.then.get(rows, ()))]
        for each in told:
            for kind, names in known.items():
                if kind in each and each[kind] not in names:
                    raise StoryError(f"{name}, step {step.number}: no {kind} is called {each[kind]!r} so far")


def _step(number: int, entry: Any, place: str) -> Step:
    if not isinstance(entry, dict):
        raise StoryError(f"{place} is no table")
    who, does = entry.get("who"), entry.get("does")
    words = DEEDS.get((str(who), str(does)))
    if words is None:
        raise StoryError(f"{place}: nobody knows how {who!r} {does!r}; known is " + ", ".join(map(" ".join, DEEDS)))
    said = {name: value for name, value in entry.items() if name not in STEP}
    _check({name: entry[name] for name in entry.keys() & STEP}, Words(STEP - {"note"}, STEP), place)
    _check(said, words, place)
    _check_choice(said, place)
    at = entry["at"]
    if at.tzinfo is not None:
        raise StoryError(f"{place}: at is the time on the clock of the counter, without offset")
    at = at.replace(tzinfo=SHANGHAI)
    return Step(number, to_ms(at), at, str(who), str(does), _in_fen(said, place), _then(entry["then"], place))


def _then(then: dict[str, Any], place: str) -> dict[str, Any]:
    place = f"{place}, then"
    _check(then, Words(allowed=THEN), place)
    _check_choice(then, place)
    for name, words in ROWS.items():
        for row in then.get(name, ()):
            if not isinstance(row, dict):
                raise StoryError(f"{place}: {name} is a list of tables, {row!r} is none")
            _check(row, words, f"{place}, {name}")
    changed: dict[str, Any] = _in_fen(then, place)
    return changed


def _check(told: Mapping[str, Any], words: Words, place: str) -> None:
    if missing := words.needed - told.keys():
        raise StoryError(f"{place}: {', '.join(sorted(missing))} missing")
    if unknown := told.keys() - words.needed - words.allowed:
        known = ", ".join(sorted(words.needed | words.allowed))
        raise StoryError(f"{place}: nobody knows {', '.join(sorted(unknown))}; known here: {known}")
    for name, value in told.items():
        kind = type_of(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise StoryError(f"{place}: {name} = {value!r} is not of the kind that {name} is")


def _check_choice(said: Mapping[str, Any], place: str) -> None:
    for name, choices in CHOICES.items():
        value = said.get(name)
        if value is not None and value not in choices:
            raise StoryError(f"{place}: {name} = {value!r}; known: {', '.join(choices)}")


def _in_fen(told: Any, place: str) -> Any:
    """The same with every `…_yuan` as whole `…_fen`, in lists of tables too."""
    if isinstance(told, list):
        return [_in_fen(each, place) for each in told]
    if not isinstance(told, dict):
        return told
    changed = {}
    for name, value in told.items():
        if isinstance(type_of(name), tuple):
            fen = Decimal(value) * FEN
            if fen != int(fen) or fen < 0:
                raise StoryError(f"{place}: {name} = {value} is no amount in yuan with at most two decimals")
            changed[in_fen(name)] = int(fen)
        else:
            changed[name] = _in_fen(value, place)
    return changed
