"""How the rule about people who keep coming together (P18) is read from TOML, and it by example."""

from risk.local_time import DAY_MS, MINUTE_MS
from risk.policy_reading import Table
from risk.policy_rules import CompanyRule, Level
from risk.policy_shapes import GRAVEST, excepted, fixmedins_type_of, kind_of, med_types_of, precision
from risk.policy_staff_examples import Words
from risk.terms import PolicyError, Terms

WINDOW_DAYS_MOST = 30
PEOPLE_LEAST, PEOPLE_MOST = 3, 4  # two are a couple; of five, a crowd has too many companies to look through
CROWD_MOST = {3: 20, 4: 10}
"""By theta: the more people, the fewer may stand about, or there are too many companies again."""


def company_rule(content: object, where: str) -> CompanyRule:
    """P18: how many people (theta) within how many minutes, on how many dates, and in what crowd they are let be."""
    table = Table(content, where)
    rows = table.rows("levels")
    if len(rows) != 1:
        raise PolicyError(f"{where} has {len(rows)} levels, but a company has one line. Keep one level.")
    days, minutes = table.integer("days", least=2, most=10), table.integer("gap_minutes", least=1, most=60)
    theta = rows[0].integer("theta", least=PEOPLE_LEAST, most=PEOPLE_MOST)
    window_days = rows[0].integer("window_days", least=days, most=WINDOW_DAYS_MOST)
    sev = rows[0].integer("sev", least=1, most=GRAVEST)
    level = Level(1, theta, 0, window_days * DAY_MS, kind_of(rows[0]), sev)
    rows[0].finish()
    rule = CompanyRule(
        levels=(level,),
        med_types=med_types_of(table),
        fixmedins_type=fixmedins_type_of(table),
        exclusions=excepted(table),
        days=days,
        gap_ms=minutes * MINUTE_MS,
        crowd=table.integer("crowd", least=theta, most=CROWD_MOST[theta]),
        precision_percent=precision(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def company_example(rule: CompanyRule, _terms: Terms) -> Words:
    """On which date which people open it."""
    people, days, window, minutes = rule.levels[0].theta, rule.days, rule.window_days, rule.gap_ms // MINUTE_MS
    return (
        f"{window} 天内有 {days} 天，同样 {people} 人在同一机构 {minutes} 分钟内先后结算：预警；只有 {days - 1} 天，"
        f"或每次同行的人不同：不预警。常客结算超过 {rule.crowd} 笔的半小时不计。",
        f"The same {people} people within {minutes} minutes at one place on {days} dates of {window}: an alert; on "
        f"{days - 1}, or with others each time: none. A half hour with more than {rule.crowd} settlements of regulars "
        f"does not count.",
    )
