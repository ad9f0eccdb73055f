"""A pharmacy's bill that carries its lines (2102), as facts and in the fold: its visit, its lines, and back."""

import json
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.amounts import AmountProfiles
from connectors.codec import decode_fact
from connectors.intake import Edge, Sender, read_lines
from connectors.pseudonym import Pseudonyms
from connectors.state_codec import unpack_activity
from connectors.topology import Topics
from risk import facts
from risk.contributions import CODE
from risk.facts import Fact
from tests.connectors.test_national import AMOUNTS, NOW_MS, SETLINFO, at, message, only, read
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

PHARMACY = "P43050000001"
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
BOX = [{"drug_trac_codg": "84000000000000001111"}]
PILLS = SOLD | {"med_list_codg": "XC07A", "cnt": "1.0000", "prd_days": 7, "drug_trac_codg": BOX}


def sale(
    *lines: dict[str, Any], setl_id: str = "S1", infno: str = "2102", at_pharmacy: str = PHARMACY, **answer: Any
) -> dict[str, Any]:
    bill = SETLINFO | AMOUNTS | {"setl_id": setl_id, "mdtrt_id": f"M{setl_id}", "med_type": "41"} | answer
    told = {"setlinfo": bill, "detlcutinfo": bill.pop("detlcutinfo", [])}
    sent = {"druginfo": {"psn_no": "P1", "insutype": "310"}, "drugdetail": list(lines)}
    return message(infno, sent, told, msgid=f"P1{setl_id}", fixmedins_code=at_pharmacy)


def undoing(setl_id: str = "S1", **data: Any) -> dict[str, Any]:
    told = {"setlinfo": {"setl_time": "2026-03-10 09:00:00"}}
    return message("2103", {"data": {"psn_no": "P1", "setl_id": setl_id} | data}, told, msgid=f"P2{setl_id}")


def registered(setl_id: str = "S1", **changes: Any) -> dict[str, Any]:
    sent = {"data": {"psn_no": "P1", "insutype": "310", "begntime": "2026-03-10 08:20:00", "med_type": "41"} | changes}
    answer = {"data": {"mdtrt_id": f"M{setl_id}"}}
    return message("2201", sent, answer, msgid=f"P3{setl_id}", fixmedins_code=PHARMACY)


def as_appended(*records: dict[str, Any]) -> list[Fact]:
    """The facts in the order in which the edge puts them into the log."""
    edge = Edge(Topics(), 1, Pseudonyms(None), AmountProfiles(), lambda: NOW_MS)
    lines = enumerate((json.dumps(record).encode() for record in records), 1)
    taken = read_lines(edge, lines, Sender("test"), form="national", origin="test")
    assert {each.result for each in taken.results} == {"accepted"}
    return [decode_fact(record.value) for record in taken.records]


def folded(*records: dict[str, Any]) -> Engine:
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(as_appended(*records))
    return engine


def alerts(rule: str, *records: dict[str, Any]) -> list[str]:
    """The events at which the rule speaks."""
    return [each.body["vola_evid"][0] for each in folded(*records).outputs if each.body.get("rule_id") == rule]


# --- as facts --------------------------------------------------------------------------------------------------------


def test_the_lines_of_a_pharmacys_bill_are_facts_beside_it():
    computed = [{"feedetl_sn": "D2", "selfpay_prop": "0.2000", "fulamt_ownpay_amt": "1.00", "pric_uplmt_amt": "11.5"}]
    later = SOLD | {"feedetl_sn": "D2", "fee_ocur_time": ""}
    bill, first, second, opened = [reading.fact for reading in read(sale(SOLD, later, detlcutinfo=computed))]
    assert isinstance(bill, facts.SettlementCompleted)
    assert bill.event_id == "2102:P1S1:0"
    assert first == facts.FeeAdded(
        event_id="2102:P1S1:1",
        occurred_at=at(8, 29),
        psn_no="P1",
        source="test",
        mdtrt_id="MS1",
        feedetl_sn="D1",
        fixmedins_code=PHARMACY,
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
    assert opened == facts.VisitOpened(
        event_id="2102:P1S1:3",
        occurred_at=bill.occurred_at,
        psn_no="P1",
        source="test",
        mdtrt_id="MS1",
        fixmedins_code=PHARMACY,
        fixmedins_type="2",
        med_type="41",
        insutype="310",
        mdtrtarea_admvs="430502",
        insuplc_admdvs="430502",
    )


@pytest.mark.parametrize(("told", "kind"), [("140104", "140104"), ("", "41"), ("21", None), ("52", None)])
def test_the_visit_is_of_the_bills_kind_but_nobody_lies_in_a_pharmacy(told: str, kind: str | None):
    *_, opened = [reading.fact for reading in read(sale(SOLD, med_type=told))]
    assert isinstance(opened, facts.VisitOpened)
    assert opened.med_type == kind


def test_one_bad_line_costs_neither_the_bill_nor_the_others_nor_their_visit():
    bill, bad, good, opened = read(sale(SOLD | {"cnt": None}, SOLD | {"feedetl_sn": "D2"}))
    assert bad.refused is not None
    assert (bad.event_id, bad.refused.field) == ("2102:P1S1:1", "cnt")
    assert (bill.refused, good.refused, good.event_id) == (None, None, "2102:P1S1:2")
    assert (opened.refused, opened.event_id) == (None, "2102:P1S1:3")


def test_a_bill_without_lines_is_a_bill_and_an_estimate_sells_nothing():
    assert isinstance(only(sale()), facts.SettlementCompleted)
    assert isinstance(only(sale(SOLD, infno="2101")), facts.SettlementEstimated)


def test_the_visit_goes_before_its_lines_and_the_bill_behind_them():
    kinds = [fact.event_type for fact in as_appended(sale(SOLD, SOLD | {"feedetl_sn": "D2"}))]
    assert kinds == ["visit.opened", "fee.added", "fee.added", "settlement.completed"]


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


# --- in the fold -----------------------------------------------------------------------------------------------------


def test_masks_sold_inside_bills_are_counted_and_those_of_an_undone_bill_are_not():
    second = sale(SOLD, setl_id="S2")
    assert alerts("P21", sale(SOLD), second) == ["2102:P1S2:1"]  # six and six: ten are allowed
    assert alerts("P21", sale(SOLD), undoing(mdtrt_id="MS1"), second) == []


@pytest.mark.parametrize("named", [{"mdtrt_id": "MS1"}, {}], ids=["names the visit", "names none"])
def test_an_undoing_that_comes_first_waits_for_the_lines_as_for_the_bill(named: dict[str, str]):
    boxed = SOLD | {"cnt": "1.0000", "drug_trac_codg": BOX, "rx_flag": "1"}
    plain, early = folded(sale(boxed)), folded(undoing(**named), sale(boxed))
    assert [each.sign for each in plain.contributed if each.subject_kind == CODE] == [1]
    assert early.contributed == []  # neither a box, nor a line without a signature, nor a bill
    first, second = sale(SOLD), sale(SOLD, setl_id="S2")
    assert alerts("P21", undoing(**named), first, second) == []
    assert alerts("P21", undoing(**named), first, first, second) == []  # told again, they are the lines that were
    assert alerts("P21", undoing(**named), first, second, sale(SOLD, setl_id="S3")) == ["2102:P1S3:1"]


@pytest.mark.parametrize("early", [False, True])
def test_a_line_that_a_bill_sent_again_adds_is_undone_with_the_bill(early: bool):
    first, mended = sale(SOLD), sale(SOLD, SOLD | {"feedetl_sn": "D2"})
    told = [undoing(mdtrt_id="MS1"), first] if early else [first, undoing(mdtrt_id="MS1")]
    assert alerts("P21", *told, mended, sale(SOLD, setl_id="S2")) == []
    assert alerts("P21", first, mended) == ["2102:P1S1:2"]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2)], ids=str)
