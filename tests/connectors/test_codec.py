"""A fact survives the wire; a lane survives any bytes; the strict edge names what is wrong with a line."""

import json
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from connectors.canonical_line import LINE_BYTES_MAX
from connectors.codec import BadRecord, Refused, check_line, decode_fact, encode_fact
from risk.facts import ENGINE_ONLY, FACTS, Fact
from risk.facts.base import COUNT_X10000_MAX, FEN_MAX, SubjectFact
from risk.local_time import SHANGHAI, to_ms

NOW_MS = to_ms(datetime(2026, 3, 10, 12, tzinfo=SHANGHAI))


def line(**changes: Any) -> dict[str, Any]:
    """A settlement that passes; a change to None leaves the field out."""
    good = {
        "event_type": "settlement.completed",
        "event_id": "e1",
        "occurred_at": "2026-03-10T08:00:00+08:00",
        "psn_no": "P000001",
        "setl_id": "S1",
        "mdtrt_id": "M1",
        "fixmedins_code": "H43050000001",
        "fixmedins_type": "1",
        "med_type": "11",
        "medfee_sumamt_fen": 10000,
        "fund_pay_sumamt_fen": 6000,
        "psn_part_amt_fen": 4000,
        "acct_pay_fen": 1000,
        "psn_cash_pay_fen": 3000,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def fact(event_type: str, **changes: Any) -> dict[str, Any]:
    """A line of any type: its common fields and what is given."""
    common = {"event_id": "e1", "occurred_at": "2026-03-10T08:00:00+08:00", "psn_no": "P000001"}
    return {"event_type": event_type} | common | changes


def check(record: dict[str, Any] | bytes, **more: Any) -> Fact:
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    return check_line(data, **({"source": "H43050000001", "now_ms": NOW_MS} | more))


def refusal(record: dict[str, Any] | bytes, **more: Any) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        check(record, **more)
    assert caught.value.detail_zh
    assert caught.value.detail_en
    return caught.value.reason, caught.value.field


# --- round trip ------------------------------------------------------------------------------------------------------

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=64
)
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2147, 12, 30), timezones=st.sampled_from([UTC, SHANGHAI])).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated and arguments[0] is int:
        return st.integers(arguments[1].ge, arguments[1].le)
    if origin is Annotated:
        return values_of(arguments[0])
    if origin in (UnionType, Union):
        return st.one_of(st.none(), values_of(next(each for each in arguments if each is not type(None))))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), min_size=1, max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXTS, TEXTS, max_size=2)
    return {str: TEXTS, int: st.integers(0, 10**16 - 1), bool: st.booleans(), datetime: INSTANTS}[hint]


@st.composite
def facts(draw: st.DrawFn, kinds: tuple[type[Fact], ...] = tuple(FACTS.values())) -> Fact:
    kind = draw(st.sampled_from(kinds))
    hints = get_type_hints(kind, include_extras=True)
    chosen = {}
    for field in fields(kind):
        if field.name == "psn_no" and issubclass(kind, SubjectFact):
            continue  # it names no person
        if field.required or draw(st.booleans()):
            chosen[field.name] = draw(values_of(hints[field.name]))
    return kind(**chosen)


@given(facts())
def test_every_fact_comes_back_from_the_wire_as_it_was(sent):
    assert decode_fact(encode_fact(sent)) == sent


@given(facts())
def test_encoding_is_canonical_so_that_the_same_fact_has_the_same_bytes(sent):
    assert encode_fact(decode_fact(encode_fact(sent))) == encode_fact(sent)


def test_a_line_that_passes_the_edge_reaches_the_lane_unchanged():
    passed = check(line(dr_code="D1", credit_fen=3000))
    assert decode_fact(encode_fact(passed)) == passed


