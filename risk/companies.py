"""Who keeps coming together (P18): the regulars of one place, date by date, and who of them settle at the same time.

A company is so many people who settle within half an hour of each other, the same people each time, on so many local
dates of the window. It is looked for when one of them settles, on the whole of each date as applied so far; whoever
completes it speaks for all. It is told once: not again as long as the settlement that told of it is in the window, nor
a part of it; with somebody new, it is another one. No person is named: the evidence is their settlements.

In a crowd a coincidence means nothing. A half hour of the clock in which more than `crowd` settlements of regulars were
told is a bit from then on, of which nothing is kept; so a place keeps at most 48 x `crowd` settlements of some 35 bytes
for each of KEPT_DATES dates, however many people come. A date lies where the one KEPT_DATES before it lay.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Stored
from risk.alerts import Crossing
from risk.contributions import Contribution
from risk.event_ids import joined, split
from risk.local_time import DAY_MS, MINUTE_MS, OFFSET_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_company import WINDOW_DAYS_MOST
from risk.policy_rules import CompanyRule
from risk.terms import Clause

KEPT_DATES = WINDOW_DAYS_MOST + 2
"""The longest window a policy may ask for, and two dates in which what is late still counts."""

_HALF_HOUR_MS = 30 * MINUTE_MS
_MOST_EVIDENCE = 100


class Met(Stored, frozen=True):
    """A regular's settlement. `told`: with whom it told of a company. `stem`, `number`: its event id (event_ids.py)."""

    at_ms: int
    person: int
    stem: bytes
    number: int
    told: tuple[int, ...] = ()


class Gathered(Stored, frozen=True):
    """The settlements of a place's regulars on one local date, by time; `crowded`: its half hours that say nothing."""

    date: int = 0
    met: tuple[Met, ...] = ()
    crowded: int = 0


class Company(NamedTuple):
    """`today`: the date, with its settlement marked; how many people; their settlements."""

    today: Gathered
    people: int
    evidence: tuple[str, ...]


class _Gathering(NamedTuple):
    """Settlements within the gap of one another, and whose."""

    people: frozenset[int]
    met: tuple[Met, ...]


NOBODY = Gathered()
_at_ms = attrgetter("at_ms")


def slot_of(date: int) -> int:
    """Where a date lies."""
    return date % KEPT_DATES


def heard(kept: Gathered, given: Contribution, crowd: int) -> Gathered:
    """The date with a regular's settlement, or without it; the one kept there if it is newer."""
    date, half_hour = local_day(given.at_ms), _half_hour(given.at_ms)
    if date < kept.date or (date > kept.date and given.sign < 0):
        return kept
    if date > kept.date:
        kept = Gathered(date)
    stem = split(given.original_id, given.subject_id)
    others = [each for each in kept.met if (each.at_ms, each.person, each.stem, each.number) != _key(given, stem)]
    if given.sign < 0:
        return replace(kept, met=tuple(others))
    if len(others) < len(kept.met) or kept.crowded >> half_hour & 1:
        return kept
    insort(others, Met(given.at_ms, given.person, *stem), key=_at_ms)
    if sum(_half_hour(each.at_ms) == half_hour for each in others) > crowd:
        others = [each for each in others if _half_hour(each.at_ms) != half_hour]
        return replace(kept, met=tuple(others), crowded=kept.crowded | 1 << half_hour)
    return replace(kept, met=tuple(others))


def _half_hour(at_ms: int) -> int:
    return (at_ms + OFFSET_MS) % DAY_MS // _HALF_HOUR_MS


def _key(given: Contribution, stem: tuple[bytes, int]) -> tuple[int, int, bytes, int]:
    return given.at_ms, given.person, *stem


def company_of(dates: list[Gathered], given: Contribution, rule: CompanyRule) -> Company | None:
    """The company that a settlement completes, if nobody told of it. `dates`: those on which the person settled there,
    the last one the settlement's; of a date that lies there no longer, or was never told, there is nothing to see.
    """
    today = dates[-1]
    dates = [each for each in dates if today.date - rule.window_days < each.date <= today.date]
    mine = next((each for each in today.met if (each.at_ms, each.person) == (given.at_ms, given.person)), None)
    if mine is None:
        return None
    times = [
        [each for each in _gatherings(of.met, given.person, rule.gap_ms) if of is not today or mine in each.met]
        for of in dates
    ]
    told = [{each.person, *each.told} for of in dates for each in of.met if each.told]
    company = _completed(times, given.person, told, rule)
    if not company:
        return None
    met = [each for gathering in _together(times, company) for each in gathering.met if each.person in company]
    events = [joined(each.stem, each.number, given.subject_id) for each in met[-_MOST_EVIDENCE:]]
    marked = replace(mine, told=tuple(sorted(company - {given.person})))
    after = replace(today, met=tuple(marked if each is mine else each for each in today.met))
    return Company(after, len(company), tuple(events))


def _gatherings(met: tuple[Met, ...], person: int, gap_ms: int) -> Iterator[_Gathering]:
    """Who settled within the gap from one of them on, where the person is among them."""
    for own in met:
        if own.person != person:
            continue
        near = met[bisect_right(met, own.at_ms - gap_ms, key=_at_ms) : bisect_left(met, own.at_ms + gap_ms, key=_at_ms)]
        for first in near:
            if first.at_ms <= own.at_ms:
                there = tuple(each for each in near if 0 <= each.at_ms - first.at_ms < gap_ms)
                yield _Gathering(frozenset(each.person for each in there), there)


def _completed(times: list[list[_Gathering]], person: int, told: list[set[int]], rule: CompanyRule) -> set[int]:
    """The first company, in the order of today's settlements, with whoever else keeps coming with it; or nobody."""
    near = dict.fromkeys(each.person for gathering in times[-1] for each in gathering.met if each.person != person)
    others = [each for each in near if len(_together(times, {person, each})) >= rule.days]
    for first, other in enumerate(others):
        company = _grown({person, other}, others[first + 1 :], times, told=told, rule=rule)
        for each in others if company else ():
            if len(_together(times, company | {each})) >= rule.days:
                company.add(each)
        if company:
            return company
    return set()


def _grown(
    company: set[int], others: list[int], times: list[list[_Gathering]], *, told: list[set[int]], rule: CompanyRule
) -> set[int]:
    """The first company of theta with some of the others in it, that nobody told of; or nobody."""
    for first, other in enumerate(others):
        wider = company | {other}
        whole = len(wider) == rule.levels[0].theta
        if whole and any(wider <= each for each in told):
            continue
        if len(_together(times, wider)) < rule.days:
            continue
        found = wider if whole else _grown(wider, others[first + 1 :], times, told=told, rule=rule)
        if found:
            return found
    return set()


def _together(times: list[list[_Gathering]], company: set[int]) -> list[_Gathering]:
    """The first time on each date at which all of them were there; none unless they are there on the last."""
    found = [next((each for each in of if company <= each.people), None) for of in times]
    return [each for each in found if each is not None] if found[-1] is not None else []


def company_told(company: Company, given: Contribution, clause: Clause, moment: Moment) -> Output:
    """About the place, where all of it happened: none of the people is more in it than the others."""
    level, code = clause.value.levels[0], given.subject_id
    when = given.original_id, given.at_ms, moment.stamp_ms
    numbers = company.people, level.theta
    crossing = Crossing("P18", level.level, level.kind, level.sev, "institution", code, *when, *numbers)
    return moment.alert(clause, crossing, evidence=company.evidence, window_ms=level.window_ms, fixmedins_code=code)
