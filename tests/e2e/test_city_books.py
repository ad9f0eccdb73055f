"""Thirty simulated days of credit with banks that fail: every day's log equals the banks' statements, to the fen."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
DAYS, DIFFERENCES = 30, 8
CITY = (
    *("--people", "40", "--institutions", "6", "--days", str(DAYS), "--start", "2026-05-04", "--seed", "1"),
    *("--visits-per-year", "60", "--signed-percent", "100", "--plants", "0"),
)


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    directory = tmp_path_factory.mktemp("books")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XINMAI_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "streams.command_line", "simulate", "city", *CITY]
    command += ["--books", "--differences", str(DIFFERENCES), "--json"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout)


def test_every_day_of_the_city_balances_to_the_fen(books):
    assert books["equal"]
    assert len(books["days"]) > DAYS
    for day in books["days"]:
        assert (day["total"]["difference_fen"], day["differences"]) == (0, [])
    # an order of which the bank moved a part is booked again by its next attempt
    assert sum(day["total"]["lines"] for day in books["days"]) >= books["state"]["orders"] > 40


def test_the_state_agrees_with_the_banks_own_book_order_by_order_and_loan_by_loan(books):
    assert books["wrong"] == []
    state = books["state"]
    assert state["loans_at_bank_fen"] == state["loans_in_state_fen"]


def test_the_month_had_defaults_failures_and_reversals(books):
    counts = books["counts"]
    for what in (
        *("debit settled", "debit rejected", "draw settled", "draw rejected", "refund settled"),
        *(
            "settlement.reversed",
            "settlement.reinstated",
            "bank.repaid",
            "bank.overdue",
            "bank.cured",
            "topup.received",
        ),
    ):
        assert counts.get(what, counts.get(f"events {what}", 0)) > 0, (what, counts)


def test_planted_differences_are_named_exactly(books):
    assert len(books["planted"]) == DIFFERENCES
    key = lambda each: sorted(each.items(), key=str)  # noqa: E731 - dicts have no order of their own
    assert sorted(books["named"], key=key) == sorted(books["planted"], key=key)
    assert Counter(each["finding"] for each in books["named"]) == {
        "missing_at_bank": 2,
        "booked_twice": 2,
        "amount_differs": 2,
        "missing_with_us": 2,
    }
