"""What an authority has said of a doctor: absences (M04 judges his bills by them) and determined points (M07).

A document's later word takes the place of its earlier one, by the time at which each was said; an older word that comes
late changes nothing. M07 looks at the sum of a calendar year (Asia/Shanghai) at each word about it. Its levels have no
re-arm point of their own: a doctor is at nine points, or he is not. The alert tells; a person decides.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Episode, Stored
from risk.alerts import Crossing
from risk.facts import StaffFact, StaffPointsDetermined, StaffStatusChanged
from risk.local_time import DAY_MS, local_day, to_date, to_ms
from risk.moment import Moment
from risk.outputs import Output

_YEARS_KEPT = 3
_ABSENCE_KEPT_MS = 400 * DAY_MS  # as every other key: an older word of its document may be sent again so long


class Absence(Stored, frozen=True):
    """From `since_ms` until before `until_ms` (0: open), as the word of `said_ms` has it."""

    document_no: str
    status: str
    since_ms: int
    until_ms: int
    said_ms: int
    event_id: str


class Determined(Stored, frozen=True):
    """Points of one document, and the local year they count in."""

    document_no: str
    points: int
    year: int
    said_ms: int
    event_id: str


class Standing(Stored, frozen=True):
    """Everything said of one doctor that still matters; `episodes` are M07's, by year."""

    absences: tuple[Absence, ...] = ()
    points: tuple[Determined, ...] = ()
    episodes: tuple[Episode, ...] = ()


class Told(NamedTuple):
    """What became of a word: applied, duplicate (known, or a later word stands), conflict; the standing after it."""

    result: str
    standing: Standing
    outputs: list[Output]


def told(standing: Standing, fact: StaffFact, moment: Moment, newest_ms: int) -> Told:
    """The standing after one word; `newest_ms` is the doctor's newest bill: what ended long before it is forgotten."""
    if isinstance(fact, StaffStatusChanged):
        until_ms = to_ms(fact.until) if fact.until is not None else 0
        absence = Absence(fact.document_no, fact.status, to_ms(fact.since), until_ms, moment.occurred_ms, fact.event_id)
        known = next((each for each in standing.absences if each.document_no == fact.document_no), None)
        if known is not None and (result := _settled(known, absence)):
            return Told(result, standing, [])
        others = (each for each in standing.absences if each is not known)
        floor_ms = newest_ms - _ABSENCE_KEPT_MS
        kept = tuple(each for each in others if not each.until_ms or max(each.until_ms, each.said_ms) >= floor_ms)
        return Told("applied", replace(standing, absences=(*kept, absence)), [])
    assert isinstance(fact, StaffPointsDetermined), f"nothing is said of staff by {fact.event_type}"
    year = _year_of(to_ms(fact.determined_at))
    determined = Determined(fact.document_no, fact.points, year, moment.occurred_ms, fact.event_id)
    before = next((each for each in standing.points if each.document_no == fact.document_no), None)
    if before is not None and (result := _settled(before, determined)):
        return Told(result, standing, [])
    sum_before = points_of_year(standing, year)
    points = (*(each for each in standing.points if each is not before), determined)
    newest = max(each.year for each in points)
    standing = replace(standing, points=tuple(each for each in points if each.year > newest - _YEARS_KEPT))
    return Told("applied", *_counted(standing, fact.dr_code, (year, sum_before), moment))


def _settled(known: Absence | Determined, new: Absence | Determined) -> str:
    """The result of a word that does not take the place of the known one; '' if it does."""
    if new.said_ms < known.said_ms or replace(new, event_id=known.event_id) == known:
        return "duplicate"
    return "conflict" if new.said_ms == known.said_ms else ""


def points_of_year(standing: Standing, year: int) -> int:
    """The points that count in a calendar year."""
    return sum(each.points for each in standing.points if each.year == year)


def _year_of(at_ms: int) -> int:
    return to_date(local_day(at_ms)).year


def _counted(standing: Standing, dr_code: str, about: tuple[int, int], moment: Moment) -> tuple[Standing, list[Output]]:
    """M07 at a word about a year, which had so many points before it: levels closed that are not reached any more or
    are an earlier year's, then opened.

    A correction may take points from another year, or from its own. Nothing opens there: what loses points reaches no
    line, though a later year's word has closed the levels that it still reaches.
    """
    clause = moment.terms.get("M07")
    if clause is None:
        return standing, []
    (year, sum_before), said = about, list[Output]()
    observed = points_of_year(standing, year)
    kept = []
    for episode in standing.episodes:
        left = points_of_year(standing, episode.period)
        if episode.period >= year and left >= episode.ends_below:
            kept.append(episode)
        else:
            said.append(_alert(episode, dr_code, left, moment, word="closed"))
    for level in clause.value.levels:
        is_open = any((each.level, each.period) == (level.level, year) for each in kept)
        if not is_open and observed >= level.theta and observed > sum_before:
            risen = Episode("M07", level.level, year, moment.event_id, level.rearm, level.theta)
            kept.append(risen)
            evidence = tuple(each.event_id for each in standing.points if each.year == year and each.points)
            said.append(_alert(risen, dr_code, observed, moment, evidence=evidence))
    return replace(standing, episodes=tuple(sorted(kept))), said


def _alert(
    episode: Episode,
    dr_code: str,
    observed: int,
    moment: Moment,
    *,
    word: str = "opened",
    evidence: tuple[str, ...] = (),
) -> Output:
    clause = moment.terms["M07"]
    levels = clause.value.levels
    level = next((each for each in levels if each.level == episode.level), levels[0])
    crossing = Crossing(
        episode.rule_id,
        episode.level,
        level.kind,
        level.sev,
        "staff",
        dr_code,
        episode.crossing_id,
        moment.occurred_ms,
        moment.stamp_ms,
        observed,
        episode.allowed,
    )
    return moment.alert(clause, crossing, episode=word, evidence=evidence)
