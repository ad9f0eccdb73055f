"""The catalogue of institutions and staff: each of its rules is judged, with cases, or stands here with the reason."""

import pytest

from risk.policy import parse_policy
from tests.oracle.case_log import rule_books
from tests.risk.test_rule_cases import shaoyang_files

CASES_LEAST = 4
WITHOUT = {  # rules of domain.md 4.2 to 4.4 that no fact on the log can carry, or that wait for one, and why
    "H09": "needs the township a patient lives in: no edge takes in an address, and a prefecture is no township",
}


@pytest.mark.parametrize(("letter", "last"), [("D", 12), ("H", 16), ("M", 8)])
def test_every_rule_has_policy_and_cases_or_a_reason(letter: str, last: int) -> None:
    books, policy = rule_books(), parse_policy(shaoyang_files())
    catalogue = {f"{letter}{number:02d}" for number in range(1, last + 1)}
    judged = {
        rule for rule in catalogue if rule in policy.entries and len(books.get(rule, {}).get("case", [])) >= CASES_LEAST
    }
    assert catalogue - judged <= set(WITHOUT)
