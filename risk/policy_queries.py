"""How the rule about queries (T01) is read from TOML, and by example."""

from typing import get_args

from risk.facts.query import Purpose
from risk.policy_reading import Table, read_texts
from risk.policy_rules import PERSONS_ASKED_MOST, QUERIES_COUNTED, QueryRule
from risk.policy_shapes import ascending, level_of, precision
from risk.policy_staff_examples import Words, span
from risk.terms import Terms

_PURPOSES = get_args(Purpose)


def query_rule(content: object, where: str) -> QueryRule:
    """T01: levels of persons asked for, or denied, each with its window and, if it wants one, a sentence of its own."""
    table = Table(content, where)
    levels, counts, texts = [], [], []
    for number, row in enumerate(table.rows("levels"), 1):
        counts.append(row.text("counts", choices=QUERIES_COUNTED))
        texts.append((row.sentence("text_zh"), row.sentence("text_en")) if row.has("text_zh") else None)
        levels.append(level_of(row, number, row.duration_ms("window"), most=PERSONS_ASKED_MOST))
    for name in QUERIES_COUNTED:
        of_it = (level for level, counted in zip(levels, counts, strict=True) if counted == name)
        ascending(tuple(of_it), table.place("levels"))
    rule = QueryRule(
        levels=tuple(levels),
        counts=tuple(counts),
        ordinary=_purposes(table, "ordinary"),
        ordinary_with_authorization=_purposes(table, "ordinary_with_authorization"),
        precision_percent=precision(table),
        level_texts=tuple(texts) if any(texts) else (),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def _purposes(table: Table, key: str) -> tuple[str, ...]:
    return read_texts(table.take(key), table.place(key), choices=_PURPOSES, empty=True)


def query_example(rule: QueryRule, _terms: Terms) -> Words:
    """The first person who opens the first level of each kind, and what is not counted."""
    zh, en = [], []
    for counted, who_zh, who_en in (("asked", "查询", "asking for"), ("denied", "被拒绝查询", "being denied")):
        if counted in rule.counts:
            level = rule.levels[rule.counts.index(counted)]
            (in_zh, in_en), opens = span(level.window_ms), f"opens level {level.level}, severity {level.sev}"
            zh.append(f"{in_zh}内{who_zh}的第 {level.theta} 名不同参保人触发第 {level.level} 级，严重度 {level.sev}")
            en.append(f"{who_en} more than {level.theta - 1} different persons within {in_en} {opens}")
    named = [*rule.ordinary, *(f"{each} + authorization_ref" for each in rule.ordinary_with_authorization)]
    left_out = ", ".join(named) or "-"
    said_zh, said_en = "；".join(zh), "; ".join(en)
    return (
        f"{said_zh}；同一人再次查询不另计；已答复的以下查询不计：{left_out}。",
        f"{said_en[0].upper()}{said_en[1:]}. One asked for again counts once. Not counted, if answered: {left_out}.",
    )
