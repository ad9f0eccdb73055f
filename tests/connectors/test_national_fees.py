"""Fee lines of national messages, each a fact of its own: added, returned, taken back (domain.md 2.4)."""

import pytest

from risk import facts
from tests.connectors.test_national import at, message, only, read

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
    [
        ("28.000000", 2800),
        ("0.034500", 4),
        ("0.030001", 4),
        (0, 0),
        ("-1", None),
        ("9" * 10, None),
        ("none", None),
        (None, None),
    ],
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


@pytest.mark.parametrize(("field", "most"), [("cnt", 10**8), ("det_item_fee_sumamt", 10**9)])
def test_a_line_that_sums_cannot_hold_is_refused_and_the_largest_passes(field: str, most: int):
    largest, larger = read(message("2204", {"feedetail": [LINE | {field: most}, LINE | {field: most + 1}]}, {}))
    assert largest.refused is None
    assert larger.refused is not None
    assert (larger.refused.reason, larger.refused.field) == ("NUMBER_OUT_OF_RANGE", field)


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
