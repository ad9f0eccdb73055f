"""Reading a policy: what is accepted, what is refused, and what the refusal says."""

from datetime import date

import pytest

from risk.local_time import day_of
from risk.policy import PolicyError, credit_questions_dropped, parse_policy
from risk.policy_parameters import CREDIT_CORE
from risk.policy_values import CodedItems
from tests.risk.credit_life import shaoyang

IDENTITY = '[policy]\nplace = "here"\nedition = "2026.1"\ntitle_zh = "此地"\ntitle_en = "Here"\n'
SOURCE = 'source = "City notice 7, article 3"'
BILL = (
    '{ med_types = ["11"], threshold_fen = 100, kind = "suspicion", sev = 1, '
    'text_zh = "共 {observed} 分", text_en = "{observed} of {allowed}" }'
)

ONCE = '{ theta = 1, kind = "sla", sev = 1 }'


def bundle(rules="", **files):
    return {"policy.toml": IDENTITY, "rules.toml": rules} | files


def entry(name="P13", day="2024-01-01", value=BILL, source=SOURCE, more=""):
    return f"[[{name}]]\neffective_from = {day}\nvalue = {value}\n{source}\n{more}\n"


def problems(rules, **files):
    with pytest.raises(PolicyError) as caught:
        parse_policy(bundle(rules, **files))
    return str(caught.value)


def window(levels, more=""):
    return f'{{ levels = [{levels}], text_zh = "甲", text_en = "a" {more} }}'


def burst(theta):
    return f'{{ theta = {theta}, window_hours = {theta}, kind = "sla", sev = 1 }}'


def test_a_bundle_with_one_rule_needs_nothing_else():
    policy = parse_policy(bundle(entry()))
    assert policy.on(day_of(date(2024, 1, 1)))["P13"].value.threshold_fen == 100
    assert policy.place == "here"


def test_a_value_is_in_force_from_its_day_until_the_next_entry():
    #  days   2023-12-31 | 2024-01-01 .. 2024-04-30 | 2024-05-01 .. 2024-06-30 | 2024-07-01 ..
    #             -      |         100              |          200             |   repealed
    rules = entry() + entry(day="2024-05-01", value=BILL.replace("100", "200"))
    policy = parse_policy(bundle(rules + f"[[P13]]\neffective_from = 2024-07-01\nrepealed = true\n{SOURCE}\n"))

    def threshold(*day):
        clause = policy.on(day_of(date(*day))).get("P13")
        return clause and clause.value.threshold_fen

    assert [threshold(2023, 12, 31), threshold(2024, 1, 1), threshold(2024, 4, 30)] == [None, 100, 100]
    assert [threshold(2024, 5, 1), threshold(2024, 6, 30), threshold(2024, 7, 1)] == [200, 200, None]


def test_a_clause_names_its_source_as_wires_carry_it():
    policy = parse_policy(bundle(entry(more='url = "https://example.cn/7"\nchecked_on = 2026-01-02\nnote = "n"')))
    clause = policy.on(day_of(date(2025, 1, 1)))["P13"]
    assert clause.source() == {"document": "City notice 7", "article": "article 3", "in_force_from": "2024-01-01"}
    assert (clause.url, clause.checked_on, clause.note) == ("https://example.cn/7", date(2026, 1, 2), "n")


def test_document_and_article_may_stand_apart():
    policy = parse_policy(bundle(entry(source='document = "Notice, with comma"\narticle = "3, 4"')))
    clause = policy.on(day_of(date(2025, 1, 1)))["P13"]
    assert (clause.document, clause.article) == ("Notice, with comma", "3, 4")


def test_the_same_days_share_one_terms_object():
    policy = parse_policy(bundle(entry()))
    first = day_of(date(2024, 1, 1))
    assert policy.on(first) is policy.on(first + 400)
    assert policy.on(first - 1) is not policy.on(first)


def test_dates_from_outside_do_not_grow_the_memory_without_end():
    policy = parse_policy(bundle(entry()))
    for day in range(30_000):
        policy.on(day)
    assert len(policy._by_day) <= 10_000


