"""Every rule in force has misconduct that it must find, and an innocent twin that it must not accuse."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

from connectors.policy_files import read_policy_dir
from risk.facts import BankOrderResult, QueryLogged
from risk.local_time import day_of
from risk.policy import parse_policy
from streams.city.command import plan_from
from streams.city.plan import CityPlan
from streams.city.stream import expectations, facts

POLICIES = Path(__file__).resolve().parents[2] / "config" / "policies"
PLAN = CityPlan(people=300, institutions=8, first_day=20_537, days=45, seed=5, plants=1, checkout=True, alone=True)
TURN_OF_THE_YEAR = replace(PLAN, first_day=day_of(date(2026, 12, 26)), days=8, signed_percent=0)
"""The last working days that the policy's table knows; Q07 is about no others."""
YEAR = CityPlan(people=20, institutions=4, first_day=20_454, days=430, seed=4, plants=1, signed_percent=0)
"""From 2026-01-01 on, for what takes months to see."""


NEXT_YEAR = """
[[workdays]]
effective_from = 2027-01-01
document = "a notice that has not been given yet"
article = "all"
value.year = 2027
value.holidays = [2027-01-01]
value.workdays = []
"""

CATALOGUE = {
    *(f"P{n:02d}" for n in range(1, 20)),  # P17 is rules.md's, domain.md's P17 became P19
    *(f"H{n:02d}" for n in range(1, 17)),
    *(f"D{n:02d}" for n in range(1, 13)),
    *(f"M{n:02d}" for n in range(1, 9)),
    *(f"F{n:02d}" for n in range(1, 8)),
    *("U01", "T01", "E01"),
}
WAITING = {
    "P08": "needs telephones: no edge takes one in (L01), and a hash of eleven digits is undone by trying all",
    "U01": "employers send no events",
}


def rules_in_force() -> set[str]:
    last_day = PLAN.first_day + PLAN.days - 1
    names = parse_policy(dict(read_policy_dir(POLICIES / "shaoyang"))).on(last_day)
    return {name for name in names if name[:1].isupper() and name[1:].isdigit()}


def test_every_rule_in_force_has_a_plant_and_a_twin():
    labels = [*expectations(PLAN), *expectations(TURN_OF_THE_YEAR)]
    planted = {label.rule for label in labels if label.verdict == "planted"}
    twins = {label.rule for label in labels if label.verdict == "innocent"}
    assert rules_in_force() - planted - set(WAITING) == set()
    assert rules_in_force() - twins - set(WAITING) == set()


def test_the_last_days_that_are_known_are_those_of_the_policy_beside_the_city(tmp_path, monkeypatch):
    def plan() -> CityPlan:
        own = {"seed": 5, "checkout": True, "alone": True, "signed_percent": 0}
        return plan_from(start="2026-12-26", days=8, people=300, institutions=8, **own)

    assert plan() == TURN_OF_THE_YEAR, "the shipped table ends where a plan does by itself: no byte of a city changed"
    assert "Q07" in {label.rule for label in expectations(plan()) if label.verdict == "planted"}

    shutil.copytree(POLICIES / "shaoyang", tmp_path / "policy")
    with (tmp_path / "policy" / "workdays.toml").open("a") as table:
        table.write(NEXT_YEAR)
    monkeypatch.setenv("XINMAI_POLICY", str(tmp_path / "policy"))
    assert plan() == replace(TURN_OF_THE_YEAR, last_known_year=2027)
    assert "Q07" not in {label.rule for label in expectations(plan())}, "the deadline of whoever leaves is known now"


def test_what_no_bill_tells_is_planted_on_both_sides_of_the_threshold_beside_an_innocent_twin():
    of = {(label.rule, label.level, label.verdict) for label in expectations(TURN_OF_THE_YEAR)}
    for rule, level in (("Q06", 1), ("Q07", 1), ("F06", 1), ("T01", 1), ("T01", 3)):
        assert {(rule, level, "planted"), (rule, level, "below"), (rule, 0, "innocent")} <= of


def test_a_city_beside_a_live_bank_and_api_neither_answers_for_the_bank_nor_asks():
    live = replace(TURN_OF_THE_YEAR, alone=False)
    assert not {"F06", "T01"} & {label.rule for label in expectations(live)}
    assert not any(isinstance(fact, BankOrderResult | QueryLogged) for fact in facts(live))


def test_what_grows_beside_its_peers_or_beside_last_year_is_planted_in_a_city_that_is_long_enough():
    of = {(label.rule, label.level, label.verdict) for label in expectations(YEAR)}
    for rule in ("D10", "D11", "H12"):
        assert {(rule, 2, "planted"), (rule, 2, "below"), (rule, 0, "innocent")} <= of


def test_every_rule_of_the_catalogue_is_planted_or_says_what_it_waits_for():
    planted = {label.rule for label in expectations(PLAN) if label.verdict == "planted"}
    assert CATALOGUE - planted == set(WAITING)
