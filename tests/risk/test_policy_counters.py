"""The grammar of rules about institutions and staff: what is read, what is refused, and what a measure comes to."""

import pytest

from risk.counters import COUNTERS, place_of
from risk.local_time import DAY_MS
from risk.policy import parse_policy
from risk.policy_counter_shapes import counter_rule
from risk.policy_counters import DayMeasure
from risk.terms import PolicyError
from tests.risk.test_rule_cases import shaoyang_files

read = counter_rule("sum", "share", "growth")
read_of_houses = counter_rule("over_capacity", "one_prescriber")
SHARE = {"share": ["night", "settlements"], "unit": "percent", "least": 30}
LEVEL = {"theta": 21, "window_days": 30, "kind": "suspicion", "sev": 2}
DATE = {"theta": 10, "kind": "suspicion", "sev": 2}


def rule(**changes):
    said = {
        "subject": "institution",
        "types": ["2"],
        "measure": SHARE,
        "levels": [LEVEL],
        "precision_percent": 90,
        "text_zh": "甲",
        "text_en": "a",
    }
    return {key: value for key, value in (said | changes).items() if value is not None}


def test_a_rule_is_read_with_its_default_re_arm_point() -> None:
    made = read(rule(), "D02")
    assert (made.levels[0].theta, made.levels[0].rearm, made.levels[0].window_ms) == (21, 16, 30 * DAY_MS)
    assert made.measures == (DayMeasure("share", (place_of("night"), 0), 100, 30),)


def test_a_level_may_measure_something_of_its_own() -> None:
    made = read(rule(measure={"sum": "small_hours"}, levels=[DATE, LEVEL | {"measure": SHARE}]), "D02")
    assert [measure.kind for measure in made.measures] == ["sum", "share"]
    assert [level.window_ms for level in made.levels] == [0, 30 * DAY_MS]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject": "person"}, "Only institution, staff"),
        ({"types": ["3"]}, "Only 1, 2"),
        ({"measure": {"share": ["night"], "unit": "percent", "least": 1}}, "names 1 counters"),
        ({"measure": {"share": ["night", "sold"], "unit": "percent", "least": 1}}, "'sold', which no day counts"),
        ({"measure": {"sum": "nigth"}}, 'did you mean "night"'),
        ({"measure": SHARE | {"unit": "many"}}, "Only percent, per_mille"),
        ({"measure": SHARE | {"least": None}}, "It must|whole"),
        ({"measure": {"distinct": "psn_no"}}, "Write one of sum, share, growth"),
        ({"measure": SHARE | {"sum": "night"}}, "names sum, share"),
        ({"levels": [LEVEL | {"window_days": 31}]}, "kept over 7, 14, 28, 30, 60, 90 days"),
        ({"measure": {"growth": "fund_fen", "unit": "percent", "least": 1}, "levels": [DATE]}, "no window_days"),
        (
            {"measure": {"growth": "fund_fen", "unit": "percent", "least": 1}, "levels": [LEVEL | {"window_days": 90}]},
            "kept over 7, 14, 30 days",
        ),
        ({"levels": [LEVEL | {"theta": 1}]}, "never end"),
        ({"levels": [LEVEL | {"theta": 101}]}, "the whole is 100: it would never open"),
        ({"levels": [LEVEL, LEVEL]}, "rising order"),
        ({"med_types": ["41"]}, "unknown key med_types"),
        ({"hue": 1}, "unknown key hue"),
    ],
)
def test_what_no_day_tells_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        read(rule(**changes), "D02")


def test_a_share_of_what_it_is_no_part_of_may_be_more_than_the_whole() -> None:
    overdue = {"share": ["overdue_credit_visits", "credit_visits"], "unit": "per_mille", "least": 50}
    assert read(rule(measure=overdue, levels=[LEVEL | {"theta": 1001}]), "H15").levels[0].theta == 1001


def test_staff_have_shorter_totals() -> None:
    with pytest.raises(PolicyError, match="kept over 7, 14, 28, 30 days for staffs"):
        read(rule(subject="staff", types=None, levels=[LEVEL | {"window_days": 90}]), "M05")


@pytest.mark.parametrize(
    ("measure", "now", "before", "value"),
    [
        (DayMeasure("share", (0, 1), 1000, 100), [1, 100], [], 10),
        (DayMeasure("share", (0, 1), 1000, 100), [99, 99], [], 0),
        (DayMeasure("share", (0, 1), 100, 1), [2, 3], [], 66),
        (DayMeasure("growth", (0,), 100, 50), [120, 0], [100, 0], 120),
        (DayMeasure("growth", (0,), 100, 50), [120], [49], 0),
        (DayMeasure("growth", (0, 1), 100, 2), [300, 2], [200, 2], 150),
        (DayMeasure("growth", (0, 1), 100, 2), [300, 3], [200, 2], 100),
        (DayMeasure("growth", (0, 1), 100, 2), [300, 1], [200, 2], 0),
        (DayMeasure("growth", (0, 1), 100, 2), [300, 2], [200, 1], 0),
    ],
)
def test_a_measure_is_whole_numbers_rounded_down_and_nothing_below_its_floor(
    measure: DayMeasure, now: list[int], before: list[int], value: int
) -> None:
    assert measure.value(now[: len(measure.of)], before[: len(measure.of)]) == value


def test_no_two_counters_have_one_name() -> None:
    assert len(set(COUNTERS)) == len(COUNTERS)


def test_a_rule_about_what_a_house_is_approved_for() -> None:
    beds = {"over_capacity": "in_house", "of": "beds", "unit": "percent"}
    made = read_of_houses(rule(measure=beds, types=["1"], levels=[LEVEL | {"theta": 110, "window_days": 90}]), "H10")
    assert made.measures == (DayMeasure("over_capacity", (place_of("in_house"),), 100, capacity="beds"),)


def test_a_rule_about_one_doctors_patients() -> None:
    doctor = {"one_prescriber": "dr_code", "unit": "percent", "persons": 10, "least": 10}
    made = read_of_houses(rule(measure=doctor, med_types=["41"], levels=[DATE | {"theta": 151}]), "D08")
    assert made.measures == (DayMeasure("one_prescriber", (), 100, 10, persons=10),)
    with pytest.raises(PolicyError, match="people are told apart on one date"):
        read_of_houses(rule(measure=doctor, levels=[LEVEL]), "D08")
    with pytest.raises(PolicyError, match='Write subject = "institution"'):
        read_of_houses(rule(measure=doctor, levels=[DATE], subject="staff", types=None), "D08")


def test_a_house_has_only_what_is_asked_for() -> None:
    with pytest.raises(PolicyError, match="Only beds, dialysis_places"):
        read_of_houses(rule(measure={"over_capacity": "in_house", "of": "chairs", "unit": "percent"}), "H10")


def test_no_second_kind_of_institution_is_held_beside_the_same_peers() -> None:
    files = shaoyang_files()
    of_hospitals = next(line for line in files["rules.toml"].splitlines() if 'over_peers = ["inpatient_fee_fen' in line)
    of_pharmacies = next(line for line in files["rules.toml"].splitlines() if "growth_over_peers" in line)
    measure = of_pharmacies[of_pharmacies.index("{ growth_over_peers") : of_pharmacies.index("}") + 1]
    mixed = files["rules.toml"].replace(of_hospitals, f"value.measure = {measure}")
    with pytest.raises(PolicyError, match="D10 and H17 hold other types of institution beside the same peers"):
        parse_policy(files | {"rules.toml": mixed})
