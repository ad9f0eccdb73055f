"""How H07 and D07 (进销存不符) are read from TOML: more sold than there was, and perhaps for how much."""

from dataclasses import dataclass

from risk.policy_reading import Table
from risk.policy_rules import Level, Rule
from risk.policy_shapes import GRAVEST, kind_of
from risk.policy_staff_examples import Words
from risk.stock import RATED_DAYS_MOST
from risk.terms import Terms
from risk.yuan import yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRule(Rule):
    """Level 1: sold beyond what there was. Level 2, if there is one: what was sold in `window_days` came to so many per
    cent of what there was to sell, and to `least_fen` and more.
    """

    window_days: int = 0
    least_fen: int = 0

    @property
    def ratio(self) -> Level | None:
        """The level of what it was worth."""
        return self.levels[1] if self.window_days else None


def stock_rule(content: object, where: str) -> StockRule:
    """kind, sev, the sentence; `value_ratio` with its own."""
    table = Table(content, where)
    levels = [Level(1, 0, 0, 0, kind_of(table), table.integer("sev", least=1, most=GRAVEST))]
    window_days = least_fen = 0
    level_texts: tuple[tuple[str, str] | None, ...] = ()
    if table.has("value_ratio"):
        row = Table(table.take("value_ratio"), table.place("value_ratio"))
        window_days, least_fen = row.integer("window_days", least=1, most=RATED_DAYS_MOST), row.integer("least_fen")
        percent = row.integer("percent", least=101)
        levels.append(Level(2, percent, percent * 4 // 5, 0, kind_of(row), row.integer("sev", least=1, most=GRAVEST)))
        level_texts = (None, (row.sentence("text_zh"), row.sentence("text_en")))
        row.finish()
    rule = StockRule(
        levels=tuple(levels),
        window_days=window_days,
        least_fen=least_fen,
        level_texts=level_texts,
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def stock_example(rule: StockRule, _terms: Terms) -> Words:
    """The sentence, and what a hundred yuan on the shelf may be sold for."""
    zh, en = f"“{rule.text_zh}”，严重度 {rule.sev}。", f'"{rule.text_en}", severity {rule.sev}.'
    if rule.ratio is None:
        return zh, en
    sold, days = yuan(100 * rule.ratio.theta), rule.window_days
    return (
        f"{zh}{days} 天内可售库存按进价 100 元、按售价卖得 {sold} 元触发第 2 级。",
        f"{en} What there was in {days} days, 100 yuan as bought, sold for {sold} yuan, opens level 2.",
    )
