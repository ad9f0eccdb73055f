"""Items that a place puts under control for a time, as masks in an epidemic: how many one person may buy, and who may
sell them (special_items). The control begins and ends with the entry's days; what is in no row is nobody's concern.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from risk.policy_reading import read_rows, read_texts, refuse_hidden, refuse_repeats

DAYS_MOST = 90


class SpecialItem(NamedTuple):
    """Items, by prefix, that count together: `units` a person in `days`, sold at `places` (prefixes; () = anywhere)."""

    name: str
    items: tuple[str, ...]
    units: int
    days: int
    places: tuple[str, ...] = ()

    def may_sell(self, fixmedins_code: str) -> bool:
        """Does the institution belong to the item's special channel?"""
        return not self.places or fixmedins_code.startswith(self.places)


@dataclass(frozen=True, slots=True)
class SpecialItems:
    """What is under control; the first row that names an item speaks for it."""

    rows: tuple[SpecialItem, ...]
    _any: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_any", tuple(item for row in self.rows for item in row.items))

    def find(self, med_list_codg: str) -> SpecialItem | None:
        """The row that speaks for this item: most have none."""
        if not med_list_codg.startswith(self._any):
            return None
        return next(row for row in self.rows if med_list_codg.startswith(row.items))


def special_items(content: object, where: str) -> SpecialItems:
    """Rows of name, items (prefixes), units, days, and perhaps places (prefixes of institutions)."""
    found = []
    for row in read_rows(content, where):
        places = read_texts(row.take("places"), row.place("places")) if row.has("places") else ()
        named = row.text("name"), read_texts(row.take("items"), row.place("items"))
        found.append(
            SpecialItem(*named, row.integer("units", least=1), row.integer("days", least=1, most=DAYS_MOST), places)
        )
        row.finish()
    refuse_repeats([row.name for row in found], where)
    refuse_repeats([item for row in found for item in row.items], where)
    refuse_hidden([row.items for row in found], where)
    return SpecialItems(tuple(found))
