"""The rules' cases, data in tests/cases/rules for whoever knows the rule, put to the oracle and to the engine."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from risk.local_time import DAY_MS
from tests.oracle.case_log import facts_of, sentence
from tests.oracle.reference import told_by_oracle
from tests.oracle.rules_oracle import Cap, Parameters

RULES = Path(__file__).parents[1] / "cases" / "rules"
ALL = ("P01", "P02", "P03", "P12", "P13", "P17", "D01", "M01", "Q01", "Q02", "Q03", "Q04")


def cap_of(rows: list[dict[str, Any]]) -> Cap:
    """The annual cap by insured place (a prefix) and insurance type."""

    def cap(insuplc: str | None, insutype: str | None) -> int | None:
        for row in rows:
            if insuplc is not None and insuplc.startswith(row["insured_at"]) and insutype == row["insutype"]:
                return int(row["cap_fen"])
        return None

    return cap


def every_case() -> Iterator[Any]:
    """Each case of each file, with its file's rule and usual values."""
    for path in sorted(RULES.glob("*.toml")):
        book = tomllib.loads(path.read_text(encoding="utf8"))
        for case in book["case"]:
            yield pytest.param(book, case, id=f"{book['rule']}: {case['name']}")


@pytest.mark.parametrize(("book", "case"), list(every_case()))
def test_the_oracle_says_what_the_case_says(book: dict[str, Any], case: dict[str, Any]) -> None:
    facts = facts_of(case, book.get("usual", {}))
    told = told_by_oracle(facts, Parameters(), cap_of(book.get("cap", [])))
    assert [sentence(t.index + 1, t.alert) for t in told if t.alert["rule_id"] == book["rule"]] == case["alerts"]


def test_every_rule_has_a_case_below_at_rearmed_and_reversed() -> None:
    """Single events have no re-arming; what is not counted by a threshold says so in its `without`."""
    books = {path.stem: tomllib.loads(path.read_text(encoding="utf8")) for path in RULES.glob("*.toml")}
    assert sorted(books) == sorted(ALL)
    for rule, book in books.items():
        assert book["rule"] == rule
        shown = {case["shows"] for case in book["case"]} | set(book.get("without", []))
        assert {"below", "at", "rearmed", "reversed"} <= shown, rule
        assert all(case["alerts"] for case in book["case"] if case["shows"] == "at"), rule


def test_a_line_that_repeats_is_numbered_and_timed() -> None:
    case = {"log": [{"at": "2026-01-01 08:00", "times": 3, "every": "1 d", "person": "P#"}]}
    facts = facts_of(case, {})
    assert [(fact.event_id, fact.psn_no) for fact in facts] == [("E1", "P1"), ("E2", "P2"), ("E3", "P3")]
    assert (facts[2].occurred_at - facts[0].occurred_at).total_seconds() * 1000 == 2 * DAY_MS
