"""Each national transaction becomes the facts that the contract says, in whatever spelling it comes."""

import json
from datetime import datetime
from typing import Any

import pytest

from connectors.amounts import AmountProfile, AmountProfiles
from connectors.canonical_line import parse_object
from connectors.codec import encode_fact
from connectors.national_line import Reading, read_national
from connectors.pseudonym import Pseudonyms
from risk import facts
from risk.facts import Fact
from risk.local_time import SHANGHAI

NOW_MS = 1_773_150_000_000  # 2026-03-10 21:40 in Shanghai
AMOUNTS = {"medfee_sumamt": "100.00", "fund_pay_sumamt": "60.00", "psn_part_amt": "40.00", "acct_pay": "10.00"}
SETLINFO = {
    "setl_id": "S1",
    "mdtrt_id": "M1",
    "setl_time": "2026-03-10 08:30:00",
    "med_type": "11",
    "psn_cash_pay": "30.00",
}


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 3, 10, hour, minute, second, tzinfo=SHANGHAI)


def message(infno: str, sent: Any, answer: Any = None, **envelope: Any) -> dict[str, Any]:
    return {
        "infno": infno,
        "msgid": "H4305000000120260310080000 0001".replace(" ", ""),
        "inf_time": "2026-03-10 08:00:00",
        "fixmedins_code": "H43050000001",
        "insuplc_admdvs": "430502",
        "mdtrtarea_admvs": "430502",
        "input": sent,
        "infcode": 0,
        "output": answer,
    } | envelope


def settled(infno: str = "2207", **changes: Any) -> dict[str, Any]:
    answer = {name: value for name, value in (SETLINFO | AMOUNTS | changes).items() if value is not None}
    return message(infno, {"data": {"psn_no": "P1", "mdtrt_id": "M1"}}, {"setlinfo": answer})


def read(record: dict[str, Any], profile: AmountProfile | None = None, **more: Any) -> list[Reading]:
    parsed = parse_object(json.dumps(record, ensure_ascii=False).encode())
    profiles = AmountProfiles({"default": profile or AmountProfile()})
    return read_national(parsed, source="test", now_ms=NOW_MS, profiles=profiles, **more)


def only(record: dict[str, Any], profile: AmountProfile | None = None) -> Any:
    (reading,) = read(record, profile)
    assert reading.refused is None, reading.refused
    assert reading.fact is not None
    return reading.fact


def reason(record: dict[str, Any]) -> str:
    refused = read(record)[0].refused
    assert refused is not None
    return refused.reason


# --- visits ----------------------------------------------------------------------------------------------------------


def test_a_registration_opens_a_visit_at_its_begin():
    fact = only(
        message(
            "2201",
            {
                "data": {
                    "psn_no": "P1",
                    "insutype": "310",
                    "begntime": "2026-03-10 07:55:00",
                    "atddr_no": "D1",
                    "dept_code": "A",
                }
            },
            {"data": {"mdtrt_id": "M1"}},
        )
    )
    assert fact == facts.VisitOpened(
        event_id="2201:H43050000001202603100800000001:0",
        occurred_at=at(7, 55),
        psn_no="P1",
        source="test",
        mdtrt_id="M1",
        fixmedins_code="H43050000001",
        fixmedins_type="1",
        insutype="310",
        dr_code="D1",
        dept_code="A",
        mdtrtarea_admvs="430502",
        insuplc_admdvs="430502",
    )


def test_an_admission_opens_a_visit_with_its_kind():
    fact = only(message("2401", {"mdtrtinfo": {"psn_no": "P1", "med_type": "24"}}, {"result": {"mdtrt_id": "M1"}}))
    assert (type(fact), fact.med_type, fact.emergency) == (facts.VisitOpened, "24", True)


