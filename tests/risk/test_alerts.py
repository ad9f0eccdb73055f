"""The one shape of an alert: what people read is in yuan, what programs read stays whole fen."""

import pytest

from risk.alerts import OBSERVED_MOST, Crossing, alert
from risk.yuan import yuan
from tests.risk.credit_life import shaoyang


@pytest.mark.parametrize(
    ("fen", "said"), [(0, "0.00"), (5, "0.05"), (100, "1.00"), (123_456_789, "1,234,567.89"), (-150, "-1.50")]
)
def test_fen_are_read_as_yuan_with_two_decimals(fen: int, said: str):
    assert yuan(fen) == said


def test_a_large_bill_is_told_in_yuan_and_carried_in_fen():
    rule = shaoyang().on(20_700)["P13"].value
    found = Crossing("P13", 1, rule.kind, rule.sev, "person", "p", "e1", 0, 0, 250_005, rule.threshold_fen)
    body = alert(
        found, episode="opened", clause={}, policy_version="v", texts=(rule.text_zh, rule.text_en)
    ).body  # fmt: skip
    assert body["vola_cont_zh"] == "单笔大额：本次费用总额 2,500.05 元，提示线 2,000.00 元"
    assert "2,500.05 yuan in one settlement, the line is 2,000.00 yuan" in body["vola_cont_en"]
    assert (body["observed"], body["allowed"]) == (250_005, 200_000)


def test_a_ratio_of_a_huge_sum_and_a_tiny_one_is_still_a_number_that_every_reader_holds():
    rule = shaoyang().on(20_700)["P13"].value
    found = Crossing("P13", 1, rule.kind, rule.sev, "person", "p", "e1", 0, 0, 10**30, rule.threshold_fen)
    body = alert(
        found, episode="opened", clause={}, policy_version="v", texts=(rule.text_zh, rule.text_en)
    ).body  # fmt: skip
    assert body["observed"] == OBSERVED_MOST < 2**53
