"""The oracle itself: it agrees with cases worked out by hand, and the random logs give it something to say."""

import re
from collections import Counter

import pytest

from risk.facts import SettlementCompleted, SettlementReinstated, SettlementReversed, VisitOpened
from tests.oracle import days_oracle
from tests.oracle.case_log import RuleCase, rule_cases, sentence
from tests.oracle.logs import CAPS, SMALL, cap_of, seeded_log
from tests.oracle.reference import told_by_oracle
from tests.oracle.rules_oracle import Parameters, is_placeholder
from tests.risk import test_arrears_against_oracle, test_bills_against_oracle, test_care_against_oracle
from tests.risk.test_rule_cases import shaoyang_files

OF_THE_PAGE = ("P01", "P02", "P03", "P12", "P13", "P17", "D01", "M01", "M03", "M09", "Q01", "Q02", "Q03", "Q04")
"""rules_oracle's, which is written from rules.md."""
OTHERWISE = {  # rules in force that no oracle here knows, and what holds them instead
    "D05": "a naive reader of its own: tests/risk/test_trace_codes.py",
    "D07": "a naive reader of its own: tests/risk/test_stock.py",
    "H06": "a naive reader of its own: tests/risk/test_billed.py",
    "H07": "a naive reader of its own: tests/risk/test_stock.py",
    "E01": "a naive reading of its own: tests/risk/test_market.py",
    "W01": "a naive reading of its own: tests/risk/test_market.py",
    "T01": "a naive reading of its own: tests/risk/test_queries.py",
    "D08": "its measure has one of its own (tests/risk/test_prescribers.py); the rest are cases",
    "M06": "what a visit was told has one of its own (tests/risk/test_visit_told.py); the rest are cases",
    "P18": "a naive reader of its own: tests/risk/test_companies.py",
    "P21": "a naive reader of its own: tests/risk/test_special_items.py",
    "D13": "a naive reader of its own: tests/risk/test_special_items.py",
    **dict.fromkeys(("L80", "L90", "L100"), "the second book's sums: tests/risk/money_machine.py; crossings: cases"),
    **dict.fromkeys((f"F{n:02d}" for n in range(1, 8)), "single steps of a payment: cases, tests/risk/test_signals.py"),
    **dict.fromkeys(("Q05", "Q06", "Q07"), "single steps of a payment: tests/cases/credit/records.toml"),
}


def test_every_rule_in_force_is_known_to_an_oracle_or_says_why_not() -> None:
    in_force = set(re.findall(r"^\[\[([A-Z]\d+)\]\]", shaoyang_files()["rules.toml"], re.M))
    of_persons = (test_bills_against_oracle, test_care_against_oracle, test_arrears_against_oracle)
    known = {*OF_THE_PAGE, *days_oracle.RULES, *(rule for each in of_persons for rule in each.RULES)}
    assert in_force - known == set(OTHERWISE)


@pytest.mark.parametrize("case", rule_cases(), ids=lambda case: f"{case.rule}: {case.name}")
def test_the_oracle_says_what_the_case_says(case: RuleCase) -> None:
    told = told_by_oracle(case.facts, Parameters(), case.cap)
    assert [sentence(t.index + 1, t.alert) for t in told if t.alert["rule_id"] == case.rule] == case.alerts


def test_the_random_logs_reach_every_rule_level_and_end_of_an_episode() -> None:
    """Agreement on logs in which nothing happens would prove nothing."""
    assert CAPS
    seen: Counter[tuple[str, int, str]] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(60):
        facts = seeded_log(seed)
        kinds.update(fact.event_type for fact in facts)
        seen.update((a["rule_id"], a["level"], a["episode"]) for _, a in told_by_oracle(facts, SMALL, cap_of))
    episodic = [("P01", 1), ("P01", 2), ("P02", 1), ("P02", 2), ("P12", 1), ("P12", 2), ("P12", 3), ("P17", 1)]
    of_days = [("D02", 2), ("D10", 1), ("H05", 1), ("H11", 1), ("H11", 2), ("H13", 1), ("H13", 2)]
    for rule_id, level in [*episodic, *of_days, ("D01", 1), ("D02", 1), ("M01", 1), ("M09", 1)]:
        assert seen[rule_id, level, "opened"] >= 5, (rule_id, level, seen)
        assert seen[rule_id, level, "closed"] >= 3, (rule_id, level, seen)
    for rule_id in ("M03", "P03", "P13", "Q01", "Q02", "Q03", "Q04"):
        assert seen[rule_id, 1, "opened"] >= 10, (rule_id, seen)
        assert seen[rule_id, 1, "closed"] == 0
    for kind in (SettlementCompleted, SettlementReversed, SettlementReinstated, VisitOpened):
        assert kinds[kind.event_type] >= 50


@pytest.mark.parametrize("code", ["", "  ", "0", " 无", "NULL", "9", "99999999", "None", "-"])
def test_a_word_for_no_code_is_a_placeholder(code: str) -> None:
    assert is_placeholder(code, Parameters().placeholders)


@pytest.mark.parametrize("code", ["H430501", "00", "90", "D9999", "无名"])
def test_a_code_is_no_placeholder(code: str) -> None:
    assert not is_placeholder(code, Parameters().placeholders)
