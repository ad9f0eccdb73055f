"""The measure itself measured: what `bench detection` and `bench rules` count, on cases small enough to count."""

from collections import defaultdict
from datetime import date

from benchmarks.both_hops import policy_texts
from benchmarks.detection import NO_CODES, Alert, Score, alerts_of, compare
from benchmarks.rules import Measured, groups_of, rule_ids, without
from risk.local_time import day_of
from risk.policy import parse_policy
from streams.city.labels import Label
from streams.city.plan import CityPlan
from streams.city.stream import expectations

NOON_MS = 1_774_411_200_000  # 2026-03-25, 12:00 in Shanghai


def label(subject: str, verdict: str = "planted", level: int = 1) -> Label:
    return Label("P01", level, subject, "2026-03-25", ("e1",), verdict, "dialysis", NOON_MS + 3_600_000)  # type: ignore[arg-type]


def alert(subject: str, at_ms: int = NOON_MS, level: int = 1) -> Alert:
    return Alert("P01", level, subject, at_ms, "suspicion")


def scored(alerts: list[Alert], labels: list[Label]) -> Score:
    scores: dict[str, Score] = defaultdict(Score)
    compare(alerts, labels, scores)
    return scores["P01"]


def test_an_alert_that_no_label_asked_for_costs_precision_and_one_that_is_missing_costs_recall():
    score = scored([alert("found"), alert("stranger")], [label("found"), label("missed")])
    assert (score.recall, score.precision) == (0.5, 0.5)
    assert score.lead_ms == [3_600_000]
    assert dict(score.wrong) == {"background": 1}
    assert "recall 0.500" in score.short_of
    assert "precision 0.500" in score.short_of


def test_an_alert_twice_about_one_case_finds_it_once():
    score = scored([alert("found"), alert("found")], [label("found")])
    assert (score.found, score.recall, score.precision) == (1, 1.0, 1.0)


def test_another_level_and_a_day_too_late_do_not_find_the_case():
    late = alert("found", NOON_MS + 3 * 86_400_000)
    score = scored([alert("found", level=2), late], [label("found")])
    assert (score.found, score.labelled, score.alerts) == (0, 0, 2)


def test_a_twin_and_one_who_stayed_below_are_accused_by_any_level():
    score = scored([alert("twin", level=2), alert("less")], [label("twin", "innocent", 0), label("less", "below")])
    assert (score.twins_accused, score.below_accused, score.precision) == (1, 1, 0.0)


def test_a_rule_is_taken_out_of_the_book_with_all_its_entries_and_nothing_else():
    files = policy_texts("shaoyang")
    day = 20_600
    whole, less = (set(parse_policy(each).on(day)) for each in (files, without(files, frozenset({"P02"}))))
    assert whole - less == {"P02"}
    none = without(files, frozenset(rule_ids(files)))
    assert not set(rule_ids(none))
    assert "limit" in parse_policy(none).on(day)


def test_every_rule_in_force_is_in_one_group_and_is_measured_with_its_error():
    files = policy_texts("shaoyang")
    groups = groups_of(files)
    members = [rule for group in groups.values() for rule in group]
    assert sorted(members) == sorted(rule_ids(files))
    assert {"P01 P02 P17 D01 (windows)", "H06 (shelf)", "D05 (boxes)"} <= groups.keys(), "as DETECTION.md calls them"
    measured = Measured({"whole book": files})
    measured.cities["whole book"] = [(5.0, 4.0), (4.0, 3.0), (7.0, 6.0)]
    assert measured.cost_us("whole book") == (1.0, 0.0)


def test_a_code_that_is_none_raises_no_alert_but_of_its_own_kind():
    plan = CityPlan(people=200, institutions=6, first_day=20_537, days=3, seed=3, plants=3, checkout=True)
    accused_anyway = {each.subject for each in expectations(plan) if each.why.startswith(("no name", "an empty"))}
    assert accused_anyway <= NO_CODES
    alerts, records = alerts_of(plan, policy_texts("shaoyang"))
    assert records > 5_000
    assert {each.rule for each in alerts if each.subject in NO_CODES} <= {"Q01", "Q02"}
    assert sum(each.rule == "Q02" for each in alerts) >= 6, "and they are there"