# --- what a lane survives --------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_a_lane_survives_any_bytes(data):
    with pytest.raises(BadRecord):
        decode_fact(data)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_type": "settlement.imagined"}, "UNKNOWN_EVENT_TYPE"),
        ({"medfee_sumamt_fen": 10**30}, "NUMBER_OUT_OF_RANGE"),
        ({"medfee_sumamt_fen": FEN_MAX + 1}, "NUMBER_OUT_OF_RANGE"),
        ({"medfee_sumamt_fen": -1}, "NUMBER_OUT_OF_RANGE"),
        ({"medfee_sumamt_fen": 1.5}, "BAD_FIELD"),
        ({"fixmedins_type": "张三"}, "BAD_FIELD"),
        ({"gend": "0"}, "BAD_FIELD"),
        ({"age": 151}, "NUMBER_OUT_OF_RANGE"),
        ({"setl_id": None}, "BAD_FIELD"),
        ({"occurred_at": "2026-03-10T08:00:00"}, "TIME_WITHOUT_ZONE"),
        ({"occurred_at": "0001-01-01T00:00:00+08:00"}, "TIME_OUT_OF_RANGE"),
        ({"psn_no": ""}, "BAD_PSN_NO"),
        ({"psn_no": "9" * 10_000}, "BAD_PSN_NO"),
    ],
    ids=str,
)
def test_a_lane_says_what_is_wrong_without_repeating_content(changes, reason):
    with pytest.raises(BadRecord) as caught:
        decode_fact(json.dumps(line(**changes)).encode())
    assert caught.value.reason == reason
    assert "张三" not in str(caught.value)


def test_a_lane_ignores_the_fields_of_a_newer_minor_version():
    newer = line(schema_minor=3, ward="7B")
    assert decode_fact(json.dumps(newer).encode()).schema_minor == 3


# --- bad input at the edge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"[1]", b'"text"', b'{"a":1}{"b":2}', b"\xff\xfe", b"[" * 60_000, b'{"event_type":"visit'],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_not_one_json_object_is_refused(data):
    assert refusal(data) == ("NOT_JSON", None)


def test_a_line_above_64_kib_is_refused():
    assert refusal(line(x_note="a" * LINE_BYTES_MAX)) == ("TOO_LARGE", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("medfee_sumamt_fen", "10000"),
        ("medfee_sumamt_fen", True),
        ("medfee_sumamt_fen", [1]),
        ("setl_id", 5),
        ("setl_id", {"name": "x"}),
        ("emergency", "yes"),
        ("occurred_at", 1773100800),
        ("fixmedins_type", 1),
        ("event_type", 7),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_by_its_field(field, value):
    assert refusal(line(**{field: value})) == ("WRONG_TYPE", field)


@pytest.mark.parametrize(
    ("field", "value", "limit", "shape"),
    [
        ("med_type", "门诊", "2-6 digits", "??"),
        ("med_type", "1", "2-6 digits", "9"),
        ("med_type", "1234567", "2-6 digits", "9999999"),
        ("insutype", "31O", "3-6 digits", "99A"),
        ("insutype", "０３１", "3-6 digits", "???"),
        ("insuplc_admdvs", "43050", "6 digits", "99999"),
        ("insuplc_admdvs", "430502199001011234", "6 digits", "999999999999"),
    ],
)
def test_a_malformed_code_is_told_by_its_shape_and_never_repeated(field, value, limit, shape):
    with pytest.raises(Refused) as caught:
        check(line(**{field: value}))
    refused = caught.value
    assert (refused.reason, refused.field, refused.result) == ("CODE_MALFORMED", field, "refused")
    assert f"{field} must be {limit}; what came looks like {shape} (" in refused.detail_en
    assert f"收到的形式为{shape}（" in refused.detail_zh
    assert value not in refused.detail_en + refused.detail_zh


@pytest.mark.parametrize(
    "codes",
    [
        {"med_type": "11", "insutype": "310", "insuplc_admdvs": "430502"},
        {"med_type": "140104", "insutype": "510", "insuplc_admdvs": "110000"},
        {"med_type": "9901", "insutype": None, "insuplc_admdvs": None},
    ],
    ids=str,
)
def test_a_code_of_the_right_shape_passes_though_no_list_here_knows_it(codes):
    fact = check(line(**codes))
    assert {name: getattr(fact, name) for name in codes} == codes


def test_an_unknown_event_type_is_refused():
    assert refusal(line(event_type="settlement.imagined")) == ("UNKNOWN_EVENT_TYPE", "event_type")


def test_an_unknown_field_is_refused_unless_it_is_private():
    assert refusal(line(patient_name="x")) == ("UNKNOWN_FIELD", "patient_name")
    assert check(line(x_ward="7B")) == check(line())


def test_a_field_name_that_may_be_personal_data_is_not_repeated():
    assert refusal(line(张三="x")) == ("UNKNOWN_FIELD", "?")


@pytest.mark.parametrize("event_type", sorted(ENGINE_ONLY))
def test_nobody_outside_can_write_the_engines_own_records(event_type):
    with pytest.raises(Refused) as caught:
        check(fact(event_type))
    assert (caught.value.reason, caught.value.result) == ("ENGINE_ONLY", "forbidden")


@pytest.mark.parametrize("event_id", ["auth:H1:A1", "timer:P1:5", "policy:x", "fold:2"])
def test_nobody_outside_can_take_an_id_of_the_engines_own(event_id):
    assert refusal(line(event_id=event_id)) == ("RESERVED_EVENT_ID", "event_id")


def test_a_token_may_post_its_own_event_types_only():
    with pytest.raises(Refused) as caught:
        check(line(), allowed_types={"visit.opened"})
    assert (caught.value.reason, caught.value.result) == ("EVENT_TYPE_FORBIDDEN", "forbidden")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("100.5", "NUMBER_NOT_WHOLE"),
        ("100.123", "NUMBER_NOT_WHOLE"),
        ("100.0", "NUMBER_NOT_WHOLE"),
        ("NaN", "NUMBER_UNREADABLE"),
        ("Infinity", "NUMBER_UNREADABLE"),
        ("-Infinity", "NUMBER_UNREADABLE"),
        ("1e400", "NUMBER_OUT_OF_RANGE"),
        ("1e999999999", "NUMBER_OUT_OF_RANGE"),
        ("-1", "NUMBER_NEGATIVE"),
        ("100000000001", "NUMBER_OUT_OF_RANGE"),
        ("9" * 5000, "NOT_JSON"),
    ],
    ids=lambda value: value[:20],
)
def test_an_amount_that_is_no_whole_fen_is_refused(number, reason):
    data = json.dumps(line()).replace("10000", number, 1).encode()
    assert refusal(data)[0] == reason


