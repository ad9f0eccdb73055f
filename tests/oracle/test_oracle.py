"""The oracle itself: it agrees with cases worked out by hand, and the random logs give it something to say."""

from collections import Counter

import pytest

from risk.facts import SettlementCompleted, SettlementReinstated, SettlementReversed, VisitOpened
from tests.oracle.case_log import RuleCase, rule_cases, sentence
from tests.oracle.logs import CAPS, SMALL, cap_of, seeded_log
from tests.oracle.reference import told_by_oracle
from tests.oracle.rules_oracle import Parameters, is_placeholder


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
