"""Fee lines of national messages, each a fact of its own: added, returned, taken back (domain.md 2.4)."""

from typing import Any

import pytest

from risk import facts
from risk.facts import Fact
from tests.connectors.test_national import AMOUNTS, SETLINFO, at, message, only, read
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

LINE = {
    "feedetl_sn": "F1",
    "mdtrt_id": "M1",
    "psn_no": "P1",
    "fee_ocur_time": "2026-03-10 08:10:00",
    "med_list_codg": "XJ01",
    "det_item_fee_sumamt": "25.50",
    "cnt": "1.5000",
    "bilg_dr_codg": "D1",
    "prd_days": 7,
}


def test_each_fee_line_is_a_fact_of_its_own():
    computed = [{"feedetl_sn": "F2", "selfpay_prop": "0.1000", "fulamt_ownpay_amt": 1.5, "pric_uplmt_amt": "28.000000"}]
    sent = {"feedetail": [LINE, LINE | {"feedetl_sn": "F2", "drugtracinfo": [{"drug_trac_codg": "84"}]}]}
    first, second = [reading.fact for reading in read(message("2204", sent, {"result": computed}))]
    assert isinstance(first, facts.FeeAdded)
    assert isinstance(second, facts.FeeAdded)
    assert (first.event_id[-2:], second.event_id[-2:]) == (":0", ":1")
    assert (first.amount_fen, first.cnt_x10000, first.prd_days, first.occurred_at) == (2550, 15000, 7, at(8, 10))
    assert (second.selfpay_prop_x10000, second.ownpay_fen, second.pric_uplmt_fen) == (1000, 150, 2800)
    assert second.drug_trac_codg == ("84",)


@pytest.mark.parametrize(
    ("sent", "limit_fen"),
    [("28.000000", 2800), ("0.034500", 4), ("0.030001", 4), (0, 0), ("-1", None), ("none", None), (None, None)],
)
def test_a_price_limit_is_never_lower_than_sent(sent: object, limit_fen: int | None):
    computed = [{"feedetl_sn": LINE["feedetl_sn"], "pric_uplmt_amt": sent}]
    (reading,) = read(message("2204", {"feedetail": [LINE]}, {"result": computed}))
    assert isinstance(reading.fact, facts.FeeAdded)
    assert reading.fact.pric_uplmt_fen == limit_fen


@pytest.mark.parametrize("serial", [1.5, {"a": 1}, "F" * 200], ids=["a number", "an object", "too long"])
def test_a_serial_number_of_the_answer_that_is_none_costs_nothing_that_was_sent(serial: object):
    (reading,) = read(message("2204", {"feedetail": [LINE]}, {"result": [{"feedetl_sn": serial}]}))
    assert reading.refused is None


def test_one_bad_fee_line_does_not_cost_the_others():
    sent = {"feedetail": [LINE | {"det_item_fee_sumamt": "1.005"}, LINE | {"feedetl_sn": "F2"}]}
    bad, good = read(message("2301", sent, {}))
    assert bad.refused is not None
    assert (bad.refused.reason, bad.refused.field) == ("NUMBER_TOO_PRECISE", "det_item_fee_sumamt")
    assert good.refused is None


@pytest.mark.parametrize(
    ("changes", "original", "returned"),
    [
        ({"cnt": "-1.0000", "det_item_fee_sumamt": "-25.50"}, "F1", None),
        ({"cnt": "-1.0000", "det_item_fee_sumamt": "-25.50", "init_feedetl_sn": "F0"}, "F0", "F1"),
        ({"cnt": "1.0000", "init_feedetl_sn": "F0"}, "F0", "F1"),
    ],
    ids=["negative", "negative with original", "original named"],
)
def test_a_returned_line_is_told_by_its_count_or_its_original_never_by_the_sign_of_money(changes, original, returned):
    fact = only(message("2204", {"feedetail": [LINE | changes]}, {}))
    assert isinstance(fact, facts.FeeReversed)
    assert (fact.feedetl_sn, fact.return_feedetl_sn, fact.amount_fen) == (original, returned, 2550)
    assert fact.cnt_x10000 == 10000


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"chrg_bchno": "0000"}, (None, None, True)),
        ({"feedetl_sn": "0000"}, (None, None, True)),
        ({"chrg_bchno": "B1"}, (None, "B1", None)),
        ({"feedetl_sn": "F1"}, ("F1", None, None)),
        ({"feedetl_sn": "F1", "chrg_bchno": "B1"}, ("F1", None, None)),
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one]], ids=["object", "list"])
def test_fees_taken_back_by_line_batch_or_all(named, expected, wrap):
    fact = only(message("2205", {"data": wrap({"psn_no": "P1", "mdtrt_id": "M1"} | named)}, {}))
    assert (fact.feedetl_sn, fact.chrg_bchno, fact.all_unsettled) == expected


