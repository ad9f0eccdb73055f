"""The rules of domain.md 4, and the pages' about records: each has policy and cases, or here is the reason."""

import tomllib
from pathlib import Path

import pytest

from risk.policy import parse_policy
from tests.oracle.case_log import rule_books
from tests.risk.test_rule_cases import shaoyang_files
from tests.risk.test_signals import CASES, RECORDS

POLICIES = Path(__file__).parents[2] / "config" / "policies"
CASES_LEAST = 4
CATALOGUE = {"P": 19, "H": 16, "D": 12, "M": 8, "U": 1, "T": 1, "E": 1, "F": 7, "Q": 7}
"""How many of each letter: domain.md 4.1 to 4.5 (P17 is rules.md's, theirs is P19), and Q01 to Q07."""
WITHOUT = {  # rules that no fact on the log can carry, or that wait for one, and why
    "H09": "needs the township a patient lives in: no edge takes in an address, and a prefecture is no township",
    "P08": "needs telephones: no edge takes one in (L01), and a hash of eleven digits is undone by trying all",
    "U01": "needs what employers pay in: they send no events, and a contribution base is no fact of the platform's",
}
FORMS_WITHOUT = {  # further forms of rules that are judged: the policy's note says the same of each ("Not judged: ...")
    "P02": ("one group of drugs", "lines are remembered by the hash of a whole code, which has no group"),
    "P13": ("three times his own", "rules.md has every bill of 2,000 yuan told, and stands over domain.md"),
    "D08": ("department's special drugs", "a pharmacy's bill names no department, and no list names the drugs"),
    "D09": ("one pharmacist at many", "phar_code is on the line, but a pharmacist is no subject yet"),
    "H11": ("the first grade", "no fact and no table tells a hospital's grade"),
}


@pytest.mark.parametrize("place", ["shaoyang", "hunan"])
@pytest.mark.parametrize(("rule", "form"), [(rule, form) for rule, (form, _) in FORMS_WITHOUT.items()])
def test_a_form_that_is_not_judged_is_named_where_its_rule_stands(place: str, rule: str, form: str) -> None:
    newest = tomllib.loads((POLICIES / place / "rules.toml").read_text(encoding="utf8"))[rule][-1]
    _, _, said = newest["note"].partition("Not judged: ")
    assert form in said


@pytest.mark.parametrize(("letter", "last"), CATALOGUE.items())
def test_every_rule_has_policy_and_cases_or_a_reason(letter: str, last: int) -> None:
    books, policy = rule_books(), parse_policy(shaoyang_files())
    catalogue = {f"{letter}{number:02d}" for number in range(1, last + 1)}
    count = {rule: len(books.get(rule, {}).get("case", [])) for rule in catalogue}
    for case in (*CASES, *RECORDS):  # of payments: the sentence begins with the rule
        rule = case["name"].partition(":")[0]
        count[rule] = count.get(rule, 0) + 1
    judged = {rule for rule in catalogue if rule in policy.entries and count[rule] >= CASES_LEAST}
    assert catalogue - judged == catalogue & set(WITHOUT)
