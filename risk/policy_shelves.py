"""How the rule about billed lines and shelves (H06) is read from TOML, and the rule by example."""

from risk.policy_reading import Table, read_texts
from risk.policy_rules import Level, ShelfRule
from risk.policy_shapes import GRAVEST, kind_of, precision
from risk.policy_staff_examples import Words
from risk.stock import DAYS_KEPT, OPEN_DAYS
from risk.terms import Terms
from risk.yuan import yuan


def shelf_rule(content: object, where: str) -> ShelfRule:
    """One line beyond so much; the dates looked at must be kept when the line is told two days late, and a line be
    judged before it is too old, after the longest silence too.
    """
    table = Table(content, where)
    over_fen = table.integer("over_fen", least=1)
    level = Level(1, over_fen, 0, 0, kind_of(table), table.integer("sev", least=1, most=GRAVEST))
    window_days = table.integer("window_days", least=OPEN_DAYS + 1, most=DAYS_KEPT - OPEN_DAYS)
    rule = ShelfRule(
        levels=(level,),
        items=read_texts(table.take("items"), table.place("items")),
        window_days=window_days,
        silent_days=table.integer("silent_days", least=1, most=window_days - OPEN_DAYS),
        precision_percent=precision(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def shelf_example(rule: ShelfRule, _terms: Terms) -> Words:
    """The smallest line that is looked at, and what clears it."""
    at, below, days = yuan(rule.over_fen + 1), yuan(rule.over_fen), rule.window_days
    return (
        f"一行 {at} 元、{days} 天内无购进、盘存或调入：满两天后触发，严重度 {rule.sev}；{below} 元不看。",
        f"A line of {at} yuan of an item that did not come in on {days} dates opens it once two full days have passed, "
        f"severity {rule.sev}; one of {below} yuan is not looked at.",
    )
