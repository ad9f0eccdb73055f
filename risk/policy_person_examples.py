"""Worked examples of two rules about a person's bills (P12, P13), as (zh, en)."""

from collections.abc import Callable
from typing import Any

from risk.policy_rules import AmountRule, ShareRule
from risk.policy_staff_examples import Words, span
from risk.terms import Terms
from risk.yuan import yuan

_CAP_FEN = 10_000_000


def _amount(rule: AmountRule, terms: Terms) -> Words:
    at, below = yuan(rule.threshold_fen), yuan(rule.threshold_fen - 1)
    return f"一笔 {at} 元：预警；{below} 元：不预警。", f"One bill of {at} yuan: an alert; of {below} yuan: none."


def _share(rule: ShareRule, terms: Terms) -> Words:
    caps = terms.get("annual_cap")
    cap_fen = caps.value.rows[0].cap_fen if caps else _CAP_FEN
    level, slope = rule.levels[0], rule.slope
    cap, at, rearm = yuan(cap_fen), yuan(cap_fen * level.theta // 100), yuan(cap_fen * level.rearm // 100)
    zh = f"年度限额 {cap} 元：基金支付累计达到 {at} 元触发第 1 级；低于 {rearm} 元后可再次触发。"
    en = f"With a cap of {cap} yuan, {at} yuan paid by the fund opens level 1; below {rearm} yuan it may open again."
    if slope is None:
        return zh, en
    (span_zh, span_en), least = span(slope.level.window_ms), yuan(cap_fen * slope.least_percent // 100)
    return (
        f"{zh}自当年第 {slope.from_day} 天起、累计达到 {least} 元后，其中 {slope.level.theta}% 由近 {span_zh}内的 "
        f"{slope.least_bills} 笔及以上构成：第 {slope.level.level} 级；{slope.level.theta - 1}%：不触发。",
        f"{en} From day {slope.from_day} of the year on and from {least} yuan on, {slope.level.theta} % of them by "
        f"{slope.least_bills} bills and more of {span_en} open level {slope.level.level}; {slope.level.theta - 1} %: "
        f"none.",
    )


OF_PERSONS: dict[type, Callable[[Any, Terms], Words]] = {AmountRule: _amount, ShareRule: _share}
