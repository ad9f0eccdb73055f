"""A place's policy: dated, cited values, parsed once from TOML into frozen terms. It decides nothing.

A bundle is a few files (FILES). policy.toml says whose it is; every other table is a parameter (policy_parameters.py):
entries with `effective_from`, each in force until the next, ended by `repealed = true`, all with their source.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from risk.local_time import day_of
from risk.policy_agreement import disagreements
from risk.policy_counters import CounterRule
from risk.policy_measures import MeasuredRule
from risk.policy_parameters import CREDIT_CORE, PARAMETERS, Parameter
from risk.policy_reading import FloatText, Table, near, read_date, read_flag, shown
from risk.policy_rules import AmountRule, CompanyRule, ShareRule, SumRule, WindowRule
from risk.terms import Clause, PolicyError, Terms
from risk.workdays import Workdays, WorkdayYear

__all__ = ["Clause", "Entry", "Policy", "PolicyError", "Terms", "parse_policy"]

IDENTITY_FILE = "policy.toml"
FILES = (IDENTITY_FILE, "rules.toml", "eligibility.toml", "limits.toml", "holds.toml", "orders.toml",
         "institutions.toml", "workdays.toml")  # fmt: skip
_NAMING = {"place": (r"[a-z][a-z0-9-]*", "shaoyang"), "edition": (r"[0-9]+(\.[0-9]+)*", "2026.1")}
_REMEMBERED_DAYS = 10_000


class Entry(NamedTuple):
    """One dated entry of a parameter; `clause` None ends it."""

    day: int
    clause: Clause | None
    source: Clause  # who said so, also for an ending


class _Identity(NamedTuple):
    place: str
    edition: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """All terms of a place, by day. Equal texts give equal digests."""

    place: str
    edition: str
    title_zh: str
    title_en: str
    digest: str
    entries: Mapping[str, tuple[Entry, ...]]
    workdays: Workdays
    changes: tuple[int, ...]  # local days on which something changes
    _spans: tuple[Terms, ...]  # len(changes) + 1
    _by_day: dict[int, Terms] = field(default_factory=dict, repr=False)

    @property
    def version(self) -> str:
        """What every decision and alert quotes."""
        return f"{self.place}-{self.edition}+{self.digest[:12]}"

    def on(self, day: int) -> Terms:
        """The terms of a local day. Remembered, because every event asks."""
        try:
            return self._by_day[day]
        except KeyError:
            if len(self._by_day) >= _REMEMBERED_DAYS:  # dates come from outside: the memory must not grow with them
                self._by_day.clear()
            terms = self._by_day[day] = self._spans[bisect_right(self.changes, day)]
            return terms

    def longest_window_ms(self, names: Iterable[str]) -> int:
        """The longest moving window any of these rules ever has: what state must keep rows for."""
        values = [entry.clause.value for name in names for entry in self.entries.get(name, ()) if entry.clause]
        of_windows = AmountRule | CompanyRule | MeasuredRule | ShareRule | SumRule | WindowRule
        rules = [value for value in values if isinstance(value, of_windows)]
        return max((level.window_ms for rule in rules for level in rule.levels), default=0)

    def longest_days(self) -> int:
        """How many local days of an institution or a doctor any rule ever looks at, what it grew from included."""
        values = [entry.clause.value for entries in self.entries.values() for entry in entries if entry.clause]
        return max((value.looks_back_days for value in values if isinstance(value, CounterRule)), default=0)


def parse_policy(files: Mapping[str, str]) -> Policy:
    """Read a bundle (file name -> text). Raises PolicyError with every problem found."""
    problems: list[str] = []
    contents = _read_files(files, problems)
    identity = _read_identity(contents.pop(IDENTITY_FILE, None), problems)
    entries = _read_parameters(contents, problems)
    if identity is None or problems:
        raise PolicyError(*problems)
    changes = tuple(sorted({entry.day for dated in entries.values() for entry in dated}))
    spans = tuple(_span_terms(entries, changes))
    years = {entry.clause.value.year: entry.clause.value for entry in entries.get("workdays", ()) if entry.clause}
    workdays = Workdays(years)
    problems.extend(disagreements(spans, workdays))
    if problems:
        raise PolicyError(*problems)
    return Policy(*identity, policy_digest(files), MappingProxyType(entries), workdays, changes, spans)


def credit_questions_dropped(before: Policy, after: Policy) -> list[str]:
    """The credit parameters that `before` answers on some day and `after` does not: what is held, captured or owed
    under them needs its answers to the end, and late records bring old days back.
    """
    days = sorted({entry.day for policy in (before, after) for dated in policy.entries.values() for entry in dated})
    return [name for name in CREDIT_CORE if any(name in before.on(day) and name not in after.on(day) for day in days)]


def policy_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted names and texts: the same files, the same digest, on every machine."""
    whole = "".join(f"{name}\0{files[name]}\0" for name in sorted(files))
    return sha256(whole.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def _noting(problems: MutableSequence[str]) -> Iterator[None]:
    """Collect problems and go on: whoever wrote the policy wants all of them at once."""
    try:
        yield
    except PolicyError as error:
        problems.extend(error.problems)


def _read_files(files: Mapping[str, str], problems: list[str]) -> dict[str, dict[str, object]]:
    contents = {}
    for name in sorted(files):
        if name not in FILES:
            problems.append(
                f"{name} is no file of a policy. A file nothing reads is a rule nobody applies. "
                f"Rename or remove it: {near(name, FILES)}"
            )
            continue
        try:
            contents[name] = tomllib.loads(files[name], parse_float=FloatText)
        except (ValueError, RecursionError) as error:
            problems.append(f"{name} is not TOML: {error}. Nothing in it can be trusted. Correct that line.")
    return contents


def _read_identity(content: dict[str, object] | None, problems: list[str]) -> _Identity | None:
    if content is None:
        problems.append(f"{IDENTITY_FILE} is missing or broken. It says whose policy this is. Add it with [policy].")
        return None
    with _noting(problems):
        whole = Table(content, IDENTITY_FILE)
        table = Table(whole.take("policy"), f"{IDENTITY_FILE}: policy")
        whole.finish()
        identity = _Identity(*(table.text(key) for key in _Identity._fields))
        table.finish()
        for key, (pattern, like) in _NAMING.items():
            written = getattr(identity, key)
            if not re.fullmatch(pattern, written):
                raise PolicyError(f"{table.where}.{key} is {written!r}. It names versions. Write e.g. {like}.")
        return identity
    return None


def _read_parameters(contents: dict[str, dict[str, object]], problems: list[str]) -> dict[str, tuple[Entry, ...]]:
    entries: dict[str, tuple[Entry, ...]] = {}
    homes: dict[str, str] = {}
    for file, name, dated in ((file, *item) for file, content in contents.items() for item in content.items()):
        with _noting(problems):
            home = homes.setdefault(name, file)
            if home != file:
                raise PolicyError(f"{file}: {name} is also in {home}. One value has one home. Keep one of the two.")
            entries[name] = _read_entries(_parameter(name, file), file, dated, problems)
    return entries


def _parameter(name: str, file: str) -> Parameter:
    if name not in PARAMETERS:
        raise PolicyError(
            f"{file}: {name} is no parameter. A value nothing reads is a rule nobody applies. "
            f"Correct or remove it: {near(name, tuple(PARAMETERS))}"
        )
    return PARAMETERS[name]


def _read_entries(parameter: Parameter, file: str, dated: object, problems: list[str]) -> tuple[Entry, ...]:
    where = f"{file}: {parameter.name}"
    if not isinstance(dated, list) or not dated:
        raise PolicyError(f"{where} is {shown(dated)}. Values are dated entries. Write [[{parameter.name}]].")
    entries: list[Entry] = []
    for number, content in enumerate(dated, 1):
        with _noting(problems):
            entries.append(_read_entry(parameter, Table(content, f"{where} entry {number}"), where))
    if len(entries) == len(dated):
        _in_order(entries, where)
    return tuple(entries)


def _read_entry(parameter: Parameter, table: Table, where: str) -> Entry:
    day = read_date(table.take("effective_from"), table.place("effective_from"))
    table.where = f"{where} from {day}"
    document, article = _read_source(table)
    url, note = (table.text(key) if table.has(key) else "" for key in ("url", "note"))
    checked_on = read_date(table.take("checked_on"), table.place("checked_on")) if table.has("checked_on") else None
    source = Clause(None, document, article, day, url, note, checked_on)
    if table.has("repealed"):
        if not read_flag(table.take("repealed"), table.place("repealed")):
            raise PolicyError(f"{table.where}.repealed is false. Only an ending says so. Remove it or write true.")
        table.finish()
        return Entry(day_of(day), None, source)
    content = table.take("value")
    table.finish()
    value = parameter.shape(content, table.place("value"))
    _year_is_its_own(value, day, table.where)
    return Entry(day_of(day), source._replace(value=value), source)


def _read_source(table: Table) -> tuple[str, str]:
    """`source = "document, article"`, or the two apart."""
    if not table.has("source"):
        for key in ("document", "article"):
            if not table.has(key):
                add = (
                    f"{key} = ..." if table.has("document") or table.has("article") else 'source = "document, article"'
                )
                raise PolicyError(
                    f"{table.where} has no source ({key} is missing). A number without its source cannot be explained "
                    f"to the person it concerns. Add {add}."
                )
        return table.text("document"), table.text("article")
    document, comma, article = table.text("source").rpartition(", ")
    if not comma or not document.strip() or not article.strip():
        raise PolicyError(
            f"{table.where}.source names no article. A reader must find the sentence. "
            f'Write source = "document, article", or document = and article =.'
        )
    return document, article


def _in_order(entries: list[Entry], where: str) -> None:
    latest: Entry | None = None
    for entry in entries:
        day = entry.source.effective_from
        if latest is not None and entry.day == latest.day:
            raise PolicyError(f"{where} has two entries from {day}. One would hide the other. Keep one.")
        if latest is not None and entry.day < latest.day:
            raise PolicyError(
                f"{where}: {day} stands after {latest.source.effective_from}. Entries are read as a history. "
                f"Put them in order of effective_from."
            )
        if entry.clause is None and (latest is None or latest.clause is None):
            raise PolicyError(f"{where} is repealed from {day}, but nothing is in force then. Remove the entry.")
        latest = entry


def _year_is_its_own(value: object, day: date, where: str) -> None:
    if isinstance(value, WorkdayYear) and day != date(value.year, 1, 1):
        raise PolicyError(f"{where} lists {value.year}. A year's table begins with it. Write {value.year}-01-01.")


def _span_terms(entries: Mapping[str, tuple[Entry, ...]], changes: tuple[int, ...]) -> Iterator[Terms]:
    """Terms before the first change, and from each change to the next."""
    yield Terms(MappingProxyType({}), None, changes[0] if changes else None)
    for place, day in enumerate(changes):
        clauses = {}
        for name, dated in entries.items():
            latest = max((entry for entry in dated if entry.day <= day), key=lambda entry: entry.day, default=None)
            if latest is not None and latest.clause is not None:
                clauses[name] = latest.clause
        yield Terms(MappingProxyType(clauses), day, changes[place + 1] if place + 1 < len(changes) else None)