def test_terms_without_a_clause_say_when_and_what_to_do():
    policy = parse_policy(bundle(entry()))
    with pytest.raises(PolicyError, match=r"P13 has no clause in force before 2024-01-01.*Add a \[\[P13\]\] entry"):
        policy.on(day_of(date(2023, 1, 1)))["P13"]


def test_the_version_names_place_edition_and_the_files_content():
    policy = parse_policy(bundle(entry()))
    assert policy.version == f"here-2026.1+{policy.digest[:12]}"
    again = parse_policy(dict(reversed(bundle(entry()).items())))
    changed = parse_policy(bundle(entry() + "# a comment\n"))
    assert again.digest == policy.digest != changed.digest


def test_every_problem_of_a_bundle_is_told_at_once():
    with pytest.raises(PolicyError) as caught:
        parse_policy(bundle(entry(value="1.5") + entry("P99"), **{"limit.toml": ""}))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("x = [", "rules.toml is not TOML"),
        (entry("P31"), "P31 is no parameter"),
        ("P13 = 5", "P13 is 5. Values are dated entries. Write [[P13]]"),
        (entry(source=""), "has no source"),
        (entry(source='document = "a"'), "person it concerns. Add article = ..."),
        (entry(source='source = "the notice"'), "names no article"),
        (entry(source='source = ""'), "must not be empty"),
        (entry(more="colour = 1"), "unknown key colour"),
        (entry(day='"2024-01-01"'), "must be a date"),
        (entry(day="2024-01-01T00:00:00Z"), "must be a date"),
        (entry(day="2024-13-01"), "is not TOML"),
        (entry() + entry(), "two entries from 2024-01-01"),
        (entry() + entry(day="2023-01-01"), "2023-01-01 stands after 2024-01-01"),
        (f"[[P13]]\neffective_from = 2024-01-01\nrepealed = true\n{SOURCE}", "nothing is in force"),
        (f"[[P13]]\neffective_from = 2024-01-01\nrepealed = false\n{SOURCE}", "Only an ending says so"),
        (entry(more="repealed = true"), "unknown key value"),
        (f"[[P13]]\neffective_from = 2024-01-01\n{SOURCE}", "lacks value"),
        (f"[[P13]]\nvalue = {BILL}\n{SOURCE}", "lacks effective_from"),
        (entry(value=BILL.replace("100", "100.0")), "the float 100.0"),
        (entry(value=BILL.replace("100", "1e2")), "the float 1e2"),
        (entry(value=BILL.replace("100", "nan")), "the float nan"),
        (entry(value=BILL.replace("100", "true")), "threshold_fen is true"),
        (entry(value=BILL.replace("100", '"100"')), "Numbers here are whole"),
        (entry(value=BILL.replace("100", "0")), "no meaning outside 1"),
        (entry(value=BILL.replace("100", "-5")), "no meaning outside 1"),
        (entry(value=BILL.replace("100", str(10**16))), "no meaning outside 1"),
        (entry(value=BILL.replace("100", "9" * 5000)), "rules.toml is not TOML"),
        (entry(value="[" * 5000), "rules.toml is not TOML"),
        (entry(value=BILL.replace("threshold_fen", "treshold_fen")), "lacks threshold_fen"),
        (entry(value=BILL.replace("sev = 1", "sev = 5")), "sev is 5"),
        (entry(value=BILL.replace("suspicion", "rumour")), "Only warning, over_limit, suspicion"),
        (entry(value=BILL.replace("{observed} of", "{seen} of")), "asks for {seen}"),
        (entry(value=BILL.replace("{observed} of", "{observed!r} of")), "asks for {observed}"),
        (entry(value=BILL.replace("{observed} of", "{observed of")), "stray brace"),
        (entry(value=BILL.replace('["11"]', '["11", "11"]')), "repeats 11"),
        (entry(value=BILL.replace('["11"]', "[]")), "must be a list of text"),
        (entry("P01", value=window('{ theta = 5, kind = "suspicion", sev = 1 }')), "needs exactly one of window_days"),
        (entry("P02", value=window('{ theta = 5, window_days = 1, kind = "suspicion", sev = 1 }')), "window_days"),
        (entry("P02", value=window('{ theta = 1, kind = "suspicion", sev = 1 }')), "theta is 1"),
        (entry("P02", value=window('{ theta = 3, rearm = 3, kind = "suspicion", sev = 1 }')), "rearm is 3"),
        (
            entry("P02", value=window('{ theta = 3, kind = "sla", sev = 1 }, { theta = 3, kind = "sla", sev = 1 }')),
            "rising order",
        ),
        (entry("D01", value=window('{ theta = 9, window_seconds = 300, kind = "suspicion", sev = 1 }')), "theta is 9"),
        (entry("D01", value=window(f"{burst(10)}, {burst(20)}")), "Keep one level"),
        (entry("F01", value=window('{ theta = 17, window_minutes = 10, kind = "sla", sev = 1 }')), "theta is 17"),
        (entry("F02", value=window(ONCE, ", percent = 95")), "theta is 1"),
        (
            entry("F02", value=window('{ theta = 3, window_days = 3, kind = "sla", sev = 1 }', ", percent = 95")),
            "unknown key window_days",
        ),
        (
            entry("F03", value=window('{ theta = 1, kind = "sla", sev = 1 }', ", percent = 95")),
            "needs exactly one of window_days",
        ),
        (entry("F04", value=window('{ theta = 2, kind = "sla", sev = 1 }')), "needs exactly one of window_days"),
        (entry("F04", value=window(f"{burst(2)}, {burst(3)}")), "Keep one level"),
        (entry("F05", value=window(ONCE)), "theta is 1"),
        (entry("F07", value=window(burst(9))), "theta is 9"),
        (entry("visit_grace_ms", value="7200000"), "names its unit"),
        (entry("visit_grace_ms", value="{ hours = 1, minutes = 30 }"), "names its unit"),
        (entry("debit_retry_ms", value="[{ hours = 6 }, { hours = 2 }]"), "does not rise"),
        (entry("debit_hours", value="{ first = 20, last = 8 }"), "last is 8"),
        (entry("services_on", value='["visit_last"]'), "Only visit_first, deposit_free"),
        (entry("areas", value='["Hunan"]'), "codes of six digits"),
        (entry("band_edge", value='"middle"'), "Only lower_inclusive, upper_inclusive"),
        (entry("listed_blocks", value="1"), "Write true or false"),
        (entry("eligible_levels", value='["UNRATED:lazy"]'), "UNRATED:lazy"),
        (entry("day_cap_fen", value='"unlimited"'), "Numbers here are whole"),
    ],
    ids=lambda value: value[:48] if "[[" not in value else "",
)
def test_a_policy_that_could_be_misread_is_refused(rules, said):
    assert said in problems(rules)


