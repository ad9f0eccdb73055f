"""The rules about a doctor's bills: M03 two places at once, M09 prescriptions too close (M01's second form), and M04
signed while the authority says he may not, or is not there.

M04 judges single events by what was said of him before (staff_standing.py). The others look at short rows of the
doctor's own bills, kept for the longer window and 15 minutes behind the newest. M03 judges single events, as P03 does.
M09 counts the gaps shorter than the line between the latest so many different patients, each taken at the first bill in
the window; with fewer patients there is nothing to measure.
"""

from bisect import bisect_left, bisect_right, insort
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from risk.activity import Episode
from risk.contributions import BAD_INSTITUTION_CODE, EMERGENCY, NO_BILL, Contribution
from risk.local_time import DAY_MS, MINUTE_MS
from risk.policy_rules import GapRule, PaceRule, StandingRule
from risk.staff_standing import Standing
from risk.subjects import Signed, Subject
from risk.terms import Terms

_LATE_MS = 15 * MINUTE_MS
_MOST_EVIDENCE = 100


class Finding(NamedTuple):
    """What a rule says of a contribution: which episode, opened or closed, at what measure, by which events."""

    episode: Episode
    word: str
    observed: int
    evidence: tuple[str, ...] = ()


def remember_signed(subject: Subject, given: Contribution, terms: Terms) -> None:
    """Keep a bill's short row, on whole minutes; a reversal takes it away. Call it after `newest_ms` has moved."""
    if given.sign < 0:
        subject.signed = [row for row in subject.signed if row.event_id != given.original_id]
        return
    rules = _rules(terms, given.med_type, given.fixmedins_type)
    newest_ms = max(subject.newest_ms, given.at_ms)
    floor_ms = (newest_ms - rules.longest_ms - _LATE_MS) // MINUTE_MS * MINUTE_MS
    rows = subject.signed
    if rows and rows[0].at_ms < floor_ms:
        del rows[: bisect_left(rows, floor_ms, key=_at_ms)]
    if given.at_ms < floor_ms:
        return
    somewhere = rules.gap is not None and not given.marks & BAD_INSTITUTION_CODE
    person, code = given.person if rules.pace is not None else 0, given.fixmedins_code if somewhere else ""
    row = Signed(given.at_ms, given.original_id, person, code)
    if not rows or rows[-1].at_ms <= given.at_ms:
        rows.append(row)
    else:
        insort(rows, row, key=_at_ms)


def signed_findings(subject: Subject, given: Contribution, terms: Terms) -> list[Finding]:
    """M03 and M09 at one contribution that is not late, its row remembered (or taken away) before."""
    rules = _rules(terms, given.med_type, given.fixmedins_type)
    found = _two_places(subject.signed, given, rules.gap) if rules.gap is not None and given.sign > 0 else []
    return found + (_pace(subject, given, rules.pace) if rules.pace is not None else [])


def absent_findings(standing: Standing, given: Contribution, terms: Terms) -> list[Finding]:
    """M04: the bill was signed on the n-th day of a suspension, a leave or an admission of the doctor himself."""
    clause = terms.get("M04")
    if clause is None or given.sign < 0 or given.marks & NO_BILL:
        return []
    rule: StandingRule = clause.value
    if not rule.admits(given.med_type, given.fixmedins_type):
        return []
    if rule.excepts_emergency and _is_emergency(given, terms):
        return []
    at_ms = given.at_ms
    there = [each for each in standing.absences if each.since_ms <= at_ms and not 0 < each.until_ms <= at_ms]
    bill = given.med_type, given.fixmedins_type
    told = [(level.level, each) for each in there if (level := rule.level_of(each.status, *bill)) is not None]
    if not told:
        return []
    gravest = max(level for level, _ in told)
    days = (at_ms - min(each.since_ms for level, each in told if level == gravest)) // DAY_MS + 1
    episode = Episode("M04", gravest, 0, given.event_id, 0, 0)
    return [Finding(episode, "opened", days, tuple(each.event_id for _, each in told))]


def _is_emergency(given: Contribution, terms: Terms) -> bool:
    """As the settlement says, or by its kind of treatment, as the common exclusions of the place have it."""
    told, clause = bool(given.marks & EMERGENCY), terms.get("exclusions")
    return told or (clause is not None and "emergency" in clause.value.of(given.med_type, ""))


