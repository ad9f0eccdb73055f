"""How often a rule was right: its alerts, what people found them to be, and the floor that its policy sets."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from risk.handling import AlertJudged
from risk.terms import Terms


class Precision(NamedTuple):
    """One rule as people judged it. `floor_percent` None: its policy sets none."""

    rule_id: str
    alerts: int
    confirmed: int
    false: int
    floor_percent: int | None

    @property
    def judged(self) -> int:
        """How many somebody has looked at."""
        return self.confirmed + self.false

    @property
    def percent_x100(self) -> int | None:
        """Confirmed of judged, in hundredths of a percent, rounded down; None when nobody has judged one."""
        return self.confirmed * 10_000 // self.judged if self.judged else None

    @property
    def is_below(self) -> bool:
        """Whether what was judged misses the floor; nothing judged misses nothing."""
        return self.floor_percent is not None and self.confirmed * 100 < self.floor_percent * self.judged


def precisions(
    alerts: Iterable[Mapping[str, Any]], verdicts: Mapping[str, AlertJudged], floors: Mapping[str, int]
) -> list[Precision]:
    """Each rule that raised an alert, in order of its id. An alert counts once, however often it was sent."""
    rules = {str(alert["alert_id"]): str(alert["rule_id"]) for alert in alerts if not alert.get("test")}
    raised = Counter(rules.values())
    found = Counter(
        (rule_id, verdicts[alert_id].verdict) for alert_id, rule_id in rules.items() if alert_id in verdicts
    )
    return [
        Precision(rule_id, raised[rule_id], found[rule_id, "confirmed"], found[rule_id, "false"], floors.get(rule_id))
        for rule_id in sorted(raised)
    ]


def floors_of(terms: Terms) -> dict[str, int]:
    """The least precision, in percent, of each rule in force that has one; 0 in a rule's value is none."""
    found = {name: getattr(terms[name].value, "precision_percent", 0) for name in terms}
    return {name: percent for name, percent in found.items() if percent}
