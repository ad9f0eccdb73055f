"""The rules about institutions and doctors against the naive oracle, in small towns and on busy days, cut anyhow."""

import os
from collections import Counter
from datetime import date
from functools import cache
from typing import Any

import pytest

from connectors.state_codec import unpack_history, unpack_subject
from risk.contributions import INSTITUTION, STAFF
from risk.facts import Fact
from risk.subjects import people_of
from tests.oracle.days_logs import LOW as LOW_PEERS
from tests.oracle.days_logs import busy_log, small_log, year_log
from tests.oracle.days_oracle import RULES, folded_by_oracle, told_by_oracle
from tests.oracle.policy_numbers import with_numbers
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

LOGS = int(os.environ.get("XINMAI_ORACLE_LOGS", "60"))
"""How many random logs, one in ten of them busy, one of two years. A thousand (XINMAI_ORACLE_LOGS=1000) take a quarter
of an hour.
"""
OF_YEARS = ("D10", "D11", "H12")
"""What logs of years are compared by: most of what the other rules look back on is forgotten there."""
DAY = date(2026, 3, 1)
CITY = shaoyang_files()
NAMED = {"exclusions", "placeholder_codes", "coded_items", "line_counts", "capacities"}
KEPT = frozenset(RULES) | {"P01", "P05", "P11"} | NAMED
LOW = {
    "D02": {"theta = 10": "theta = 3", "least = 50": "least = 4"},
    "D09": {"theta = 5": "theta = 2"},
    "D10": {"least = 500_000": "least = 1"},
    "D11": {"least = 500_000": "least = 1", "least = 5_000_000": "least = 1"},
    "D12": {"least = 31": "least = 3", "known_days = 30": "known_days = 5"},
    "H02": {"theta = 10": "theta = 20", "least = 20": "least = 2"},
    "H05": {"least = 30": "least = 1"},
    "H08": {"least = 30": "least = 2"},
    "H11": {"least = 10_000_000": "least = 100_000"},
    "H12": {"least = 5_000_000": "least = 1"},
    "H13": {"least = 100": "least = 4"},
    "H17": {"least = 30": "least = 2"},
    "M01": {"theta = 101": "theta = 3"},
    "M02": {"theta = 2_000": "theta = 200", "least = 100_000": "least = 1_000"},
    "M05": {"theta = 51": "theta = 200", "least = 50": "least = 3"},
    "M08": {"theta = 961": "theta = 21"},
    "M09": {"theta = 15": "theta = 2", "persons = 30": "persons = 3"},
    "capacities": {'"H430599*", beds = 40, dialysis_machines = 4': '"H1", beds = 2, dialysis_machines = 1'},
}
"""Lines that some dozens of bills reach."""
LINES = {"low": with_numbers(CITY, LOW, KEPT), "the city's": with_numbers(CITY, {}, KEPT)}
SAID = ("rule_id", "level", "subject_kind", "subject_id", "episode", "crossing")


def in_words(alert: dict[str, Any]) -> tuple[Any, ...]:
    observed = None if alert["rule_id"].startswith("Q") else alert["observed"]
    return (*(alert[name] for name in SAID), observed)


def log_of(number: int) -> tuple[str, list[Fact]]:
    """The lines a log is judged by, and the log."""
    if number % 10 < 9:
        return "low", year_log(number) if number % 10 == 8 else small_log(number)
    return (
        ("low", busy_log(number, least=LOW_PEERS)) if number % 20 == 9 else ("the city's", busy_log(number, least=30))
    )


def rules_of(number: int) -> tuple[str, ...]:
    """What a log is compared by."""
    return OF_YEARS if number % 10 == 8 else RULES


@cache
def by_oracle(number: int) -> list[Any]:
    kind, facts = log_of(number)
    return [(i, *in_words(a)) for i, a in told_by_oracle(facts, LINES[kind], DAY) if a["rule_id"] in rules_of(number)]


