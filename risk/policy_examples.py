"""One worked example per parameter, in Chinese and English: the numbers of the day put to use, as (zh, en)."""

from collections.abc import Callable
from typing import Any

from risk.local_time import SECOND_MS, day_of, to_date
from risk.policy import Policy
from risk.policy_company import company_example
from risk.policy_counter_examples import counter_example
from risk.policy_counters import CounterRule
from risk.policy_item_examples import OF_ITEMS
from risk.policy_measures import PERIODS, Exclusions, MeasuredRule
from risk.policy_person_examples import OF_PERSONS
from risk.policy_prices import price_example
from risk.policy_queries import query_example
from risk.policy_rules import (
    CompanyRule,
    DemandRule,
    GapRule,
    PlaceholderCodes,
    PriceRule,
    QualityRule,
    QueryRule,
    ShelfRule,
    SumRule,
    UseRule,
    WindowRule,
)
from risk.policy_shelves import shelf_example
from risk.policy_staff_examples import OF_STAFF, Words, span
from risk.policy_stock import StockRule, stock_example
from risk.policy_values import (
    AnnualCap,
    BandEdge,
    DebitHours,
    InstitutionTable,
    LevelSet,
    LimitTable,
)
from risk.terms import Terms
from risk.workdays import WorkdayUnknown, WorkdayYear
from risk.yuan import yuan

_LIMIT_FEN = 300_000
_RATIO_LINE_FEN = 10_000


def worked_example(policy: Policy, name: str, day: int) -> Words:
    """The parameter applied to a small case with the values of this day."""
    terms = policy.on(day)
    clause = terms.get(name)
    if clause is None:
        return f"{to_date(day)} 无有效条款，不适用。", f"On {to_date(day)} no clause is in force: it does not apply."
    by_name = _BY_NAME.get(name)
    if by_name is not None:
        return by_name(clause.value, terms)
    if isinstance(clause.value, WorkdayYear):
        return _workdays(clause.value, policy)
    by_type = _BY_TYPE.get(type(clause.value))
    if by_type is not None:
        return by_type(clause.value, terms)
    if name.endswith("_ms") and isinstance(clause.value, int):
        zh, en = span(clause.value)
        return f"时长为 {zh}。", f"It lasts {en}."
    return _said(clause.value)


def _said(value: object) -> Words:
    if isinstance(value, bool):
        return ("是。", "Yes.") if value else ("否。", "No.")
    if value is None:
        return "无限额。", "No ceiling."
    said = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f"取值：{said}。", f"The value is {said}."


def _window(rule: WindowRule, terms: Terms) -> Words:
    level = rule.levels[0]
    zh, en = span(level.window_ms) if level.window_ms else ("同一天", "one local date")
    return (
        f"{zh}内第 {level.theta} 个（次）触发第 1 级预警，严重度 {level.sev}；不足 {level.rearm} 后可再次触发。",
        f"Number {level.theta} within {en} opens level 1, severity {level.sev}; it may open again once fewer than "
        f"{level.rearm} are left.",
    )


def _gap(rule: GapRule, terms: Terms) -> Words:
    seconds = rule.gap_ms // SECOND_MS
    return (
        f"两处结算相隔 {seconds - 1} 秒：预警；相隔 {seconds} 秒：不预警。",
        f"Two settlements {seconds - 1} s apart: an alert; {seconds} s apart: none.",
    )


