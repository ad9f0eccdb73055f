"""Every policy parameter there is: its name, how its value is read, its unit, and what it means."""

import re
from typing import NamedTuple

from risk.policy_company import company_rule
from risk.policy_counter_shapes import counter_rule
from risk.policy_credit_shapes import (
    annual_caps,
    area_prefixes,
    choice,
    debit_hours,
    duration_ms,
    durations_ms,
    eligible_levels,
    flag,
    institutions,
    integer,
    level_set,
    limits,
    optional_fen,
    services,
    use_rule,
    workday_year,
)
from risk.policy_lines import capacities, line_counts
from risk.policy_measure_shapes import OF_CARE, exclusions, measured_rule
from risk.policy_prices import price_rule
from risk.policy_queries import query_rule
from risk.policy_shapes import (
    Shape,
    amount_rule,
    coded_items,
    demand_rule,
    gap_rule,
    item_limits,
    placeholder_codes,
    quality_rule,
    share_rule,
    sum_rule,
    window_rule,
)
from risk.policy_shelves import shelf_rule
from risk.policy_special_items import special_items
from risk.policy_staff_shapes import pace_rule, points_rule, standing_rule
from risk.policy_stock import stock_rule


class Parameter(NamedTuple):
    """One name a policy may set."""

    name: str
    shape: Shape
    unit: str
    zh: str
    en: str


_COUNT = window_rule(rolling=True, of_bills=True)
_DATE_OF_BILLS = window_rule(rolling=False, of_bills=True)
_BURST = window_rule(rolling=True, least=10, one_level=True)  # rules.md, D01: max(10, policy)
_CARE = measured_rule(*OF_CARE)
_USES = use_rule(window=None, levels=True)
_RUN = use_rule(window=False, percent=True)
_FIRST_USE = use_rule(window=True, single=True, percent=True)
_DAYS = counter_rule(
    *("sum", "share", "growth", "over_peers", "growth_over_peers", "over_capacity", "year_on_year", "of_year")
)

