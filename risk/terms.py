"""What a policy says on one day: clauses by name, each with its source. Not the files they come from (policy.py)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from risk.local_time import to_date


class PolicyError(ValueError):
    """A policy that cannot be used. Every problem says where, what, why, and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Clause(NamedTuple):
    """One value in force, and who said so."""

    value: Any
    document: str
    article: str
    effective_from: date
    url: str = ""
    note: str = ""
    checked_on: date | None = None

    def source(self) -> dict[str, str]:
        """The clause as every wire carries it."""
        return {"document": self.document, "article": self.article, "in_force_from": _written(self.effective_from)}


@lru_cache(maxsize=1_024)  # a policy has few first days, and every reason that is told names one
def _written(day: date) -> str:
    return day.isoformat()


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """All clauses in force between two changes of a policy; the same object for every day between them.

    `since` is the first local day, `until` the first day after (None: no such day).
    """

    _clauses: Mapping[str, Clause]
    since: int | None
    until: int | None
    get: Callable[[str], Clause | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", self._clauses.get)  # an attribute, because every event asks several times

    def __getitem__(self, name: str) -> Clause:
        try:
            return self._clauses[name]
        except KeyError:
            raise PolicyError(
                f"{name} has no clause in force {self.span()}. The record needs one. "
                f"Add a [[{name}]] entry that begins early enough, or check the record's date."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._clauses

    def __iter__(self) -> Iterator[str]:
        return iter(self._clauses)

    def span(self) -> str:
        """The days these terms cover, in words."""
        match self.since, self.until:
            case None, None:
                return "on any day"
            case None, int(until):
                return f"before {to_date(until)}"
            case int(since), None:
                return f"from {to_date(since)}"
            case int(since), int(until):
                return f"from {to_date(since)} to {to_date(until - 1)}"
        raise AssertionError("unreachable")
