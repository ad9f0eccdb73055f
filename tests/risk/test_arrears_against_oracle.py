"""Overdue credit at a hospital (H15) against the naive oracle, on small logs, cut anyhow into batches."""

import os
from collections import Counter
from typing import Any

import pytest

from risk.facts import Fact
from tests.oracle.arrears_oracle import LEAST, REARM, THETA, arrears_log, told_by_oracle
from tests.oracle.policy_numbers import with_numbers
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

RULES = ("H15",)
LOGS = int(os.environ.get("XINMAI_ORACLE_LOGS", "150"))
CITY = shaoyang_files()
LOW = {"H15": {"theta = 21": f"theta = {THETA}", "least = 50": f"least = {LEAST}"}}
FILES = CITY | with_numbers(CITY, LOW, frozenset({"H15", "placeholder_codes"}))
SAID = ("subject_id", "episode", "crossing", "observed")


def by_engine(facts: list[Fact], cuts: range) -> tuple[list[Any], Engine]:
    engine = Engine(Parameters(), files=FILES)
    told = engine.fold(facts, cuts)
    return [(t.index, *(t.alert[name] for name in SAID)) for t in told if t.alert["rule_id"] in RULES], engine


@pytest.mark.parametrize("block", range(5))
def test_every_log_finds_the_hospitals_the_oracle_finds_however_it_is_cut(block: int) -> None:
    assert THETA * 4 // 5 == REARM
    seen: Counter[str] = Counter()
    for seed in range(block * LOGS // 5, (block + 1) * LOGS // 5):
        facts = arrears_log(seed)
        expected = [(index, *(alert[name] for name in SAID)) for index, alert in told_by_oracle(facts)]
        got, whole = by_engine(facts, range(0))
        assert got == expected, seed
        seen.update(word for _, _, word, *_ in expected)
        if seed % 3 == 0:
            again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 7))
            assert again == got, seed
            assert cut.stored() == whole.stored(), seed
    print(f"logs {block * LOGS // 5} to {(block + 1) * LOGS // 5 - 1}: {dict(seen)}")


def test_the_logs_reach_both_ends() -> None:
    seen = Counter(alert["episode"] for seed in range(60) for _, alert in told_by_oracle(arrears_log(seed)))
    assert seen["opened"] >= 50, seen
    assert seen["closed"] >= 25, seen