_DECLARED = (
    # rules
    Parameter("P01", _COUNT, "visits", "短期频繁就诊", "frequent visits"),
    Parameter("P02", _DATE_OF_BILLS, "hospitals", "同日多院就诊", "many hospitals on one day"),
    Parameter("P03", gap_rule(filtered=False), "s", "短时异地刷卡", "two places at once"),
    Parameter("P04", _CARE, "visits", "高频购药", "the same drug again and again in a month"),
    Parameter("P05", _CARE, "days", "超量开药", "more days than a prescription may cover"),
    Parameter("P06", _CARE, "days", "提前取药", "a refill while supply is left"),
    Parameter("P07", _CARE, "institutions", "多院囤药", "one drug from many institutions"),
    Parameter(
        "P09", measured_rule("inside_admission"), "admissions", "住院期间他处结算", "settled elsewhere while admitted"
    ),
    Parameter("P10", _CARE, "admissions", "重叠住院", "two admissions at once"),
    Parameter("P11", _CARE, "days", "分解住院", "admitted again soon after discharge"),
    Parameter("P20", _CARE, "stays", "接力住院", "handed on from hospital to hospital"),
    Parameter("P21", measured_rule("over_allowance"), "units", "管控商品超量购买", "more of an item under control"),
    Parameter("H01", measured_rule("idle_days"), "days", "挂床住院", "a bed in which nothing was done"),
    Parameter("P12", share_rule, "%", "接近年度封顶线", "near the yearly cap"),
    Parameter("P13", amount_rule, "fen", "单笔大额", "large bill"),
    Parameter(
        "P14", measured_rule("failed_checks", "misfits"), "checks or lines", "冒名就医", "perhaps somebody else's visit"
    ),
    Parameter("P15", measured_rule("count"), "bills", "异地频繁大额", "many and large bills away from home"),
    Parameter("P16", measured_rule("not_insured"), "bills", "死亡或停保后结算", "settled after death or insurance end"),
    Parameter("P17", _DATE_OF_BILLS, "bills", "同日多次购药", "many pharmacy bills on one day"),
    Parameter("P18", company_rule, "persons", "结伴就诊购药", "always together at one place"),
    Parameter("P19", measured_rule("same_amount"), "bills", "整额或同额购药", "equal or round pharmacy bills"),
    Parameter("D01", _BURST, "settlements", "药店集中刷卡", "burst at a pharmacy"),
    Parameter("D02", _DAYS, "settlements or %", "药店夜间刷卡", "settlements in the small hours"),
    Parameter("D03", measured_rule("amount"), "fen", "药店大额刷卡", "a large pharmacy bill"),
    Parameter("D04", measured_rule("count"), "bills", "单卡同店多次购药", "one card again and again at one pharmacy"),
    Parameter("D05", quality_rule, "sales", "追溯码重复销售", "a trace code sold a second time"),
    Parameter("D06", _DAYS, "lines", "无码或假码结算", "sold without a trace code"),
    Parameter("D07", stock_rule, "units or %", "进销存不符", "more sold than there was, or for more"),
    Parameter("D08", counter_rule("one_prescriber"), "%", "同一医师处方集中", "one doctor's patients at one pharmacy"),
    Parameter("D09", _DAYS, "bills", "处方缺失或药师缺岗", "no prescription or no pharmacist named"),
    Parameter("D10", _DAYS, "%", "药店增长异常", "a pharmacy's growth"),
    Parameter("D11", _DAYS, "%", "药店突击冲量", "a pharmacy's sudden rush"),
    Parameter("D12", _DAYS, "%", "药店陌生人聚集", "strangers at a pharmacy"),
    Parameter("D13", measured_rule("outside_channel"), "lines", "非专门渠道销售", "sold outside its special channel"),
    Parameter("H02", _DAYS, "%", "分解住院率", "readmissions"),
    Parameter("H05", _DAYS, "%", "次均费用突增", "growth of the mean inpatient bill"),
    Parameter("H06", shelf_rule, "fen", "串换", "billed, and not bought for a month"),
    Parameter("H07", stock_rule, "units or %", "进销存不符", "more sold than there was, or for more"),
    Parameter("H08", _DAYS, "%", "节假日集中入院", "admissions on days off"),
    Parameter("H03", measured_rule("repeated"), "lines", "重复收费", "one item charged twice in one visit"),
    Parameter("H04", measured_rule("over_limit_price"), "fen", "超限价", "dearer than the platform's limit"),
    Parameter("H10", _DAYS, "%", "床位或设备超核定", "more patients than beds or machines"),
    Parameter("H11", _DAYS, "per mille", "自费率", "what inpatients pay all by themselves"),
    Parameter("H12", _DAYS, "%", "门诊费用增长", "growth of outpatient fees"),
    Parameter("H13", _DAYS, "per mille", "无诊断或无医师结算", "bills without diagnosis or doctor"),
    Parameter("H14", measured_rule("same_minute"), "bills", "拆分结算", "one bill split into equal ones"),
    Parameter("H15", _DAYS, "per mille", "信用支付逾期率", "overdue credit visits"),
    Parameter("H16", _DAYS, "lines", "追溯码漏传", "dispensed without a trace code"),
    Parameter("H17", _DAYS, "percent", "次均费用高于同类", "dearer than one's peers"),
    Parameter("W01", price_rule(over_days=False), "%", "价格偏离", "a price far from what others pay or ask"),
    Parameter("E01", price_rule(over_days=True), "%", "采购价异动", "a product that became dearer or cheaper"),
    Parameter("T01", query_rule, "persons", "查询异常", "one asker's queries about too many persons"),
    Parameter("M01", counter_rule("distinct"), "persons", "医师超能力接诊", "beyond human capacity"),
    Parameter("M02", _DAYS, "%", "重点药异常", "far more of a key drug than one's peers"),
    Parameter("M03", gap_rule(filtered=True), "s", "同时异地执业", "signed in two places at once"),
    Parameter(
        "M04", standing_rule, "days", "资格暂停终止、停诊或住院期间执业", "signed while suspended, ended or away"
    ),
    Parameter("M05", _DAYS, "per mille", "超量处方率", "prescriptions for too long"),
    Parameter("M06", measured_rule("misfits"), "lines", "性别、年龄不符", "an item against sex or age"),
    Parameter("M07", points_rule, "points", "支付资格年度记分", "points of the payment qualification in one year"),
    Parameter("M08", _DAYS, "minutes", "执行超能力", "more executed than a day has room for"),
    Parameter("M09", pace_rule, "gaps", "开单间隔过密", "prescriptions too close together (M01, second form)"),
    Parameter("L80", demand_rule, "%", "接近授信额度", "near the credit limit"),
    Parameter("L90", demand_rule, "%", "逼近授信额度", "very near the credit limit"),
    Parameter("L100", demand_rule, "%", "超授信额度", "over the credit limit"),
    Parameter("F01", _USES, "requests", "短时频繁申请", "velocity of requests"),
    Parameter("F02", _RUN, "visits", "连续用满额度", "the whole limit, visit after visit"),
    Parameter("F03", _FIRST_USE, "fen", "签约即大额使用", "a large first use"),
    Parameter("F04", use_rule(window=True), "reversals", "扣款后反复冲正", "captured and undone again"),
    Parameter("F05", use_rule(window=False), "lines", "多条共享授信同时欠款", "debt on several shared lines"),
    Parameter("F06", use_rule(window=False, single=True), "refusals", "代扣硬拒绝", "a debit refused for good"),
    Parameter("F07", use_rule(window=True, single=True), "hours", "出院未结算", "left without settling"),
    Parameter("Q01", quality_rule, "records", "机构编码占位", "institution code is a placeholder"),
    Parameter("Q02", quality_rule, "records", "医师编码占位", "doctor code is a placeholder"),
    Parameter("Q03", quality_rule, "fen", "金额不平", "amounts do not add"),
    Parameter("Q04", quality_rule, "records", "同键异值", "same key, other content"),
    Parameter("Q05", quality_rule, "authorizations", "信用关联不明", "ambiguous credit link"),
    Parameter("Q06", quality_rule, "fen", "扣款与结算不符", "capture differs from the event"),
    Parameter("Q07", quality_rule, "days", "工作日表未覆盖", "the table of working days ends"),
    Parameter("X01", sum_rule, "fen", "滚动合计（基准测试）", "rolling sum (the benchmark's rule)"),
    Parameter("placeholder_codes", placeholder_codes, "codes", "占位编码", "codes that stand for nobody"),
    Parameter("coded_items", coded_items, "items", "应有追溯码的药品", "items that have a trace code"),
    Parameter("item_limits", item_limits, "items", "限性别、年龄的项目", "items that are not for everybody"),
    Parameter("special_items", special_items, "units, days", "管控商品", "items under control, for a time"),
    Parameter("line_counts", line_counts, "lines, fen, minutes", "明细计数", "what single fee lines count for"),
    Parameter("capacities", capacities, "beds, patients a day", "核定床位与设备", "approved beds and machines"),
    Parameter("exclusions", exclusions, "kinds of care", "通用排除", "care that no rule holds against anybody"),
    Parameter("annual_cap", annual_caps, "fen", "年度最高支付限额", "the fund's yearly ceiling"),
    # who may use credit, and how much
    Parameter("services_on", services, "services", "已开通服务", "services switched on"),
    Parameter("level_set", level_set, "score x100", "信用等级", "the levels and their scores"),
    Parameter("band_edge", choice("lower_inclusive", "upper_inclusive"), "", "分数落在界上", "a score on an edge (C1)"),
    Parameter("eligible_levels", eligible_levels, "levels", "可用等级", "levels that may use credit (C3, C4)"),
    Parameter("d_level_eligible", flag, "", "最低等级可用", "may the lowest level use credit (C2)"),
    Parameter("listed_blocks", flag, "", "失信名单阻断", "does an active list stop new credit (C2)"),
    Parameter(
        "unrated_blocks_under_investigation", flag, "", "立案未结阻断", "does an open investigation stop credit (C4)"
    ),
    Parameter("limit", limits, "fen", "政策额度", "policy limits"),
    Parameter("day_cap_fen", optional_fen, "fen", "日限额", "most per local day"),
    Parameter("month_cap_fen", optional_fen, "fen", "月限额", "most per calendar month"),
    Parameter("areas", area_prefixes, "insuplc prefixes", "参保地范围", "insured places covered"),
    Parameter("institutions", institutions, "rows", "试点机构", "who takes part, and from when"),
    # holds
    Parameter("settlement_hold_ms", duration_ms, "ms", "单次占用时长", "life of a hold for one settlement"),
    Parameter("visit_hold_after_day_ms", duration_ms, "ms", "门诊占用时长", "life of a visit's hold after its day"),
    Parameter(
        "deposit_hold_working_days", integer(most=60), "working days", "出院后占用", "deposit hold after discharge"
    ),
    Parameter("visit_grace_ms", duration_ms, "ms", "就诊日宽限", "grace after midnight before a visit ends"),
    Parameter("reopen_ms", duration_ms, "ms", "冲正重开", "how long a reversal re-opens an authorization"),
    Parameter("uncovered_ms", duration_ms, "ms", "未覆盖计入时长", "how long a refused amount counts as demand"),
    Parameter("cash_ratio_x10000", integer(most=10_000), "1/10000", "现金比例", "cash share of a line, if unknown"),
    # orders
    Parameter("bundle", choice("visit", "settlement"), "", "扣款合并", "what one debit covers"),
    Parameter("debit_hours", debit_hours, "local hours", "扣款时段", "hours in which cards are debited"),
    Parameter("debit_due_ms", duration_ms, "ms", "扣款期限", "due after the bundle closes"),
    Parameter("debit_retry_ms", durations_ms, "ms", "重试阶梯", "later attempts, counted from the first"),
    Parameter("debit_max_per_day", integer(least=1, most=24), "attempts", "每日扣款次数", "most attempts a day"),
    # not paid
    Parameter("report_after_ms", duration_ms, "ms", "提请人工审查", "overdue before a person looks at the case"),
    Parameter("report_after_reminders", integer(most=100), "reminders", "提醒次数", "delivered reminders before that"),
    Parameter("reminders_most", integer(most=100), "reminders", "提醒上限", "most reminders of one arrear"),
    Parameter("reminder_hour", integer(most=23), "local hour", "提醒时刻", "when reminders are sent"),
    # the calendar
    Parameter("workdays", workday_year, "dates", "工作日", "holidays and worked weekends of one year"),
)

PARAMETERS = {parameter.name: parameter for parameter in _DECLARED}

RULES = tuple(name for name in PARAMETERS if re.fullmatch(r"[A-Z]+[0-9]+", name))
"""The parameters that are rules: what an alert can be of."""


def rule_called(name: str) -> str | None:
    """The id of the rule, however it was spelt; None if there is none."""
    return name.upper() if name.upper() in RULES else None


# A place that offers credit must answer all of these on every day it does; a place without credit needs none.
CREDIT_CORE = (
    "level_set",
    "band_edge",
    "eligible_levels",
    "d_level_eligible",
    "listed_blocks",
    "unrated_blocks_under_investigation",
    "limit",
    "areas",
    "institutions",
    "settlement_hold_ms",
    "visit_hold_after_day_ms",
    "deposit_hold_working_days",
    "visit_grace_ms",
    "reopen_ms",
    "uncovered_ms",
    "cash_ratio_x10000",
    "bundle",
    "debit_hours",
    "debit_due_ms",
    "debit_retry_ms",
    "debit_max_per_day",
)
