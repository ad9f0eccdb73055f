"""The rules about bills in the grammar against the naive oracle, on a thousand small logs, cut anyhow into batches."""

from collections import Counter

import pytest

from risk.facts import Fact
from tests.oracle.bills_oracle import BillsOracle, Said, bills_log, small
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

RULES = ("P01", "P02", "P03", "P13", "P14", "P15", "P16", "P17", "P19", "D03", "D04", "H14")
CITY = shaoyang_files()
FILES = {
    "policy.toml": CITY["policy.toml"],
    "rules.toml": small(CITY["rules.toml"], *RULES, "exclusions", "item_limits", "placeholder_codes"),
}


def by_engine(facts: list[Fact], cuts: range) -> tuple[list[Said], Engine]:
    folded, said = Engine(Parameters(), files=FILES), []
    for t in folded.fold(facts, cuts):
        alert = t.alert
        if alert["rule_id"] in RULES:
            subject = "" if alert["subject_kind"] == "person" else alert["subject_id"]
            said.append((t.index, alert["rule_id"], subject, alert["episode"], alert["observed"]))
    return said, folded


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_small_logs_say_what_the_oracle_says_however_they_are_cut(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        facts, oracle = bills_log(seed), BillsOracle()
        expected = [each for index, fact in enumerate(facts) for each in oracle.apply(index, fact)]
        got, whole = by_engine(facts, range(0))
        assert sorted(got) == sorted(expected), seed
        if seed % 3 == 0:  # a batch's end costs more than all else
            again, cut = by_engine(facts, range(seed % 5, len(facts), 1 + seed % 4))
            assert again == got, seed
            assert cut.stored() == whole.stored(), seed


def test_the_logs_reach_every_rule() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(600):
        oracle = BillsOracle()
        for index, fact in enumerate(bills_log(seed)):
            seen.update((rule, word) for _, rule, _, word, _ in oracle.apply(index, fact))
    for rule in RULES:
        assert seen[rule, "opened"] >= 5, seen
    for rule in ("P01", "P02", "P15", "P17", "P19", "D04"):
        assert seen[rule, "closed"] >= 5, seen
