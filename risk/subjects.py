"""What is remembered of one institution or staff member: today in full, earlier days as counters.

Two values per subject (design.md 2). `Subject` has what is short-lived: newest time, short rows, open episodes, today's
day, and the running totals of the days before it. `History` has one `Day` for each earlier date; it is read and written
only when the date turns or something for an earlier date arrives, so that a busy day rewrites only itself.

A day kept as its sums loses nothing: windows are of whole local days, money is whole fen, and what is undone is taken
away in its own day, so the error of this compaction is none as long as the day is kept (DAYS_KEPT). People are told
apart by 64-bit hashes: of 1,000 on one date two are taken for one with a chance below 1 in 10^13.
"""

from bisect import bisect_left
from struct import Struct

import msgspec

from risk.activity import Episode, Stored
from risk.contributions import INSTITUTION, STAFF
from risk.counters import COUNTERS
from risk.months import Month, Sums, rows_of, sums_of, with_day
from risk.policy_counters import SPANS
from risk.staff_standing import Standing

DAYS_KEPT = {INSTITUTION: 128, STAFF: 40}
"""An institution's days outlast the 92 in which a settlement can still be reversed by its row, and every window."""
PEOPLE_KEPT_DAYS = 8
"""People are told apart only as long as a date can still open or close an episode."""

_SLOTS = {days: slot for slot, days in enumerate(SPANS[INSTITUTION])}

_PERSON = Struct(">QH")  # hash64, how many counted settlements that day


class Recent(Stored, frozen=True):
    """A settlement that a short window may still need."""

    at_ms: int
    event_id: str


class Signed(Stored, frozen=True):
    """A bill under a doctor's name that a short window may still need (staff_rules.py)."""

    at_ms: int
    event_id: str
    person: int  # 0: no consultation, no rule counts its patient
    fixmedins_code: str  # "": signed nowhere that a rule looks at


class Day(msgspec.Struct, array_like=True, gc=False):
    """One local date: counters (counters.py), people with how many settlements each, quality findings raised."""

    date: int = 0
    counters: list[int] = msgspec.field(default_factory=lambda: [0] * len(COUNTERS))
    people: bytes = b""
    raised: int = 0
    prescribed: bytes = b""  # by whom, to whom (prescribers.py)

    def copied(self) -> "Day":
        """One that may be changed while this one stays."""
        return Day(self.date, self.counters.copy(), self.people, self.raised, self.prescribed)


class Subject(msgspec.Struct, array_like=True, gc=False):
    """What every contribution touches."""

    newest_ms: int = 0
    day: Day = msgspec.field(default_factory=Day)
    recent: list[Recent] = []
    episodes: tuple[Episode, ...] = ()
    signed: list[Signed] = []
    since: int = 0  # the first local date of all
    totals: list[list[int]] = []
    """By span (SPANS), the days within it before today's; [] = all 0. Never changed in place."""
    standing: Standing | None = None
    months: list[list[int]] = []
    """What today is compared with of its month and year (months.py). Never changed in place."""
    months_since: int = 0  # the first local date that the months hold

    def copied(self) -> "Subject":
        """One that may be changed while this one stays."""
        recent = self.recent.copy() if self.recent else []
        signed = self.signed.copy() if self.signed else []
        return Subject(
            self.newest_ms,
            self.day.copied(),
            recent,
            self.episodes,
            signed,
            self.since,
            self.totals,
            self.standing,
            self.months,
            self.months_since,
        )


class History(msgspec.Struct, array_like=True, gc=False):
    """The earlier days that had anything, in order, and of institutions the months they made."""

    days: list[Day] = []
    months: list[Month] = []

    def copied(self) -> "History":
        """One that may be changed while this one stays; a day is copied when it is changed."""
        return History(self.days.copy(), self.months)


def with_person(people: bytes, person: int, sign: int) -> bytes:
    """People stand in the order in which they came, which is the log's; one leaves when nothing of him is left."""
    size, needle = _PERSON.size, person.to_bytes(8)
    at = people.find(needle)
    while at >= 0 and at % size:
        at = people.find(needle, at + 1)
    if at < 0:
        return people + _PERSON.pack(person, 1) if sign > 0 else people
    left = _PERSON.unpack_from(people, at)[1] + sign
    return people[:at] + (_PERSON.pack(person, left) if left > 0 else b"") + people[at + size :]


