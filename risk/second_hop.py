"""Institutions and staff, from the contributions that person shards send: D01, M01, Q01, Q02, and the days' counters.

`contribute` changes the subject it is given; its caller hands it a copy that it can throw away (subject_shard.py).
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from risk.activity import LATE_MS, Episode
from risk.alerts import Crossing
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, INSTITUTION, SILENT, STAFF, Contribution
from risk.counters import SMALL_HOURS, count, in_small_hours
from risk.local_time import DAY_MS, MINUTE_MS, OFFSET_MS
from risk.moment import Moment
from risk.outputs import Output
from risk.policy import Policy
from risk.staff_rules import remember_signed, signed_findings
from risk.subject_plan import Plan, plan_of
from risk.subjects import DAYS_KEPT, Day, History, Recent, Subject, day_for, people_of, turn, with_person

SHORT_LATE_MS = 15 * MINUTE_MS
_BAD_CODE = BAD_INSTITUTION_CODE | BAD_DOCTOR_CODE
_KIND_NAMES = {INSTITUTION: "institution", STAFF: "staff"}


class Heard(Struct, gc=False):
    """The record that brings contributions: its place in the log, its stamp, the policy there; and the date at hand."""

    position: str
    stamp_ms: int
    policy: Policy
    date: int = -1
    plan: Plan | None = None

    def on(self, date: int) -> Plan:
        """The plan of a contribution's own date."""
        plan = self.plan
        if plan is None or date != self.date:
            plan = self.plan = plan_of(self.policy.on(date))
            self.date = date
        return plan


class _Said(NamedTuple):
    """What an alert is about: the contribution, and the record and the plan it is judged under."""

    given: Contribution
    heard: Heard
    plan: Plan


def contribute(subject: Subject, history: History | None, given: Contribution, heard: Heard) -> Sequence[Output]:
    """Apply one contribution: counters always; rules only where it is not late and not silent.

    `history` must be given if the contribution is of another date than the subject's; it is changed too.
    """
    at_ms, sign, marks = given.at_ms, given.sign, given.marks
    date = (at_ms + OFFSET_MS) // DAY_MS
    plan = heard.on(date)
    day: Day | None = subject.day
    if date != subject.day.date:
        assert history is not None, "a contribution of another date needs the subject's history"
        day = _other_day(subject, history, given)
        if day is None:  # older than any day kept
            return _signed(subject, _Said(given, heard, plan), subject.newest_ms) if given.sign < 0 else ()
    assert day is not None
    before = people_of(day)
    count(day.counters, given)
    filtered = plan.filtered(given)
    at_night = filtered.small_hours and in_small_hours(given)
    if filtered.people:
        day.people = with_person(day.people, given.person, sign)
    if filtered.bursts:
        _remember(subject, given, plan)
    if filtered.signed:
        remember_signed(subject, given, plan.terms)
    if subject.episodes:
        _follow(subject, day)
    newest_ms = subject.newest_ms
    if sign > 0 and at_ms > newest_ms:
        subject.newest_ms = at_ms
    late_by_ms = newest_ms - (at_ms if sign > 0 else given.moved_ms)
    crowded = 0 < filtered.people <= people_of(day)
    concerns = subject.episodes or filtered.bursts or filtered.signed or at_night or crowded or marks & _BAD_CODE
    if not concerns or marks & SILENT or late_by_ms > LATE_MS:
        return ()
    said = _Said(given, heard, plan)
    quality = _placeholders(day, said) if marks & _BAD_CODE and given.subject_kind == INSTITUTION else []
    found = _earlier_dates_end(subject, day, said) if subject.episodes else []
    if filtered.bursts and late_by_ms <= SHORT_LATE_MS:
        found += _burst(subject, said)
    if filtered.signed:
        found += _signed(subject, said, newest_ms)
    if at_night:
        found += _calendar("D02", subject, (day, day.counters[SMALL_HOURS] - sign), said)
    if filtered.people and (subject.episodes or crowded):
        found += _calendar("M01", subject, (day, before), said)
    return quality + sorted(found, key=_closed_first) if quality or found else ()


def _closed_first(alert: Output) -> tuple[bool, str]:
    """The order in which one contribution speaks: what ends, then what opens, by rule."""
    return alert.body["episode"] == "opened", alert.body["rule_id"]


def _other_day(subject: Subject, history: History, given: Contribution) -> Day | None:
    """A newer date becomes the subject's; an earlier one is taken from its history."""
    date, kept = (given.at_ms + OFFSET_MS) // DAY_MS, DAYS_KEPT[given.subject_kind]
    if date > subject.day.date:
        turn(subject, history, date, kept)
        return subject.day
    return day_for(subject, history, date, kept)


def _remember(subject: Subject, given: Contribution, plan: Plan) -> None:
    """The short window's rows: kept for the window and 15 minutes behind the newest, on whole minutes."""
    recent = subject.recent
    if given.sign < 0:
        subject.recent = [row for row in recent if row.event_id != given.original_id]
        return
    newest_ms = max(subject.newest_ms, given.at_ms)
    floor_ms = (newest_ms - plan.short_ms - SHORT_LATE_MS) // MINUTE_MS * MINUTE_MS
    if recent and recent[0].at_ms < floor_ms:
        recent = subject.recent = [row for row in recent if row.at_ms >= floor_ms]
    if given.at_ms >= floor_ms:
        row = Recent(given.at_ms, given.original_id)
        if not recent or recent[-1].at_ms <= given.at_ms:
            recent.append(row)
        else:
            insort(recent, row, key=_at_ms)


def _at_ms(row: Recent) -> int:
    return row.at_ms