@pytest.mark.parametrize(
    ("named", "told", "illness"),
    [
        ({}, [{"diag_code": "I10.x00"}, {"diag_code": "Z51.100", "maindiag_flag": "1"}], "Z51"),  # the flagged one
        ({}, [{"diag_code": "C50.900", "maindiag_flag": "0"}, {"diag_code": "I10.x00"}], "C50"),  # else the first
        ({"dscg_maindiag_code": "K35.800"}, [{"diag_code": "C50.900"}], "C50"),
        ({"dscg_maindiag_code": "K35.800"}, [], "K35"),
        ({}, [{"diag_code": "C50.900", "maindiag_flag": "1", "vali_flag": "0"}, {"diag_code": "I10.x00"}], "I10"),
        ({"dscg_maindiag_code": "K35.800"}, [{"diag_code": "I10"}, {"maindiag_flag": "1"}], "K35"),  # of no other row
        ({}, [{"diag_code": "C50.900", "vali_flag": "0"}], None),
        ({}, [{"diag_code": ["C50"]}], None),  # unreadable, and an admission all the same
        ({}, [], None),
    ],
)
def test_an_admission_names_the_group_of_its_main_diagnosis(named, told, illness):
    admitted = {"mdtrtinfo": {"psn_no": "P1", "med_type": "21", **named}, "diseinfo": told}
    fact = only(message("2401", admitted, {"result": {"mdtrt_id": "M1"}}))
    assert (type(fact), fact.diag_group) == (facts.VisitOpened, illness)


@pytest.mark.parametrize("infno", ["2203", "2203A"])
def test_a_visit_upload_tells_doctor_kind_and_the_group_of_the_diagnosis_only(infno):
    fact = only(
        message(
            infno,
            {
                "mdtrtinfo": {"psn_no": "P1", "mdtrt_id": "M1", "med_type": "14"},
                "diseinfo": [{"diag_code": "I10.x00", "diag_name": "高血压", "dise_dor_no": "D2"}],
            },
            {},
        )
    )
    assert (type(fact), fact.med_type, fact.diag_group, fact.dr_code) == (facts.VisitUpdated, "14", "I10", "D2")


@pytest.mark.parametrize(
    ("infno", "kind"),
    [
        ("2402", facts.VisitClosed),
        ("2405", facts.VisitReopened),
        ("2202", facts.VisitCancelled),
        ("2404", facts.VisitCancelled),
    ],
)
def test_the_ends_of_a_visit(infno, kind):
    fact = only(message(infno, {"data": {"psn_no": "P1", "mdtrt_id": "M1", "endtime": "2026-03-10 09:00:00"}}, {}))
    assert (type(fact), fact.mdtrt_id) == (kind, "M1")
    assert fact.occurred_at == (at(9, 0) if infno == "2402" else at(8, 0))


# --- settlements -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("infno", "kind", "fixmedins_type"),
    [("2207", "11", "1"), ("2304", "21", "1"), ("2304A", "21", "1"), ("2102", "41", "2")],
)
def test_a_settlement_is_what_the_platform_computed(infno, kind, fixmedins_type):
    fact = only(settled(infno, med_type=kind))
    assert isinstance(fact, facts.SettlementCompleted)
    assert (fact.setl_id, fact.mdtrt_id, fact.med_type, fact.fixmedins_type) == ("S1", "M1", kind, fixmedins_type)
    assert (fact.medfee_sumamt_fen, fact.fund_pay_sumamt_fen, fact.psn_part_amt_fen) == (10000, 6000, 4000)
    assert (fact.acct_pay_fen, fact.psn_cash_pay_fen, fact.occurred_at) == (1000, 3000, at(8, 30))
    assert fact.medins_setl_id == "H43050000001202603100800000001"


@pytest.mark.parametrize("infno", ["2206", "2303", "2101"])
def test_a_pre_settlement_is_an_estimate(infno):
    fact = only(settled(infno))
    assert (type(fact), fact.psn_cash_pay_fen) == (facts.SettlementEstimated, 3000)


@pytest.mark.parametrize("infno", ["2208", "2305", "2103"])
def test_a_reversal_names_the_original_whatever_the_sign_of_its_amounts(infno):
    answer = {"setlinfo": {"setl_id": "S2", "setl_time": "2026-03-10 09:00:00", "medfee_sumamt": "-100.00"}}
    fact = read(message(infno, {"data": {"psn_no": "P1", "setl_id": "S1", "mdtrt_id": "M1"}}, answer))[0].fact
    assert isinstance(fact, facts.SettlementReversed)
    assert (fact.setl_id, fact.reversal_setl_id, fact.medins_setl_id) == ("S1", "S2", None)
    assert fact.occurred_at == at(9, 0)


