"""What fee lines make of a bill: noted on the visit, forgotten with the line, and taken away with the bill."""

from itertools import accumulate, product
from typing import Any

import pytest
from msgspec.structs import replace

from risk.activity import NOTHING, RECEIPT, REVERSED, Row, Visit
from risk.counters import place_of
from risk.facts import Fact, FeeAdded, FeeReversed, SettlementCompleted, SettlementReinstated, SettlementReversed
from risk.line_counts import open_notes, with_billed, with_noted, without_noted
from risk.local_time import to_datetime
from risk.policy import parse_policy
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

DAY = 20_600
TERMS = parse_policy(shaoyang_files()).on(DAY)
AT_MS = DAY * 86_400_000
UNSIGNED, LONG = place_of("unsigned_rx_bills"), place_of("long_rx_bills")
VISIT = Visit("V1", "P43050000101", "2", "11")


def line(serial: str, **said: Any) -> FeeAdded:
    common = {"event_id": f"2204:{serial}:0", "occurred_at": to_datetime(AT_MS), "psn_no": "A", "mdtrt_id": "V1"}
    common |= {"fixmedins_code": "P43050000101", "med_list_codg": "XA1", "cnt_x10000": 10_000, "amount_fen": 900}
    return FeeAdded(**common, feedetl_sn=serial, **said)


def back(**what: Any) -> FeeReversed:
    return FeeReversed(event_id="2205:b:0", occurred_at=to_datetime(AT_MS), psn_no="A", mdtrt_id="V1", **what)


@pytest.mark.parametrize(
    ("said", "places"),
    [
        ({"rx_flag": True, "rxno": "R1", "phar_code": "F1"}, []),
        ({"rx_flag": True, "rxno": "R1"}, [UNSIGNED]),
        ({"rx_flag": True, "phar_code": "F1"}, [UNSIGNED]),
        ({"rx_flag": False}, []),
        ({}, []),
        ({"prd_days": 7}, []),
        ({"prd_days": 8}, [LONG]),
        ({"prd_days": 8, "rx_flag": True}, [UNSIGNED, LONG]),
    ],
)
def test_a_line_is_noted_for_what_is_wrong_with_it(said: dict[str, Any], places: list[int]) -> None:
    assert [each[2] for each in with_noted(VISIT, line("L1", **said), TERMS).noted] == places


def test_the_common_exclusions_may_be_prescribed_for_longer() -> None:
    dialysis = Visit("V1", "H43050000101", "1", "11", diag_group="N18")
    assert with_noted(dialysis, line("L1", prd_days=30), TERMS).noted == ()


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({"feedetl_sn": "L1"}, 1),
        ({"feedetl_sn": "L3"}, 2),
        ({"chrg_bchno": "B2"}, 1),
        ({"chrg_bchno": "B3"}, 2),
        ({"all_unsettled": True}, 0),
    ],
)
def test_what_is_taken_back_is_noted_no_longer(what: dict[str, Any], left: int) -> None:
    visit = VISIT
    for serial, batch in (("L1", "B1"), ("L2", "B2")):
        visit = with_noted(visit, line(serial, rx_flag=True, chrg_bchno=batch), TERMS)
    assert len(without_noted(NOTHING, visit, back(**what)).noted) == left


def bill(serial: str, code: str = "P43050000101") -> SettlementCompleted:
    return SettlementCompleted(
        event_id=f"2207:{serial}:0", occurred_at=to_datetime(AT_MS + 1), psn_no="A", setl_id=serial, mdtrt_id="V1",
        fixmedins_code=code, fixmedins_type="2", med_type="41", medfee_sumamt_fen=900,
        fund_pay_sumamt_fen=400, psn_part_amt_fen=500, acct_pay_fen=0, psn_cash_pay_fen=500,
    )  # fmt: skip


def undone(serial: str) -> SettlementReversed:
    return SettlementReversed(event_id=f"no{serial}", occurred_at=to_datetime(AT_MS + 3), psn_no="A", setl_id=serial)


def again(serial: str) -> SettlementReinstated:
    return SettlementReinstated(event_id=f"re{serial}", occurred_at=to_datetime(AT_MS + 4), psn_no="A", setl_id=serial)