def test_a_line_of_an_undone_bill_is_undone_though_its_visit_is_not_known(order: tuple[int, ...]):
    told = as_appended(sale(SOLD | {"cnt": "1.0000", "drug_trac_codg": BOX}))
    assert [type(fact).__name__ for fact in told] == ["VisitOpened", "FeeAdded", "SettlementCompleted"]
    engine = folded(undoing())
    engine.fold([told[n] for n in order])
    assert engine.contributed == []


def test_an_undoing_that_waits_for_a_bill_takes_no_line_that_stands_in_none():
    """A hospital may call a batch of its lines as somebody calls a bill."""
    opened, line, _ = as_appended(sale(SOLD | {"cnt": "1.0000", "drug_trac_codg": BOX}))
    assert isinstance(opened, facts.VisitOpened)
    engine = folded(undoing())
    engine.fold([replace(opened, fixmedins_type="1"), line])
    assert [each.sign for each in engine.contributed if each.subject_kind == CODE] == [1]


@pytest.mark.parametrize("first", [0, 1])
def test_a_registration_is_cancelled_by_its_message_whether_the_bill_came_before_it_or_after(first: int):
    told = [sale(PILLS), registered()]
    cancelled = message("2601", {"data": {"psn_no": "P1", "omsgid": "P3S1", "oinfno": "2201"}}, {}, msgid="P4")
    stored, _, _ = (engine := folded(told[first], told[1 - first], cancelled)).stored()
    activity = unpack_activity(stored[engine.people.values.address("a", "P1")])
    assert [visit.cancelled for visit in activity.visits] == [True]


def bought(rule: str) -> list[dict[str, Any]]:
    """Purchases of which the last is one too many."""
    if rule == "P04":
        return [sale(PILLS, setl_id=f"S{n}") for n in range(5)]
    if rule == "P05":
        return [sale(PILLS | {"prd_days": 7 + n}, setl_id=f"S{n}") for n in range(2)]
    if rule == "P06":
        return [sale(PILLS | {"prd_days": 30}, setl_id=f"S{n}") for n in range(2)]
    dozens = PILLS | {"cnt": "24.0000"}
    return [sale(dozens, setl_id=f"S{n}", at_pharmacy=f"P4305000000{n}") for n in range(3)]


@pytest.mark.parametrize("rule", ["P04", "P05", "P06", "P07"])
def test_rules_that_ask_for_the_kind_of_visit_hear_what_a_bill_carries(rule: str):
    purchases = bought(rule)
    last = f"2102:{purchases[-1]['msgid']}:1"
    assert alerts(rule, *purchases) == [last]
    assert alerts(rule, *purchases[:-1]) == []
    assert alerts(rule, *purchases, *purchases) == [last]  # sent again, nothing is new


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_visit_that_is_registered_as_well_is_one_visit(order: tuple[int, ...]):
    twice = [sale(PILLS), registered(), sale(PILLS)]
    engine = folded(*(twice[n] for n in order))
    assert [each for each in engine.outputs if each.topic == "deadletter" or each.body.get("rule_id")] == []
    stored, _, _ = engine.stored()
    activity = unpack_activity(stored[engine.people.values.address("a", "P1")])
    assert [visit.mdtrt_id for visit in activity.visits] == ["MS1"]
    assert [row.med_type for row in activity.rows] == ["41"]


def test_a_registration_that_came_first_says_the_kind():
    long = PILLS | {"prd_days": 30}
    assert alerts("P05", registered(med_type="14"), sale(long)) == []  # a chronic scheme: twelve weeks
    assert alerts("P05", sale(long), registered(med_type="14")) == ["2102:P1S1:1"]