def test_the_largest_amount_of_one_bill_passes_and_a_fen_more_is_refused():
    assert check(line(medfee_sumamt_fen=FEN_MAX)).medfee_sumamt_fen == FEN_MAX
    assert refusal(line(medfee_sumamt_fen=FEN_MAX + 1)) == ("NUMBER_OUT_OF_RANGE", "medfee_sumamt_fen")


def test_millions_of_the_largest_amounts_and_counts_still_add_up_in_63_bits():
    assert 90_000_000 * FEN_MAX < 2**63
    assert 9_000_000 * COUNT_X10000_MAX < 2**63


def test_a_time_without_zone_is_refused():
    assert refusal(line(occurred_at="2026-03-10T08:00:00")) == ("TIME_WITHOUT_ZONE", "occurred_at")


def test_a_time_more_than_five_minutes_ahead_is_refused_by_the_edges_clock():
    assert refusal(line(occurred_at="2026-03-10T12:05:00.001+08:00")) == ("TIME_IN_FUTURE", "occurred_at")
    assert check(line(occurred_at="2026-03-10T12:05:00+08:00"))


def test_nothing_is_too_early_when_the_clock_is_the_logs_own():
    assert check(line(occurred_at="2031-01-01T00:00:00Z"), now_ms=None)


@pytest.mark.parametrize("year", ["0001", "1989", "2148", "9999"])
def test_a_year_that_cannot_be_is_refused(year):
    assert refusal(line(occurred_at=f"{year}-01-01T00:00:00+08:00"), now_ms=None) == (
        "TIME_OUT_OF_RANGE",
        "occurred_at",
    )


@pytest.mark.parametrize(
    "value", ["yesterday", "2026-03-10", "2026-02-30T00:00:00Z", "2026-03-10T24:00:00Z", "20260310"]
)
def test_what_is_no_time_is_refused(value):
    assert refusal(line(occurred_at=value)) == ("TIME_UNREADABLE", "occurred_at")


