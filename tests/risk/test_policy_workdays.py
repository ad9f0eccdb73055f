"""Working days: the table equals the library's, the exchanged weekends count, and an unknown year fails closed."""

from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import pytest

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of, to_date
from risk.policy import parse_policy
from risk.workdays import WorkdayUnknown, terms_add_working_days

POLICIES = Path(__file__).parents[2] / "config" / "policies"
SHAOYANG = parse_policy(read_policy_dir(POLICIES / "shaoyang"))


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_every_day_of_the_year_is_worked_as_the_library_has_it(year):
    day = date(year, 1, 1)
    while day.year == year:
        assert SHAOYANG.workdays.is_working(day_of(day)) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


def test_both_places_use_one_calendar():
    assert parse_policy(read_policy_dir(POLICIES / "hunan")).workdays == SHAOYANG.workdays


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 3, 2), 0, date(2026, 3, 2)),
        (date(2026, 3, 2), 3, date(2026, 3, 5)),
        (date(2026, 3, 6), 1, date(2026, 3, 9)),  # over a weekend
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # a worked Saturday
        (date(2026, 2, 13), 3, date(2026, 2, 25)),  # over the Spring Festival
        (date(2026, 9, 30), 1, date(2026, 10, 8)),
        (date(2025, 12, 31), 3, date(2026, 1, 6)),  # over a new year; Sunday 4 January is worked
    ],
)
def test_working_days_are_counted_from_the_day_after(start, count, end):
    assert to_date(terms_add_working_days(SHAOYANG, day_of(start), count)) == end


@pytest.mark.parametrize("start", [date(2026, 12, 30), date(2027, 3, 1), date(2022, 6, 1)])
def test_a_year_without_a_table_fails_closed(start):
    with pytest.raises(WorkdayUnknown, match=r"no entry for 20\d\d.*Add \[\[workdays\]\]"):
        terms_add_working_days(SHAOYANG, day_of(start), 3)


def test_a_policy_without_calendar_knows_no_working_day():
    with pytest.raises(WorkdayUnknown):
        parse_policy(read_policy_dir(POLICIES / "one-rule")).workdays.is_working(20_000)