BAD = line("L1", rx_flag=True)
REST = replace(back(feedetl_sn="L1", cnt_x10000=6_000), event_id="2205:c:0")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([BAD, bill("S1"), bill("S2"), bill("S3")], [1]),
        ([BAD, bill("S1"), line("L2", rx_flag=True), bill("S2"), bill("S3")], [1, 1]),
        ([BAD, bill("S1"), back(feedetl_sn="L1"), undone("S1"), bill("S2")], [1, -1]),
        ([BAD, bill("S1"), undone("S1"), bill("S2"), bill("S3")], [1, -1, 1]),
        ([BAD, bill("S1"), undone("S1"), again("S1"), bill("S2")], [1, -1, 1]),
        ([BAD, bill("S1"), bill("S2"), undone("S2"), bill("S3")], [1]),
        ([BAD, undone("S1"), bill("S1"), bill("S2")], [1]),
        ([BAD, undone("S1"), bill("S1"), again("S1"), bill("S2")], [1]),
        ([BAD, bill("S1", "99999"), bill("S2")], [1]),
        ([BAD, bill("S1"), undone("S1"), bill("S2"), again("S1"), undone("S2"), bill("S3")], [1, -1, 1, -1, 1]),
        ([BAD, bill("S1"), undone("S1"), bill("S2"), undone("S2"), again("S1"), bill("S3")], [1, -1, 1, -1, 1]),
        ([BAD, bill("S1"), undone("S1"), bill("S2"), again("S1"), undone("S1"), again("S1")], [1, -1, 1]),
        ([BAD, line("L2", rx_flag=True, chrg_bchno="B"), bill("S1"), undone("S1"), back(chrg_bchno="B"), bill("S2"),
          again("S1")], [1, -1, 1]),
        ([BAD, bill("S1"), line("L2", rx_flag=True), undone("S1"), bill("S2"), again("S1"), bill("S3")], [1, -1, 1]),
        ([BAD, bill("S1"), back(all_unsettled=True), undone("S1"), bill("S2")], [1, -1, 1]),
        ([BAD, bill("S1"), undone("S1"), back(all_unsettled=True), bill("S2")], [1, -1]),
        ([BAD, back(feedetl_sn="L1", cnt_x10000=4_000), bill("S1")], [1]),
        ([BAD, back(feedetl_sn="L1", cnt_x10000=4_000), REST, bill("S1")], []),
    ],
    ids=["once", "a second line", "taken back since", "made again", "reinstated", "another undone", "undone before",
         "undone before and reinstated", "under a code that is none", "reinstated beside the one made in its place",
         "reinstated when that is undone", "reinstated beside it, twice", "one line taken back since",
         "another line since", "all that is unsettled taken back, and it is on a bill", "all, and its bill is undone",
         "a part taken back", "and then the rest"],
)  # fmt: skip
def test_a_line_is_on_one_bill_that_stands_and_goes_and_comes_with_it(facts: list[Fact], told: list[int]) -> None:
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(facts, cuts=range(len(facts)))
    assert [each.sign for each in engine.contributed if (UNSIGNED, 1) in each.beside] == told


def test_whatever_is_undone_and_stands_again_one_bill_at_most_counts_the_line() -> None:
    for choices in product(("S1", "S2"), repeat=6):
        facts: list[Fact] = [BAD, bill("S1")]
        stands = {"S1": True}
        for serial in choices:
            known, stands[serial] = serial in stands, not stands.get(serial)
            facts.append((again if known else bill)(serial) if stands[serial] else undone(serial))
        engine = Engine(Parameters(), files=shaoyang_files())
        engine.fold(facts, cuts=range(len(facts)))
        signs = [each.sign for each in engine.contributed if (UNSIGNED, 1) in each.beside]
        assert set(accumulate(signs)) <= {0, 1}, choices


def test_lines_that_go_from_bill_to_bill_together_are_noted_once_for_each_bill_and_not_each_line_again() -> None:
    visit, activity = VISIT, NOTHING
    for serial in range(100):
        visit = with_noted(visit, line(f"L{serial}", rx_flag=True), TERMS)
    for setl in range(1, 21):
        assert len(open_notes(activity, visit)) == 100
        row = Row(AT_MS, setl, b"", 0, 1, "P43050000101", "2", "41", "", 900, 400, beside=((UNSIGNED, 1),))
        visit = with_billed(activity, visit, row)
        assert open_notes(activity, visit) == set()
        undone_bill = RECEIPT.pack(setl, 0, 0, DAY, 400, REVERSED, 0)
        activity = replace(activity, receipts=activity.receipts + undone_bill)
    assert (len(visit.noted), len(visit.noted_on)) == (100, 20)
    left = without_noted(activity, visit, back(all_unsettled=True))
    assert (left.noted, left.noted_on) == ((), ())
