"""What fee lines make of a bill: noted on the visit, forgotten with the line, and taken away with the bill."""

from typing import Any

import pytest

from risk.activity import Visit
from risk.contributions import Beside
from risk.counters import place_of
from risk.facts import Fact, FeeAdded, FeeReversed, SettlementCompleted, SettlementReversed
from risk.line_counts import with_noted, without_noted
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
    assert len(without_noted(visit, back(**what)).noted) == left


def test_a_reversal_takes_away_what_its_bill_added_whatever_became_of_the_lines_since() -> None:
    bill = SettlementCompleted(
        event_id="e1", occurred_at=to_datetime(AT_MS + 1), psn_no="A", setl_id="S1", mdtrt_id="V1",
        fixmedins_code="P43050000101", fixmedins_type="2", med_type="41", medfee_sumamt_fen=900,
        fund_pay_sumamt_fen=400, psn_part_amt_fen=500, acct_pay_fen=0, psn_cash_pay_fen=500,
    )  # fmt: skip
    undone = SettlementReversed(event_id="e3", occurred_at=to_datetime(AT_MS + 3), psn_no="A", setl_id="S1")
    facts: list[Fact] = [line("L1", rx_flag=True), bill, back(feedetl_sn="L1"), undone]
    engine, told = Engine(Parameters(), files=shaoyang_files()), list[tuple[int, Beside]]()
    apply = engine.people.apply

    def heard(record: Any, fact: Any) -> Any:
        effects = apply(record, fact)
        told.extend((each.contribution.sign, each.contribution.beside) for each in effects.numbered)
        return effects

    engine.people.apply = heard  # type: ignore[method-assign]
    engine.fold(facts)
    added = ((place_of("first_seen"), 1), (UNSIGNED, 1))
    assert [each for each in told if each[1] == added] == [(1, added), (-1, added)]