def _follow(subject: Subject, day: Day) -> None:
    """An open episode of this day follows its measure: when a later day closes it, its value is not read again."""
    if any(episode.period == day.date for episode in subject.episodes):
        subject.episodes = tuple(
            replace(episode, reached=_on_date(episode.rule_id, day)) if episode.period == day.date else episode
            for episode in subject.episodes
        )


def _on_date(rule_id: str, day: Day) -> int:
    """What a calendar rule measures of a date."""
    return day.counters[SMALL_HOURS] if rule_id == "D02" else people_of(day)


def _burst(subject: Subject, said: _Said) -> list[Output]:
    """D01: settlements at one pharmacy within minutes."""
    given = said.given
    level = said.plan.terms["D01"].value.levels[0]
    recent = subject.recent
    open_one = next((each for each in subject.episodes if each.rule_id == "D01"), None)
    if open_one is None and (given.sign < 0 or len(recent) < level.theta):
        return []
    until_ms = given.at_ms if given.sign > 0 else given.moved_ms
    first = bisect_right(recent, until_ms - level.window_ms, key=_at_ms)
    window = recent[first : bisect_right(recent, until_ms, key=_at_ms)]
    outputs: list[Output] = []
    before = len(window) - (given.sign > 0)
    if open_one is not None and before < open_one.ends_below:
        _end(subject, open_one)
        outputs.append(_alert(open_one, before, said, word="closed"))
        open_one = None
    if open_one is None and given.sign > 0 and len(window) >= level.theta:
        episode = Episode("D01", 1, 0, given.event_id, level.rearm, level.theta)
        subject.episodes = (*subject.episodes, episode)
        evidence = tuple(row.event_id for row in window)
        outputs.append(_alert(episode, len(window), said, evidence=evidence))
    return outputs


def _signed(subject: Subject, said: _Said, newest_ms: int) -> list[Output]:
    """M03, M09. A reversal of a bill from before any day kept still ends, like any other, what is open now."""
    given = said.given
    late_by_ms = newest_ms - (given.at_ms if given.sign > 0 else given.moved_ms)
    if not said.plan.filtered(given).signed or given.marks & SILENT or late_by_ms > SHORT_LATE_MS:
        return []
    return [
        _alert(each.episode, each.observed, said, word=each.word, evidence=each.evidence)
        for each in signed_findings(subject, given, said.plan.terms)
    ]


def _calendar(rule_id: str, subject: Subject, days: tuple[Day, int], said: _Said) -> list[Output]:
    """M01: more patients on one local date than one doctor can see. D02: settlements while others sleep.

    `days` = the date as it is now, and what the rule measured of it before this contribution.
    """
    day, before = days
    given, level, now = said.given, said.plan.terms[rule_id].value.levels[0], _on_date(rule_id, day)
    outputs: list[Output] = []
    open_one = next((each for each in subject.episodes if each.rule_id == rule_id and each.period == day.date), None)
    left = before if given.sign > 0 else now
    if open_one is not None and left < open_one.ends_below:
        _end(subject, open_one)
        outputs.append(_alert(open_one, left, said, word="closed"))
        open_one = None
    if open_one is None and given.sign > 0 and now >= level.theta:
        episode = Episode(rule_id, 1, day.date, given.event_id, level.rearm, level.theta, now)
        subject.episodes = (*subject.episodes, episode)
        outputs.append(_alert(episode, now, said))
    return outputs


def _earlier_dates_end(subject: Subject, day: Day, said: _Said) -> list[Output]:
    """Any settlement of a later date ends the episodes of the dates before it."""
    outputs: list[Output] = []
    if said.given.sign < 0:
        return outputs
    for episode in sorted(each for each in subject.episodes if each.period and each.period < day.date):
        _end(subject, episode)
        if episode.rule_id in said.plan.terms:  # a rule that is no longer in force has nothing more to say
            outputs.append(_alert(episode, episode.reached, said, word="closed"))
    return outputs


def _placeholders(day: Day, said: _Said) -> list[Output]:
    """Q01, Q02: a code that is none, once per institution and local date."""
    outputs: list[Output] = []
    given = said.given
    for rule_id, mark in (("Q01", BAD_INSTITUTION_CODE), ("Q02", BAD_DOCTOR_CODE)):
        if rule_id not in said.plan.terms or given.sign < 0 or not given.marks & mark or day.raised & mark:
            continue
        day.raised |= mark
        outputs.append(_alert(Episode(rule_id, 1, 0, given.event_id, 0, 0), 1, said))
    return outputs


def _end(subject: Subject, episode: Episode) -> None:
    subject.episodes = tuple(each for each in subject.episodes if each != episode)


def _alert(
    episode: Episode, observed: int, said: _Said, *, word: str = "opened", evidence: tuple[str, ...] = ()
) -> Output:
    given, heard, terms = said.given, said.heard, said.plan.terms
    at_ms = given.at_ms if given.sign > 0 else given.moved_ms
    day = (given.at_ms + OFFSET_MS) // DAY_MS
    moment = Moment(heard.position, given.event_id, at_ms, heard.stamp_ms, heard.stamp_ms, heard.policy, terms, day)
    clause = terms[episode.rule_id]
    level = next((each for each in clause.value.levels if each.level == episode.level), clause.value.levels[0])
    crossing = Crossing(
        episode.rule_id,
        episode.level,
        level.kind,
        level.sev,
        _KIND_NAMES[given.subject_kind],
        given.subject_id,
        episode.crossing_id,
        at_ms,
        heard.stamp_ms,
        observed,
        episode.allowed,
    )
    code = given.subject_id if given.subject_kind == INSTITUTION else None
    return moment.alert(
        clause, crossing, episode=word, evidence=evidence, window_ms=level.window_ms, fixmedins_code=code
    )