@pytest.mark.parametrize(
    ("undone", "kind", "name"),
    [
        ("2207", facts.SettlementReversed, "medins_setl_id"),
        ("2304A", facts.SettlementReversed, "medins_setl_id"),
        ("2102", facts.SettlementReversed, "medins_setl_id"),
        ("", facts.SettlementReversed, "medins_setl_id"),
        ("2208", facts.SettlementReinstated, "original_msgid"),
        ("2305", facts.SettlementReinstated, "original_msgid"),
        ("2401", facts.VisitCancelled, "original_msgid"),
    ],
)
def test_2601_undoes_a_message_by_its_id(undone, kind, name):
    fact = only(message("2601", {"data": {"psn_no": "P1", "omsgid": "X1", "oinfno": undone}}, {}))
    assert (type(fact), getattr(fact, name)) == (kind, "X1")


@pytest.mark.parametrize("infcode", [-1, "-1", 1, None, "", True, "E01"])
def test_a_failed_or_unanswered_transaction_makes_no_event_because_no_money_moved(infcode):
    (reading,) = read(settled() | {"infcode": infcode})
    assert (reading.fact, reading.ignored) == (None, "FAILED_TRANSACTION")


@pytest.mark.parametrize("infcode", [0, "0", "0000"])
def test_success_is_zero_in_any_spelling(infcode):
    assert only(settled() | {"infcode": infcode})


def test_a_transaction_that_is_no_event_is_ignored_and_one_that_is_no_transaction_refused():
    assert read(message("1101", {}))[0].ignored == "NOTHING_TO_RECORD"
    assert reason(message("HELLO", {})) == "UNKNOWN_INFNO"


@pytest.mark.parametrize("mistyped", ["2012", "9999", "21022", "210", "2102AB", "1160", "1162"])
def test_a_settlement_under_a_mistyped_number_is_refused_and_not_passed_over(mistyped):
    assert reason(settled(mistyped)) == "UNKNOWN_INFNO"


@pytest.mark.parametrize("infno", ["1101", "2001", "3401A", "3592B", "4101A", "5206", "9001", "9605", "100001"])
def test_what_the_interface_has_beside_what_makes_facts_is_ignored(infno):
    assert read(message(infno, {}))[0].ignored == "NOTHING_TO_RECORD"


def test_a_revised_settlement_is_a_settlement():
    assert only(settled("2102A")).setl_id == "S1"


# --- spellings and forms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"med_type": "普通门诊"}, "CODE_MALFORMED"),
        ({"insutype": "职工"}, "CODE_MALFORMED"),
        ({"insutype": 310, "med_type": 11}, None),
        ({"insutype": " ", "med_type": ""}, None),
    ],
    ids=str,
)
def test_a_code_that_cannot_be_is_refused_and_one_that_is_left_out_is_not(changes, why):
    (reading,) = read(settled(**changes))
    assert (reading.refused and reading.refused.reason) == why


def test_the_insured_place_of_the_envelope_is_six_digits():
    (reading,) = read(settled() | {"insuplc_admdvs": "4305"})
    assert reading.refused is not None
    assert (reading.refused.reason, reading.refused.field) == ("CODE_MALFORMED", "insuplc_admdvs")


def test_the_misspelt_cash_field_of_real_systems_is_read():
    assert only(settled(psn_cash_pay=None, pdn_cash_pay="30.00")).psn_cash_pay_fen == 3000


@pytest.mark.parametrize("spelling", ["dr_codg", "atddr_no", "bilg_dr_codg", "dise_dor_no"])
def test_every_name_of_the_doctor_is_one_code(spelling):
    record = message("2201", {"data": {"psn_no": "P1", spelling: "D9"}}, {"data": {"mdtrt_id": "M1"}})
    assert only(record).dr_code == "D9"