class _Rules(NamedTuple):
    """M03 and M09 for one sort of bill, None where they do not look at it; how long rows are kept for any sort."""

    gap: GapRule | None
    pace: PaceRule | None
    longest_ms: int


@lru_cache(maxsize=4_096)
def _rules(terms: Terms, med_type: str, fixmedins_type: str) -> _Rules:
    gap: GapRule | None = terms["M03"].value if "M03" in terms else None
    pace: PaceRule | None = terms["M09"].value if "M09" in terms else None
    return _Rules(
        gap if gap is not None and gap.admits(med_type, fixmedins_type) else None,
        pace if pace is not None and pace.admits(med_type, fixmedins_type) else None,
        max(gap.gap_ms if gap is not None else 0, pace.window_ms if pace is not None else 0),
    )


_at_ms = attrgetter("at_ms")


def _two_places(rows: list[Signed], given: Contribution, rule: GapRule) -> list[Finding]:
    """Bills the same doctor signed elsewhere, less than the gap before or after this one."""
    if len(rows) < 2 or given.marks & BAD_INSTITUTION_CODE:
        return []
    at_ms, here, gap_ms = given.at_ms, given.fixmedins_code, rule.gap_ms
    elsewhere = []
    for row in reversed(rows):  # a doctor's newest are few; the bill is one of them
        if row.at_ms <= at_ms - gap_ms:
            break
        if row.fixmedins_code != here and row.fixmedins_code and row.at_ms < at_ms + gap_ms:
            elsewhere.append(row)
    if not elsewhere:
        return []
    elsewhere.reverse()
    closest_ms = min(abs(row.at_ms - at_ms) for row in elsewhere)
    evidence = tuple(row.event_id for row in elsewhere[-_MOST_EVIDENCE:])
    episode = Episode("M03", 1, 0, given.event_id, 0, rule.levels[0].theta)
    return [Finding(episode, "opened", closest_ms // 1000, evidence)]


def _pace(subject: Subject, given: Contribution, rule: PaceRule) -> list[Finding]:
    """The episode of M09: it ends where the measure without this bill is below the re-arm point."""
    level = rule.levels[0]
    open_one = next((each for each in subject.episodes if each.rule_id == "M09"), None)
    rows = subject.signed
    if open_one is None and (given.sign < 0 or len(rows) < rule.persons or _close_rows(rows, rule) < level.theta):
        return []
    until_ms = given.at_ms if given.sign > 0 else given.moved_ms
    first = bisect_right(rows, until_ms - level.window_ms, key=_at_ms)
    window = [row for row in rows[first : bisect_right(rows, until_ms, key=_at_ms)] if row.person]
    found: list[Finding] = []
    if open_one is not None:
        before = _short_gaps([row for row in window if given.sign < 0 or row.event_id != given.original_id], rule)
        if before >= open_one.ends_below:
            return []
        subject.episodes = tuple(each for each in subject.episodes if each != open_one)
        found.append(Finding(open_one, "closed", before))
    if given.sign > 0 and (observed := _short_gaps(window, rule)) >= level.theta:
        risen = Episode("M09", 1, 0, given.event_id, level.rearm, level.theta)
        subject.episodes = (*subject.episodes, risen)
        evidence = tuple(row.event_id for row in window[-_MOST_EVIDENCE:])
        found.append(Finding(risen, "opened", observed, evidence))
    return found


def _close_rows(rows: list[Signed], rule: PaceRule) -> int:
    """Bills close upon the one before: never fewer than M09's short gaps, each of which ends at such a bill."""
    times = [row.at_ms for row in rows]
    gap_ms = rule.gap_ms
    return sum([later - earlier < gap_ms for earlier, later in pairwise(times)])


def _short_gaps(rows: list[Signed], rule: PaceRule) -> int:
    """Gaps shorter than the line between the latest patients; rows in the order of their time."""
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row.person, row.at_ms)
    if len(firsts) < rule.persons:
        return 0
    latest = list(firsts.values())[-rule.persons :]
    return sum(later - earlier < rule.gap_ms for earlier, later in pairwise(latest))
