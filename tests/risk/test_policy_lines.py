"""What a fee line counts for and what a house is approved for: read strictly, and looked up by code."""

import pytest

from risk.policy_lines import CapacityRow, LineRow, capacities, line_counts
from risk.terms import PolicyError
from tests.risk.test_policy import entry, problems

LINES = [
    {"counter": "dialysis_lines", "items": ["00311000006"]},
    {"counter": "executed_minutes", "items": ["001204"], "minutes": 1},
    {"counter": "executed_minutes", "items": ["0012", "00311"], "minutes": 10},
]
HOUSES = [
    {"code": "H43059900001", "beds": 60},
    {"code": "H430599*", "beds": 40, "dialysis_machines": 4, "dialysis_shifts": 3},
]


def test_a_line_counts_once_for_a_counter_by_the_first_row_that_names_it() -> None:
    table = line_counts(LINES, "line_counts")
    assert table.of("001204000010000") == (LineRow("executed_minutes", ("001204",), 1),)
    assert [(row.counter, row.minutes) for row in table.of("003110000060000")] == [
        ("dialysis_lines", 0),
        ("executed_minutes", 10),
    ]
    assert table.of("XA10BJ0001") == ()


def test_a_house_has_its_own_row_else_the_one_of_its_prefix_else_none() -> None:
    table = capacities(HOUSES, "capacities")
    assert table.rows[1] == CapacityRow("H430599*", 40, 12)
    assert [table.of(code, "beds") for code in ("H43059900001", "H43059900002", "H43050200001")] == [60, 40, 0]
    assert table.of("H43059900002", "dialysis_places") == 12
    assert table.of("H43059900001", "dialysis_places") == 0, "its own row says nothing of machines"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([LINES[0] | {"minutes": 3}], "unknown key minutes"),
        ([{"counter": "executed_minutes", "items": ["0012"]}], "lacks minutes"),
        ([LINES[0] | {"counter": "beds"}], "Only dialysis_lines, key_drug_fen, executed_minutes"),
        ([LINES[0], LINES[0]], "repeats dialysis_lines"),
        ([LINES[2], LINES[1]], "has 001204 behind a row with a shorter prefix"),
        ([], "must be a list of rows"),
    ],
)
def test_a_table_of_lines_that_nobody_could_apply_is_refused(rows: list[object], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        line_counts(rows, "line_counts")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"code": "H1"}, "says nothing"),
        ({"code": "H1", "beds": 0}, "beds"),
        ({"code": "H1", "dialysis_machines": 3}, "lacks dialysis_shifts"),
        ({"code": "H1", "beds": 3, "dialysis_shifts": 3}, "unknown key dialysis_shifts"),
        ({"code": "H*1", "beds": 3}, "A star may only end a prefix"),
    ],
)
def test_a_house_of_which_nothing_can_be_read_is_refused(row: dict[str, object], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        capacities([row], "capacities")


def test_rules_need_the_tables_they_are_held_against() -> None:
    usual = 'precision_percent = 90, text_zh = "a", text_en = "a"'
    level = 'levels = [{ theta = 110, kind = "suspicion", sev = 2 }]'
    beds = '{ over_capacity = "in_house", of = "beds", unit = "percent" }'
    said = problems(entry("H10", value=f'{{ subject = "institution", measure = {beds}, {level}, {usual} }}'))
    assert "H10 is held against capacities, and there are none" in said
    said = problems(
        entry("M08", value=f'{{ subject = "staff", measure = {{ sum = "executed_minutes" }}, {level}, {usual} }}')
    )
    assert "M08 measures executed_minutes, to which line_counts adds nothing" in said
