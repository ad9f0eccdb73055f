"""Whose a national message is: what its bills name is what its reversals are bound to."""

import json

import pytest

from connectors.codec import decode_fact
from connectors.intake import Sender, read_lines
from tests.connectors.test_intake import EDGE

REVERSAL = {
    "infno": "2208",
    "msgid": "X1",
    "inf_time": "2026-03-10 07:00:00",
    "infcode": 0,
    "input": {"data": {"psn_no": "P1", "setl_id": "S1"}},
}


@pytest.mark.parametrize("institutions", [{"H1"}, {"H1", "H2"}], ids=["one", "a chain"])
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"fixmedins_code": "H1"}, None),
        ({"fixmedins_code": "H1 "}, None),
        ({"medins_code": "H1"}, None),
        ({"fixmedins_code": None, "medins_code": "H1"}, None),
        ({"input": {"data": {"psn_no": "P1", "setl_id": "S1", "fixmedins_code": "H1"}}}, None),
        ({"medins_code": "H9"}, "INSTITUTION_FORBIDDEN"),
        ({"medins_code": ["H1"]}, "INSTITUTION_FORBIDDEN"),
        ({"fixmedins_code": "H9", "medins_code": "H1"}, "INSTITUTION_FORBIDDEN"),
        ({"input": {"data": {"psn_no": "P1", "setl_id": "S1", "medins_code": "H9"}}}, "INSTITUTION_FORBIDDEN"),
    ],
    ids=str,
)
def test_a_reversal_is_of_the_institution_that_a_bill_would_be_of(told, reason, institutions):
    sender = Sender("h1", institutions=institutions)
    taken = read_lines(EDGE, [(1, json.dumps(REVERSAL | told).encode())], sender, form="national", origin="x")
    assert taken.results[0].reason == reason
    if reason is None:
        assert decode_fact(taken.records[0].value).source == "institution:H1/h1"
