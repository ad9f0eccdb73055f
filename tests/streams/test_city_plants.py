"""Every rule in force has misconduct that it must find, and an innocent twin that it must not accuse."""

from pathlib import Path

from connectors.policy_files import read_policy_dir
from risk.policy import parse_policy
from streams.city.plan import CityPlan
from streams.city.stream import expectations

POLICIES = Path(__file__).resolve().parents[2] / "config" / "policies"
PLAN = CityPlan(people=300, institutions=8, first_day=20_537, days=45, seed=5, plants=1, checkout=True)
NOT_PLANTED = {
    "F06": "needs a bank that refuses a debit; no city is one, and in a log without a bank no order is answered",
    "T01": "needs queries by HTTP, which no event of a city says; planted in tests/streams/test_queries_on_a_lane.py",
    "Q06": "needs a counter that captures another sum than it settles; the city's calls no capture: its bills do",
    "Q07": "is about the table of working days, not about anything that happens in a city",
}
YEAR = CityPlan(people=20, institutions=4, first_day=20_454, days=430, seed=4, plants=1, signed_percent=0)
"""From 2026-01-01 on, for what takes months to see."""


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
    labels = expectations(PLAN)
    planted = {label.rule for label in labels if label.verdict == "planted"}
    twins = {label.rule for label in labels if label.verdict == "innocent"}
    assert rules_in_force() - planted - set(WAITING) == set(NOT_PLANTED)
    assert rules_in_force() - twins - set(WAITING) == set(NOT_PLANTED)


def test_what_grows_beside_its_peers_or_beside_last_year_is_planted_in_a_city_that_is_long_enough():
    of = {(label.rule, label.level, label.verdict) for label in expectations(YEAR)}
    for rule in ("D10", "D11", "H12"):
        assert {(rule, 2, "planted"), (rule, 2, "below"), (rule, 0, "innocent")} <= of


def test_what_is_excused_is_in_force():
    assert set(NOT_PLANTED) <= rules_in_force()


def test_every_rule_of_the_catalogue_is_planted_or_says_what_it_waits_for():
    planted = {label.rule for label in expectations(PLAN) if label.verdict == "planted"}
    assert CATALOGUE - planted == set(WAITING) | (CATALOGUE & set(NOT_PLANTED))
