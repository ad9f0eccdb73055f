"""One settlement judged against the person rules: what it closes, what it opens, what it shows by itself."""

from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Activity, Episode, Row, visit_of, year_sum
from risk.alerts import Crossing
from risk.bill_rules import bill_readings, bill_singles
from risk.bills import AWAY, counted_between
from risk.facts import SettlementCompleted
from risk.heard import rules_of
from risk.idle_days import idle_rules, stay_settled
from risk.insured import is_told_against
from risk.item_limits import misfits, misfits_told
from risk.local_time import MINUTE_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.person_rules import Reading, clause_of, is_slope, measure, period_of, readings, singles, year_of
from risk.policy_measures import MeasuredRule
from risk.policy_rules import Level, ShareRule
from risk.policy_values import AnnualCap
from risk.terms import Clause, Terms

_NEVER = 2**62


def judge(fact: SettlementCompleted, activity: Activity, row: Row, moment: Moment) -> tuple[Activity, list[Output]]:
    """Close what has fallen, then open what has risen, and report single findings."""
    psn_no, place = fact.psn_no, (fact.insuplc_admdvs or "", fact.insutype or "")
    if not concerns(activity, row, moment.terms, place):
        return activity, []
    activity, of_stay = stay_settled(activity, fact, moment)
    outputs: list[Output] = []
    measured = (*readings(activity, row, moment.terms, place), *bill_readings(activity, row, moment.terms))
    found = [each for each in measured if activity.episodes or each.observed >= each.opens_at]
    visit = visit_of(activity, fact.mdtrt_id)
    lines = misfits(visit, fact, moment.terms)
    alone = [*singles(activity, row, moment.terms), *bill_singles(activity, row, moment.terms, lines)]
    told = [*of_stay, *misfits_told(visit, lines, fact, moment)]
    if not found and not alone and not activity.episodes:
        return activity, told
    episodes = list(activity.episodes)
    for episode in sorted(activity.episodes):
        if episode.period and episode.period < period_of(episode, row.at_ms):
            episodes.remove(episode)
            clause = clause_of(episode, moment)
            if clause is not None:  # a rule that is no longer in force has nothing more to say
                outputs.append(closed(psn_no, episode, measure(activity, episode, row.at_ms, clause), moment))
    for reading in found:
        open_one = _open_episode(episodes, reading, moment)
        if open_one is not None and reading.before < reading.ends_below:
            episodes.remove(open_one)
            outputs.append(closed(psn_no, open_one, reading.before, moment))
    opened: list[Output] = []
    for reading in found:
        if reading.observed >= reading.opens_at and _open_episode(episodes, reading, moment) is None:
            episodes.append(_episode(reading, row.event_id, row.fixmedins_code, moment))
            opened.append(_opened(fact, reading, moment))
    opened += [_opened(fact, single, moment) for single in alone]
    return replace(activity, episodes=tuple(episodes)), in_order(outputs) + in_order([*opened, *told])


def concerns(activity: Activity, row: Row, terms: Terms, place: tuple[str, str]) -> bool:
    """Can any rule have anything to say here? Most settlements are a person's only one for weeks and end here."""
    reach = _reach(terms)
    rows = activity.rows
    if is_told_against(activity.insured) or (reach.admissions and _is_admitted(activity)):
        return True
    if activity.care and any(rule.admits_treatment(row.med_type) for rule in reach.idle):
        return True
    if activity.visits and any(visit.limited for visit in activity.visits):
        return True
    size = len(rows)
    if activity.episodes or size >= reach.fewest or row.medfee_fen >= reach.large_fen:
        return True
    if size > 1 and (rows[-1] is not row or row.at_ms - rows[-2].at_ms < reach.gap_ms):
        return True
    if size >= reach.fewest_on_date and local_day(rows[-reach.fewest_on_date].at_ms) == local_day(row.at_ms):
        return True
    if row.marks & AWAY and size >= reach.fewest_away:
        return True
    if reach.sum_fen < _NEVER:
        window = counted_between(activity, row.at_ms - reach.sum_window_ms, row.at_ms)
        if sum([each.medfee_fen for each in window]) >= reach.sum_fen:
            return True
    if reach.caps is None or all(fund_fen * 100 < reach.least_share for _, fund_fen in activity.years):
        return False
    cap_fen = reach.caps.cap_fen(*place)
    return bool(cap_fen and year_sum(activity, year_of(row.at_ms)) * 100 >= cap_fen * reach.cap_percent)


def _is_admitted(activity: Activity) -> bool:
    return bool(activity.visits) and any(visit.admission for visit in activity.visits)


class _Reach(NamedTuple):
    """What a settlement must at least reach before a rule can have anything to say."""

    fewest: int  # rows, for a count over a window
    fewest_on_date: int  # rows of one date
    fewest_away: int  # rows, if this one is away from home
    admissions: bool  # a bill is looked at while the person is admitted
    idle: tuple[MeasuredRule, ...]  # a bill of their kind may settle a stay, whose visit may be forgotten by then
    gap_ms: int
    large_fen: int
    sum_fen: int
    sum_window_ms: int
    caps: AnnualCap | None
    cap_percent: int
    least_share: int  # fen x 100: below this no cap of any place is near


