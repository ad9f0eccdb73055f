"""Stock movements and filed transfers in the spellings that real systems send (domain.md 2.2, 2.4)."""

from typing import Any

import pytest

from connectors.codec import decode_fact, encode_fact
from risk import facts
from tests.connectors.test_national import at, message, only, read

CODE = "81234560000000000001"
SALE = {
    "med_list_codg": "XR05CBA198A001010100863",
    "fixmedins_bchno": "B1",
    "prsc_dr_name": "王某",
    "psn_no": "P1",
    "psn_name": "李某",
    "setl_id": "S1",
    "rx_flag": "1",
    "trdn_flag": "0",
    "finl_trns_pric": "13.333333",
    "rxno": "R1",
    "sel_retn_cnt": 2,
    "sel_retn_time": "2026-03-10 08:30:00",
    "drugtracinfo": [{"drug_trac_codg": CODE}],
}


def test_a_sale_becomes_a_movement_that_names_no_person() -> None:
    fact = only(message("3505", {"selinfo": SALE}))
    assert type(fact) is facts.StockMoved
    assert (fact.movement, fact.cnt_x10000, fact.pric_x1000000) == ("sold", 20_000, 13_333_333)
    assert (fact.rx_flag, fact.trdn_flag) == (True, False)
    assert not hasattr(fact, "setl_id"), "nothing that leads to a person"
    assert not hasattr(fact, "rxno")
    assert (fact.drug_trac_codg, fact.occurred_at) == ((CODE,), at(8, 30))
    written = encode_fact(fact)
    assert b"P1" not in written
    assert "某".encode() not in written
    assert decode_fact(written) == fact


@pytest.mark.parametrize(
    ("infno", "sent", "movement", "count"),
    [
        ("3501", {"invinfo": {"invdate": "2026-03-10", "inv_cnt": "10.5"}}, "counted", 105_000),
        ("3502", {"invinfo": {"inv_chg_type": "103", "cnt": "1", "pric": "1"}}, "changed_in", 10_000),
        ("3502A", {"invinfo": [{"inv_chg_type": "105", "cnt": "1.0001"}]}, "changed_out", 10_001),
        ("3503", {"purcinfo": {"purc_retn_cnt": 3}}, "purchased", 30_000),
        ("3504", {"purcinfo": {"purc_retn_cnt": 3}}, "purchase_returned", 30_000),
        ("3506", {"selinfo": {"sel_retn_cnt": "1"}}, "sale_returned", 10_000),
    ],
)
def test_the_transaction_says_which_way_it_went(infno: str, sent: Any, movement: str, count: int) -> None:
    block = next(iter(sent.values()))
    line = block[0] if isinstance(block, list) else block
    line["med_list_codg"] = "X1"
    fact = only(message(infno, sent))
    assert (fact.movement, fact.cnt_x10000) == (movement, count)


def test_a_list_of_lines_is_as_many_facts_and_a_bad_one_costs_no_other() -> None:
    lines = [{"med_list_codg": "X1", "purc_retn_cnt": 1}, {"med_list_codg": "X2"}, {"purc_retn_cnt": "1.00001"}]
    readings = read(message("3503", {"purcinfo": lines}))
    assert [reading.refused.reason if reading.refused else reading.fact.event_id[-2:] for reading in readings] == [
        ":0",
        "MISSING_FIELD",
        "MISSING_FIELD",
    ]


@pytest.mark.parametrize("infno", ["3501", "3504", "3506"])
@pytest.mark.parametrize("field", ["cnt", "pric"])
def test_a_negative_number_is_refused_with_what_to_send_instead(infno: str, field: str) -> None:
    line = {"med_list_codg": "X1", "cnt": 1, "pric": "2"} | {field: "-1"}
    (reading,) = read(message(infno, {"data": line}))
    assert reading.refused is not None
    assert (reading.refused.reason, reading.refused.field) == ("NUMBER_NEGATIVE", field)
    assert "returns" in (reading.refused.detail_en or "")


def test_a_count_that_sums_cannot_hold_is_refused_and_the_largest_passes() -> None:
    largest, larger = read(message("3501", {"data": [{"med_list_codg": "X1", "cnt": n} for n in (10**8, 10**8 + 1)]}))
    assert largest.refused is None
    assert larger.refused is not None
    assert (larger.refused.reason, larger.refused.field) == ("NUMBER_OUT_OF_RANGE", "cnt")


@pytest.mark.parametrize(("kind", "deletes"), [("5", "sold"), ("2", "changed"), ("9", None), (None, None)])
def test_a_deletion_names_its_batch_and_of_what_kind(kind: str | None, deletes: str | None) -> None:
    fact = only(message("3507", {"data": {"fixmedins_bchno": "B1", "inv_data_type": kind}}))
    assert (fact.fixmedins_bchno, fact.deletes) == ("B1", deletes)


def test_an_unknown_kind_of_change_is_refused_not_guessed() -> None:
    (reading,) = read(message("3502", {"invinfo": {"med_list_codg": "X1", "inv_chg_type": "999", "cnt": 1}}))
    assert reading.refused is not None
    assert reading.refused.field == "inv_chg_type"


def test_a_transfer_on_file_is_a_fact_of_its_person() -> None:
    sent = {
        "refmedin": {
            "psn_no": "P1",
            "tel": "13800000000",
            "addr": "某路1号",
            "reflin_medins_no": "H43010000001",
            "refl_date": "2026-03-09",
            "begndate": "2026-03-10",
            "enddate": "2026-06-10",
        }
    }
    fact = only(message("2501", sent))
    assert (type(fact), fact.psn_no, fact.to_fixmedins_code) == (facts.TransferFiled, "P1", "H43010000001")
    assert (fact.valid_from.date().isoformat(), fact.valid_to.date().isoformat()) == ("2026-03-10", "2026-06-10")
    assert b"138" not in encode_fact(fact)
    assert "路".encode() not in encode_fact(fact)


def test_a_fee_line_carries_its_prescription() -> None:
    line = {
        "mdtrt_id": "M1", "feedetl_sn": "F1", "med_list_codg": "X1", "cnt": 1, "det_item_fee_sumamt": 1,
        "rxno": "R1", "rx_flag": "0", "phar_code": "PH1",
    }  # fmt: skip
    fact = only(message("2204", {"feedetail": [line], "psn_no": "P1"}))
    assert (fact.rxno, fact.rx_flag, fact.phar_code) == ("R1", False, "PH1")


@pytest.mark.parametrize("spelling", ["orders_dr_code", "acord_dr_code", "acord_dr_codg"])
def test_a_fee_line_names_who_executed_it_beside_who_ordered_it(spelling: str) -> None:
    line = {
        "mdtrt_id": "M1", "feedetl_sn": "F1", "med_list_codg": "0045", "cnt": 1, "det_item_fee_sumamt": 1,
        "bilg_dr_codg": "D1", spelling: "N1",
    }  # fmt: skip
    fact = only(message("2301", {"feedetail": [line], "psn_no": "P1"}))
    assert (fact.dr_code, fact.orders_dr_code) == ("D1", "N1")
    assert only(message("2301", {"feedetail": [line | {spelling: " "}], "psn_no": "P1"})).orders_dr_code is None
