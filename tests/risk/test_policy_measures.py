"""Rules written in the grammar: what is read, what is refused, and what the refusal says."""

import pytest

from risk.local_time import DAY_MS
from risk.policy import parse_policy
from risk.policy_examples import worked_example
from risk.policy_measure_shapes import OF_CARE, exclusions, measured_rule
from risk.terms import PolicyError
from tests.risk.test_rule_cases import shaoyang_files

read_care = measured_rule(*OF_CARE)
LEVEL = {"theta": 3, "window_days": 180, "kind": "suspicion", "sev": 2}


def rule(**changes):
    said = {
        "subject": "person",
        "counts": "fee_line",
        "items": ["X"],
        "each": "med_list_codg",
        "period": "moving",
        "measure": {"distinct": "fixmedins_code"},
        "beside": [{"sum": "cnt_x10000", "least": 5}],
        "levels": [LEVEL],
        "precision_percent": 90,
        "text_zh": "甲",
        "text_en": "a",
    }
    return {key: value for key, value in (said | changes).items() if value is not None}


def test_a_rule_is_read_with_its_default_re_arm_point():
    read = read_care(rule(), "P07")
    assert (read.levels[0].theta, read.levels[0].rearm, read.levels[0].window_ms) == (3, 2, 180 * DAY_MS)
    assert read.admits("11", "XA")
    assert not read.admits("11", "TA")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"measure": {"peers": "fixmedins_code"}}, "names 0 measures"),
        ({"measure": {"distinct": "colour"}}, "colour"),
        ({"counts": "weather"}, "weather"),
        ({"period": "event"}, "Only moving, month"),
        ({"precision_percent": 0}, "precision_percent"),
        ({"precision_percent": None}, "lacks precision_percent"),
        ({"each": None}, "names items, but not each"),
        ({"beside": [{"sum": "cnt_x10000"}]}, "without least"),
        ({"levels": [LEVEL | {"rearm": 3}]}, "rearm"),
        ({"levels": [LEVEL, LEVEL]}, "rising order"),
        ({"levels": [LEVEL | {"theta": 1}]}, "never end"),
        ({"hue": 1}, "unknown key hue"),
    ],
)
def test_what_nothing_measures_is_refused(changes, says):
    with pytest.raises(PolicyError, match=says):
        read_care(rule(**changes), "P07")


SAME = {
    "counts": "settlement",
    "items": None,
    "each": None,
    "beside": None,
    "period": "date",
    "measure": {"same_amount": "medfee_sumamt_fen"},
    "levels": [{"theta": 3, "kind": "suspicion", "sev": 2}],
}
INSIDE = SAME | {"period": "event", "measure": {"inside_admission": "fixmedins_code"}}
AGAIN = SAME | {"counts": "admission", "period": "event", "measure": {"gap_days": "fixmedins_code"}}
IDLE = AGAIN | {"measure": {"idle_days": "feedetl_sn"}, "subject": "institution"}
VALUE = {"period": "event", "measure": {"value": "prd_days"}, "levels": SAME["levels"]}
CHECKS = INSIDE | {"measure": {"failed_checks": "result"}}
MISFITS = {
    "theta": 1,
    "measure": {"misfits": "med_list_codg"},
    "kind": "suspicion",
    "sev": 1,
    "text_zh": "乙",
    "text_en": "b",
}
OF_TWO_MEASURES = [{"theta": 1, "window_hours": 24, "kind": "suspicion", "sev": 3}, MISFITS]
BILL_LINE = INSIDE | {"subject": "staff", "counts": "bill_line", "measure": {"misfits": "med_list_codg"}}
OF_TWO_KINDS = [
    {"theta": 9, "kind": "suspicion", "sev": 2, "med_types": ["11"]},
    {"theta": 3, "kind": "suspicion", "sev": 2, "med_types": ["41"]},
]


