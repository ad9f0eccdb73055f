"""How the value of each kind of rule parameter is read from TOML. Credit, place, F01-F07: policy_credit_shapes.py."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

from risk.facts.base import AGE_MOST
from risk.local_time import SECOND_MS
from risk.policy_measures import EXCLUSIONS
from risk.policy_reading import UNITS_MS, Table, read_flag, read_rows, read_texts, refuse_repeats
from risk.policy_rules import (
    AmountRule,
    DemandRule,
    GapRule,
    Kind,
    Level,
    PlaceholderCodes,
    QualityRule,
    ShareRule,
    Slope,
    SumRule,
    WindowRule,
)
from risk.policy_values import CodedItems, ItemLimit, ItemLimits
from risk.terms import PolicyError

Shape = Callable[[object, str], Any]

KINDS = ("warning", "over_limit", "suspicion", "data_quality", "sla")
SUM_FIELDS = ("medfee_sumamt_fen", "fund_pay_sumamt_fen", "psn_part_amt_fen", "acct_pay_fen", "psn_cash_pay_fen")
GRAVEST = 4


def kind_of(table: Table) -> Kind:
    return cast("Kind", table.text("kind", choices=KINDS))


def _rearm(table: Table, key: str, theta: int) -> int:
    """The re-arm point: floor(0.8 theta), at least one below theta, unless the policy says otherwise."""
    if not table.has(key):
        return min(theta * 4 // 5, theta - 1)
    return table.integer(key, least=1, most=theta - 1)


def level_of(table: Table, number: int, window_ms: int, *, least: int = 2, most: int = 10**9) -> Level:
    theta = table.integer("theta", least=least, most=most)
    rearm = _rearm(table, "rearm", theta)
    level = Level(number, theta, rearm, window_ms, kind_of(table), table.integer("sev", least=1, most=GRAVEST))
    table.finish()
    return level


def ascending(levels: tuple[Level, ...], where: str) -> tuple[Level, ...]:
    """The levels, if each stands above the one before."""
    for lower, upper in pairwise(levels):
        if upper.theta <= lower.theta:
            raise PolicyError(
                f"{where}[{upper.level - 1}].theta is {upper.theta}, not above {lower.theta}. "
                f"Levels open lowest first. Put them in rising order."
            )
    return levels


def med_types_of(table: Table) -> tuple[str, ...]:
    if not table.has("med_types"):
        return ()
    return read_texts(table.take("med_types"), table.place("med_types"))


def fixmedins_type_of(table: Table) -> str | None:
    return table.text("fixmedins_type", choices=("1", "2")) if table.has("fixmedins_type") else None


def excepted(table: Table) -> tuple[str, ...]:
    """The kinds of care that a rule leaves out."""
    if not table.has("except"):
        return ()
    return read_texts(table.take("except"), table.place("except"), choices=EXCLUSIONS)


def window_rule(*, rolling: bool, least: int = 2, of_bills: bool = False, one_level: bool = False) -> Shape:
    """Counts over a moving window (each level names its length) or over one local date (no length). What a rule
    `of_bills` counts remembers which exclusions concern it. Of one with `one_level` the code keeps one window.
    """

    def read(content: object, where: str) -> WindowRule:
        table = Table(content, where)
        rows = levels_of(table, one=one_level)
        levels = tuple(
            level_of(row, number, row.duration_ms("window") if rolling else 0, least=least)
            for number, row in enumerate(rows, 1)
        )
        rule = WindowRule(
            levels=ascending(levels, table.place("levels")),
            med_types=med_types_of(table),
            fixmedins_type=fixmedins_type_of(table),
            exclusions=excepted(table) if of_bills else (),
            text_zh=table.sentence("text_zh"),
            text_en=table.sentence("text_en"),
        )
        table.finish()
        return rule

    return read


def gap_rule(*, filtered: bool) -> Shape:
    """How close is too close, in whole seconds: P03 of any two settlements but those left out, M03 of those that pass
    a filter.
    """

    def read(content: object, where: str) -> GapRule:
        table = Table(content, where)
        gap_ms = table.duration_ms("gap")
        if gap_ms % SECOND_MS:
            raise PolicyError(
                f"{where}.gap_ms is not a whole second. Alerts show the gap in seconds. Write gap_seconds."
            )
        rule = GapRule(
            levels=(
                Level(1, gap_ms // SECOND_MS, 0, gap_ms, kind_of(table), table.integer("sev", least=1, most=GRAVEST)),
            ),
            med_types=med_types_of(table) if filtered else (),
            fixmedins_type=fixmedins_type_of(table) if filtered else None,
            precision_percent=precision(table) if filtered else 0,
            exclusions=() if filtered else excepted(table),
            text_zh=table.sentence("text_zh"),
            text_en=table.sentence("text_en"),
        )
        table.finish()
        return rule

    return read


def precision(table: Table) -> int:
    """The share of its alerts that must prove right, percent: what the detection bench holds a rule to."""
    return table.integer("precision_percent", least=1, most=100)


def amount_rule(content: object, where: str) -> AmountRule:
    """P13: one bill of at least this much."""
    table = Table(content, where)
    threshold_fen = table.integer("threshold_fen", least=1)
    level = Level(1, threshold_fen, 0, 0, kind_of(table), table.integer("sev", least=1, most=GRAVEST))
    rule = AmountRule(
        levels=(level,),
        med_types=read_texts(table.take("med_types"), table.place("med_types")),
        exclusions=excepted(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def share_rule(content: object, where: str) -> ShareRule:
    """P12: percent of a cap, by levels; the last one may be a slope: percent of the year's sum, over a window."""
    table = Table(content, where)
    rows = table.rows("levels")
    slope = _slope(rows.pop(), len(rows) + 1) if len(rows) > 1 and has_window(rows[-1]) else None
    levels = tuple(level_of(row, number, 0, most=100) for number, row in enumerate(rows, 1))
    ascending(levels, table.place("levels"))
    rule = ShareRule(
        levels=levels if slope is None else (*levels, slope[0].level),
        level_texts=() if slope is None else (*(None for _ in levels), slope[1]),
        slope=slope and slope[0],
        exclusions=excepted(table) if slope else (),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def _slope(row: Table, number: int) -> tuple[Slope, tuple[str, str]]:
    """The level of a window, and its own sentence: it observes percent, the others fen."""
    from_day = row.integer("from_day", least=1, most=366)
    least_percent = row.integer("least_percent", least=1, most=100)
    least_bills = row.integer("least_bills", least=1)
    texts = (row.sentence("text_zh"), row.sentence("text_en"))
    level = level_of(row, number, row.duration_ms("window"), most=100)
    return Slope(level, from_day, least_percent, least_bills), texts


def demand_rule(content: object, where: str) -> DemandRule:
    """L80, L90, L100: percent of the limit, with the percent below which the rule re-arms."""
    table = Table(content, where)
    text_zh, text_en = table.sentence("text_zh"), table.sentence("text_en")
    return DemandRule(levels=(level_of(table, 1, 0, most=100),), text_zh=text_zh, text_en=text_en)


def levels_of(table: Table, *, one: bool) -> list[Table]:
    """The rows of the levels; of some rules the code looks at one."""
    rows = table.rows("levels")
    if one and len(rows) > 1:
        raise PolicyError(f"{table.where} has {len(rows)} levels, but its code looks at one. Keep one level.")
    return rows


def has_window(row: Table) -> bool:
    return any(row.has(f"window_{unit}") for unit in UNITS_MS)


def quality_rule(content: object, where: str) -> QualityRule:
    """Q01-Q06: only how grave, and the sentence."""
    table = Table(content, where)
    level = Level(1, 1, 0, 0, kind_of(table), table.integer("sev", least=1, most=GRAVEST))
    rule = QualityRule(levels=(level,), text_zh=table.sentence("text_zh"), text_en=table.sentence("text_en"))
    table.finish()
    return rule


def sum_rule(content: object, where: str) -> SumRule:
    """X01: a rolling sum of one settlement amount per person."""
    table = Table(content, where)
    field = table.text("field", choices=SUM_FIELDS)
    threshold_fen = table.integer("threshold_fen", least=2)
    rearm_fen = _rearm(table, "rearm_fen", threshold_fen)
    window_ms = table.duration_ms("window")
    kind, sev = kind_of(table), table.integer("sev", least=1, most=GRAVEST)
    rule = SumRule(
        levels=(Level(1, threshold_fen, rearm_fen, window_ms, kind, sev),),
        field=field,
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def placeholder_codes(content: object, where: str) -> PlaceholderCodes:
    """The codes that mean nobody, and whether a code of nines alone is one."""
    table = Table(content, where)
    codes = read_texts(table.take("codes"), table.place("codes"))
    rule = PlaceholderCodes(
        codes=frozenset(code.casefold() for code in codes),
        all_nines=read_flag(table.take("all_nines"), table.place("all_nines")),
    )
    table.finish()
    return rule


def coded_items(content: object, where: str) -> CodedItems:
    """Which items have a trace code, and which of them have none (无码库)."""
    table = Table(content, where)
    rule = CodedItems(
        items=read_texts(table.take("items"), table.place("items")),
        without=read_texts(table.take("without"), table.place("without")) if table.has("without") else (),
    )
    table.finish()
    return rule


def item_limits(content: object, where: str) -> ItemLimits:
    """Rows of name, items (prefixes), and for whom these are: gend, age_least, age_most."""
    found = []
    for row in read_rows(content, where):
        limit = ItemLimit(
            name=row.text("name"),
            items=read_texts(row.take("items"), row.place("items")),
            gend=row.text("gend", choices=("1", "2")) if row.has("gend") else "",
            age_least=row.integer("age_least", least=1, most=AGE_MOST) if row.has("age_least") else None,
            age_most=row.integer("age_most", most=AGE_MOST) if row.has("age_most") else None,
        )
        row.finish()
        if not limit.gend and limit.age_least is None and limit.age_most is None:
            raise PolicyError(f"{row.where} is for everybody. A row says for whom. Add gend, age_least or age_most.")
        if limit.age_least is not None and limit.age_most is not None and limit.age_least > limit.age_most:
            raise PolicyError(f"{row.where} is for nobody: age_least is above age_most. Correct one of them.")
        found.append(limit)
    refuse_repeats([prefix for limit in found for prefix in limit.items], where)
    return ItemLimits(tuple(found))
