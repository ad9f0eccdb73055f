"""A stay that goes on: what it costs in cash by now, the hold that follows it, the warnings while costs accrue."""

import tomllib
from pathlib import Path

import pytest

from risk.accrual import cash_estimate
from tests.risk.credit_life import HOSPITAL, Life

CASES = Path(__file__).parents[1] / "cases" / "credit" / "cash_estimate.toml"


def stay(level="C", held_fen=300_000):
    """A deposit-free admission; level C may hold 500,000 fen."""
    life = Life().sign(level=level)
    life.visit("M1", med_type="21")
    if held_fen:
        life.authorize(held_fen, service="deposit_free", scope="visit", med_type="21")
    return life


def step(life, told):
    match told:
        case {"estimate": cash_fen}:
            life.estimate(cash_fen)
        case {"line": number, "amount_fen": amount_fen, **fields}:
            life.fee(amount_fen, number, **fields)
        case {"back": number, **fields}:
            life.fee_back(feedetl_sn=number, **fields)
        case {"back_batch": batch}:
            life.fee_back(chrg_bchno=batch)
        case {"back_all": True}:
            life.fee_back(all_unsettled=True)
        case {"settle": cash_fen, **fields}:
            life.settle(cash_fen, med_type="21", mid_setl_flag="1" if fields else None, **fields)


@pytest.mark.parametrize("case", tomllib.loads(CASES.read_text())["case"], ids=lambda case: case["name"])
def test_the_cash_part_of_a_stay_is_estimated_as_the_case_says(case):
    life = stay()
    for told in case["steps"]:
        step(life, told)
    assert cash_estimate(life.credit, "M1", HOSPITAL) == case["cash_fen"]


def test_a_deposit_free_hold_follows_its_fee_lines_to_the_limit_and_the_rest_is_uncovered():
    life = stay()
    life.estimate(300_000)
    told = life.fee(100_000, "F1", ownpay_fen=100_000)
    assert (life.held, told.alerts) == (400_000, [("L80", "opened")])
    assert life.fee(50_000, "F2", ownpay_fen=50_000).alerts == [("L90", "opened")]
    told = life.fee(70_000, "F3", ownpay_fen=70_000)
    assert (life.held, told.alerts) == (500_000, [("L100", "opened")])
    assert told.on("alerts")[0]["shortfall_fen"] == 20_000
    assert told.decisions[0]["decision"] == "partial"


def test_a_line_taken_back_shrinks_what_is_asked_and_never_the_hold():
    life = stay()
    life.estimate(490_000)
    life.fee(60_000, "F1", ownpay_fen=60_000)
    told = life.fee_back(feedetl_sn="F1")
    assert life.held == 500_000
    assert told.alerts == []
    life.fee(10_000, "F2", ownpay_fen=10_000)
    assert life.held == 500_000
    assert life.credit.wants == ()


def test_lines_beyond_the_limit_are_refused_aloud_once():
    life = stay()
    life.estimate(500_000)
    told = [life.fee(1_000, f"F{number}", ownpay_fen=1_000) for number in range(5)]
    assert [len(each.decisions) for each in told] == [1, 0, 0, 0, 0]
    assert life.credit.wants[0].asked_fen == 505_000


def test_an_older_estimate_never_replaces_a_newer_one():
    life = stay()
    life.estimate(300_000)
    life.now_ms -= 1
    life.estimate(200_000)
    assert cash_estimate(life.credit, "M1", HOSPITAL) == 300_000


def test_only_deposit_free_holds_grow_by_themselves():
    life = Life().sign(level="C")
    life.authorize(50_000, scope="visit")
    life.fee(20_000, ownpay_fen=20_000)
    life.estimate(70_000)
    assert (life.held, life.uncovered, life.credit.accruals) == (50_000, 20_000, ())


def test_two_deposit_holds_of_one_stay_share_its_costs():
    life = stay(held_fen=100_000)
    life.authorize(50_000, "A2", service="deposit_free", med_type="21")
    life.estimate(160_000)
    assert life.held == 160_000


def test_costs_before_the_hold_are_remembered_and_those_of_a_cancelled_admission_are_not():
    life = stay(held_fen=0)
    life.fee(20_000, ownpay_fen=20_000)
    assert cash_estimate(life.credit, "M1", HOSPITAL) == 20_000
    life.cancel()
    assert life.credit.accruals == ()


def test_a_stay_is_forgotten_with_its_visit():
    life = stay(held_fen=0)
    life.fee(20_000)
    del life.visits["M1"]
    life.estimate(1, "M9")
    assert life.credit.accruals == ()


def test_the_discharge_settles_once_and_the_excess_is_paid_at_the_desk():
    life = stay()
    life.estimate(520_000)
    life.close()
    decision = life.settle(520_000, med_type="21").decisions[0]
    assert (decision["decision"], decision["captured_fen"], decision["top_up_fen"]) == ("split", 500_000, 20_000)
    assert life.credit.accruals == ()


def test_a_discharge_beyond_the_table_of_working_days_keeps_the_hold_and_alerts():
    life = Life("2027-12-31").sign(level="C")
    life.visit("M1", med_type="21")
    life.authorize(100_000, service="deposit_free", scope="visit", med_type="21")
    assert life.close().alerts == [("Q07", "opened")]
    life.pass_time(hours=24 * 30)
    assert life.held == 100_000
