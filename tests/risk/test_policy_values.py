"""The questions a policy value answers by itself."""

from datetime import date

import pytest

from risk.local_time import day_of
from risk.policy import PolicyError, parse_policy
from risk.policy_rules import PlaceholderCodes
from risk.policy_shapes import item_limits
from risk.policy_values import (
    AnnualCap,
    CapRow,
    InstitutionRow,
    InstitutionTable,
    LevelBand,
    LevelSet,
    LimitRow,
    LimitTable,
    level_is_eligible,
)

HUNAN = LevelSet(
    bands=(
        LevelBand("A", "优", "excellent", 8_500, 10_000),
        LevelBand("B", "良", "good", 6_500, 8_500),
        LevelBand("C", "中", "fair", 4_000, 6_500),
        LevelBand("D", "差", "poor", 0, 4_000),
    )
)
_FIVE = (
    ("AA", 90_000, 100_000),
    ("A", 75_000, 90_000),
    ("B", 60_000, 75_000),
    ("C", 45_000, 60_000),
    ("E", 0, 45_000),
)
CODES = PlaceholderCodes(codes=frozenset({"未知", "无", "0", "null"}), all_nines=True)


@pytest.mark.parametrize(
    ("score_x100", "lower", "upper"),
    [
        (10_000, "A", "A"),
        (8_501, "A", "A"),
        (8_500, "A", "B"),
        (8_499, "B", "B"),
        (6_500, "B", "C"),
        (4_000, "C", "D"),
        (3_999, "D", "D"),
        (0, "D", "D"),
    ],
)
def test_a_score_on_an_edge_goes_where_the_switch_says(score_x100, lower, upper):
    assert HUNAN.level_of(score_x100, "lower_inclusive") == lower
    assert HUNAN.level_of(score_x100, "upper_inclusive") == upper


def test_levels_and_scale_are_data():
    """Five levels on a scale of a thousand, as another province writes them."""
    rows = ", ".join(
        f'{{ code = "{code}", name_zh = "{code}级", name_en = "{code}", from_x100 = {low}, to_x100 = {high} }}'
        for code, low, high in _FIVE
    )
    text = f'[[level_set]]\neffective_from = 2024-01-01\nsource = "a, b"\nvalue = [{rows}]\n'
    identity = '[policy]\nplace = "x"\nedition = "1"\ntitle_zh = "x"\ntitle_en = "x"\n'
    levels = parse_policy({"policy.toml": identity, "eligibility.toml": text}).on(20_000)["level_set"].value
    assert levels.codes == ("AA", "A", "B", "C", "E")
    assert levels.lowest == "E"
    assert levels.level_of(85_000, "lower_inclusive") == "A"
    gap = text.replace("60000, to_x100 = 75000", "60000, to_x100 = 74000")
    with pytest.raises(PolicyError, match="so that every score has one"):
        parse_policy({"policy.toml": identity, "eligibility.toml": gap})


def test_unrated_may_be_eligible_as_a_whole_or_by_reason():
    assert level_is_eligible(("A", "UNRATED"), "UNRATED", "new")
    assert level_is_eligible(("A", "UNRATED:new"), "UNRATED", "new")
    assert not level_is_eligible(("A", "UNRATED:new"), "UNRATED", "under_investigation")
    assert not level_is_eligible(("A", "UNRATED:new"), "UNRATED")
    assert not level_is_eligible(("A", "UNRATED"), "D")


@pytest.mark.parametrize(
    ("level", "service", "insutype", "limit_fen"),
    [
        ("A", "visit_first", "310", 500),
        ("A", "visit_first", "390", 300),
        ("A", "visit_first", None, 300),
        ("A", "visit_first", "510", 300),
        ("B", "visit_first", "390", 80),
        ("B", "visit_first", "510", 200),
        ("B", "visit_first", None, 80),
        ("A", "deposit_free", "310", 0),
        ("E", "visit_first", "310", 0),
    ],
)
def test_an_unknown_insurance_type_gets_the_lowest_row_and_a_missing_level_nothing(level, service, insutype, limit_fen):
    limits = LimitTable(
        (
            LimitRow("A", "visit_first", "310", 500),
            LimitRow("A", "visit_first", "390", 300),
            LimitRow("B", "visit_first", "*", 200),
            LimitRow("B", "visit_first", "390", 80),
        )
    )
    assert limits.limit_fen(level, service, insutype) == limit_fen


