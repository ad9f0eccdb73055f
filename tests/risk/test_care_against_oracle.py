"""The rules about lines and admissions against the naive oracle, on a thousand small logs, cut anyhow into batches."""

import os
from collections import Counter

import pytest

from risk.facts import Fact
from tests.oracle.care_oracle import CareOracle, Said, care_log, moved_log, of_two_levels, settled_log, small
from tests.oracle.case_log import facts_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

RULES = ("P04", "P05", "P06", "P07", "P10", "P11", "P20", "H03", "H04")
CITY = shaoyang_files()
LOGS = int(os.environ.get("XINMAI_ORACLE_LOGS", "200"))
"""How many logs of stays that follow each other, and of stays that nobody ends."""
_RULES = CITY["rules.toml"]
FILES = {
    "policy.toml": CITY["policy.toml"],
    "rules.toml": small(_RULES[_RULES.index("[[exclusions]]") : _RULES.index("[[P15]]")])
    + _RULES[_RULES.index("[[P20]]") : _RULES.index("[[D01]]")]
    + of_two_levels(_RULES[_RULES.index("[[H03]]") : _RULES.index("[[H14]]")])
    + _RULES[_RULES.index("[[placeholder_codes]]") : _RULES.index("[[annual_cap]]")],
}


def engine() -> Engine:
    return Engine(Parameters(), files=FILES)


def by_engine(facts: list[Fact], cuts: range) -> tuple[list[Said], Engine]:
    folded = engine()
    told = folded.fold(facts, cuts)
    said = [
        (t.index, t.alert["rule_id"], t.alert["level"], t.alert["episode"], t.alert["observed"])
        for t in told
        if t.alert["rule_id"] in RULES
    ]
    return said, folded


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_small_logs_say_what_the_oracle_says_however_they_are_cut(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        facts, oracle = care_log(seed), CareOracle()
        expected = [each for index, fact in enumerate(facts) for each in oracle.apply(index, fact)]
        got, whole = by_engine(facts, range(0))
        assert sorted(got) == sorted(expected), seed
        again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 4))
        assert again == got, seed
        assert cut.stored() == whole.stored(), seed


@pytest.mark.parametrize("block", range(5))
def test_whoever_is_handed_on_is_found_by_the_longest_row_however_the_log_is_cut(block: int) -> None:
    seen: Counter[int] = Counter()
    for seed in range(block * LOGS // 5, (block + 1) * LOGS // 5):
        facts, oracle = moved_log(seed), CareOracle()
        told = [each for index, fact in enumerate(facts) for each in oracle.apply(index, fact)]
        expected = [each for each in told if each[1] == "P20"]
        got, whole = by_engine(facts, range(0))
        assert [each for each in got if each[1] == "P20"] == expected, seed
        again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 4))
        assert again == got, seed
        assert cut.stored() == whole.stored(), seed
        seen.update(row for *_, row in expected)
    print(f"stays in a row, and how often: {dict(sorted(seen.items()))}")


@pytest.mark.parametrize("block", range(5))
def test_a_stay_that_is_settled_is_over_however_the_log_is_cut(block: int) -> None:
    found = 0
    for seed in range(block * LOGS // 5, (block + 1) * LOGS // 5):
        facts, oracle = settled_log(seed), CareOracle()
        told = [each for index, fact in enumerate(facts) for each in oracle.apply(index, fact)]
        expected = [each for each in told if each[1] == "P10"]
        got, whole = by_engine(facts, range(0))
        assert [each for each in got if each[1] == "P10"] == expected, seed
        again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 4))
        assert again == got, seed
        assert cut.stored() == whole.stored(), seed
        found += len(expected)
    assert found >= LOGS // 5, "and most logs say something"


def test_the_logs_reach_every_rule() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(300):
        oracle = CareOracle()
        for index, fact in enumerate(care_log(seed)):
            seen.update((rule, word) for _, rule, _, word, _ in oracle.apply(index, fact))
    for rule in (each for each in RULES if each != "P20"):  # whose logs are its own
        assert seen[rule, "opened"] >= 10, seen
    rows = [row for seed in range(100) for row in _rows(moved_log(seed))]
    assert rows.count(3) >= 20, rows
    assert len(rows) - rows.count(3) >= 10, "and longer ones"
    assert seen["P04", "closed"] >= 5, seen
    assert seen["P07", "closed"] >= 5, seen


def _rows(facts: list[Fact]) -> list[int]:
    """How long each row of stays is that P20 speaks of."""
    oracle = CareOracle()
    told = [each for index, fact in enumerate(facts) for each in oracle.apply(index, fact)]
    return [row for _, rule, _, _, row in told if rule == "P20"]


def test_each_level_of_h03_looks_back_over_its_own_window():
    log = [
        {"at": "2026-03-01 08:00", "register": "V1"},
        {"at": "2026-03-01 09:00", "dispense": "XA1", "visit": "V1", "times": 3, "every": "20 h"},
    ]
    said, _ = by_engine(facts_of({"log": log}, {}), range(0))
    assert [each for each in said if each[1] == "H03"] == [
        (2, "H03", 1, "opened", 2),
        (3, "H03", 1, "opened", 2),
        (3, "H03", 2, "opened", 3),
    ]
