"""The first rules about a person: P01, P02, P03, P12, P13, P17, X01, judged at one settlement or one reversal.

A reading is one measure at one event, with and without that event; episodes open and end by readings (rules.md). No
rule writes a credit record: a finding is a suspicion (HN16).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from risk.activity import COUNTED, LATE_MS, Activity, Episode, Row, year_sum
from risk.bills import admits_bill, bill_measure, bills_of, counted_between, counted_on, evidence_of, is_left_out
from risk.item_limits import Limited
from risk.local_time import DAY_MS, local_day, to_date
from risk.moment import Moment
from risk.policy import Policy
from risk.policy_measures import MeasuredRule
from risk.policy_rules import ShareRule
from risk.slope import lately, may_open, percent
from risk.terms import Clause, Terms

_SEASON_DAYS = 90


class Reading(NamedTuple):
    """One measure at one event: `before` without it, `observed` with it. A count or fen, as are the thresholds."""

    rule_id: str
    level: int
    period: int
    before: int
    observed: int
    opens_at: int
    ends_below: int
    allowed: int
    evidence: Sequence[Row | Limited]  # their ids are read only where an alert names them
    place: str = ""  # the institution it is about; "" = the person


@lru_cache(maxsize=16)
def rows_kept_ms(policy: Policy) -> int:
    """How far behind the newest settlement a row or a face check is needed: the longest window or a date, and how late
    a settlement may come. A bill that counts on a day of its institution is undone there by its row, for a season.
    """
    days = min(policy.longest_days(), _SEASON_DAYS)
    windows_ms = policy.longest_window_ms(("P01", "P12", "P13", "P14", "P15", "X01")), days * DAY_MS
    regulars_ms = 2 * policy.longest_window_ms(("P18",))  # whoever was told as a regular is known as one
    return max(*windows_ms, regulars_ms, DAY_MS) + LATE_MS


def year_of(at_ms: int) -> int:
    """The local calendar year."""
    return year_of_day(local_day(at_ms))


@lru_cache(maxsize=4096)
def year_of_day(day: int) -> int:
    """The calendar year of a local day."""
    return to_date(day).year


def readings(activity: Activity, row: Row, terms: Terms, place: tuple[str, str]) -> Iterator[Reading]:
    """What the episodic rules measure at this settlement, a row already; `place` = (insuplc, insutype)."""
    yield from _frequent_visits(activity, row, terms)
    yield from _many_hospitals(activity, row, terms)
    yield from _near_the_cap(activity, row, terms, place)
    yield from _many_pharmacy_bills(activity, row, terms)
    yield from _rolling_sum(activity, row, terms)


def singles(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """What is found in this settlement by itself."""
    yield from _two_places_at_once(activity, row, terms)
    yield from _large_bill(row, terms)


def _has_open(activity: Activity, rule_id: str) -> bool:
    return any(episode.rule_id == rule_id for episode in activity.episodes)


def _frequent_visits(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P01: distinct visits over a rolling window."""
    clause = terms.get("P01")
    if clause is None or not counts("P01", row, clause):
        return
    if len(activity.rows) < clause.value.levels[0].theta and not _has_open(activity, "P01"):
        return
    for level in clause.value.levels:
        window = [
            each
            for each in counted_between(activity, row.at_ms - level.window_ms, row.at_ms)
            if counts("P01", each, clause)
        ]
        visits = {each.mdtrt for each in window}
        before = len({each.mdtrt for each in window if each.setl != row.setl})
        yield Reading(
            "P01", level.level, 0, before, len(visits), level.theta, level.rearm, level.theta, evidence_of(window)
        )