def test_a_doctor_code_that_is_present_but_empty_stays_empty_and_an_absent_one_absent():
    record = message("2201", {"data": {"psn_no": "P1", "atddr_no": " "}}, {"data": {"mdtrt_id": "M1"}})
    assert only(record).dr_code == ""
    del record["input"]["data"]["atddr_no"]
    assert only(record).dr_code is None


@pytest.mark.parametrize(
    ("area", "place"), [("mdtrtarea_admdvs", "insuplc_admvs"), ("mdtrtarea_admvs", "insuplc_admdvs")]
)
def test_both_spellings_of_the_areas_are_read(area, place):
    record = settled()
    del record["mdtrtarea_admvs"], record["insuplc_admdvs"]
    fact = only(record | {area: "430581", place: "430523"})
    assert (fact.mdtrtarea_admvs, fact.insuplc_admdvs) == ("430581", "430523")


@pytest.mark.parametrize("amount", [100, 100.0, "100", "100.0", "100.00", " 100.00 ", "100.000"])
def test_amounts_come_as_numbers_or_texts(amount):
    assert only(settled(medfee_sumamt=amount)).medfee_sumamt_fen == 10000


def test_no_fen_is_lost_to_floating_point():
    data = json.dumps(settled()).replace('"100.00"', "70368744.21").encode()
    (reading,) = read_national(parse_object(data), source="t", now_ms=NOW_MS, profiles=AmountProfiles())
    assert isinstance(reading.fact, facts.SettlementCompleted)
    assert reading.fact.medfee_sumamt_fen == 7036874421


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("100.001", "NUMBER_TOO_PRECISE"),
        ("NaN", "NUMBER_UNREADABLE"),
        ("1e5", "NUMBER_UNREADABLE"),
        ("1,000.00", "NUMBER_UNREADABLE"),
        ("-1.00", "NUMBER_NEGATIVE"),
        ("1000000000.01", "NUMBER_OUT_OF_RANGE"),
        ("99999999999999999.00", "NUMBER_OUT_OF_RANGE"),
        (True, "NUMBER_UNREADABLE"),
        ([1], "NUMBER_UNREADABLE"),
        (None, "MISSING_FIELD"),
        ("", "MISSING_FIELD"),
    ],
    ids=str,
)
def test_an_amount_that_is_no_exact_fen_is_refused(amount, why):
    assert reason(settled(medfee_sumamt=amount)) == why


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1e999999999", "-5.00", "10.005"])
def test_a_json_number_that_is_no_exact_fen_is_refused_by_name(number):
    data = json.dumps(settled()).replace('"100.00"', number).encode()
    (reading,) = read_national(parse_object(data), source="t", now_ms=NOW_MS, profiles=AmountProfiles())
    assert reading.refused is not None
    assert reading.refused.field == "medfee_sumamt"


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-10 08:30:00", at(8, 30)),
        ("2026-03-10T08:30:00", at(8, 30)),
        ("20260310083000", at(8, 30)),
        ("2026/03/10 08:30", at(8, 30)),
        ("2026-03-10 08:30:00.250", at(8, 30).replace(microsecond=250_000)),
        ("2026-03-10T00:30:00Z", at(8, 30)),
        ("2026-03-10T09:30:00+09:00", at(8, 30)),
        (20260310083000, at(8, 30)),
        ("2026-03-10", at(0, 0)),
    ],
    ids=str,
)
def test_a_national_time_without_zone_is_shanghais(written, instant):
    assert only(settled(setl_time=written)).occurred_at == instant


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2026-02-30 08:00:00", "TIME_UNREADABLE"),
        ("soon", "TIME_UNREADABLE"),
        ("0001-01-01 00:00:00", "TIME_OUT_OF_RANGE"),
        ("1989-12-31 23:59:59", "TIME_OUT_OF_RANGE"),
        ("2026-03-11 08:00:00", "TIME_IN_FUTURE"),
    ],
)
def test_a_time_that_cannot_be_is_refused(written, why):
    assert reason(settled(setl_time=written)) == why


def test_without_a_time_of_its_own_a_transaction_happened_when_it_was_sent():
    assert only(settled(setl_time=None)).occurred_at == at(8, 0)