def test_every_price_apart_is_found_and_none_that_only_looks_so():
    plan = CityPlan(people=50, institutions=4, first_day=20_537, days=24, seed=4, plants=2, checkout=False)
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    for rule in ("W01", "E01"):
        labels = [each for each in expectations(plan) if each.rule == rule]
        assert {each.verdict for each in labels} == {"planted", "below", "innocent"}
        scores: dict[str, Score] = defaultdict(Score)
        compare([each for each in alerts if each.rule == rule], labels, scores)
        assert (scores[rule].recall, scores[rule].precision) == (1.0, 1.0), rule


def test_what_was_billed_and_never_bought_is_found_and_nothing_that_was_told_late():
    plan = CityPlan(people=50, institutions=4, first_day=20_537, days=38, seed=4, plants=2, checkout=False)
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    labels = [each for each in expectations(plan) if each.rule == "H06"]
    assert {each.verdict for each in labels} == {"planted", "below", "innocent"}
    scores: dict[str, Score] = defaultdict(Score)
    compare([each for each in alerts if each.rule == "H06"], labels, scores)
    assert (scores["H06"].recall, scores["H06"].precision) == (1.0, 1.0)


def test_every_item_sold_against_its_control_is_found_and_none_that_was_not():
    plan = CityPlan(people=50, institutions=4, first_day=20_537, days=3, seed=4, plants=3, checkout=False)
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    for rule, verdicts in (("P21", {"planted", "below", "innocent"}), ("D13", {"planted", "innocent"})):
        labels = [each for each in expectations(plan) if each.rule == rule]
        assert {each.verdict for each in labels} == verdicts
        scores: dict[str, Score] = defaultdict(Score)
        compare([each for each in alerts if each.rule == rule], labels, scores)
        assert (scores[rule].recall, scores[rule].precision) == (1.0, 1.0), rule


def test_every_box_sold_twice_or_without_a_code_is_found_and_none_that_came_back():
    plan = CityPlan(people=300, institutions=8, first_day=20_537, days=10, seed=4, plants=3, checkout=False)
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    for rule in ("D05", "D06", "D07", "H07", "H16"):
        labels = [each for each in expectations(plan) if each.rule == rule]
        assert {each.verdict for each in labels} == {"planted", "below", "innocent"}
        scores: dict[str, Score] = defaultdict(Score)
        compare([each for each in alerts if each.rule == rule], labels, scores)
        assert (scores[rule].recall, scores[rule].precision) == (1.0, 1.0), rule


def test_whoever_is_apart_from_peers_or_last_year_or_has_credit_in_disorder_is_found_and_no_other():
    plan = CityPlan(
        people=20, institutions=4, first_day=20_454, days=430, seed=4, plants=1, signed_percent=0, checkout=True
    )
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    levels = {(alert.rule, alert.level) for alert in alerts}
    for rule in ("M02", "H17", "F05", "Q05", "D10", "D11", "H12"):
        labels = [each for each in expectations(plan) if each.rule == rule]
        assert {each.verdict for each in labels} == {"planted", "below", "innocent"}
        assert {(rule, each.level) for each in labels if each.verdict == "planted"} <= levels
        scores: dict[str, Score] = defaultdict(Score)
        compare([each for each in alerts if each.rule == rule], labels, scores)
        assert (scores[rule].recall, scores[rule].precision) == (1.0, 1.0), rule


def test_what_is_told_beside_the_bills_is_found_and_nothing_that_only_looks_so():
    plan = CityPlan(
        people=50, institutions=4, first_day=day_of(date(2026, 12, 26)), days=8, seed=4, plants=2, signed_percent=0,
        checkout=True, alone=True,
    )  # fmt: skip
    alerts, _ = alerts_of(plan, policy_texts("shaoyang"))
    for rule, planted in (("Q06", 2), ("Q07", 2), ("F06", 2), ("T01", 4)):
        labels = [each for each in expectations(plan) if each.rule == rule]
        assert {each.verdict for each in labels} == {"planted", "below", "innocent"}
        scores: dict[str, Score] = defaultdict(Score)
        compare([each for each in alerts if each.rule == rule], labels, scores)
        assert scores[rule].found >= planted, rule
        assert (scores[rule].recall, scores[rule].precision) == (1.0, 1.0), rule
