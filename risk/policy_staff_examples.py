"""Worked examples of the rules about staff, and how a length of time is said, as (zh, en)."""

from collections.abc import Callable
from typing import Any

from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from risk.policy_rules import PaceRule, PointsRule, StandingRule
from risk.terms import Terms

Words = tuple[str, str]

_PARTS_MS = ((DAY_MS, "天", "d"), (HOUR_MS, "小时", "h"), (MINUTE_MS, "分钟", "min"), (SECOND_MS, "秒", "s"))


def span(length_ms: int) -> Words:
    """A length of time in its largest whole unit."""
    for unit_ms, zh, en in _PARTS_MS:
        if length_ms and length_ms % unit_ms == 0:
            return f"{length_ms // unit_ms} {zh}", f"{length_ms // unit_ms} {en}"
    return f"{length_ms} 毫秒", f"{length_ms} ms"


def _pace(rule: PaceRule, terms: Terms) -> Words:
    level, gaps = rule.levels[0], rule.persons - 1
    (zh, en), (gap_zh, gap_en) = span(level.window_ms), span(rule.gap_ms)
    return (
        f"{zh}内最近 {rule.persons} 名患者的 {gaps} 个间隔中，{level.theta} 个不足 {gap_zh}：预警；"
        f"{level.theta - 1} 个：不预警；少于 {level.rearm} 个后可再次触发。",
        f"Of the {gaps} gaps between the latest {rule.persons} patients in {en}, {level.theta} shorter than {gap_en}: "
        f"an alert; {level.theta - 1}: none. It may open again once fewer than {level.rearm} are left.",
    )


def _standing(rule: StandingRule, terms: Terms) -> Words:
    level, status = rule.levels[-1], " / ".join(rule.statuses[-1])
    zh, en = ("急救抢救除外", ", but not an emergency") if rule.excepts_emergency else ("不设例外", "")
    return (
        f"状态为 {status} 的次日签署结算：第 2 天，第 {level.level} 级预警，严重度 {level.sev}；{zh}；"
        f"状态结束时起不预警。",
        f"A bill signed the day after {status} began: day 2, level {level.level}, severity {level.sev}{en}; from its "
        f"end on none.",
    )


def _points(rule: PointsRule, terms: Terms) -> Words:
    first, last = rule.levels[0], rule.levels[-1]
    return (
        f"本年度累计 {first.theta} 分：第 1 级；{last.theta} 分：第 {last.level} 级，严重度 {last.sev}；"
        f"只提示，由经办机构决定；次年 1 月 1 日重新累计。",
        f"{first.theta} points this year: level 1; {last.theta}: level {last.level}, severity {last.sev}. It tells, "
        f"and a person decides; on 1 January the count begins again.",
    )


OF_STAFF: dict[type, Callable[[Any, Terms], Words]] = {PaceRule: _pace, PointsRule: _points, StandingRule: _standing}
