"""How the price watch (W01, E01) is read from TOML, and its rules by example."""

from risk.market import KNOWN_DAYS
from risk.policy_reading import Table, read_texts
from risk.policy_rules import PriceRule
from risk.policy_shapes import Shape, ascending, level_of, precision
from risk.policy_staff_examples import Words
from risk.terms import Terms
from risk.yuan import yuan


def price_rule(*, over_days: bool) -> Shape:
    """W01 (beside others) and E01 (`over_days`: beside the days before): levels in per cent."""

    def read(content: object, where: str) -> PriceRule:
        table = Table(content, where)
        levels = tuple(level_of(row, number, 0) for number, row in enumerate(table.rows("levels"), 1))
        window_days = table.integer("window_days", least=1, most=KNOWN_DAYS) if over_days else 0
        rule = PriceRule(
            levels=ascending(levels, table.place("levels")),
            items=read_texts(table.take("items"), table.place("items")),
            least_places=table.integer("least_places", least=2),
            window_days=window_days,
            known_days=table.integer("known_days", least=1, most=window_days) if over_days else 0,
            precision_percent=precision(table),
            text_zh=table.sentence("text_zh"),
            text_en=table.sentence("text_en"),
        )
        table.finish()
        return rule

    return read


def price_example(rule: PriceRule, _terms: Terms) -> Words:
    """The first price that opens the first level, each way."""
    level, beside = rule.levels[0], 10_000
    zh, en = f"其他 {rule.least_places} 家及以上", f"{rule.least_places} others and more"
    if rule.window_days:
        zh, en = f"此前 {rule.window_days} 天", f"the {rule.window_days} days before"
    up, down = yuan(beside * (100 + level.theta) // 100), yuan(beside * max(0, 100 - level.theta) // 100)
    return (
        f"{zh}为 {yuan(beside)} 元时：{up} 元或 {down} 元触发第 1 级，严重度 {level.sev}。",
        f"Where it is {yuan(beside)} yuan for {en}: {up} yuan, or {down}, opens level 1, severity {level.sev}.",
    )
