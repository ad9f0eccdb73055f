"""A person's bills as rules ask for them: of a window, of a date, of one place, and what is measured of them.

The rows are activity.py's. Which bills a rule of the grammar counts and what it measures of them is said here, once for
judging, for reversals and for the end of an episode.
"""

from bisect import bisect_right
from functools import lru_cache

from risk.activity import COUNTED, Activity, Row, Visit, at_ms_of
from risk.contributions import BAD_DOCTOR_CODE, BAD_INSTITUTION_CODE, INTERIM
from risk.facts import SettlementCompleted
from risk.insured import Insured, was_transferred
from risk.local_time import MINUTE_MS, local_day
from risk.policy_measures import EXCLUSIONS, Measure, MeasuredRule
from risk.policy_rules import Level, Rule
from risk.terms import Terms

AWAY = 1
"""A row's mark: settled in another prefecture (the first four digits) than the one that insures him. The marks above it
are those of EXCLUSIONS, and above them which codes meant none when it was counted: what means none may change.
"""

_BAD_CODES = BAD_INSTITUTION_CODE | BAD_DOCTOR_CODE
_BAD_CODES_SHIFT = 1 + len(EXCLUSIONS)
_INTERIM = (_BAD_CODES + 1) << _BAD_CODES_SHIFT
_PREFECTURE = 4
_TRANSFERRED = 2
_MOST_EVIDENCE = 100
OF_A_COUNT = ("count", "same_amount")
"""Measures of bills that are never more than the bills there are."""


def marks_of_bill(
    fact: SettlementCompleted, visit: Visit | None, terms: Terms, *, at_ms: int, insured: Insured | None
) -> int:
    """What a row must remember of a settlement beside its amounts; a place nobody named is home.

    Which exclusions concern it is settled here, by what its visit and the transfers on file told until now.
    """
    home, here = fact.insuplc_admdvs, fact.mdtrtarea_admvs
    away = AWAY if home and here and home[:_PREFECTURE] != here[:_PREFECTURE] else 0
    told = int(fact.emergency)
    if insured is not None and was_transferred(insured, at_ms, fact.fixmedins_code):
        told += _TRANSFERRED
    interim = _INTERIM if is_interim(fact) else 0
    return away | interim | _marks_of_care(terms, fact.med_type, visit.diag_group if visit is not None else "", told)


def is_interim(fact: SettlementCompleted) -> bool:
    """A bill in the middle of a stay (中途结算): the stay is not settled by it."""
    return fact.mid_setl_flag == "1"


def settles_its_visit(row: Row) -> bool:
    """A bill that counts and is not an interim one."""
    return row.state == COUNTED and not row.marks & _INTERIM


def with_bad_codes(bill_marks: int, marks: int) -> int:
    """A row's marks with those of a contribution that say which codes are placeholders."""
    return bill_marks | (marks & _BAD_CODES) << _BAD_CODES_SHIFT


def told_marks_of(row: Row) -> int:
    """The marks of a row's contributions when it was counted: which codes were placeholders, is it an interim bill."""
    return row.marks >> _BAD_CODES_SHIFT & _BAD_CODES | (INTERIM if row.marks & _INTERIM else 0)


@lru_cache(maxsize=4096)
def _marks_of_care(terms: Terms, med_type: str, diag_group: str, told: int) -> int:
    """`told`: 1 an emergency, 2 a transfer on file."""
    clause = terms.get("exclusions")
    if clause is None:
        return 0
    emergency, transfer = bool(told & 1), bool(told & _TRANSFERRED)
    return _marks_of(clause.value.of(med_type, diag_group, emergency=emergency, transfer=transfer))


@lru_cache(maxsize=256)
def _marks_of(names: tuple[str, ...]) -> int:
    return sum(2 * AWAY << EXCLUSIONS.index(name) for name in names)


def is_left_out(rule: Rule, row: Row) -> bool:
    """Is the bill one of care that the rule excludes?"""
    return bool(row.marks & _marks_of(rule.exclusions))


def counted_between(activity: Activity, after_ms: int, until_ms: int) -> list[Row]:
    """The counted settlements of (after, until]; rows stand in the order of their time."""
    rows = activity.rows
    first = bisect_right(rows, after_ms, key=at_ms_of)
    last = bisect_right(rows, until_ms, first, key=at_ms_of)
    return [row for row in rows[first:last] if row.state == COUNTED]


def counted_on(activity: Activity, day: int) -> list[Row]:
    """The counted settlements of a local date."""
    return [row for row in activity.rows if row.state == COUNTED and local_day(row.at_ms) == day]


def evidence_of(rows: list[Row]) -> list[Row]:
    """The bills a measure rests on, the newest hundred."""
    return rows[-_MOST_EVIDENCE:]


def most_alike(rows: list[Row], round_fen: int) -> int:
    """P19's measure: the most bills of one amount, or of round ones, whichever are more. Of nothing no cash is made."""
    amounts = [row.medfee_fen for row in rows if row.medfee_fen]
    alike = max((amounts.count(each) for each in set(amounts)), default=0)
    return max(alike, sum(1 for each in amounts if round_fen and each % round_fen == 0))


def in_the_same_minute(activity: Activity, row: Row) -> list[Row]:
    """H14: the person's counted bills at the row's place, in its local minute, of its amount; itself among them. Bills
    of nothing are no parts of one.
    """
    if not row.medfee_fen:
        return []
    minute, place = row.at_ms // MINUTE_MS, (row.fixmedins_code, row.medfee_fen)
    found = counted_between(activity, minute * MINUTE_MS - 1, (minute + 1) * MINUTE_MS - 1)
    return [each for each in found if (each.fixmedins_code, each.medfee_fen) == place]


# --- rules of the grammar --------------------------------------------------------------------------------------------


def admits_bill(rule: MeasuredRule, row: Row) -> bool:
    """Does the rule count this bill? A rule about institutions counts none of a place that is none."""
    if not rule.admits_treatment(row.med_type) or (rule.away and not row.marks & AWAY) or is_left_out(rule, row):
        return False
    if rule.fixmedins_type:
        return row.fixmedins_type == rule.fixmedins_type
    return rule.subject == "person" or row.fixmedins_type != ""


def bills_of(activity: Activity, rule: MeasuredRule, level: Level, *, at_ms: int, of: tuple[int, str]) -> list[Row]:
    """The bills that a rule counts: in (at - W, at], or on the date `of` names; at the place it names, "" = any."""
    day, place = of
    rows = counted_between(activity, at_ms - level.window_ms, at_ms) if not day else counted_on(activity, day)
    return [row for row in rows if admits_bill(rule, row) and place in ("", row.fixmedins_code)]


def bill_measure(rule: MeasuredRule, rows: list[Row]) -> int:
    """The rule's measure over these bills; 0 where what must hold beside it does not."""
    if any(_measure(rule, bound, rows) < bound.least for bound in rule.beside):
        return 0
    return _measure(rule, rule.measure, rows)


def _measure(rule: MeasuredRule, measure: Measure, rows: list[Row]) -> int:
    match measure.kind:
        case "count":
            return len(rows)
        case "total":
            return sum(row.medfee_fen for row in rows)
        case "same_amount":
            return most_alike(rows, rule.round_fen)
    raise AssertionError(f"no measure of bills: {measure.kind}")
