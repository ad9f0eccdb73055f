"""Institutions and staff, from the contributions that person shards send: D01, M01, Q01, Q02, and the totals of a local
day.

A busy subject is one value for its newest day with what is short-lived, and one for each earlier day, so that only the
day touched is rewritten.
"""

from bisect import bisect_left
from struct import Struct
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import LATE_MS, Episode, Stored
from risk.alerts import Crossing
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, INSTITUTION, SILENT, STAFF, Contribution
from risk.local_time import MINUTE_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.terms import Clause

SHORT_LATE_MS = 15 * MINUTE_MS
_KIND_NAMES = {INSTITUTION: "institution", STAFF: "staff"}
_PERSON = Struct(">QH")  # hash64, how many counted settlements that day


class Recent(Stored, frozen=True):
    """A settlement that a short window may still need."""

    at_ms: int
    event_id: str


class Day(Stored, frozen=True):
    """One subject on one local day: totals, people (sorted, each with its count), quality findings already raised."""

    settlements: int = 0
    medfee_fen: int = 0
    fund_fen: int = 0
    people: bytes = b""
    raised: int = 0
    date: int = 0


NO_DAY = Day()


class Subject(Stored, frozen=True):
    """What is short-lived of one subject: the newest time seen, the short window, the open episodes, the newest day."""

    newest_ms: int = 0
    recent: tuple[Recent, ...] = ()
    episodes: tuple[Episode, ...] = ()
    day: Day = NO_DAY


DAYS_KEPT = {INSTITUTION: 128, STAFF: 8}
"""A subject's earlier days lie in a ring: a newer one takes the place of the one so many days before it, and nothing
grows.

An institution's totals outlast the 92 days in which a settlement can still be reversed by its row; a doctor's people
are needed only as long as a date can still open or close an episode. The place of the newest day, which lies with the
subject, is empty: so it can be filled unread when a newer one comes.
"""


def slot_of(subject_kind: str, date: int) -> int:
    """The place of a local day in the ring."""
    return date % DAYS_KEPT[subject_kind]


class Moved(NamedTuple):
    """What one contribution did: the subject, and the earlier day that changed or has just become one."""

    subject: Subject
    earlier: Day | None
    outputs: list[Output]


def contribute(subject: Subject, earlier: Day, given: Contribution, moment: Moment) -> Moved:
    """Apply one contribution: totals always; rules only where it is not late and not silent.

    `earlier` is what the ring holds at the contribution's day, if that day is not the subject's newest.
    """
    today, newest = local_day(given.at_ms), subject.day
    if today == newest.date:
        subject, day, outputs = _on_day(subject, newest, given, moment)
        return Moved(Subject(subject.newest_ms, subject.recent, subject.episodes, day), None, outputs)
    kept = DAYS_KEPT[given.subject_kind]
    if today > newest.date:
        subject, day, outputs = _on_day(subject, Day(date=today), given, moment)
        subject = Subject(subject.newest_ms, subject.recent, subject.episodes, day)
        return Moved(subject, newest if newest.date > today - kept else None, outputs)
    if today <= newest.date - kept:
        return Moved(subject, None, [])  # its place in the ring is a later day's: too old for any total or rule
    return Moved(*_on_day(subject, earlier if earlier.date == today else Day(date=today), given, moment))


def _on_day(subject: Subject, day: Day, given: Contribution, moment: Moment) -> tuple[Subject, Day, list[Output]]:
    on_day = _with_totals(day, given, moment)
    known = _with_reached(_with_recent(subject, given, moment), on_day, day.date)
    late_by_ms = subject.newest_ms - (given.at_ms if given.sign > 0 else given.moved_ms)
    if given.sign > 0 and given.at_ms > known.newest_ms:
        known = Subject(given.at_ms, known.recent, known.episodes, known.day)
    if given.marks & SILENT or late_by_ms > LATE_MS:
        return known, on_day, []
    if given.subject_kind == STAFF:
        return _beyond_capacity(known, (day, on_day), given, moment)
    on_day, found = _placeholders(on_day, given, moment)
    if given.marks & BAD_INSTITUTION_CODE or late_by_ms > SHORT_LATE_MS:
        return known, on_day, found
    known, bursts = _burst(known, given, moment)
    return known, on_day, found + bursts