def people_of(day: Day) -> int:
    """How many different people this day."""
    return len(day.people) // _PERSON.size


def day_for(subject: Subject, history: History, date: int, kind: str) -> Day | None:
    """The day of that date, ready to be changed; None if it is older than anything kept."""
    if date <= subject.day.date - DAYS_KEPT[kind]:
        return None
    if subject.months_since == subject.since:
        subject.months_since = min(subject.months_since, date)
    subject.since = min(subject.since, date)
    days = history.days
    at = bisect_left(days, date, key=_date)
    if at < len(days) and days[at].date == date:
        days[at] = days[at].copied()
    else:
        days.insert(at, Day(date))
    return days[at]


def turn(subject: Subject, history: History, date: int, kind: str) -> None:
    """A newer date begins: today joins the history, what is too old leaves it."""
    days = history.days
    if subject.day.date:
        days.append(subject.day)
    else:
        subject.since = date
    if kind == INSTITUTION:
        _turn_months(subject, history, date)
    history.days = days = [day for day in days if day.date > date - DAYS_KEPT[kind]]
    for at, day in enumerate(days):
        if (day.people or day.prescribed) and day.date <= date - PEOPLE_KEPT_DAYS:
            days[at] = Day(day.date, day.counters, b"", day.raised)
    subject.day = Day(date)
    subject.totals = _totals(days, date, SPANS[kind]) if days else []


def _totals(days: list[Day], date: int, spans: tuple[int, ...]) -> list[list[int]]:
    """The running totals before this date, each from the shorter one and the days that it adds; [] where all are 0."""
    totals: list[list[int]] = []
    until = date - 1
    for span in spans:
        added = summed(days, date - span, until)
        totals.append([count + more for count, more in zip(totals[-1], added, strict=True)] if totals else added)
        until = date - span
    return totals if any(totals[-1]) else []


def _turn_months(subject: Subject, history: History, date: int) -> None:
    if not subject.months_since:
        subject.months_since = subject.day.date or date
    if subject.day.date:
        history.months = with_day(history.months, subject.day.date, subject.day.counters, date)
    subject.months = rows_of(history.months, date)


def moved_earlier(subject: Subject, history: History, day: Day, before: list[int], *, kind: str) -> None:
    """The running totals and months follow an earlier day, whose counters were `before`."""
    delta = [now - then for now, then in zip(day.counters, before, strict=True)]
    if kind == INSTITUTION:
        history.months = with_day(history.months, day.date, delta, subject.day.date)
        subject.months = rows_of(history.months, subject.day.date)
    known = subject.totals or [[0] * len(COUNTERS)] * len(SPANS[kind])
    totals = [
        [count + more for count, more in zip(total, delta, strict=True)]
        if subject.day.date - span < day.date < subject.day.date
        else total
        for span, total in zip(SPANS[kind], known, strict=True)
    ]
    subject.totals = totals if any(map(any, totals)) else []


def counted(subject: Subject, history: History | None, places: tuple[int, ...], *, end: int, days: int) -> list[int]:
    """These counters over the local days (end - days, end]; `history` must be given if they end at another date than
    the subject's.
    """
    today = subject.day
    if end != today.date:
        assert history is not None, "a window that ends at another date needs the subject's history"
        whole = summed([*history.days, today], end - days, end)
        return [whole[place] for place in places]
    counters = today.counters
    if not subject.totals:
        return [counters[place] for place in places]
    total = subject.totals[_SLOTS[days]]
    return [counters[place] + total[place] for place in places]


def calendar(subject: Subject, history: History | None, day: Day, place: int) -> Sums:
    """One counter over the month and year of `day`; `history` must be given if it is another one than the subject's."""
    if day is subject.day:
        return sums_of(subject.months, place, day.counters)
    assert history is not None, "another date's month needs the subject's history"
    today = subject.day
    months = with_day(history.months, today.date, today.counters, today.date)
    return sums_of(rows_of(months, day.date), place, [0] * len(COUNTERS))


def summed(days: list[Day], after: int, until: int) -> list[int]:
    """The counters of the days in (after, until]."""
    within = [day.counters for day in days if after < day.date <= until]
    return [sum(column) for column in zip(*within, strict=True)] if within else [0] * len(COUNTERS)


def _date(day: Day) -> int:
    return day.date