def test_an_empty_person_is_refused():
    assert refusal(line(psn_no="")) == ("EMPTY", "psn_no")
    assert refusal(line(psn_no=None)) == ("MISSING_FIELD", "psn_no")


def test_a_person_of_ten_kilobytes_is_refused():
    assert refusal(line(psn_no="9" * 10_240)) == ("TOO_LONG", "psn_no")
    assert refusal(line(psn_no="9" * 65)) == ("TOO_LONG", "psn_no")
    assert check(line(psn_no="9" * 64))


def test_an_id_above_128_characters_is_refused():
    assert refusal(line(setl_id="S" * 129)) == ("TOO_LONG", "setl_id")
    assert check(line(setl_id="S" * 128))


@pytest.mark.parametrize("bad", ["S\x001", "S\n1", "S\x7f", "S\u200b1", "S\u202e1", "S\ud8001", "\ufeffS1"], ids=ascii)
def test_a_control_character_is_refused(bad):
    assert refusal(line(setl_id=bad)) == ("CONTROL_CHARACTER", "setl_id")


def test_a_blank_at_the_end_is_refused_because_it_would_be_another_person():
    assert refusal(line(psn_no="P000001 ")) == ("NOT_TRIMMED", "psn_no")


def test_an_empty_doctor_or_institution_code_passes_because_it_is_a_finding():
    assert check(line(dr_code="", fixmedins_code="")).dr_code == ""


@pytest.mark.parametrize(
    ("event_type", "given_fields"),
    [
        ("fee.reversed", {"mdtrt_id": "M1"}),
        ("fee.reversed", {"mdtrt_id": "M1", "feedetl_sn": "1", "chrg_bchno": "2"}),
        ("fee.reversed", {"mdtrt_id": "M1", "feedetl_sn": "1", "all_unsettled": True}),
        ("settlement.reversed", {}),
        ("settlement.reversed", {"setl_id": "S1", "medins_setl_id": "X"}),
        ("settlement.reinstated", {}),
        ("settlement.reinstated", {"setl_id": "S1", "original_msgid": "X"}),
        ("visit.closed", {}),
        ("visit.cancelled", {"mdtrt_id": "M1", "original_msgid": "X"}),
    ],
    ids=str,
)
def test_exactly_one_way_to_name_the_original_is_required(event_type, given_fields):
    assert refusal(fact(event_type, **given_fields))[0] == "EXACTLY_ONE_OF"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (line(credit_fen=3001), "credit_fen"),
        (fact("fee.reversed", mdtrt_id="M1", all_unsettled=False), "all_unsettled"),
        (fact("fee.reversed", mdtrt_id="M1", all_unsettled=True, amount_fen=5), "amount_fen"),
        (
            fact(
                "agreement.signed",
                agreement_no="A",
                bank_code="B",
                funding_mode="credit_line",
                services=["visit_first"],
            ),
            "bank_line_fen",
        ),
        (fact("credit.level_set", level="AAA", decided_by="x", unrated_reason="new"), "unrated_reason"),
        (fact("credit.service_suspended", scope="credit_payment", by="engine", reason="x"), "by"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["event_type"],
)
def test_fields_that_contradict_each_other_are_refused(record, field):
    assert refusal(record) == ("CONTRADICTION", field)


def test_an_authoritys_suspension_needs_its_document():
    order = fact("credit.service_suspended", scope="credit_payment", by="authority", reason="x")
    assert refusal(order) == ("MISSING_FIELD", "document_no")


def test_the_sender_is_stamped_and_never_taken_from_the_line():
    assert check(line(source="somebody-else")).source == "H43050000001"


@given(facts(tuple(kind for name, kind in FACTS.items() if name not in ENGINE_ONLY)))
def test_the_edge_answers_every_fact_with_itself_or_a_refusal(sent):
    try:
        passed = check_line(encode_fact(sent), source=sent.source, now_ms=None)
    except Refused:
        return
    assert passed == sent