def test_an_unknown_file_is_refused_with_a_hint():
    assert "limit.toml is no file of a policy" in problems("", **{"limit.toml": ""})
    assert 'did you mean "H06"?' in problems(entry("H6"))
    assert 'did you mean "limits.toml"?' in problems("", **{"limit.toml": ""})


def test_a_parameter_in_two_files_is_refused():
    assert "P13 is also in limits.toml" in problems(entry(), **{"limits.toml": entry()})


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (None, "policy.toml is missing"),
        ("", "lacks policy"),
        (IDENTITY + 'mayor = "Li"', "unknown key mayor"),
        (IDENTITY.replace('"here"', '"Over There"'), "Write e.g. shaoyang"),
        (IDENTITY.replace('"2026.1"', '"v1"'), "Write e.g. 2026.1"),
        (IDENTITY + "[[P13]]\n", "unknown key P13"),
    ],
)
def test_a_policy_says_whose_it_is(identity, said):
    files = {"rules.toml": entry()} | ({} if identity is None else {"policy.toml": identity})
    with pytest.raises(PolicyError, match=said):
        parse_policy(files)


def test_a_place_that_offers_credit_must_answer_every_credit_question():
    said = problems(entry("services_on", value='["visit_first"]'))
    assert all(f"{name} has no clause, while services_on offers visit_first" in said for name in CREDIT_CORE)
    assert "workdays has no year" in said


