"""A rule about institutions and staff by example: what its levels measure, where they open, what stays silent."""

from risk.counters import COUNTERS
from risk.local_time import DAY_MS
from risk.policy_counters import OF_THE_CALENDAR, CounterRule
from risk.policy_measures import PERIODS
from risk.terms import Terms

_UNITS = {1: "", 100: " %", 1000: " ‰"}


def counter_example(rule: CounterRule, _terms: Terms) -> tuple[str, str]:
    """Each level in turn, as (zh, en)."""
    zh, en = [], []
    for level, measure in rule.looks:
        days = level.window_ms // DAY_MS
        period = "month" if measure.kind in OF_THE_CALENDAR else "date"
        span_zh, span_en = (f"{days} 个自然日", f"{days} local dates") if days else PERIODS[period]
        names = [COUNTERS[place] for place in measure.of] or ["dr_code" if measure.persons else "psn_no"]
        least = f" ({names[-1]} ≥ {measure.least})" if measure.least > 1 and measure.of else ""
        if measure.persons:
            least = f" (psn_no ≥ {measure.persons}, other bills ≥ {measure.least})"
        if measure.capacity:
            names.append(measure.capacity)
        if measure.rank:
            least += f", p{measure.rank} of ≥ {measure.least_peers} peers"
        reads = f"{measure.kind}({' / '.join(names)}) ≥ {level.theta}{_UNITS[measure.scale]}{least}"
        zh.append(f"{span_zh}，{reads} 触发第 {level.level} 级；{level.theta - 1} 不触发")
        en.append(f"{span_en}: {reads} opens level {level.level}; {level.theta - 1} does not")
    return f"{'；'.join(zh)}。", f"{'; '.join(en)}."
