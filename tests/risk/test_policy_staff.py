"""How the rules about staff are written, and what a policy author is told where one is written wrongly."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of
from risk.policy import parse_policy
from risk.policy_rules import GapRule, PaceRule
from risk.policy_shapes import gap_rule
from risk.policy_staff_shapes import pace_rule
from risk.terms import PolicyError

POLICIES = Path(__file__).parents[2] / "config" / "policies"
TEXTS = {"text_zh": "{observed}", "text_en": "{observed}"}
LEVEL: dict[str, Any] = {"theta": 15, "window_hours": 2, "kind": "suspicion", "sev": 2}
PACE: dict[str, Any] = {"persons": 30, "gap_seconds": 60, "levels": [LEVEL], "precision_percent": 90, **TEXTS}
GAP: dict[str, Any] = {"gap_minutes": 30, "kind": "suspicion", "sev": 3, "precision_percent": 90, **TEXTS}


def test_a_pace_is_read_with_its_line_and_its_rearm_point() -> None:
    rule = pace_rule(PACE, "M09")
    assert isinstance(rule, PaceRule)
    assert (rule.persons, rule.gap_ms, rule.window_ms) == (30, 60_000, 7_200_000)
    assert (rule.levels[0].theta, rule.levels[0].rearm) == (15, 12)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"levels": [LEVEL | {"theta": 30}]}, "have only 29 gaps"),
        ({"levels": [LEVEL, LEVEL | {"theta": 20}]}, "has 2 levels"),
        ({"persons": 2}, "M09.persons"),
        ({"precision_percent": 0}, "precision_percent"),
        ({"patients": 30}, "unknown key patients"),
        ({"gap_minutes": 1}, "exactly one of gap_"),
    ],
)
def test_a_pace_that_cannot_hold_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(said)):
        pace_rule(PACE | changed, "M09")


def test_only_the_staffs_gap_has_a_filter_because_only_it_reads_one() -> None:
    rule = gap_rule(filtered=True)(GAP | {"med_types": ["11"]}, "M03")
    assert isinstance(rule, GapRule)
    assert rule.admits("1101", "1")
    assert not rule.admits("41", "2")
    without = {key: value for key, value in GAP.items() if key != "precision_percent"}
    with pytest.raises(PolicyError, match="unknown key med_types"):
        gap_rule(filtered=False)(without | {"med_types": ["11"]}, "P03")


@pytest.mark.parametrize("place", ["shaoyang", "hunan"])
def test_each_level_of_m04_says_what_is_true_of_it(place: str) -> None:
    rule = parse_policy(read_policy_dir(POLICIES / place)).on(day_of(date(2026, 3, 1)))["M04"].value
    away, unpaid = rule.level_of("on_leave", "11", "1"), rule.level_of("terminated", "41", "2")
    assert (away.level, unpaid.level, rule.level_of("on_leave", "41", "2")) == (1, 2, None)
    assert [("终止" in zh, "ended" in en, "住院" in zh) for zh, en in map(rule.texts, (1, 2))] == [
        (False, False, True),
        (True, True, False),
    ]
