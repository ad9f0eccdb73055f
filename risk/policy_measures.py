"""One grammar for rules as data: who, what is counted, which of it, over which period, and what is measured of it.

A policy combines these words; a word that nothing evaluates does not exist here, so a policy that uses it is refused.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from risk.policy_rules import Level, Rule

PERIODS: Final = {
    "moving": ("窗口", "a moving window"),
    "date": ("同一自然日", "one local date"),
    "month": ("同一自然月", "one calendar month"),
    "event": ("单个事件", "one event by itself"),
}

MEASURES: Final = {
    ("fee_line", "distinct"): ("mdtrt_id", "fixmedins_code"),
    ("fee_line", "sum"): ("cnt_x10000", "prd_days"),
    ("fee_line", "value"): ("prd_days",),
    ("fee_line", "supply_left"): ("prd_days",),
    ("fee_line", "repeated"): ("mdtrt_id",),
    ("fee_line", "over_limit_price"): ("amount_fen",),
    ("fee_line", "over_allowance"): ("cnt_x10000",),
    ("fee_line", "outside_channel"): ("fixmedins_code",),
    ("admission", "gap_days"): ("fixmedins_code",),
    ("admission", "overlap"): ("fixmedins_code",),
    ("admission", "sequence"): ("fixmedins_code",),
    ("admission", "idle_days"): ("feedetl_sn",),
    ("settlement", "inside_admission"): ("fixmedins_code",),
    ("settlement", "same_amount"): ("medfee_sumamt_fen",),
    ("settlement", "count"): ("setl_id",),
    ("settlement", "total"): ("medfee_sumamt_fen",),
    ("settlement", "amount"): ("medfee_sumamt_fen",),
    ("settlement", "same_minute"): ("medfee_sumamt_fen",),
    ("settlement", "not_insured"): ("status",),
    ("settlement", "failed_checks"): ("result",),
    ("settlement", "misfits"): ("med_list_codg",),
    ("bill_line", "misfits"): ("med_list_codg",),
}
"""What is counted, what is measured of it, and the fields it may be measured of.

distinct, sum: over the period. value: of the event itself. supply_left: whole days of the same item that earlier lines
still cover on the event's date. repeated: the lines of the same item in the same visit, in a window back from the
event. over_limit_price: by how many fen a line is dearer than the platform allows. over_allowance: by how many units a
person bought more of items under control, in their days, than he may (special_items). outside_channel: 1 if the place
does not belong to such an item's special channel. idle_days: whole local days of a stay without a fee line or a bed
check, once it has ended and is settled. gap_days: from the last discharge, an alert at theta days or less.
sequence: stays one after another that end with this admission, each begun elsewhere on the local date on which the one
before it ended, or the next, and that ended within the window. overlap: the open admissions elsewhere at an admission.
inside_admission: the same at a settlement. same_amount: the most settlements of one amount, or of round ones. total,
amount: of bills together, of one. same_minute: those at one place, in one local minute, of one amount. not_insured: 1
if the insurance was suspended or over at the settlement, and when its visit began. failed_checks: face checks that
failed before it, in a window, and that none passed since mended. misfits: lines whose item is not for the sex or age
that the bill states (item_limits); of a bill_line, at the estimate too. A rule about an institution looks at one
person's settlements or lines there.
"""

PERIOD_OF: Final = {
    "distinct": ("moving", "month"),
    "sum": ("moving", "month"),
    "same_amount": ("date",),
    "count": ("moving", "date"),
}
"""The periods of a measure; any other looks at one event by itself."""


class Measure(NamedTuple):
    """One measure of one field; `least` where it must hold beside another one."""

    kind: str
    of: str
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRule(Rule):
    """A rule written in the grammar. Where `beside` does not hold, the measure is 0."""

    subject: str
    counts: str
    measure: Measure
    period: str
    med_types: tuple[str, ...] = ()  # prefixes; () = any
    items: tuple[str, ...] = ()  # prefixes of med_list_codg; () = any
    each: str = ""  # "med_list_codg": of one item at a time
    beside: tuple[Measure, ...] = ()
    round_fen: int = 0
    fixmedins_type: str = ""  # "" = any
    stay_days: int = 0  # only stays of at least so many days
    away: bool = False  # only what was settled away from home
    precision_percent: int
    level_med_types: tuple[tuple[str, ...], ...] = ()  # a level of its own for these; () = any
    level_measures: tuple[Measure | None, ...] = ()  # a level's own measure of one event; None: the rule's

    def admits(self, med_type: str, item: str) -> bool:
        """Does it count this at all? An unknown med_type passes no filter."""
        return self.admits_treatment(med_type) and (not self.items or item.startswith(self.items))

    def admits_treatment(self, med_type: str) -> bool:
        """Does it look at this kind of treatment?"""
        return not self.med_types or med_type.startswith(self.med_types)

    def measure_of(self, level: Level) -> Measure:
        """What this level looks at."""
        own = self.level_measures[level.level - 1] if self.level_measures else None
        return own or self.measure

    def levels_for(self, med_type: str) -> list[Level]:
        """The levels that look at this kind of treatment."""
        pairs = zip(self.levels, self.level_med_types, strict=True)
        return [level for level, med_types in pairs if not med_types or med_type.startswith(med_types)]


EXCLUSIONS: Final = ("emergency", "dialysis", "oncology", "transplant", "maternity", "psychiatric", "transfer")
"""Every kind of care that a policy may exclude: a bill remembers those that concern it by a bit each, in this order."""


class Exclusion(NamedTuple):
    """Care that no rule may hold against anybody, by what facts say of it."""

    name: str
    med_types: tuple[str, ...]
    diag_groups: tuple[str, ...]
    emergency: bool
    transfer: bool = False  # a transfer there was on file (2501)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The common exclusions of a place."""

    rows: tuple[Exclusion, ...]

    def of(self, med_type: str, diag_group: str, *, emergency: bool = False, transfer: bool = False) -> tuple[str, ...]:
        """The names under which this care is excluded."""
        return tuple(
            row.name
            for row in self.rows
            if (row.med_types and med_type.startswith(row.med_types))
            or (row.diag_groups and diag_group.startswith(row.diag_groups))
            or (row.emergency and emergency)
            or (row.transfer and transfer)
        )
