"""The policies that ship: who may pay on credit in Shaoyang and Hunan on which day, and by whose word."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of
from risk.policy import PolicyError, parse_policy
from risk.policy_parameters import CREDIT_CORE, PARAMETERS
from risk.policy_report import policy_check, policy_list, policy_show

POLICIES = Path(__file__).parents[2] / "config" / "policies"
PLACES = sorted(path.name for path in POLICIES.iterdir() if path.is_dir())
PLAN = "邵阳市“医保信用支付”试点方案（2023-09-07）"
MEASURES = "《湖南省医疗保障信用管理办法》（湘医保发〔2024〕12号）"
PRESCRIPTIONS = "处方管理办法（卫生部令第53号）"  # in force since 2007-05-01; article 19: days of supply
POINTS = "医保发〔2024〕23号 关于建立定点医药机构相关人员医保支付资格管理制度的指导意见"
IN_FORCE_FROM = {
    PLAN: date(2023, 9, 7),
    MEASURES: date(2024, 5, 1),
    PRESCRIPTIONS: date(2007, 5, 1),
    POINTS: date(2024, 9, 27),
}


def place(name):
    return parse_policy(read_policy_dir(POLICIES / name))


def terms(name, *day):
    return place(name).on(day_of(date(*day)))


@pytest.mark.parametrize("name", PLACES)
def test_every_shipped_policy_is_whole(name):
    assert policy_check(read_policy_dir(POLICIES / name)) == []
    assert place(name).place == name


@pytest.mark.parametrize(
    ("day", "eligible", "visit_first_fen", "document", "article"),
    [
        ((2024, 1, 1), True, 50_000, PLAN, "三（一）"),
        ((2024, 4, 30), True, 50_000, PLAN, "三（一）"),
        ((2024, 5, 1), False, 0, MEASURES, "第三十一条第（三）项"),
        ((2026, 3, 1), False, 0, MEASURES, "第三十一条第（三）项"),
    ],
)
def test_in_shaoyang_a_d_person_may_use_credit_until_the_measures_of_the_province(
    day, eligible, visit_first_fen, document, article
):
    now = terms("shaoyang", *day)
    assert now["d_level_eligible"].value is eligible
    assert ("D" in now["eligible_levels"].value) is eligible
    assert now["limit"].value.limit_fen("D", "visit_first", "310") == visit_first_fen
    assert now["limit"].value.limit_fen("D", "deposit_free", "310") == 0
    assert now["eligible_levels"].source()["document"] == document
    assert now["eligible_levels"].source()["article"] == article


@pytest.mark.parametrize(
    ("level", "visit_first_fen", "deposit_free_fen"),
    [("A", 500_000, 1_500_000), ("B", 300_000, 1_000_000), ("C", 100_000, 500_000), ("UNRATED", 50_000, 0)],
)
def test_the_limits_of_the_other_levels_do_not_change_with_the_measures(level, visit_first_fen, deposit_free_fen):
    for day in ((2024, 4, 30), (2024, 5, 1)):
        limits = terms("shaoyang", *day)["limit"].value
        assert limits.limit_fen(level, "visit_first", None) == visit_first_fen
        assert limits.limit_fen(level, "deposit_free", None) == deposit_free_fen


@pytest.mark.parametrize(
    ("name", "day", "services"),
    [
        ("shaoyang", (2023, 12, 31), None),
        ("shaoyang", (2024, 1, 1), ("visit_first", "deposit_free")),
        ("shaoyang", (2029, 4, 30), ("visit_first", "deposit_free")),
        ("shaoyang", (2029, 5, 1), None),
        ("hunan", (2024, 4, 30), None),
        ("hunan", (2024, 5, 1), ("visit_first", "deposit_free")),
        ("hunan", (2029, 5, 1), None),
        ("one-rule", (2026, 1, 1), None),
    ],
)
def test_credit_is_offered_from_the_pilot_until_the_measures_end(name, day, services):
    clause = terms(name, *day).get("services_on")
    assert (clause and clause.value) == services


@pytest.mark.parametrize("name", ["shaoyang", "hunan"])
def test_whenever_credit_is_offered_every_question_has_an_answer(name):
    policy = place(name)
    for day in policy.changes:
        now = policy.on(day)
        if "services_on" in now:
            assert [parameter for parameter in CREDIT_CORE if parameter not in now] == []


def test_the_pilot_hospital_and_the_sandbox_are_live_from_january_2024():
    table = terms("shaoyang", 2024, 1, 1)["institutions"].value
    first = day_of(date(2024, 1, 1))
    assert table.find("H43050200001").name == "邵阳市中心医院"
    for service, code in (
        ("visit_first", "H43059900001"),
        ("deposit_free", "H43059900001"),
        ("visit_first", "P43050001"),
    ):
        assert table.is_live(code, service, first)
        assert not table.is_live(code, service, first - 1)
    assert not table.is_live("P43050001", "deposit_free", first)
    assert not table.is_live("H43010000001", "visit_first", first)
    assert table.sends_orders("H43050200001", first)


def test_areas_are_prefixes_for_startswith():
    assert "430502".startswith(terms("shaoyang", 2024, 1, 1)["areas"].value)
    assert not "430100".startswith(terms("shaoyang", 2024, 1, 1)["areas"].value)
    assert "430100".startswith(terms("hunan", 2024, 5, 1)["areas"].value)


def test_the_first_rules_are_as_written():
    now = terms("shaoyang", 2026, 1, 5)

    def steps(name):
        return [(each.theta, each.rearm, each.window_ms, each.kind, each.sev) for each in now[name].value.levels]

    days_30, days_90 = 30 * 86_400_000, 90 * 86_400_000
    assert steps("P01") == [(15, 12, days_30, "suspicion", 2), (30, 24, days_90, "suspicion", 3)]
    assert steps("P02") == [(3, 2, 0, "suspicion", 2)]
    assert steps("P03") == [(1_800, 0, 1_800_000, "suspicion", 3)]
    of_cap = [(80, 64, 0, "warning", 1), (90, 72, 0, "warning", 2), (95, 76, 0, "warning", 3)]
    assert steps("P12") == [*of_cap, (41, 32, days_30, "warning", 1)]
    assert steps("P13") == [(200_000, 0, 0, "suspicion", 1)]
    assert steps("P17") == [(3, 2, 0, "suspicion", 1)]
    assert steps("D01") == [(10, 8, 300_000, "suspicion", 2)]
    assert steps("M01") == [(101, 80, 0, "suspicion", 2)]
    assert [steps(name)[0] for name in ("L80", "L90", "L100")] == [
        (80, 70, 0, "warning", 1),
        (90, 80, 0, "warning", 2),
        (100, 90, 0, "over_limit", 3),
    ]
    assert [
        (name, now[name].value.kind, now[name].value.sev) for name in ("Q01", "Q02", "Q03", "Q04", "Q05", "Q06")
    ] == [
        ("Q01", "data_quality", 1),
        ("Q02", "data_quality", 1),
        ("Q03", "data_quality", 2),
        ("Q04", "data_quality", 2),
        ("Q05", "data_quality", 2),
        ("Q06", "data_quality", 2),
    ]
    assert [now[name].value.med_types for name in ("P01", "P13", "P17", "D01", "M01")] == [
        ("11", "14", "41"),
        ("11", "14", "41"),
        ("41",),
        ("41",),
        ("11", "13", "14"),
    ]
    assert now["P02"].value.admits("21", "1")
    assert not now["P02"].value.admits("21", "2")
    assert now["P01"].value.admits("1101", "2")
    assert not now["P01"].value.admits("21", "1")


def test_the_default_times_are_as_written():
    now = terms("shaoyang", 2026, 1, 5)
    hour = 3_600_000
    assert now["settlement_hold_ms"].value == hour // 2
    assert now["visit_hold_after_day_ms"].value == 48 * hour
    assert now["deposit_hold_working_days"].value == 3
    assert now["visit_grace_ms"].value == 2 * hour
    assert now["reopen_ms"].value == now["uncovered_ms"].value == 24 * hour
    assert now["debit_due_ms"].value == 48 * hour
    assert now["debit_retry_ms"].value == tuple(hours * hour for hours in (6, 24, 48, 72, 120, 168))
    assert now["debit_hours"].value == (8, 20)
    assert now["bundle"].value == "visit"
    assert now["day_cap_fen"].value is None


@pytest.mark.parametrize("name", PLACES)
def test_no_number_of_ours_hides_behind_a_law(name):
    for dated in place(name).entries.values():
        for entry in dated:
            document = entry.source.document
            assert document.startswith(("ours [", "国务院办公厅")) or document in IN_FORCE_FROM, document
            assert entry.source.effective_from >= IN_FORCE_FROM.get(document, date.min)


@pytest.mark.parametrize("name", PLACES)
def test_every_parameter_of_every_day_can_be_shown_with_an_example(name):
    policy = place(name)
    for day in (*policy.changes, policy.changes[0] - 1):
        listed = policy_list(policy, day)
        for row in listed:
            shown = policy_show(policy, row["parameter"], day)
            assert shown["in_force"] == row["in_force"] == (row["parameter"] in policy.on(day))
            assert shown["example_zh"].endswith("。")
            assert shown["example_en"].endswith(".")
            assert json.loads(json.dumps(shown)) == shown


def test_a_shown_parameter_carries_value_clause_history_and_next_change():
    shown = policy_show(place("shaoyang"), "d_level_eligible", day_of(date(2024, 4, 30)))
    assert shown["value"] is True
    assert shown["clause"]["document"] == PLAN
    assert shown["next_change"] == "2024-05-01"
    assert [entry["value"] for entry in shown["history"]] == [True, False]
    ended = policy_show(place("shaoyang"), "services_on", day_of(date(2030, 1, 1)))
    assert ended["history"][-1]["repealed"] is True
    assert "it does not apply" in ended["example_en"]


def test_an_unknown_parameter_is_answered_with_a_hint():
    with pytest.raises(PolicyError, match='did you mean "services_on"'):
        policy_show(place("shaoyang"), "service_on", 20_000)


def test_shaoyang_sets_every_parameter_but_the_benchmarks():
    assert set(PARAMETERS) - set(place("shaoyang").entries) == {"X01"}


def tampered(name, file, old, new):
    files = read_policy_dir(POLICIES / name)
    assert old in files[file]
    return policy_check(files | {file: files[file].replace(old, new)})


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "eligibility.toml",
            '"C", "D", "UNRATED"',
            '"C", "UNRATED"',
            "d_level_eligible and eligible_levels disagree on D",
        ),
        ("eligibility.toml", '"C", "D", "UNRATED"', '"C", "D", "Z"', "eligible_levels names Z"),
        (
            "limits.toml",
            '{ level = "B", service = "visit_first", insutype = "*", limit_fen = 300_000 },',
            "",
            "B, visit_first",
        ),
        (
            "limits.toml",
            '"UNRATED", service = "visit_first"',
            '"E", service = "visit_first"',
            "level_set does not name",
        ),
        ("limits.toml", "limit_fen = 50_000", "limit_fen = 500.50", "the float 500.50"),
        ("limits.toml", "limit_fen = 50_000", "limit_yuan = 500", "lacks limit_fen"),
        ("institutions.toml", 'code = "P4305*"', 'code = "P*05"', "A star may only end a prefix"),
        ("institutions.toml", 'code = "P4305*"', 'code = "H4305*"', "repeats H4305*"),
        (
            "institutions.toml",
            "orders_live_from = 2024-01-01",
            "orders_live_from = 2023-01-01",
            "orders begin 2023-01-01",
        ),
        (
            "holds.toml",
            "[[uncovered_ms]]",
            '[[reopen_ms]]\neffective_from = 2029-05-01\nrepealed = true\nsource = "a, b"\n\n[[uncovered_ms]]',
            "from 2029-05-01: reopen_ms has no clause",
        ),
        ("workdays.toml", "2026-10-10", "2027-10-10", "not in 2026"),
        ("workdays.toml", "effective_from = 2026-01-01", "effective_from = 2026-01-02", "Write 2026-01-01"),
        ("holds.toml", "[[reopen_ms]]", "[[reopn_ms]]", 'did you mean "reopen_ms"?'),
    ],
)
def test_a_slip_in_a_real_policy_is_found(file, old, new, said):
    found = tampered("shaoyang", file, old, new)
    assert any(said in problem for problem in found), found


SHAOYANG = read_policy_dir(POLICIES / "shaoyang")


@settings(max_examples=300, deadline=None)
@given(
    file=st.sampled_from(sorted(SHAOYANG)),
    start=st.integers(0, 10_000),
    length=st.integers(0, 30),
    text=st.sampled_from(
        ["", "1.5", "true", '"x"', "[]", "{}", "2024-01-01", "-1", "=", "[[P01]]", "\n", "\0", "值", "*"]
    ),
)
def test_however_a_policy_is_damaged_the_answer_is_a_policy_or_an_explanation(file, start, length, text):
    whole = SHAOYANG[file]
    start %= len(whole)
    damaged = SHAOYANG | {file: whole[:start] + text + whole[start + length :]}
    found = policy_check(damaged)
    assert all(len(problem) > 20 for problem in found)
    assert found or parse_policy(damaged).place
