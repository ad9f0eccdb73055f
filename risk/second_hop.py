"""Institutions and staff, from the contributions that person shards send: the days' counters, D01, Q01, Q02, and the
rules of the grammar (day_rules.py).

`contribute` changes the subject it is given; its caller hands it a copy that it can throw away (subject_shard.py).
"""

from bisect import bisect_right, insort
from collections.abc import Sequence

from msgspec import Struct

from risk.activity import LATE_MS, Episode
from risk.alerts import Crossing
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, INSTITUTION, NO_BILL, SILENT, STAFF, Contribution
from risk.counters import count
from risk.day_rules import Scene, ended, followed, found_on, open_looks
from risk.local_time import DAY_MS, MINUTE_MS, OFFSET_MS
from risk.moment import Moment
from risk.outputs import Output
from risk.peers import Baselines
from risk.policy import Policy
from risk.prescribers import with_bill
from risk.staff_rules import absent_findings, remember_signed, signed_findings
from risk.subject_plan import Filtered, Plan, plan_of
from risk.subjects import Day, History, Recent, Subject, day_for, moved_earlier, turn, with_person

SHORT_LATE_MS = 15 * MINUTE_MS
_BAD_CODE = BAD_INSTITUTION_CODE | BAD_DOCTOR_CODE
_KIND_NAMES = {INSTITUTION: "institution", STAFF: "staff"}


class Heard(Struct, gc=False):
    """The record that brings contributions: its place in the log, its stamp, the policy and the baselines there, and
    the date at hand.
    """

    position: str
    stamp_ms: int
    policy: Policy
    baselines: Baselines
    date: int = -1
    plan: Plan | None = None

    def on(self, date: int) -> Plan:
        """The plan of a contribution's own date."""
        plan = self.plan
        if plan is None or date != self.date:
            plan = self.plan = plan_of(self.policy.on(date))
            self.date = date
        return plan

    def moment(self, given: Contribution) -> Moment:
        """When and where what a contribution says happens to it is judged."""
        at_ms, stamp_ms, policy = given.moved_ms, self.stamp_ms, self.policy
        day = (at_ms + OFFSET_MS) // DAY_MS
        return Moment(self.position, given.event_id, at_ms, stamp_ms, stamp_ms, policy, policy.on(day), day)


class _Said(Struct, frozen=True, gc=False):
    """What an alert is about: the contribution, and the record and the plan it is judged under."""

    given: Contribution
    heard: Heard
    plan: Plan


def needs_history(day: int, given: Contribution) -> bool:
    """Does a contribution look beyond the subject's `day`: is it, or its reversal, of another date?"""
    if (given.at_ms + OFFSET_MS) // DAY_MS != day:
        return True
    return given.sign < 0 and (given.moved_ms + OFFSET_MS) // DAY_MS != day


