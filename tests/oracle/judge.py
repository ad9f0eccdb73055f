"""Windows, dates and episodes as naively as rules.md can be written: every measure is counted anew over the whole log.

It shares no line with the engine's rules: no window state, no pruning, no increments. Slow on purpose. Where the page
leaves room, the reading stands beside the line that takes it. The rules that use it are in `rules_oracle`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from risk.facts import SettlementCompleted
from risk.local_time import HOUR_MS, MINUTE_MS, local_day, to_date, to_ms

Alert = dict[str, Any]
LATE_MS = 48 * HOUR_MS
LATE_SHORT_MS = 15 * MINUTE_MS


class Level(NamedTuple):
    """One step of a rule: it opens at `theta` and is armed again below `rearm`. `window_ms` 0: a calendar measure, or
    that of so many local `days`, the last one's included.
    """

    theta: int
    rearm: int
    window_ms: int = 0
    days: int = 0


@dataclass(eq=False)
class Row:
    """One settlement as it was applied, with what its visit told about it."""

    fact: SettlementCompleted
    med_type: str
    dr_code: str | None
    insuplc: str | None
    counted: bool = True
    diagnosis: str | None = None  # of its visit; None: nothing is known of the visit
    emergency: bool = False  # as it says itself, or its visit

    def __post_init__(self) -> None:
        self.time_ms = to_ms(self.fact.occurred_at)
        self.day = local_day(self.time_ms)
        self.year = to_date(self.day).year

    @property
    def amounts(self) -> tuple[int | None, ...]:
        fact = self.fact
        bill = (fact.medfee_sumamt_fen, fact.fund_pay_sumamt_fen, fact.psn_part_amt_fen, fact.hosp_part_amt_fen)
        return (*bill, fact.acct_pay_fen, fact.psn_cash_pay_fen, fact.hifp_pay_fen, fact.credit_fen)

    def is_of(self, *prefixes: str) -> bool:
        return self.med_type.startswith(prefixes)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One (rule, level): at which settlements it is examined, which it counts, and what it counts of them. It opens at
    those that it examines, or at some of them alone (`opens`).
    """

    rule_id: str
    number: int
    level: Level
    passes: Callable[[Row], bool]
    counts: Callable[[Row], bool]
    value: Callable[[list[Row]], int]
    period: Callable[[Row], int] | None = None
    late_ms: int = LATE_MS
    cap: Callable[[Row], int | None] | None = None
    opens: Callable[[Row], bool] | None = None
    grown: Callable[[list[Row], list[Row]], int] | None = None  # of its days and as many before, instead of `value`

    def observed(self, rows: Iterable[Row], row: Row, at_ms: int) -> int:
        """The measure in (at_ms - W, at_ms], or of the whole date or year of `row`, over exactly these rows."""
        if self.period is not None:
            return self.value([r for r in rows if self.counts(r) and self.period(r) == self.period(row)])
        if self.level.days:
            last, days = local_day(at_ms), self.level.days
            counted = [r for r in rows if self.counts(r)]
            now = [r for r in counted if last - days < r.day <= last]
            if self.grown is None:
                return self.value(now)
            return self.grown(now, [r for r in counted if last - 2 * days < r.day <= last - days])
        start_ms = at_ms - self.level.window_ms
        return self.value([r for r in rows if self.counts(r) and start_ms < r.time_ms <= at_ms])

    def reaches(self, observed: int, bound: int, row: Row) -> bool:
        """Has the measure come to `bound`? With a cap, bounds are percent of the cap of the judged settlement."""
        return observed >= bound if self.cap is None else observed * 100 >= self._cap_of(row) * bound

    def allowed(self, row: Row) -> int:
        return self.level.theta if self.cap is None else -(-self._cap_of(row) * self.level.theta // 100)

    def _cap_of(self, row: Row) -> int:
        cap = self.cap(row) if self.cap else None
        assert cap is not None, "a settlement without a cap does not pass the filter"
        return cap


@dataclass
class Judge:
    """One subject of episodes: everything it ever counted, its newest time, and what is open."""

    kind: str
    name: str
    measures: list[Measure]
    rows: list[Row] = field(default_factory=list)
    newest_ms: int | None = None
    open: dict[tuple[str, int, int], Alert] = field(default_factory=dict)
    openers: dict[tuple[str, int, int], Row] = field(default_factory=dict)

    def is_silent(self, time_ms: int, late_ms: int = LATE_MS) -> bool:
        return self.newest_ms is not None and self.newest_ms - time_ms > late_ms

    def counted(self) -> list[Row]:
        return [row for row in self.rows if row.counted]

    def count(self, row: Row) -> None:
        """From now on `row` was applied before. A reinstated one may move the newest time too, but never back."""
        if row not in self.rows:
            self.rows.append(row)
        self.newest_ms = row.time_ms if self.newest_ms is None else max(self.newest_ms, row.time_ms)

    def settled(self, row: Row) -> tuple[list[Alert], list[Alert]]:
        """Judge a newly counted settlement, then remember it: what it closes, what it opens."""
        before = self.counted()
        closed: list[Alert] = []
        opened: list[Alert] = []
        for measure in self.measures:
            if self.is_silent(row.time_ms, measure.late_ms):
                continue
            closed += self._close_earlier_periods(measure, row)
            if not measure.passes(row):
                continue
            key = _key(measure, row)
            without = measure.observed(before, row, row.time_ms)
            if key in self.open and not measure.reaches(without, measure.level.rearm, row):
                closed.append(self._close(key, without))
            if measure.opens is not None and not measure.opens(row):
                continue
            if measure.grown is not None and row.day - self._first_day(row) < 2 * measure.level.days - 1:
                continue  # what was before is not wholly known
            including = measure.observed([*before, row], row, row.time_ms)
            if key not in self.open and measure.reaches(including, measure.level.theta, row):
                found = {"observed": including, "allowed": measure.allowed(row)}
                self.openers[key] = row
                self.open[key] = self.alert(measure.rule_id, measure.number, row) | found
                opened.append(self.open[key])
        self.count(row)
        return closed, opened

    def reversed(self, row: Row, at_ms: int) -> list[Alert]:
        """`row` no longer counts. A reversal that itself comes too late closes nothing, like a settlement.

        Anything counted may be taken out of a yearly sum, also what has no cap: the cap is that of the crossing then.
        """
        closed = []
        for measure in self.measures:
            key = _key(measure, row)
            if not measure.counts(row) or key not in self.open or self.is_silent(at_ms, measure.late_ms):
                continue
            left = measure.observed(self.counted(), row, at_ms)
            if not measure.reaches(left, measure.level.rearm, self.openers[key]):
                closed.append(self._close(key, left))
        return closed

    def _first_day(self, row: Row) -> int:
        """The first local date of all, whatever was undone since."""
        return min(each.day for each in [*self.rows, row])

    def alert(self, rule_id: str, level: int, row: Row) -> Alert:
        subject = {"subject_kind": self.kind, "subject_id": self.name}
        return {"rule_id": rule_id, "level": level, "episode": "opened", "crossing": row.fact.event_id} | subject

    def _close_earlier_periods(self, measure: Measure, row: Row) -> list[Alert]:
        """Any settlement of the subject ends the dates or years before its own, even one the rule does not look at."""
        closed = []
        for key in sorted(self.open):
            rule_id, number, period = key
            is_ours = (rule_id, number) == (measure.rule_id, measure.number)
            if is_ours and measure.period and period < measure.period(row):
                closed.append(self._close(key, measure.observed(self.counted(), self.openers[key], row.time_ms)))
        return closed

    def _close(self, key: tuple[str, int, int], observed: int) -> Alert:
        return self.open.pop(key) | {"episode": "closed", "observed": observed}


def _key(measure: Measure, row: Row) -> tuple[str, int, int]:
    return (measure.rule_id, measure.number, measure.period(row) if measure.period else 0)
