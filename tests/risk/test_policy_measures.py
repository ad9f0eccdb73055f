"""Rules written in the grammar: what is read, what is refused, and what the refusal says."""

import pytest

from risk.local_time import DAY_MS
from risk.policy_measure_shapes import exclusions, measured_rule
from risk.terms import PolicyError

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
    read = measured_rule(rule(), "P07")
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
        ({"hue": 1}, "unknown key hue"),
    ],
)
def test_what_nothing_measures_is_refused(changes, says):
    with pytest.raises(PolicyError, match=says):
        measured_rule(rule(**changes), "P07")


def test_an_exclusion_that_no_fact_can_tell_is_refused():
    with pytest.raises(PolicyError, match="excludes nothing"):
        exclusions([{"name": "kind people"}], "exclusions")


def test_care_is_excluded_by_diagnosis_kind_or_emergency():
    read = exclusions(
        [{"name": "oncology", "diag_groups": ["C"]}, {"name": "emergency", "med_types": ["13"], "emergency": True}], "e"
    )
    assert read.of("11", "C34", emergency=False) == ("oncology",)
    assert read.of("1301", "", emergency=False) == read.of("11", "", emergency=True) == ("emergency",)
    assert read.of("11", "J18", emergency=False) == ()
