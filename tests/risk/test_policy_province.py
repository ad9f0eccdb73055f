"""Hunan's book beside Shaoyang's: what differs from 2026 on stands here with the reason, so that nobody forgets one."""

from datetime import date
from pathlib import Path

import pytest

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of
from risk.policy import Policy, parse_policy
from tests.oracle.case_log import RuleCase, rule_cases, sentence
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters

POLICIES = Path(__file__).parents[2] / "config" / "policies"
FILES = read_policy_dir(POLICIES / "hunan")
HUNAN, SHAOYANG = parse_policy(FILES), parse_policy(read_policy_dir(POLICIES / "shaoyang"))
TOGETHER_FROM = day_of(date(2026, 1, 1))  # before it the province's book was the smaller one

WITHOUT: dict[str, str] = {}  # what Shaoyang has and Hunan has not, and why
OTHERWISE = {  # what both have, with other numbers or words, and why
    "P13": "3,000 yuan across the province, 2,000 in the city; both are ours",
    "D10": "the same numbers; its words name the province, whose pharmacies are the peers",
    "annual_cap": "the whole province's places; the amounts stand for the demonstration in both",
    "areas": "the measures bind whoever is insured in the province, the plan whoever is in the city",
    "bundle": "one debit per visit is the city's plan, 三（二）; the measures say nothing of it",
    "institutions": "the city's plan names who takes part, the measures name nobody",
    "level_set": "the same bands, named as the province names them",
    "limit": "ours: employees and residents differ in the province",
    "day_cap_fen": "ours: the province has a ceiling per day, the city none",
    "month_cap_fen": "ours: the province has a ceiling per month, the city none",
}
NOT_HUNANS = {("P01", "before 2026 nothing was excluded")}  # the city's book alone was judged then
CASES = [
    *(case for case in rule_cases() if case.rule != "P13" and not case.caps),
    *(case for case in rule_cases("shaoyang") if case.rule != "P13" and (case.rule, case.name) not in NOT_HUNANS),
    *rule_cases("hunan"),  # P13's, with the province's amount
]


def compared(one: Policy, other: Policy) -> tuple[set[str], set[str]]:
    """On any day since both stand together: what only `one` has, and what both have with other values."""
    lacking: set[str] = set()
    otherwise: set[str] = set()
    for day in (TOGETHER_FROM, *(day for day in (*one.changes, *other.changes) if day > TOGETHER_FROM)):
        here, there = one.on(day), other.on(day)
        names = [name for name in one.entries if name in here]
        lacking |= {name for name in names if name not in there}
        otherwise |= {name for name in names if name in there and here[name].value != there[name].value}
    return lacking, otherwise


def test_hunan_has_all_that_shaoyang_has_or_a_reason() -> None:
    lacking, otherwise = compared(SHAOYANG, HUNAN)
    assert lacking == set(WITHOUT)
    assert otherwise == set(OTHERWISE)
    assert set(HUNAN.entries) <= set(SHAOYANG.entries)


def test_a_rule_of_the_city_alone_and_a_number_of_its_own_are_found() -> None:
    rules = FILES["rules.toml"]
    start = rules.index("[[P17]]")
    without_p17 = FILES | {"rules.toml": rules[:start] + rules[rules.index("# ---", start) :]}
    assert compared(SHAOYANG, parse_policy(without_p17))[0] == {"P17", *WITHOUT}
    one_more = FILES | {"rules.toml": rules.replace("{ theta = 61,", "{ theta = 62,")}
    assert compared(SHAOYANG, parse_policy(one_more))[1] == {"D12", *OTHERWISE}


def test_no_word_of_a_city_is_cited_as_the_provinces() -> None:
    cited = {entry.source.document for dated in HUNAN.entries.values() for entry in dated}
    assert [document for document in cited if "邵阳" in document] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.name}")
def test_the_engine_says_under_hunans_policy_what_the_case_says(case: RuleCase) -> None:
    told = Engine(Parameters(), files=FILES).fold(case.facts)
    assert [sentence(t.index + 1, t.alert) for t in told if t.alert["rule_id"] == case.rule] == case.alerts