def test_the_longest_prefix_of_the_insured_place_sets_the_cap():
    caps = AnnualCap((CapRow("43", "310", 10), CapRow("4305", "310", 20), CapRow("430502", "310", 30)))
    assert [caps.cap_fen(place, "310") for place in ("430502", "430503", "430100", "110101")] == [30, 20, 10, None]
    assert caps.cap_fen("430502", "390") is None
    assert caps.cap_fen(None, "310") is None
    assert caps.cap_fen("430502", None) is None
    assert caps.cap_fen("", "") is None


def test_an_institution_is_live_from_its_day_and_its_own_row_beats_a_prefix():
    start, later = date(2024, 1, 1), date(2025, 1, 1)
    table = InstitutionTable(
        (
            InstitutionRow("H43*", "all", ("visit_first",), later, None),
            InstitutionRow("H4305*", "city", ("visit_first",), start, later),
            InstitutionRow("H43050000001", "one", ("deposit_free",), start, start),
        )
    )
    first, second = day_of(start), day_of(later)
    assert table.find("H43050000001").name == "one"
    assert table.find("H43059999999").name == "city"
    assert table.find("H43010000001").name == "all"
    assert table.find("P43050000001") is None
    assert not table.is_live("H43050000001", "visit_first", first)
    assert not table.is_live("H43059999999", "visit_first", first - 1)
    assert table.is_live("H43059999999", "visit_first", first)
    assert not table.is_live("P43050000001", "visit_first", first)
    assert [table.sends_orders("H43059999999", day) for day in (second - 1, second)] == [False, True]
    assert not table.sends_orders("H43010000001", second + 999)


@pytest.mark.parametrize("code", ["未知", " 无 ", "0", "NULL", "9", "99999999", "", "   "])
def test_a_placeholder_is_no_code(code):
    assert CODES.matches(code)


@pytest.mark.parametrize("code", ["D4305001", "90", "09", "无锡", "nullable"])
def test_a_code_that_looks_odd_is_still_a_code(code):
    assert not CODES.matches(code)


def test_nines_are_codes_where_the_policy_says_so():
    assert not PlaceholderCodes(codes=frozenset({"0"}), all_nines=False).matches("9999")


LIMITS = item_limits(
    [
        {"name": "women's", "items": ["0033"], "gend": "2"},
        {"name": "men's, inside", "items": ["003312"], "gend": "1"},
        {"name": "children's", "items": ["0012", "ZX"], "age_most": 17},
        {"name": "of age", "items": ["0099"], "gend": "2", "age_least": 18, "age_most": 60},
    ],
    "item_limits",
)


@pytest.mark.parametrize(
    ("item", "gend", "age", "excluded"),
    [
        ("003313", "1", 30, True),
        ("003313", "2", 30, False),
        ("003312", "1", 30, False),
        ("003312", "2", 30, True),
        ("ZX1", "1", 17, False),
        ("ZX1", "1", 18, True),
        ("ZX1", "1", None, False),
        ("003313", None, 30, False),
        ("0099", "2", 17, True),
        ("0099", "2", 60, False),
        ("0099", None, 61, True),
        ("0044", "1", 99, False),
        ("", "1", 99, False),
    ],
)
def test_an_item_is_for_whom_its_longest_row_says_and_an_unknown_one_for_everybody(item, gend, age, excluded):
    assert LIMITS.excludes(item, gend, age) is excluded


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"name": "a", "items": ["X"]}], "is for everybody"),
        ([{"name": "a", "items": ["X"], "age_least": 18, "age_most": 17}], "is for nobody"),
        ([{"name": "a", "items": ["X"], "gend": "0"}], "gend"),
        ([{"name": "a", "items": ["X"], "gend": "1"}, {"name": "b", "items": ["X"], "gend": "2"}], "X"),
        ([{"name": "a", "items": ["X"], "gend": "1", "age": 3}], "age"),
    ],
)
def test_a_row_that_limits_nothing_or_twice_is_refused(rows, says):
    with pytest.raises(PolicyError, match=says):
        item_limits(rows, "item_limits")