def contribute(subject: Subject, history: History | None, given: Contribution, heard: Heard) -> Sequence[Output]:
    """Apply one contribution: counters always; rules only where it is not late and not silent.

    `history` must be given if `needs_history`; it is changed too.
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
    scene = Scene(subject, history, day, given, heard.baselines)
    before = open_looks(scene, plan) if subject.episodes else []
    earlier = None if day is subject.day else day.counters.copy()
    touched = count(day.counters, given)
    if earlier is not None and history is not None:
        moved_earlier(subject, history, day, earlier, kind=given.subject_kind)
    filtered = plan.filtered(given, touched)
    if filtered.people or filtered.prescribed:
        _told_apart(day, given, filtered)
    if filtered.bursts:
        _remember(subject, given, plan)
    if filtered.signed:
        remember_signed(subject, given, plan.terms)
    if subject.episodes:
        followed(scene, plan)
    newest_ms = subject.newest_ms
    if sign > 0 and at_ms > newest_ms and not marks & NO_BILL:  # a fee line makes no bill late
        subject.newest_ms = at_ms
    late_by_ms = newest_ms - (at_ms if sign > 0 else given.moved_ms)
    watched = filtered.bursts or filtered.signed or filtered.opens or subject.standing
    concerns = subject.episodes or watched or marks & _BAD_CODE
    if not concerns or marks & SILENT or late_by_ms > LATE_MS:
        return ()
    said = _Said(given, heard, plan)
    quality = _placeholders(day, said) if marks & _BAD_CODE and given.subject_kind == INSTITUTION else []
    found = _earlier_dates_end(subject, day, said, touched) if subject.episodes else []
    if filtered.bursts and late_by_ms <= SHORT_LATE_MS:
        found += _burst(subject, said)
    if filtered.signed or subject.standing:
        found += _signed(subject, said, newest_ms)
    if before or filtered.opens:
        judged = found_on(scene, filtered, before, touched)
        found += [_alert(episode, observed, said, word=word) for episode, observed, word in judged]
    return quality + sorted(found, key=_closed_first) if quality or found else ()


def _told_apart(day: Day, given: Contribution, filtered: Filtered) -> None:
    """Whose bills a date has, where a rule asks."""
    if filtered.people:
        day.people = with_person(day.people, given.person, given.sign)
    if filtered.prescribed:
        fen = given.medfee_fen
        day.prescribed = with_bill(day.prescribed, given.doctor, given.person, sign=given.sign, fen=fen)


def _closed_first(alert: Output) -> tuple[bool, str, int]:
    """The order in which one contribution speaks: what ends, then what opens, by rule and level."""
    return alert.body["episode"] == "opened", alert.body["rule_id"], alert.body["level"]


def _other_day(subject: Subject, history: History, given: Contribution) -> Day | None:
    """A newer date becomes the subject's; an earlier one is taken from its history."""
    date = (given.at_ms + OFFSET_MS) // DAY_MS
    if date > subject.day.date:
        turn(subject, history, date, given.subject_kind)
        return subject.day
    return day_for(subject, history, date, given.subject_kind)


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
        ended(subject, open_one)
        outputs.append(_alert(open_one, before, said, word="closed"))
        open_one = None
    if open_one is None and given.sign > 0 and len(window) >= level.theta:
        episode = Episode("D01", 1, 0, given.event_id, level.rearm, level.theta)
        subject.episodes = (*subject.episodes, episode)
        evidence = tuple(row.event_id for row in window)
        outputs.append(_alert(episode, len(window), said, evidence=evidence))
    return outputs


def _signed(subject: Subject, said: _Said, newest_ms: int) -> list[Output]:
    """M03, M04, M09. A reversal of a bill from before any day kept still ends, like any other, what is open now."""
    given, terms = said.given, said.plan.terms
    late_by_ms = newest_ms - (given.at_ms if given.sign > 0 else given.moved_ms)
    found = absent_findings(subject.standing, given, terms) if subject.standing is not None else []
    if said.plan.filtered(given, 0).signed and not given.marks & SILENT and late_by_ms <= SHORT_LATE_MS:
        found += signed_findings(subject, given, terms)
    return [_alert(each.episode, each.observed, said, word=each.word, evidence=each.evidence) for each in found]


def _earlier_dates_end(subject: Subject, day: Day, said: _Said, touched: int) -> list[Output]:
    """A bill of a later date ends the episodes of the dates before it; a fee line those that count such lines."""
    outputs: list[Output] = []
    given, plan = said.given, said.plan
    if given.sign < 0:
        return outputs
    for episode in sorted(each for each in subject.episodes if each.period and each.period < day.date):
        look = plan.looks.get((episode.rule_id, episode.level)) if given.marks & NO_BILL else None
        if given.marks & NO_BILL and not (look is not None and look.touching & touched):
            continue
        ended(subject, episode)
        if episode.rule_id in plan.terms:  # a rule that is no longer in force has nothing more to say
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