def test_a_rule_about_placeholders_needs_a_list_of_them():
    value = '{ kind = "data_quality", sev = 1, text_zh = "a", text_en = "a" }'
    assert "Q01 and Q02 look for placeholder_codes" in problems(entry("Q02", value=value))


def test_a_rule_about_trace_codes_needs_the_items_that_have_one():
    value = (
        '{ subject = "institution", measure = { sum = "uncoded_lines" }, precision_percent = 90, text_zh = "a", '
        'text_en = "a", levels = [{ theta = 1, kind = "suspicion", sev = 2 }] }'
    )
    assert "D06 and H16 look at coded_items" in problems(entry("H16", value=value))


def test_rules_about_sex_and_age_need_the_items_that_are_not_for_everybody():
    value = (
        '{ subject = "staff", counts = "bill_line", measure = { misfits = "med_list_codg" }, period = "event", '
        'precision_percent = 90, text_zh = "a", text_en = "a", levels = [{ theta = 1, kind = "warning", sev = 1 }] }'
    )
    assert "P14 and M06 look at item_limits" in problems(entry("M06", value=value))


def test_readmissions_leave_out_what_p11_leaves_out_and_need_it():
    value = (
        '{ subject = "institution", measure = { share = ["readmissions", "inpatient_bills"], unit = "percent", '
        'least = 20 }, precision_percent = 90, text_zh = "a", text_en = "a", levels = [{ theta = 1, '
        'kind = "suspicion", sev = 2 }] }'
    )
    assert "H02 leaves out of readmissions what P11 leaves out, and there is no P11" in problems(
        entry("H02", value=value)
    )


def test_prescriptions_for_too_long_are_those_that_p05_finds_and_need_it():
    value = (
        '{ subject = "staff", measure = { share = ["long_rx_bills", "settlements"], unit = "per_mille", least = 50 }, '
        'precision_percent = 90, text_zh = "a", text_en = "a", levels = [{ theta = 1, kind = "sla", sev = 2 }] }'
    )
    assert "M05 counts what is beyond P05, and there is no P05" in problems(entry("M05", value=value))


def test_an_item_without_a_code_is_taken_out_by_its_prefix():
    items = CodedItems(items=("X", "Z"), without=("XB05",))
    asked = {item: items.asks(item) for item in ("XA01", "ZA09", "XB05A", "T001", "0022")}
    assert asked == {"XA01": True, "ZA09": True, "XB05A": False, "T001": False, "0022": False}


def test_a_place_that_switches_all_services_off_needs_no_credit_terms():
    policy = parse_policy(bundle(entry("services_on", value="[]")))
    assert policy.on(day_of(date(2025, 1, 1)))["services_on"].value == ()


def test_a_policy_that_leaves_open_credit_unanswered_is_told_what_it_drops():
    shipped = shaoyang()
    assert credit_questions_dropped(shipped, shipped) == []
    assert set(credit_questions_dropped(shipped, parse_policy(bundle(entry())))) == set(CREDIT_CORE)
    ended = shaoyang(offer=('value = ["visit_first", "deposit_free"]', "value = []"))
    assert credit_questions_dropped(shipped, ended) == []
    assert credit_questions_dropped(parse_policy(bundle(entry())), shipped) == []


def test_the_rearm_point_defaults_to_four_fifths_and_at_least_one_below():
    def rearm(theta):
        value = window(f'{{ theta = {theta}, kind = "suspicion", sev = 1 }}')
        return parse_policy(bundle(entry("P02", value=value))).on(20_000)["P02"].value.levels[0].rearm

    assert [rearm(theta) for theta in (2, 3, 4, 5, 15, 30, 101)] == [1, 2, 3, 4, 12, 24, 80]


def test_the_longest_window_covers_what_was_and_what_will_be():
    days = '{{ theta = 5, window_days = {}, kind = "suspicion", sev = 1 }}'
    rules = entry("P01", value=window(days.format(90))) + entry("P01", "2025-01-01", window(days.format(30)))
    policy = parse_policy(bundle(rules))
    assert policy.longest_window_ms(["P01", "X01"]) == 90 * 86_400_000
    assert policy.longest_window_ms(["P13"]) == 0
