"""The rules of the grammar over the days of one subject: what is measured, what opens, what ends (policy_counters.py).

An episode over one date is of that date and ends with a later one, one of a calendar month is of the month's last date
and ends with a later one than that; one over a window of days ends at a contribution
that moves its counters and without which the measure is below the re-arm point, or at a reversal that brings it there,
by the days that end with the reversal's own.
"""

from msgspec import Struct
from msgspec.structs import replace

from risk.activity import Episode
from risk.contributions import Contribution
from risk.local_time import DAY_MS, OFFSET_MS
from risk.months import january_of, month_number, month_of, year_ago
from risk.peers import Baselines, beside_peers
from risk.prescribers import dearest
from risk.subject_plan import Filtered, Look, Plan
from risk.subjects import Day, History, Subject, calendar, counted, people_of

Finding = tuple[Episode, int, str]
"""An episode, what was measured, and `opened` or `closed`."""


class Scene(Struct, frozen=True, gc=False):
    """One contribution on its subject: the day it counts in, the earlier days if they were read, and its peers."""

    subject: Subject
    history: History | None
    day: Day
    given: Contribution
    baselines: Baselines

    def measured(self, look: Look, end: int) -> int:
        """What the look sees of its days up to `end`, or of the contribution's date."""
        measure, subject = look.measure, self.subject
        if look.is_calendar:
            return self._of_the_calendar(look)
        if not look.days:
            return self.on_the_date(look)
        now = counted(subject, self.history, measure.of, end=end, days=look.days)
        if measure.kind == "over_peers":
            return beside_peers(measure, now, self.baselines.get(look.peers), end)
        if measure.kind == "over_capacity":
            return self._over_capacity(look, now[0])
        if measure.kind not in ("growth", "growth_over_peers"):
            return measure.value(now, [])
        both = counted(subject, self.history, measure.of, end=end, days=2 * look.days)
        before = [whole - part for whole, part in zip(both, now, strict=True)]
        if measure.kind == "growth_over_peers":
            return beside_peers(measure, now + before, self.baselines.get(look.peers), end)
        return measure.value(now, before)

    def _of_the_calendar(self, look: Look) -> int:
        """The contribution's month against the month a year ago, or its year, if that was counted: all of it, or from
        its January on.
        """
        measure, since, date = look.measure, self.subject.months_since, self.day.date
        by_year = measure.kind == "year_on_year"
        if by_year:
            is_asked = since <= year_ago(date)
        else:
            is_asked = month_number(date) == measure.month and month_of(since) <= january_of(date)
        if not is_asked:
            return 0
        sums = calendar(self.subject, self.history, self.day, measure.of[0])
        return measure.value([sums.month], [sums.year_ago]) if by_year else measure.value([sums.month, sums.year], [])

    def on_the_date(self, look: Look) -> int:
        """What a look without a window sees: the contribution's own date."""
        measure, day = look.measure, self.day
        if measure.kind == "distinct":
            return people_of(day)
        if measure.kind == "one_prescriber":
            return dearest(day.prescribed, persons=measure.persons, least=measure.least, scale=measure.scale)
        now = [day.counters[place] for place in measure.of]
        if measure.kind == "over_capacity":
            return self._over_capacity(look, now[0])
        return measure.value(now, [])

    def _over_capacity(self, look: Look, now: int) -> int:
        """In hundredths of what the institution is approved for; nobody said: 0."""
        approved = look.capacities.of(self.given.subject_id, look.measure.capacity) if look.capacities else 0
        return now * look.measure.scale // approved if approved else 0


def open_looks(scene: Scene, plan: Plan) -> list[tuple[Episode, Look, int]]:
    """The open episodes that this contribution may concern, each with its measure as it stands."""
    found, date = [], scene.day.date
    for episode in sorted(scene.subject.episodes):  # lowest level first
        look = plan.looks.get((episode.rule_id, episode.level))
        if look is not None and episode.period == look.period(date) and plan.admits(look, scene.given):
            found.append((episode, look, scene.measured(look, _end(scene.given))))
    return found


def followed(scene: Scene, plan: Plan) -> None:
    """An open episode of this date, month or year follows its measure, which is not read again when it ends."""
    subject, date = scene.subject, scene.day.date
    if not any(episode.period >= date for episode in subject.episodes):
        return
    kept = []
    for episode in subject.episodes:
        look = plan.looks.get((episode.rule_id, episode.level)) if episode.period >= date else None
        if look is not None and look.is_part_of(episode.period, date):
            seen = scene if episode.period == look.period(date) else replace(scene, day=Day(episode.period))
            episode = replace(episode, reached=seen.measured(look, date))
        kept.append(episode)
    subject.episodes = tuple(kept)


def found_on(scene: Scene, filtered: Filtered, before: list[tuple[Episode, Look, int]], touched: int) -> list[Finding]:
    """What a contribution ends, and then what it opens; the subject's episodes change with it."""
    subject, given = scene.subject, scene.given
    found: list[Finding] = []
    for episode, look, without in before:
        if not filtered.moves(look, touched):
            continue
        left = without if given.sign > 0 else scene.measured(look, _end(given))
        if left < episode.ends_below:
            ended(subject, episode)
            found.append((episode, left, "closed"))
    if given.sign > 0:
        end = _end(given)
        known_days = end - subject.since
        for look in filtered.opens:
            if look.known_days > known_days:  # and of all that follow
                break
            found += _opened(scene, look, end)
    return found


def _opened(scene: Scene, look: Look, end: int) -> list[Finding]:
    subject, level = scene.subject, look.level
    if subject.episodes and _is_open(subject, look, end):
        return []
    observed = scene.measured(look, end)
    if observed < level.theta:
        return []
    reached = 0 if look.days else observed
    episode = Episode(
        look.rule_id, level.level, look.period(end), scene.given.event_id, level.rearm, level.theta, reached
    )
    subject.episodes = (*subject.episodes, episode)
    return [(episode, observed, "opened")]


def _is_open(subject: Subject, look: Look, end: int) -> bool:
    key = (look.rule_id, look.level.level, look.period(end))
    return any((each.rule_id, each.level, each.period) == key for each in subject.episodes)


def ended(subject: Subject, episode: Episode) -> None:
    """The episode is over; whatever it reached meanwhile."""
    key = (episode.rule_id, episode.level, episode.period)
    subject.episodes = tuple(each for each in subject.episodes if (each.rule_id, each.level, each.period) != key)


def _end(given: Contribution) -> int:
    """The date up to which a window looks: the bill's own, or that of the reversal."""
    return ((given.at_ms if given.sign > 0 else given.moved_ms) + OFFSET_MS) // DAY_MS