def by_engine(facts: list[Fact], kind: str, cuts: range, rules: tuple[str, ...] = RULES) -> tuple[list[Any], Engine]:
    engine = Engine(Parameters(), files=LINES[kind])
    told = engine.fold(facts, cuts)
    return [(t.index, *in_words(t.alert)) for t in told if t.alert["rule_id"] in rules], engine


def compared(number: int) -> list[Any]:
    """What the oracle says of one log; the engine says it too, in one batch and in many."""
    kind, facts = log_of(number)
    expected = sorted(by_oracle(number), key=repr)
    got, whole = by_engine(facts, kind, range(0), rules_of(number))
    assert sorted(got, key=repr) == expected, f"log {number}, {kind}"
    if number % 3 == 0:  # a batch's end costs more than all else
        step = 97 if number % 10 == 9 else 1 + number % 7
        again, cut = by_engine(facts, kind, range(number % 5, len(facts), step), rules_of(number))
        assert again == got, f"log {number}, {kind}, cut"
        assert cut.stored() == whole.stored(), f"log {number}, {kind}, cut"
    return expected


@pytest.mark.parametrize("block", range(10))
def test_every_log_raises_the_alerts_the_oracle_raises_however_it_is_cut(block: int) -> None:
    said: Counter[str] = Counter()
    for number in range(block * LOGS // 10, (block + 1) * LOGS // 10):
        said.update(f"{rule}/{level}" for _, rule, level, *_ in compared(number))
    of = ", ".join(f"{each} {count}" for each, count in sorted(said.items()))
    print(f"logs {block * LOGS // 10} to {(block + 1) * LOGS // 10 - 1}: {sum(said.values())} alerts: {of}")


@pytest.mark.parametrize("number", [219, 299])
def test_a_busy_day_kept_as_its_sums_loses_nothing(number: int) -> None:
    """The bound that risk/subjects.py states: every day kept is exact, to the fen and to the person."""
    kind, facts = log_of(number)
    _, subjects = folded_by_oracle(facts, LINES[kind], DAY)
    engine, days = by_engine(facts, kind, range(0))[1], 0
    stored, _, _ = engine.stored()
    for (key, name), value in stored.items():
        subject_kind, _, code = key.partition("}:")[2].partition(":")
        if name != "w" or subject_kind not in (INSTITUTION, STAFF):
            continue
        history = stored.get((key, "h"))
        kept = [*(unpack_history(history).days if history else ()), unpack_subject(value).day]
        judge = subjects.judges.get(("institution" if subject_kind == INSTITUTION else "staff", code))
        for day in kept:
            bills = [row.fact for row in judge.counted() if row.day == day.date] if judge else []
            sums = [len(bills), sum(b.medfee_sumamt_fen for b in bills), sum(b.fund_pay_sumamt_fen for b in bills)]
            assert day.counters[:3] == sums, (code, day.date)
            days += len(bills) > 100
            if subject_kind == STAFF and day.people:
                seen = {b.psn_no for b in bills if b.med_type.startswith(("11", "13", "14"))}
                assert people_of(day) == len(seen), (code, day.date)
    assert days >= 2, "and some were busy"


def test_the_logs_reach_every_rule_and_the_end_of_what_can_end() -> None:
    """Agreement on logs in which nothing happens would prove nothing."""
    seen: Counter[tuple[str, str]] = Counter()
    levels: Counter[tuple[str, int, str]] = Counter()
    for number in (*(each for each in range(180) if each % 10 < 9), 219, 299):
        alerts = by_oracle(number)
        seen.update((rule, word) for _, rule, _, _, _, word, *_ in alerts)
        levels.update((rule, level, word) for _, rule, level, _, _, word, *_ in alerts)
    at_once = {"H01", "M03", "M04", "P09", "Q01", "Q02"}
    assert {rule for rule in RULES if seen[rule, "opened"] < 3} == set(), seen
    assert {rule for rule in RULES if seen[rule, "closed"] < 1} == at_once, seen
    for rule in ("D02", "D10", "D11", "H10", "H12"):
        assert levels[rule, 2, "opened"] >= 3, levels
        assert levels[rule, 2, "closed"] >= 1, levels