@lru_cache(maxsize=64)
def _reach(terms: Terms) -> _Reach:
    def least(*rule_ids: str) -> int:
        return min((terms[each].value.levels[0].theta for each in rule_ids if each in terms), default=_NEVER)

    def fewest(*, period: str, away: bool) -> int:
        of_bills = [rule for rule in bills if (rule.period, rule.away) == (period, away)]
        return min((rule.levels[0].theta for rule in of_bills), default=_NEVER)

    bills: list[MeasuredRule] = [clause.value for _, clause in rules_of(terms, "settlement")]
    alone = {rule.measure.kind: rule for rule in bills if rule.period == "event"}
    caps = terms.get("annual_cap") if "P12" in terms else None
    cap_percent = terms["P12"].value.least_percent if "P12" in terms else _NEVER
    return _Reach(
        min(least("P01"), fewest(period="moving", away=False)),
        min(least("P02", "P17"), fewest(period="date", away=False), fewest(period="date", away=True)),
        fewest(period="moving", away=True),
        "inside_admission" in alone,
        tuple(clause.value for _, clause in idle_rules(terms)),
        max(terms["P03"].value.gap_ms if "P03" in terms else 0, MINUTE_MS if "same_minute" in alone else 0),
        min(
            terms["P13"].value.threshold_fen if "P13" in terms else _NEVER,
            alone["amount"].levels[0].theta if "amount" in alone else _NEVER,
        ),
        terms["X01"].value.threshold_fen if "X01" in terms else _NEVER,
        terms["X01"].value.window_ms if "X01" in terms else 0,
        None if caps is None else caps.value,
        0 if caps is None else cap_percent,
        0 if caps is None else cap_percent * min((row.cap_fen for row in caps.value.rows), default=_NEVER),
    )


def in_order(alerts: list[Output]) -> list[Output]:
    """By rule, lowest level first; stable, so an older episode ends before a younger one."""
    return sorted(alerts, key=lambda output: (output.body["rule_id"], output.body["level"]))


def _open_episode(episodes: list[Episode], reading: Reading, moment: Moment) -> Episode | None:
    return next(
        (
            each
            for each in episodes
            if (each.rule_id, each.level, each.period, each.place)
            == (reading.rule_id, reading.level, reading.period, reading.place)
            and each.slope == is_slope(each.rule_id, each.level, moment.terms)
        ),
        None,
    )


def _episode(reading: Reading, crossing_id: str, seen_at: str, moment: Moment) -> Episode:
    return Episode(
        reading.rule_id,
        reading.level,
        reading.period,
        crossing_id,
        reading.ends_below,
        reading.allowed,
        place=reading.place,
        opened_day=moment.day,
        seen_at=seen_at,
        slope=is_slope(reading.rule_id, reading.level, moment.terms),
    )


def _opened(fact: SettlementCompleted, reading: Reading, moment: Moment) -> Output:
    return _alert(
        fact.psn_no,
        _episode(reading, fact.event_id, fact.fixmedins_code, moment),
        reading.observed,
        moment,
        episode_word="opened",
        evidence=tuple(each.event_id for each in reading.evidence),
        mdtrt_id=fact.mdtrt_id,
    )


def closed(psn_no: str, episode: Episode, left: int, moment: Moment) -> Output:
    return _alert(psn_no, episode, left, moment, episode_word="closed", evidence=(moment.event_id,))


def _alert(
    psn_no: str,
    episode: Episode,
    observed: int,
    moment: Moment,
    *,
    episode_word: str,
    evidence: tuple[str, ...],
    **optional: str,
) -> Output:
    """`closed` repeats the id that `opened` had: it is a function of the crossing event."""
    clause = clause_of(episode, moment) or moment.terms[episode.rule_id]
    level = _level_of(episode, clause)
    crossing = Crossing(
        episode.rule_id,
        episode.level,
        level.kind,
        level.sev,
        "institution" if episode.place else "person",
        episode.place or psn_no,
        episode.crossing_id,
        moment.occurred_ms,
        moment.stamp_ms,
        observed,
        episode.allowed,
    )
    return moment.alert(
        clause,
        crossing,
        episode=episode_word,
        evidence=evidence,
        window_ms=level.window_ms,
        fixmedins_code=episode.seen_at or None,
        texts=clause.value.texts(level.level),
        **optional,
    )


def _level_of(episode: Episode, clause: Clause) -> Level:
    """The clause's level that an episode is one of: a slope's is the slope, whatever its number. If there is none, the
    lowest, under the rule's own sentence.
    """
    levels: tuple[Level, ...] = clause.value.levels
    if isinstance(clause.value, ShareRule):
        slope = clause.value.slope
        if episode.slope and slope is not None:
            return slope.level
        levels = clause.value.of_cap
    return next((each for each in levels if each.level == episode.level), levels[0]._replace(level=0))