def _with_reached(subject: Subject, day: Day, today: int) -> Subject:
    """An open episode of this day follows its measure: when a later day closes it, its value is not read again."""
    if not subject.episodes or all(episode.period != today for episode in subject.episodes):
        return subject
    episodes = (
        replace(episode, reached=people_of(day)) if episode.period == today else episode for episode in subject.episodes
    )
    return replace(subject, episodes=tuple(episodes))


def people_of(day: Day) -> int:
    """How many different people this day."""
    return len(day.people) // _PERSON.size


def _with_totals(day: Day, given: Contribution, moment: Moment) -> Day:
    """People are kept for staff only, and only those whom M01 counts: a hospital's day would be ten thousand."""
    clause = moment.terms.get("M01") if given.subject_kind == STAFF else None
    people = day.people
    if clause is not None and clause.value.admits(given.med_type, given.fixmedins_type):
        people = _with_person(people, given.person, given.sign)
    sign = given.sign
    return Day(
        day.settlements + sign,
        day.medfee_fen + sign * given.medfee_fen,
        day.fund_fen + sign * given.fund_fen,
        people,
        day.raised,
        day.date,
    )


def _with_person(people: bytes, person: int, sign: int) -> bytes:
    """A reversal removes a person only when nothing of him is left.

    The order is that of the hashes, so it is canonical.
    """
    size = _PERSON.size
    at = size * bisect_left(range(len(people) // size), person, key=lambda place: _hash_at(people, place))
    known, count = at < len(people) and _PERSON.unpack_from(people, at)[0] == person, sign
    if known:
        count += _PERSON.unpack_from(people, at)[1]
    entry = _PERSON.pack(person, count) if count > 0 else b""
    return people[:at] + entry + people[at + size if known else at :]


def _hash_at(people: bytes, place: int) -> int:
    return int.from_bytes(people[place * _PERSON.size : place * _PERSON.size + 8])


def _with_recent(subject: Subject, given: Contribution, moment: Moment) -> Subject:
    """The short window's rows: kept for the window and 15 minutes behind the newest, on whole minutes."""
    clause = moment.terms.get("D01")
    if clause is None or given.subject_kind != INSTITUTION or not _bursts_at(clause, given):
        return subject
    if given.sign < 0:
        return replace(subject, recent=tuple(row for row in subject.recent if row.event_id != given.original_id))
    newest_ms = max(subject.newest_ms, given.at_ms)
    floor_ms = (newest_ms - clause.value.levels[0].window_ms - SHORT_LATE_MS) // MINUTE_MS * MINUTE_MS
    rows = [row for row in subject.recent if row.at_ms >= floor_ms]
    if given.at_ms >= floor_ms:
        rows.append(Recent(given.at_ms, given.original_id))
        rows.sort(key=lambda row: row.at_ms)
    return replace(subject, recent=tuple(rows))


def _bursts_at(clause: Clause, given: Contribution) -> bool:
    return bool(clause.value.admits(given.med_type, given.fixmedins_type)) and not given.marks & BAD_INSTITUTION_CODE


def _burst(subject: Subject, given: Contribution, moment: Moment) -> tuple[Subject, list[Output]]:
    """D01: settlements at one pharmacy within minutes."""
    clause = moment.terms.get("D01")
    if clause is None or not _bursts_at(clause, given):
        return subject, []
    level = clause.value.levels[0]
    until_ms = given.at_ms if given.sign > 0 else given.moved_ms
    window = [row for row in subject.recent if until_ms - level.window_ms < row.at_ms <= until_ms]
    outputs: list[Output] = []
    open_one = next((each for each in subject.episodes if each.rule_id == "D01"), None)
    before = len(window) - (given.sign > 0)
    if open_one is not None and before < open_one.ends_below:
        subject = _without(subject, open_one)
        outputs.append(_alert(open_one, before, given, moment, word="closed"))
        open_one = None
    if open_one is None and given.sign > 0 and len(window) >= level.theta:
        episode = Episode("D01", 1, 0, given.event_id, level.rearm, level.theta)
        subject = replace(subject, episodes=(*subject.episodes, episode))
        evidence = tuple(row.event_id for row in window)
        outputs.append(_alert(episode, len(window), given, moment, evidence=evidence))
    return subject, outputs


def _beyond_capacity(
    subject: Subject, days: tuple[Day, Day], given: Contribution, moment: Moment
) -> tuple[Subject, Day, list[Output]]:
    """M01: more patients on one local date than one doctor can see; `days` = the date before and after this one."""
    before, day = days
    outputs: list[Output] = []
    today = day.date
    clause = moment.terms.get("M01")
    if given.sign > 0:
        for episode in sorted(each for each in subject.episodes if each.period and each.period < today):
            subject = _without(subject, episode)
            if clause is not None:  # a rule that is no longer in force has nothing more to say
                outputs.append(_alert(episode, episode.reached, given, moment, word="closed"))
    if clause is None or not clause.value.admits(given.med_type, given.fixmedins_type):
        return subject, day, outputs
    level = clause.value.levels[0]
    open_one = next((each for each in subject.episodes if each.rule_id == "M01" and each.period == today), None)
    left = people_of(before if given.sign > 0 else day)
    if open_one is not None and left < open_one.ends_below:
        subject = _without(subject, open_one)
        outputs.append(_alert(open_one, left, given, moment, word="closed"))
        open_one = None
    if open_one is None and given.sign > 0 and people_of(day) >= level.theta:
        episode = Episode("M01", 1, today, given.event_id, level.rearm, level.theta, people_of(day))
        subject = replace(subject, episodes=(*subject.episodes, episode))
        outputs.append(_alert(episode, people_of(day), given, moment))
    return subject, day, outputs


def _placeholders(day: Day, given: Contribution, moment: Moment) -> tuple[Day, list[Output]]:
    """Q01, Q02: a code that is none, once per institution and local date."""
    outputs: list[Output] = []
    if not given.marks:
        return day, outputs
    for rule_id, mark in (("Q01", BAD_INSTITUTION_CODE), ("Q02", BAD_DOCTOR_CODE)):
        clause = moment.terms.get(rule_id)
        if clause is None or given.sign < 0 or not given.marks & mark or day.raised & mark:
            continue
        day = replace(day, raised=day.raised | mark)
        outputs.append(_alert(Episode(rule_id, 1, 0, given.event_id, 0, 0), 1, given, moment))
    return day, outputs


def _without(subject: Subject, episode: Episode) -> Subject:
    return replace(subject, episodes=tuple(each for each in subject.episodes if each != episode))


def _alert(
    episode: Episode,
    observed: int,
    given: Contribution,
    moment: Moment,
    *,
    word: str = "opened",
    evidence: tuple[str, ...] = (),
) -> Output:
    clause = moment.terms[episode.rule_id]
    level = clause.value.levels[0]
    crossing = Crossing(
        episode.rule_id,
        1,
        level.kind,
        level.sev,
        _KIND_NAMES[given.subject_kind],
        given.subject_id,
        episode.crossing_id,
        given.at_ms if given.sign > 0 else given.moved_ms,
        moment.stamp_ms,
        observed,
        episode.allowed,
    )
    code = given.subject_id if given.subject_kind == INSTITUTION else None
    return moment.alert(
        clause, crossing, episode=word, evidence=evidence, window_ms=level.window_ms, fixmedins_code=code
    )