def _many_hospitals(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P02: distinct hospitals on one local date."""
    clause = terms.get("P02")
    if clause is None or not counts("P02", row, clause):
        return
    if len(activity.rows) < clause.value.levels[0].theta and not _has_open(activity, "P02"):
        return
    day = local_day(row.at_ms)
    on_day = [each for each in counted_on(activity, day) if counts("P02", each, clause)]
    observed = len({each.fixmedins_code for each in on_day})
    before = len({each.fixmedins_code for each in on_day if each.setl != row.setl})
    for level in clause.value.levels:
        yield Reading(
            "P02", level.level, day, before, observed, level.theta, level.rearm, level.theta, evidence_of(on_day)
        )


def _many_pharmacy_bills(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P17: pharmacy bills on one local date."""
    clause = terms.get("P17")
    if clause is None or not counts("P17", row, clause):
        return
    if len(activity.rows) < clause.value.levels[0].theta and not _has_open(activity, "P17"):
        return
    day = local_day(row.at_ms)
    on_day = [each for each in counted_on(activity, day) if counts("P17", each, clause)]
    counted = row.state == COUNTED
    for level in clause.value.levels:
        yield Reading(
            "P17",
            level.level,
            day,
            len(on_day) - counted,
            len(on_day),
            level.theta,
            level.rearm,
            level.theta,
            evidence_of(on_day),
        )


def _near_the_cap(activity: Activity, row: Row, terms: Terms, place: tuple[str, str]) -> Iterator[Reading]:
    """P12: what the funds paid in the calendar year, against the annual cap of the event's place and insurance."""
    clause, caps = terms.get("P12"), terms.get("annual_cap")
    cap_fen = caps.value.cap_fen(*place) if clause is not None and caps is not None else None
    if clause is None or not cap_fen:
        return
    year = year_of(row.at_ms)
    total_fen = year_sum(activity, year)
    if total_fen * 100 < cap_fen * clause.value.least_percent and not _has_open(activity, "P12"):
        return
    if clause.value.slope is not None:
        yield _spent_lately(activity, row, clause.value, cap_fen)
    before_fen = total_fen - (row.fund_fen if row.state == COUNTED else 0)
    for level in clause.value.of_cap:
        yield Reading(
            "P12",
            level.level,
            year,
            before_fen,
            total_fen,
            -(-cap_fen * level.theta // 100),  # sum·100 ≥ cap·level, in whole fen
            -(-cap_fen * level.rearm // 100),
            -(-cap_fen * level.theta // 100),
            (),
        )


def _spent_lately(activity: Activity, row: Row, rule: ShareRule, cap_fen: int) -> Reading:
    """P12's slope: what percent of the year's sum the bills of the last days are."""
    slope, year = rule.slope, year_of(row.at_ms)
    assert slope is not None
    bills = lately(activity, rule, slope, year=year, at_ms=row.at_ms)
    others = [each for each in bills if each.setl != row.setl]
    total_fen = year_sum(activity, year)
    before = percent(slope, others, total_fen - (row.fund_fen if row.state == COUNTED else 0))
    opens = may_open(rule, slope, row, total_fen=total_fen, cap_fen=cap_fen)
    observed = percent(slope, bills, total_fen) if opens else 0
    number, theta, rearm = slope.level[:3]
    return Reading("P12", number, year, before, observed, theta, rearm, theta, evidence_of(bills))


def _rolling_sum(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """X01: the sum of bills over a rolling window; the rule that benchmarks compare engines by."""
    clause = terms.get("X01")
    if clause is None:
        return
    window = counted_between(activity, row.at_ms - clause.value.window_ms, row.at_ms)
    total_fen = sum(each.medfee_fen for each in window)
    before_fen = total_fen - (row.medfee_fen if row.state == COUNTED else 0)
    threshold_fen = clause.value.threshold_fen
    rearm_fen = clause.value.levels[0].rearm
    yield Reading("X01", 1, 0, before_fen, total_fen, threshold_fen, rearm_fen, threshold_fen, evidence_of(window))


def _single(rule_id: str, observed: int, allowed: int, evidence: Sequence[Row]) -> Reading:
    """A finding about one event by itself: nothing stays open."""
    return Reading(rule_id, 1, 0, 0, observed, 0, 0, allowed, evidence)


def _two_places_at_once(activity: Activity, row: Row, terms: Terms) -> Iterator[Reading]:
    """P03: another institution of the same kind, too soon before or after."""
    clause = terms.get("P03")
    if clause is None or len(activity.rows) < 2 or is_left_out(clause.value, row):
        return
    gap_ms = clause.value.gap_ms
    partners = [
        each
        for each in activity.rows
        if abs(each.at_ms - row.at_ms) < gap_ms
        and each.state == COUNTED
        and each.fixmedins_code != row.fixmedins_code
        and each.fixmedins_type == row.fixmedins_type != ""
        and not is_left_out(clause.value, each)
    ]
    if partners:
        smallest_ms = min(abs(each.at_ms - row.at_ms) for each in partners)
        yield _single("P03", smallest_ms // 1000, gap_ms // 1000, partners)


def _large_bill(row: Row, terms: Terms) -> Iterator[Reading]:
    """P13: one bill at or above the threshold."""
    clause = terms.get("P13")
    if clause is None or not counts("P13", row, clause):
        return
    if row.medfee_fen >= clause.value.threshold_fen:
        yield _single("P13", row.medfee_fen, clause.value.threshold_fen, ())


def counts(rule_id: str, row: Row, clause: Clause) -> bool:
    """Does the rule count this settlement at all?"""
    if isinstance(clause.value, MeasuredRule):
        return admits_bill(clause.value, row)
    if rule_id in ("P01", "P02", "P17"):
        return clause.value.admits(row.med_type, row.fixmedins_type) and not is_left_out(clause.value, row)
    if rule_id == "P13":
        return row.med_type.startswith(clause.value.med_types) and not is_left_out(clause.value, row)
    return True


def period_of(episode: Episode, at_ms: int) -> int:
    """The calendar period of the episode's rule that an instant falls in; 0 for a rolling one."""
    if not episode.period:
        return 0
    return year_of(at_ms) if episode.rule_id == "P12" else local_day(at_ms)


def clause_of(episode: Episode, moment: Moment) -> Clause | None:
    """The clause that an episode ends under: the one of the day it opened on, for a later entry may have other levels;
    of the policy that is active now, which may have others for that day too. None: the rule, or a slope, is not in
    force any more.
    """
    now = moment.terms.get(episode.rule_id)
    found = (now and moment.policy.on(episode.opened_day).get(episode.rule_id), now)
    return next((each for each in found if each and (not episode.slope or each.value.slope)), None)


def is_slope(rule_id: str, level: int, terms: Terms) -> bool:
    """Does the level of that number measure P12's slope now, and no share of the cap?"""
    clause = terms.get(rule_id)
    return clause is not None and isinstance(clause.value, ShareRule) and clause.value.is_slope(level)


def measure(activity: Activity, episode: Episode, at_ms: int, clause: Clause) -> int:
    """What the episode's rule measures now: over its own period, or over the window that ends at `at_ms`."""
    if episode.rule_id == "P12":
        if not episode.slope:
            return year_sum(activity, episode.period)
        slope = clause.value.slope
        bills = lately(activity, clause.value, slope, year=episode.period, at_ms=at_ms)
        return percent(slope, bills, year_sum(activity, episode.period))
    level = next((each for each in clause.value.levels if each.level == episode.level), clause.value.levels[0])
    if isinstance(clause.value, MeasuredRule):
        of = (episode.period, episode.place)
        return bill_measure(clause.value, bills_of(activity, clause.value, level, at_ms=at_ms, of=of))
    if episode.period:
        rows = [row for row in counted_on(activity, episode.period) if counts(episode.rule_id, row, clause)]
        return len({row.fixmedins_code for row in rows}) if episode.rule_id == "P02" else len(rows)
    rows = counted_between(activity, at_ms - level.window_ms, at_ms)
    if episode.rule_id == "X01":
        return sum(row.medfee_fen for row in rows)
    return len({row.mdtrt for row in rows if counts(episode.rule_id, row, clause)})


def after_reversal(activity: Activity, row: Row, moment: Moment) -> Iterator[tuple[Episode, int]]:
    """The open episodes that the reversal of `row` brings below their re-arm point, with the measure left."""
    for episode in activity.episodes:
        clause = clause_of(episode, moment) if episode.period else moment.terms.get(episode.rule_id)
        if clause is None or not counts(episode.rule_id, row, clause):
            continue
        if period_of(episode, row.at_ms) != episode.period or episode.place not in ("", row.fixmedins_code):
            continue
        left = measure(activity, episode, moment.occurred_ms, clause)
        if left < episode.ends_below:
            yield episode, left
