"""What the tables of items and houses say by example: trace codes, sex and age, line counts, capacities; (zh, en)."""

from collections.abc import Callable
from typing import Any

from risk.policy_lines import Capacities, LineCounts
from risk.policy_special_items import SpecialItems
from risk.policy_staff_examples import Words
from risk.policy_values import CodedItems, ItemLimits
from risk.terms import Terms


def _coded(rule: CodedItems, terms: Terms) -> Words:
    items, but = "、".join(rule.items), "、".join(rule.without) or "无"
    return (
        f"编码以 {items} 开头的药品应有 20 位追溯码；例外：{but}。",
        f"Items that begin with {items} need twenty digits; exceptions: {but if rule.without else 'none'}.",
    )


def _limited(limits: ItemLimits, terms: Terms) -> Words:
    row = limits.rows[0]
    sexes = {"": ("", ""), "1": ("男性", "men"), "2": ("女性", "women")}[row.gend]
    ages = f"{row.age_least or 0}-{'' if row.age_most is None else row.age_most}"
    dated = row.age_least is not None or row.age_most is not None
    zh, en = (f"{sex}{f' {ages}' if dated else ''}" for sex in sexes)
    return (
        f"{row.name}（{'、'.join(row.items)}）只用于{zh}；表中没有的项目、性别或年龄不明的，不作判断。",
        f"{row.name} ({', '.join(row.items)}): for {en} only; nothing is said of an item without a row, nor where sex "
        f"or age is unknown.",
    )


def _lines(counts: LineCounts, terms: Terms) -> Words:
    row = counts.rows[0]
    return (
        f"编码以 {'、'.join(row.items)} 开头的明细计入 {row.counter}；未列出的明细不计。",
        f"Lines whose item begins with {', '.join(row.items)} count for {row.counter}; other lines for nothing.",
    )


def _capacities(capacities: Capacities, terms: Terms) -> Words:
    row = capacities.rows[0]
    return (
        f"{row.code}：核定床位 {row.beds}，每日透析 {row.dialysis_places} 人次；无对应行的机构不适用。",
        f"{row.code}: {row.beds} beds, {row.dialysis_places} dialysis places a day; without a row there is no rule.",
    )


def _special(items: SpecialItems, terms: Terms) -> Words:
    row = items.rows[0]
    codes, places = "、".join(row.items), ", ".join(row.places)
    return (
        f"{row.name}（{codes}）：{row.days} 天内每人 {row.units} 件，第 {row.units + 1} 件预警；"
        f"{f'仅限 {places} 销售' if places else '各机构均可销售'}。",
        f"{row.name} ({codes}): {row.units} a person in {row.days} days, number {row.units + 1} is an alert; sold "
        f"{f'by {places} only' if places else 'anywhere'}.",
    )


OF_ITEMS: dict[type, Callable[[Any, Terms], Words]] = {
    CodedItems: _coded,
    ItemLimits: _limited,
    SpecialItems: _special,
    LineCounts: _lines,
    Capacities: _capacities,
}
