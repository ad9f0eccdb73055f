"""A subject's episodes beside those of its bills: of lines, patients who lie there, credit (D06, H10, H15, M02, M08).

As naive as `judge`, whose bills it adds them to: every tally that stands is kept, every sum counted anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from risk.local_time import local_day
from tests.oracle.days_person import Tally
from tests.oracle.judge import Alert, Judge, Level, Row


@dataclass(frozen=True, kw_only=True)
class TallyMeasure:
    """One (rule, level) of a date, or of the local days that end with the event's. The first counter opens it."""

    rule_id: str
    number: int
    level: Level
    of: tuple[str, ...]
    value: Callable[[list[int], int], int] = lambda sums, last: sums[0]  # of its counters' sums, asked on a date

    def observed(self, tallies: list[Tally], date: int, last: int) -> int:
        first = last - self.level.days + 1 if self.level.days else date
        within = [each for each in tallies if first <= local_day(each.at_ms) <= (last if self.level.days else date)]
        return self.value([sum(each.amount for each in within if each.counter == name) for name in self.of], last)


@dataclass
class DaysJudge(Judge):
    """A subject with its tallies. Only bills make late: a line comes when it comes."""

    of_tallies: list[TallyMeasure] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)

    def _first_day(self, row: Row) -> int:
        """The first date of all that was heard of the subject, by a bill, a line or an admission."""
        return min([super()._first_day(row), *self.heard])

    def is_known(self, row: Row, days: int) -> bool:
        return row.day - self._first_day(row) >= days

    def knows(self, row: Row, since: int) -> bool:
        """Was it heard of on that date, or before?"""
        return self._first_day(row) <= since

    def settled(self, row: Row) -> tuple[list[Alert], list[Alert]]:
        """A bill of a later date ends what lines opened on an earlier one."""
        ended = [] if self.is_silent(row.time_ms) else self._earlier_end(self.of_tallies, row.day)
        closed, opened = super().settled(row)
        return [*ended, *closed], opened

    def moved(self, sign: int, tally: Tally, *, event_id: str, moved_ms: int) -> list[Alert]:
        """A tally more, or one that no longer stands: what that ends, and opens."""
        before, date = list(self.tallies), local_day(tally.at_ms)
        if sign > 0:
            self.tallies.append(tally)
            self.heard.append(date)
        else:
            self.tallies.append(tally._replace(amount=-tally.amount))  # or a part of it
        if self.is_silent(tally.at_ms if sign > 0 else moved_ms):
            return []
        measures = [each for each in self.of_tallies if tally.counter in each.of]
        said = self._earlier_end(measures, date) if sign > 0 else []
        last = date if sign > 0 else local_day(moved_ms)
        for measure in measures:
            key = (measure.rule_id, measure.number, 0 if measure.level.days else date)
            left = measure.observed(before if sign > 0 else self.tallies, date, last)
            if key in self.open and left < measure.level.rearm:
                said.append(self._close(key, left))
            observed = measure.observed(self.tallies, date, last)
            opens = sign > 0 and tally.counter == measure.of[0]
            if opens and key not in self.open and observed >= measure.level.theta:
                self.open[key] = self._opened(measure, event_id, observed)
                said.append(self.open[key])
        return said

    def _earlier_end(self, measures: list[TallyMeasure], date: int) -> list[Alert]:
        """Those of a date before this one are over."""
        said = []
        for measure in measures:
            for key in sorted(each for each in self.open if each[:2] == (measure.rule_id, measure.number)):
                if 0 < key[2] < date:
                    said.append(self._close(key, measure.observed(self.tallies, key[2], key[2])))
        return said

    def _opened(self, measure: TallyMeasure, event_id: str, observed: int) -> Alert:
        named = {"rule_id": measure.rule_id, "level": measure.number, "episode": "opened", "crossing": event_id}
        return named | {"subject_kind": self.kind, "subject_id": self.name, "observed": observed}