def _demand(rule: DemandRule, terms: Terms) -> Words:
    over = rule.kind == "over_limit"
    limit, rearm = yuan(_LIMIT_FEN), yuan(_LIMIT_FEN * rule.rearm // 100)
    at = yuan(_LIMIT_FEN * rule.theta // 100 + over)
    return (
        f"额度 {limit} 元：需求达到 {at} 元触发；低于 {rearm} 元时结束。",
        f"With a limit of {limit} yuan, demand of {at} yuan opens it; it ends below {rearm} yuan.",
    )


def _use(rule: UseRule, terms: Terms) -> Words:
    level = rule.levels[0]
    zh, en = span(level.window_ms) if level.window_ms else ("不限时间", "any time")
    share_zh = f"超过额度的 {rule.percent}%，" if rule.percent else ""
    share_en = f"Beyond {rule.percent} % of the limit, n" if rule.percent else "N"
    return (
        f"{share_zh}{zh}内第 {level.theta} 个（次）提示第 1 级，严重度 {level.sev}；只提示，不拒绝。",
        f"{share_en}umber {level.theta} within {en} opens level 1, severity {level.sev}; it refuses nothing.",
    )


def _quality(rule: QualityRule, terms: Terms) -> Words:
    return f"“{rule.text_zh}”，严重度 {rule.sev}。", f'"{rule.text_en}", severity {rule.sev}.'


def _sum(rule: SumRule, terms: Terms) -> Words:
    zh, en = span(rule.window_ms)
    at, below = yuan(rule.threshold_fen), yuan(rule.levels[0].rearm)
    return (
        f"{zh}内合计达到 {at} 元触发；低于 {below} 元后可再次触发。",
        f"{at} yuan within {en} opens it; below {below} yuan it may open again.",
    )


def _placeholders(rule: PlaceholderCodes, terms: Terms) -> Words:
    verdicts = {code: rule.matches(code) for code in ("未知", " NULL ", "99999", "D4305001")}
    zh = "，".join(f"“{code}”{'是' if hit else '不是'}占位编码" for code, hit in verdicts.items())
    en = ", ".join(f'"{code}" is {"a placeholder" if hit else "a code"}' for code, hit in verdicts.items())
    return f"{zh}。", f"{en}."


def _caps(caps: AnnualCap, terms: Terms) -> Words:
    row = caps.rows[0]
    place, cap = row.insuplc_prefix.ljust(6, "0"), yuan(row.cap_fen)
    return (
        f"参保地 {place}、险种 {row.insutype}：年度限额 {cap} 元；无对应行的参保地不适用。",
        f"Insured in {place}, insurance type {row.insutype}: {cap} yuan a year; a place without a row has no rule.",
    )


def _limits(limits: LimitTable, terms: Terms) -> Words:
    row = limits.rows[0]
    lowest = yuan(limits.limit_fen(row.level, row.service, None))
    return (
        f"等级 {row.level}、{row.service}、险种 {row.insutype}：{yuan(row.limit_fen)} 元；"
        f"险种不明按最低行 {lowest} 元。",
        f"Level {row.level}, {row.service}, insurance type {row.insutype}: {yuan(row.limit_fen)} yuan; unknown type: "
        f"the lowest row, {lowest} yuan.",
    )


def _levels(levels: LevelSet, terms: Terms) -> Words:
    edge: BandEdge = terms["band_edge"].value if "band_edge" in terms else "lower_inclusive"
    score_x100 = levels.bands[0].from_x100
    level, score = levels.level_of(score_x100, edge), yuan(score_x100)
    return f"{score} 分评为 {level}（{edge}）。", f"A score of {score} is level {level} ({edge})."


def _band_edge(edge: str, terms: Terms) -> Words:
    return _levels(terms["level_set"].value, terms) if "level_set" in terms else (f"取值 {edge}。", f"It is {edge}.")


def _institutions(table: InstitutionTable, terms: Terms) -> Words:
    row = table.rows[0]
    eve = to_date(day_of(row.live_from) - 1)
    offered = "、".join(row.services)
    return (
        f"{row.name}（{row.code}）自 {row.live_from} 起提供 {offered}；{eve} 的申请答复“机构未开通”。",
        f"{row.name} ({row.code}) offers {', '.join(row.services)} from {row.live_from}; on {eve} the answer is "
        f"INSTITUTION_NOT_LIVE.",
    )


def _hours(hours: DebitHours, terms: Terms) -> Words:
    first, last = f"{hours.first:02d}:00", f"{hours.last:02d}:00"
    return (
        f"{last} 结束的就诊，扣款等到下一个 {first}；{first} 的可立即扣款。",
        f"A visit that closes at {last} is debited at the next {first}; one that closes at {first}, at once.",
    )


def _retries(steps: tuple[int, ...], terms: Terms) -> Words:
    zh, en = zip(*(span(step) for step in steps), strict=True) if steps else ((), ())
    return f"首次之后第 {'、'.join(zh)} 再试。", f"Later attempts come {', '.join(en)} after the first."


def _ratio(ratio_x10000: int, terms: Terms) -> Words:
    line, cash = yuan(_RATIO_LINE_FEN), yuan(_RATIO_LINE_FEN * ratio_x10000 // 10_000)
    return (
        f"自付比例不明的 {line} 元明细按 {cash} 元现金计。",
        f"A fee line of {line} yuan whose share is unknown counts as {cash} yuan of cash.",
    )


def _workdays(year: WorkdayYear, policy: Policy) -> Words:
    """From the eve of the year's longest holiday."""
    starts = [day for day in sorted(year.holidays) if day - 1 not in year.holidays]
    ends = [day for day in sorted(year.holidays) if day + 1 not in year.holidays]
    if not starts:
        return f"{year.year} 年无节假日。", f"{year.year} has no holidays."
    start, _ = max(zip(starts, ends, strict=True), key=lambda run: run[1] - run[0])
    try:
        end = policy.workdays.add(start - 1, 3)
    except WorkdayUnknown as unknown:
        return f"缺 {unknown.year} 年的工作日表。", f"The table lacks {unknown.year}."
    eve = to_date(start - 1)
    return f"{eve} 之后第 3 个工作日是 {to_date(end)}。", f"The third working day after {eve} is {to_date(end)}."


_BY_NAME: dict[str, Callable[[Any, Terms], Words]] = {
    "band_edge": _band_edge,
    "cash_ratio_x10000": _ratio,
    "debit_retry_ms": _retries,
}


def _measured(rule: MeasuredRule, terms: Terms) -> Words:
    level = rule.levels[0]
    zh, en = span(level.window_ms) if level.window_ms else PERIODS[rule.period]
    at_yuan = yuan(level.theta)  # where a sentence speaks of yuan, the line is in fen
    said_zh, said_en = (
        text.format(observed=level.theta, allowed=level.theta, observed_yuan=at_yuan, allowed_yuan=at_yuan)
        for text in (rule.text_zh, rule.text_en)
    )
    beside = "".join(f" & {each.kind}({each.of}) ≥ {each.least}" for each in rule.beside)
    others = "".join(f" | {each.kind}({each.of})" for each in rule.level_measures if each)
    reads = f"{rule.counts}: {rule.measure.kind}({rule.measure.of}){beside}{others}"
    sign, below = ("≤", level.theta + 1) if rule.measure.kind == "gap_days" else ("≥", level.theta - 1)
    line, (not_zh, not_en) = f"{sign} {level.theta}", (f"{below} 不触发", f"{below} does not")
    if any(rule.level_med_types):  # a kind of treatment below one line may be above its own
        pairs = zip(rule.levels, rule.level_med_types, strict=True)
        line = ", ".join(f"med_type {'*/'.join(types)}* {sign} {each.theta}" for each, types in pairs)
        not_zh, not_en = "未到各自提示线不触发", "below its own line none does"
    left_out = ", ".join(rule.exclusions) or "-"
    return (
        f"{zh}，{reads} {line} 触发：“{said_zh}”；{not_zh}。排除：{left_out}。",
        f'{en}: {reads} {line} opens it: "{said_en}"; {not_en}. Left out: {left_out}.',
    )


def _excluded(rule: Exclusions, terms: Terms) -> Words:
    names = ", ".join(row.name for row in rule.rows)
    return f"以下情形不计入点名它们的规则：{names}。", f"Rules that name them leave out: {names}."


_BY_TYPE: dict[type, Callable[[Any, Terms], Words]] = {
    WindowRule: _window,
    MeasuredRule: _measured,
    CounterRule: counter_example,
    Exclusions: _excluded,
    GapRule: _gap,
    **OF_STAFF,
    **OF_PERSONS,
    CompanyRule: company_example,
    DemandRule: _demand,
    QualityRule: _quality,
    PriceRule: price_example,
    QueryRule: query_example,
    ShelfRule: shelf_example,
    StockRule: stock_example,
    SumRule: _sum,
    UseRule: _use,
    PlaceholderCodes: _placeholders,
    **OF_ITEMS,
    AnnualCap: _caps,
    LimitTable: _limits,
    LevelSet: _levels,
    InstitutionTable: _institutions,
    DebitHours: _hours,
}
