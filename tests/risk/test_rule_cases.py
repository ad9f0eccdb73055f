"""The rules' cases, data in tests/cases/rules for whoever knows the rule, put to the engine."""

from pathlib import Path

import pytest

from risk.local_time import DAY_MS
from risk.policy import parse_policy
from tests.oracle.case_log import RuleCase, facts_of, rule_books, rule_cases, sentence
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters

SHAOYANG = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
ALL = (
    *("P01", "P02", "P03", "P04", "P05", "P06", "P07", "P09", "P10", "P11", "P12", "P13"),
    *("P14", "P15", "P16", "P17", "P18", "P19"),
    *("D01", "D02", "D03", "D04", "D05", "D06", "D07", "D08", "D09", "D10", "D11", "D12"),
    *("H01", "H02", "H03", "H04", "H05", "H06", "H07", "H08", "H10", "H11", "H12", "H13", "H14", "H15", "H16", "H17"),
    *("M01", "M02", "M03", "M04", "M05", "M06", "M07", "M08", "M09", "Q01", "Q02", "Q03", "Q04"),
    *("P20", "P21", "D13", "W01", "E01", "T01"),
)


@pytest.mark.parametrize("case", rule_cases(), ids=lambda case: f"{case.rule}: {case.name}")
def test_the_engine_says_what_the_case_says(case: RuleCase) -> None:
    engine = Engine(Parameters(), case.caps)
    told = engine.fold(case.facts)
    assert [sentence(t.index + 1, t.alert) for t in told if t.alert["rule_id"] == case.rule] == case.alerts
    assert ended_elsewhere(engine) == []


@pytest.mark.parametrize("case", rule_cases("shaoyang"), ids=lambda case: f"{case.rule}: {case.name}")
def test_the_engine_says_under_shaoyangs_policy_what_the_case_says(case: RuleCase) -> None:
    engine = Engine(Parameters(), files=shaoyang_files())
    told = engine.fold(case.facts)
    assert [sentence(t.index + 1, t.alert) for t in told if t.alert["rule_id"] == case.rule] == case.alerts
    assert ended_elsewhere(engine) == []


def ended_elsewhere(engine: Engine) -> list[str]:
    """The rules whose ends name another institution than their openings, or none."""
    alerts = [output.body for output in engine.outputs if output.topic == "alerts"]
    places = {each["alert_id"]: each.get("fixmedins_code") for each in alerts if each["episode"] == "opened"}
    ends = [each for each in alerts if each["episode"] == "closed"]
    return [each["rule_id"] for each in ends if each.get("fixmedins_code") != places[each["alert_id"]]]


def shaoyang_files() -> dict[str, str]:
    """The city's policy as it is installed."""
    return {path.name: path.read_text(encoding="utf8") for path in sorted(SHAOYANG.glob("*.toml"))}


def test_every_rule_has_a_case_below_at_rearmed_and_reversed() -> None:
    """A rule that judges single events has no re-arming: its file says so in `without`."""
    books = rule_books()
    assert set(ALL) <= set(books)
    for rule, book in books.items():
        assert book["rule"] == rule
        shown = {case["shows"] for case in book["case"]} | set(book.get("without", []))
        assert {"below", "at", "rearmed", "reversed"} <= shown, rule
        assert all(case["alerts"] for case in book["case"] if case["shows"] == "at"), rule


WITHOUT = {  # people rules of domain.md 4.1 that are not judged, and why
    "P08": "needs telephones: no edge takes one in (L01), and a hash of eleven digits is undone by trying all",
}


def test_every_rule_about_people_has_policy_and_cases_or_a_reason() -> None:
    books, policy = rule_books(), parse_policy(shaoyang_files())
    catalogue = {f"P{number:02d}" for number in range(1, 20)}
    judged = {rule for rule in catalogue if rule in policy.entries and len(books.get(rule, {}).get("case", [])) >= 4}
    assert catalogue - judged == set(WITHOUT)


def test_every_rule_about_conduct_shows_an_innocent_twin() -> None:
    """Only rules about records (Q) have none; their files say so in `without`."""
    for rule, book in rule_books().items():
        twins = [case for case in book["case"] if case["shows"] == "innocent"]
        assert bool(twins) != ("innocent" in book.get("without", [])), rule
        assert twins or rule.startswith("Q"), rule
        assert not any(case["alerts"] for case in twins), rule


def test_a_line_that_repeats_is_numbered_and_timed() -> None:
    case = {"log": [{"at": "2026-01-01 08:00", "times": 3, "every": "1 d", "person": "P#"}]}
    facts = facts_of(case, {})
    assert [(fact.event_id, fact.psn_no) for fact in facts] == [("E1", "P1"), ("E2", "P2"), ("E3", "P3")]
    assert (facts[2].occurred_at - facts[0].occurred_at).total_seconds() * 1000 == 2 * DAY_MS
