"""Whose settlements at one place may make a company (P18): those of regulars, who settled there on so many dates.

Nobody else can have come with the same people on as many. So only a regular's settlements are told to the place's shard
(companies.py), by his own, which has them all and knows which of them are held against nobody; all others cost nothing
there. Who is one is a function of the person's rows, so that what a reversal takes away is what was told.
"""

from risk.activity import COUNTED, Row
from risk.bills import is_left_out
from risk.contributions import REGULAR, SILENT, Contribution, person_hash
from risk.local_time import local_day
from risk.policy_rules import CompanyRule
from risk.terms import Terms

Rows = tuple[Row, ...]


def regulars_told(
    psn_no: str, rows: tuple[Rows, Rows], row: Row, terms: Terms, *, by: tuple[str, int], silent: bool = False
) -> list[Contribution]:
    """What a settlement, or its reversal, changes of what its place knows of its regulars. `rows`: the person's before
    and after; `by`: the event that moved them, and when.
    """
    clause = terms.get("P18")
    if clause is None or len(rows[1]) < clause.value.days or not row.fixmedins_type:
        return []
    was, now = (_as_a_regular(each, row.fixmedins_code, clause.value) for each in rows)
    if not was and not now:
        return []
    stays, stood = {each.setl for each in now}, {each.setl for each in was}
    dates = sorted({local_day(each.at_ms) for each in now})
    gone = [_told(psn_no, each, -1, by=by) for each in was if each.setl not in stays]
    come = [each for each in now if each.setl not in stood]
    return gone + [
        _told(psn_no, each, 1, by=by, dates=_near(each, dates, clause.value), silent=silent) for each in come
    ]


def _as_a_regular(rows: Rows, fixmedins_code: str, rule: CompanyRule) -> list[Row]:
    """The counted settlements there on dates of which so many lie in one window."""
    here = [
        each
        for each in rows
        if each.fixmedins_code == fixmedins_code
        and each.state == COUNTED
        and rule.admits(each.med_type, each.fixmedins_type)
        and not is_left_out(rule, each)
    ]
    if len(here) < rule.days:
        return []
    dates = sorted({local_day(each.at_ms) for each in here})
    close = {
        date
        for at, last in enumerate(dates[rule.days - 1 :])
        if last - dates[at] < rule.window_days
        for date in dates[at : at + rule.days]
    }
    return [each for each in here if local_day(each.at_ms) in close]


def _near(row: Row, dates: list[int], rule: CompanyRule) -> tuple[int, ...]:
    """The dates of the window that ends with the row's own."""
    date = local_day(row.at_ms)
    return tuple(each for each in dates if date - rule.window_days < each <= date)


def _told(
    psn_no: str, row: Row, sign: int, *, by: tuple[str, int], dates: tuple[int, ...] = (), silent: bool = False
) -> Contribution:
    event_id, moved_ms = by
    who, kinds = person_hash(psn_no), (row.fixmedins_type, row.med_type)
    when, marks = (row.at_ms, moved_ms, event_id, row.event_id), SILENT if silent else 0
    return Contribution(REGULAR, row.fixmedins_code, sign, *when, who, *kinds, 0, 0, marks, dates=dates)
