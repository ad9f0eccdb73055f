"""The oracle's plain numbers as a policy bundle, so that the engine is judged by the same ones. No credit in it."""

from collections.abc import Iterable

from tests.oracle.judge import Level
from tests.oracle.rules_oracle import Parameters

CapRow = tuple[str, str, int]

POLICY = """
[policy]
place = "oracle"
edition = "1"
title_zh = "对照"
title_en = "The oracle's numbers"
"""

ENTRY = """
[[{name}]]
effective_from = 2000-01-01
document = "rules.md"
article = "{name}"
"""


def policy_files(parameters: Parameters, caps: Iterable[CapRow] = ()) -> dict[str, str]:
    """`policy.toml` and `rules.toml` of these numbers; `caps` are insured place (prefix), insurance type, fen."""
    ambulatory, sale, consultation = '["11", "14", "41"]', '["41"]', '["11", "13", "14"]'
    entries = [
        _window("P01", parameters.p01, f"value.med_types = {ambulatory}"),
        _window("P02", parameters.p02, 'value.fixmedins_type = "1"'),
        _single("P03", "suspicion", f"value.gap_seconds = {parameters.p03_gap_ms // 1000}"),
        _window("P12", parameters.p12),
        _single("P13", "suspicion", f"value.threshold_fen = {parameters.p13_fen}", f"value.med_types = {ambulatory}"),
        _window("P17", parameters.p17, f"value.med_types = {sale}"),
        _window("D01", parameters.d01, f"value.med_types = {sale}", 'value.fixmedins_type = "2"'),
        _single(
            *("M03", "suspicion"),
            f"value.gap_seconds = {parameters.m03_gap_ms // 1000}",
            f"value.med_types = {consultation}",
            'value.fixmedins_type = "1"',
            "value.precision_percent = 90",
        ),
        _window(
            *("M09", parameters.m09),
            f"value.persons = {parameters.m09_persons}",
            f"value.gap_seconds = {parameters.m09_gap_ms // 1000}",
            f"value.med_types = {consultation}",
            "value.precision_percent = 90",
        ),
        *_of_days(parameters),
        *(_single(rule_id, "data_quality") for rule_id in ("Q01", "Q02", "Q03", "Q04", "Q05", "Q06")),
    ]
    codes = ", ".join(f'"{code}"' for code in parameters.placeholders)
    entries.append(_entry("placeholder_codes", f"value.codes = [{codes}]", "value.all_nines = true"))
    rows = [f'{{ insuplc_prefix = "{place}", insutype = "{kind}", cap_fen = {fen} }}' for place, kind, fen in caps]
    if rows:
        entries.append(_entry("annual_cap", f"value = [{', '.join(rows)}]"))
    return {"policy.toml": POLICY, "rules.toml": "".join(entries)}


def _window(name: str, levels: tuple[Level, ...], *lines: str) -> str:
    rows = []
    for level in levels:
        span = f", window_seconds = {level.window_ms // 1000}" if level.window_ms else ""
        kind = "warning" if name == "P12" else "suspicion"
        rows.append(f'{{ theta = {level.theta}, rearm = {level.rearm}{span}, kind = "{kind}", sev = 1 }}')
    return _entry(name, *lines, f"value.levels = [{', '.join(rows)}]", *_texts())


def _of_days(parameters: Parameters) -> list[str]:
    """The rules over the days of an institution or a doctor."""
    consultation = '["11", "13", "14"]'
    return [
        _days(
            "D02",
            parameters.d02,
            'types = ["2"]',
            'measure = { sum = "small_hours" }',
            more=_level(
                parameters.d02_share[0],
                f'share = ["night", "settlements"], unit = "percent", least = {parameters.d02_least}',
            ),
        ),
        _days(
            "D10",
            parameters.d10,
            'types = ["2"]',
            f'measure = {{ growth = "medfee_fen", unit = "percent", least = {parameters.d10_least_fen} }}',
        ),
        _days(
            "H05",
            parameters.h05,
            'types = ["1"]',
            f'measure = {{ growth = ["medfee_fen", "settlements"], unit = "percent", least = {parameters.h05_least} }}',
        ),
        _days(
            "M01", parameters.m01, f"med_types = {consultation}", 'measure = { distinct = "psn_no" }', subject="staff"
        ),
        _days(
            "H11",
            parameters.h11,
            'types = ["1"]',
            'measure = { share = ["inpatient_own_fen", "inpatient_fee_fen"], unit = "per_mille", '
            f"least = {parameters.h11_least_fen} }}",
        ),
        _days(
            "H13",
            parameters.h13,
            'types = ["1"]',
            'measure = { share = ["blank_records", "settlements"], unit = "per_mille", '
            f"least = {parameters.h13_least} }}",
        ),
    ]


def _days(
    name: str, levels: tuple[Level, ...], *lines: str, subject: str = "institution", more: str | None = None
) -> str:
    """A rule over the days of an institution or a doctor; `more` is a level with a measure of its own."""
    rows = [_level(level) for level in levels] + ([] if more is None else [more])
    told = [f'value.subject = "{subject}"', *(f"value.{line}" for line in lines), "value.precision_percent = 90"]
    return _entry(name, *told, f"value.levels = [{', '.join(rows)}]", *_texts())


def _level(level: Level, measure: str = "") -> str:
    """A level whose window is days, the last one's included."""
    span = f", window_days = {level.days}" if level.days else ""
    own = f", measure = {{ {measure} }}" if measure else ""
    return f'{{ theta = {level.theta}, rearm = {level.rearm}{span}{own}, kind = "suspicion", sev = 1 }}'


def _single(name: str, kind: str, *lines: str) -> str:
    return _entry(name, *lines, f'value.kind = "{kind}"', "value.sev = 1", *_texts())


def _texts() -> tuple[str, str]:
    return ('value.text_zh = "{observed} / {allowed}"', 'value.text_en = "{observed} / {allowed}"')


def _entry(name: str, *lines: str) -> str:
    return ENTRY.format(name=name) + "\n".join(lines) + "\n"