@pytest.mark.parametrize(
    ("kinds", "changes", "says"),
    [
        (["same_amount"], SAME | {"except": ["kind people"]}, "Only emergency, dialysis"),
        (OF_CARE, {"away": True}, "Only settlements are told apart so"),
        (OF_CARE, {"subject": "institution"}, "follows a person from place to place"),
        (["same_amount"], INSIDE, "measures 'inside_admission', and this rule's code evaluates another"),
        (["inside_admission"], SAME, "Write one of inside_admission"),
        (OF_CARE, SAME, "Write one of distinct, sum"),
        (["same_amount"], SAME | {"levels": OF_TWO_KINDS}, "Move med_types from the levels to the rule"),
        (OF_CARE, AGAIN | {"levels": OF_TWO_KINDS[:1]}, "Move med_types from the levels to the rule"),
        (OF_CARE, AGAIN | {"levels": SAME["levels"] * 2}, "Keep one level"),
        (OF_CARE, VALUE, "Remove beside"),
        (OF_CARE, AGAIN | {"stay_days": 3}, "Remove stay_days"),
        (["idle_days"], IDLE | {"subject": "person"}, "Write subject = institution"),
        (OF_CARE, {"round_fen": 100}, "Remove round_fen"),
        (["failed_checks"], CHECKS | {"levels": OF_TWO_MEASURES}, "measures 'misfits', and this rule's code"),
        (["same_amount", "misfits"], SAME | {"levels": [MISFITS]}, "Remove the level's measure"),
        (["misfits"], BILL_LINE | {"subject": "person"}, "Write subject = staff beside counts = bill_line"),
        (["inside_admission"], INSIDE | {"subject": "staff"}, "Write subject = staff beside counts = bill_line"),
        (["misfits"], BILL_LINE | {"except": ["emergency"]}, "whatever the care"),
        (["not_insured"], INSIDE | {"measure": {"not_insured": "status"}, "levels": SAME["levels"]}, "theta is 3"),
    ],
)
def test_what_stands_in_a_rule_and_no_code_reads_is_refused(kinds, changes, says):
    with pytest.raises(PolicyError, match=says):
        measured_rule(*kinds)(rule(**changes), "P00")


@pytest.mark.parametrize(
    ("kinds", "changes"),
    [
        (["same_amount"], SAME | {"round_fen": 100}),
        (["inside_admission"], INSIDE | {"except": ["emergency"]}),
        (["failed_checks", "misfits"], CHECKS | {"levels": OF_TWO_MEASURES}),
        (["misfits"], BILL_LINE | {"med_types": None}),
        (OF_CARE, AGAIN | {"except": ["dialysis"]}),
        (["idle_days"], IDLE | {"stay_days": 3, "except": ["dialysis"]}),
        (OF_CARE, VALUE | {"beside": None, "levels": OF_TWO_KINDS, "except": ["dialysis"]}),
    ],
)
def test_what_its_code_reads_is_taken(kinds, changes):
    assert measured_rule(*kinds)(rule(**changes), "P00").measure.kind in kinds


DAY = 20_513  # 2026-03-01


def test_an_example_says_yuan_where_its_sentence_does():
    zh, en = worked_example(parse_policy(shaoyang_files()), "D03", DAY)
    assert "单笔 1,000.01 元，达到提示线 1,000.01 元" in zh
    assert "1,000.01 yuan" in en


def test_an_example_of_levels_for_kinds_of_treatment_says_each_ones_own_line():
    zh, en = worked_example(parse_policy(shaoyang_files()), "P05", DAY)
    for words in (zh, en):
        assert "med_type 11*/41* ≥ 8, med_type 13* ≥ 4, med_type 14* ≥ 85" in words
        assert "7" not in words
    assert "未到各自提示线不触发" in zh


def test_an_exclusion_that_no_fact_can_tell_is_refused():
    with pytest.raises(PolicyError, match="excludes nothing"):
        exclusions([{"name": "dialysis"}], "exclusions")


def test_an_exclusion_that_no_bill_can_remember_is_refused():
    with pytest.raises(PolicyError, match="Only emergency, dialysis"):
        exclusions([{"name": "kind people", "med_types": ["11"]}], "exclusions")


def test_a_rule_may_only_except_what_the_exclusions_describe():
    files = shaoyang_files()
    files["rules.toml"] = files["rules.toml"].replace('name = "dialysis"', 'name = "psychiatric"')
    with pytest.raises(PolicyError, match="P01 excepts dialysis, which exclusions does not describe"):
        parse_policy(files)


def test_care_is_excluded_by_diagnosis_kind_or_emergency():
    read = exclusions(
        [{"name": "oncology", "diag_groups": ["C"]}, {"name": "emergency", "med_types": ["13"], "emergency": True}], "e"
    )
    assert read.of("11", "C34", emergency=False) == ("oncology",)
    assert read.of("1301", "", emergency=False) == read.of("11", "", emergency=True) == ("emergency",)
    assert read.of("11", "J18", emergency=False) == ()
    small = exclusions([{"name": "oncology", "diag_groups": ["c", "z51"]}], "e")
    assert small.of("11", "C34") == small.of("11", "Z51") == ("oncology",)
