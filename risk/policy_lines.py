"""What single fee lines count for beside their bill (line_counts), and what a house is approved for (capacities)."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from risk.policy_credit_shapes import code_or_prefix
from risk.policy_reading import Table, read_rows, read_texts, refuse_hidden, refuse_repeats
from risk.policy_values import found_by_code, sorted_by_code
from risk.terms import PolicyError

LINE_COUNTERS: Final = ("dialysis_lines", "key_drug_fen", "executed_minutes")
"""One for each line at its institution; its amount, by who ordered it; the row's minutes, by who executed it."""
_TIMED = "executed_minutes"
RESOURCES: Final = ("beds", "dialysis_places")
"""Approved beds (aprv_bed_cnt); machines × shifts: patients a day."""


class LineRow(NamedTuple):
    """Lines whose item begins so add to this counter."""

    counter: str
    items: tuple[str, ...]
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Which items count, and for what."""

    rows: tuple[LineRow, ...]
    _any: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_any", tuple(item for row in self.rows for item in row.items))

    def of(self, med_list_codg: str) -> tuple[LineRow, ...]:
        """The first row for each counter that names this item: most items have none."""
        if not med_list_codg.startswith(self._any):
            return ()
        found: dict[str, LineRow] = {}
        for row in self.rows:
            if med_list_codg.startswith(row.items):
                found.setdefault(row.counter, row)
        return tuple(found.values())


def line_counts(content: object, where: str) -> LineCounts:
    """Rows of counter and items; the time of those that somebody executes."""
    rows = []
    for row in read_rows(content, where):
        counter = row.text("counter", choices=LINE_COUNTERS)
        items = read_texts(row.take("items"), row.place("items"))
        minutes = row.integer("minutes", least=1, most=24 * 60) if counter == _TIMED else 0
        row.finish()
        rows.append(LineRow(counter, items, minutes))
    refuse_repeats([f"{row.counter} {item}" for row in rows for item in row.items], where)
    for counter in LINE_COUNTERS:
        refuse_hidden([row.items for row in rows if row.counter == counter], where)
    return LineCounts(tuple(rows))


class CapacityRow(NamedTuple):
    """What one institution (or, for a sandbox, all whose code begins so: `H430599*`) is approved for; 0: not known."""

    code: str
    beds: int
    dialysis_places: int


@dataclass(frozen=True, slots=True)
class Capacities:
    """Approved beds and dialysis places: an exact code first, else the longest prefix. Without a row: no rule."""

    rows: tuple[CapacityRow, ...]
    _exact: dict[str, CapacityRow] = field(init=False, repr=False, compare=False)
    _prefixes: tuple[tuple[str, CapacityRow], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact, prefixes = sorted_by_code(self.rows)
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_prefixes", prefixes)

    def of(self, code: str, resource: str) -> int:
        """How much of it the institution has; 0 if nobody said."""
        row = found_by_code(code, self._exact, self._prefixes)
        if row is None:
            return 0
        return row.beds if resource == "beds" else row.dialysis_places


def capacities(content: object, where: str) -> Capacities:
    """Rows of code, beds, and machines with shifts; one of the two at least."""
    rows = []
    for row in read_rows(content, where):
        rows.append(_capacity(row))
        row.finish()
    refuse_repeats([row.code for row in rows], where)
    return Capacities(tuple(rows))


def _capacity(row: Table) -> CapacityRow:
    beds = row.integer("beds", least=1) if row.has("beds") else 0
    machines = row.integer("dialysis_machines", least=1) if row.has("dialysis_machines") else 0
    shifts = row.integer("dialysis_shifts", least=1, most=4) if machines else 0
    if not beds and not machines:
        raise PolicyError(f"{row.where} says nothing. Write beds, or dialysis_machines and dialysis_shifts.")
    return CapacityRow(code_or_prefix(row), beds, machines * shifts)