# --- a pharmacy's lines, inside its bill -----------------------------------------------------------------------------

SOLD = {
    "feedetl_sn": "D1",
    "rxno": "R1",
    "fee_ocur_time": "2026-03-10 08:29:00",
    "med_list_codg": "C990101",
    "det_item_fee_sumamt": "60.00",
    "cnt": "6.0000",
    "bilg_dr_codg": "D7",
    "drug_trac_codg": [{"drug_trac_codg": "84"}],
}


def sale(*lines: dict[str, Any], setl_id: str = "S1", infno: str = "2102", **more: Any) -> dict[str, Any]:
    bill = SETLINFO | AMOUNTS | {"setl_id": setl_id, "mdtrt_id": f"M{setl_id}", "med_type": "41"}
    sent = {"druginfo": {"psn_no": "P1", "insutype": "310"}, "drugdetail": list(lines)}
    return message(infno, sent, {"setlinfo": bill, **more}, msgid=f"P1{setl_id}", fixmedins_code="P43050000001")


def undoing(setl_id: str = "S1", **data: Any) -> dict[str, Any]:
    told = {"setlinfo": {"setl_time": "2026-03-10 09:00:00"}}
    return message("2103", {"data": {"psn_no": "P1", "setl_id": setl_id} | data}, told, msgid=f"P2{setl_id}")


def test_the_lines_of_a_pharmacys_bill_are_facts_beside_it():
    computed = [{"feedetl_sn": "D2", "selfpay_prop": "0.2000", "fulamt_ownpay_amt": "1.00", "pric_uplmt_amt": "11.5"}]
    later = SOLD | {"feedetl_sn": "D2", "fee_ocur_time": ""}
    bill, first, second = [reading.fact for reading in read(sale(SOLD, later, detlcutinfo=computed))]
    assert isinstance(bill, facts.SettlementCompleted)
    assert bill.event_id == "2102:P1S1:0"
    assert first == facts.FeeAdded(
        event_id="2102:P1S1:1",
        occurred_at=at(8, 29),
        psn_no="P1",
        source="test",
        mdtrt_id="MS1",
        feedetl_sn="D1",
        fixmedins_code="P43050000001",
        med_list_codg="C990101",
        cnt_x10000=60_000,
        amount_fen=6_000,
        chrg_bchno="S1",
        dr_code="D7",
        drug_trac_codg=("84",),
        rxno="R1",
    )
    assert isinstance(second, facts.FeeAdded)
    assert (second.event_id, second.occurred_at) == ("2102:P1S1:2", bill.occurred_at)
    assert (second.selfpay_prop_x10000, second.ownpay_fen, second.pric_uplmt_fen) == (2000, 100, 1150)


def test_one_bad_line_costs_neither_the_bill_nor_the_others():
    bill, bad, good = read(sale(SOLD | {"cnt": None}, SOLD | {"feedetl_sn": "D2"}))
    assert bad.refused is not None
    assert (bad.event_id, bad.refused.field) == ("2102:P1S1:1", "cnt")
    assert (bill.refused, good.refused, good.event_id) == (None, None, "2102:P1S1:2")


def test_a_bill_without_lines_is_a_bill_and_an_estimate_sells_nothing():
    assert isinstance(only(sale()), facts.SettlementCompleted)
    assert isinstance(only(sale(SOLD, infno="2101")), facts.SettlementEstimated)


def test_an_undoing_takes_back_the_lines_that_stood_in_the_bill_if_it_names_the_visit():
    undone, taken_back = [reading.fact for reading in read(undoing(mdtrt_id="MS1"))]
    assert isinstance(undone, facts.SettlementReversed)
    assert taken_back == facts.FeeReversed(
        event_id="2103:P2S1:1",
        occurred_at=at(9, 0),
        psn_no="P1",
        source="test",
        mdtrt_id="MS1",
        chrg_bchno="S1",
    )
    assert isinstance(only(undoing()), facts.SettlementReversed)


def warned(*records: dict[str, Any]) -> list[str]:
    """Which lines were one mask too many (P21); a bill goes behind its lines, as the edge appends them."""
    told: list[Fact] = []
    for record in records:
        of_one = [reading.fact for reading in read(record)]
        told += sorted(of_one, key=lambda fact: isinstance(fact, facts.SettlementCompleted))
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(told)
    return [each.body["vola_evid"][0] for each in engine.outputs if each.body.get("rule_id") == "P21"]


def test_masks_sold_inside_bills_are_counted_and_those_of_an_undone_bill_are_not():
    second = sale(SOLD, setl_id="S2")
    assert warned(sale(SOLD), second) == ["2102:P1S2:1"]  # six and six: ten are allowed
    assert warned(sale(SOLD), undoing(mdtrt_id="MS1"), second) == []
