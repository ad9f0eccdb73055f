"""How steeply a person nears the cap of a year (P12's last level): what part of the year's sum came lately.

It is measured of the bills in a window, as far as they are of that year and of care that the rule does not leave out.
"""

from risk.activity import Activity, Row
from risk.bills import counted_between, is_left_out
from risk.local_time import local_day, to_date
from risk.policy_rules import ShareRule, Slope


def lately(activity: Activity, rule: ShareRule, slope: Slope, *, year: int, at_ms: int) -> list[Row]:
    """The year's bills in (at - W, at] that the rule counts."""
    found = counted_between(activity, at_ms - slope.level.window_ms, at_ms)
    return [each for each in found if to_date(local_day(each.at_ms)).year == year and not is_left_out(rule, each)]


def percent(slope: Slope, bills: list[Row], total_fen: int) -> int:
    """What percent, rounded down, of the year's fund payments these bills are; 0 if they are too few."""
    if len(bills) < slope.least_bills or total_fen <= 0:
        return 0
    return sum(each.fund_fen for each in bills) * 100 // total_fen


def may_open(rule: ShareRule, slope: Slope, row: Row, *, total_fen: int, cap_fen: int) -> bool:
    """Is the year old enough, its sum near enough to the cap, and the bill one that the rule counts?"""
    date = to_date(local_day(row.at_ms))
    return (
        total_fen * 100 >= cap_fen * slope.least_percent
        and date.timetuple().tm_yday >= slope.from_day
        and not is_left_out(rule, row)
    )