def test_the_person_is_found_in_the_answer_if_not_in_the_request():
    record = settled(psn_no="P2")
    record["input"] = {"data": {"mdtrt_id": "M1"}}
    assert only(record).psn_no == "P2"


def test_a_message_of_nobody_is_refused():
    record = settled()
    record["input"] = {"data": {"mdtrt_id": "M1"}}
    assert reason(record) == "PSN_NO_MISSING"


# --- profiles, types, persons ----------------------------------------------------------------------------------------


def adds_up(fact: facts.SettlementCompleted) -> bool:
    hosp_fen = fact.hosp_part_amt_fen or 0
    whole = fact.fund_pay_sumamt_fen + fact.psn_part_amt_fen + hosp_fen
    return fact.medfee_sumamt_fen == whole and fact.psn_part_amt_fen == fact.acct_pay_fen + fact.psn_cash_pay_fen


@pytest.mark.parametrize(
    ("profile", "changes"),
    [
        (AmountProfile(), {"acct_mulaid_pay": "5.00"}),
        (AmountProfile(acct_mulaid_in_acct=False), {"acct_pay": "5.00", "acct_mulaid_pay": "5.00"}),
        (AmountProfile(), {"psn_part_amt": "30.00", "psn_cash_pay": "20.00", "hosp_part_amt": "10.00"}),
        (AmountProfile(hosp_part_in_psn=True), {"psn_cash_pay": "20.00", "hosp_part_amt": "10.00"}),
    ],
    ids=["mulaid inside", "mulaid beside", "hospital beside", "hospital inside"],
)
def test_each_sources_way_to_add_up_becomes_the_canonical_one(profile, changes):
    assert adds_up(only(settled(**changes), profile))


def test_a_wrong_profile_is_not_hidden():
    assert not adds_up(only(settled(acct_pay="5.00", acct_mulaid_pay="5.00")))


@pytest.mark.parametrize(
    ("infno", "code", "kind"),
    [
        ("2207", "H43050000001", "1"),
        ("2207", "P43050000101", "2"),
        ("2102", "H43050000001", "2"),
        ("2207", "未知", "1"),
    ],
)
def test_the_kind_of_institution_is_told_by_transaction_or_code(infno, code, kind):
    fact = only(settled(infno) | {"fixmedins_code": code})
    assert (fact.fixmedins_code, fact.fixmedins_type) == (code, kind)


def test_names_certificates_phones_and_addresses_never_become_facts():
    record = settled(psn_name="张三", certno="430502199001011234", tel="13800000000")
    record |= {"opter_name": "李四", "fixmedins_name": "某院"}
    record["input"]["data"] |= {"mdtrt_cert_no": "430502199001011234", "addr": "某路1号"}
    written = encode_fact(only(record)).decode()
    assert not any(
        secret in written for secret in ("张三", "李四", "430502199001011234", "13800000000", "某路", "某院")
    )


def test_the_person_is_a_pseudonym_before_a_fact_exists():
    pseudonyms = Pseudonyms("k" * 32)
    (reading,) = read(settled(), pseudonym=pseudonyms.of)
    assert isinstance(reading.fact, Fact)
    assert reading.fact.psn_no == pseudonyms.of("P1")


def test_a_token_may_send_its_own_transactions_only():
    refused = read(settled(), allowed_types={"visit.opened"})[0].refused
    assert refused is not None
    assert refused.result == "forbidden"


# --- whose bill ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("infno", ["2206", "2207", "2303", "2304", "2101", "2102"])
def test_sex_and_whole_years_stand_beside_a_bill_and_its_estimate(infno):
    fact = only(settled(infno, gend="2", age="41.9", brdy="1984-04-02", psn_name="n", certno="c"))
    assert (fact.gend, fact.age) == ("2", 41)


@pytest.mark.parametrize(
    "unknown",
    [{"gend": "0", "age": ""}, {"gend": "9", "age": "-1"}, {"gend": {}, "age": "old"}, {"gend": "F", "age": "151.0"}],
)
def test_what_nobody_knows_of_sex_and_age_is_left_out_and_loses_no_bill(unknown):
    fact = only(settled(**unknown))
    assert (fact.gend, fact.age, fact.psn_cash_pay_fen) == (None, None, 3000)
