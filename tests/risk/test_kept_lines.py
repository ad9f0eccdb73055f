"""Care as it is kept: nothing is lost, what a message's lines share stands once, and every id comes back whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.activity import Row
from risk.care import NO_CARE, Above, Care, Stay, packed, unpacked
from risk.event_ids import joined, split
from risk.kept_lines import Line, Messages, gathered, lines_of, with_line

CODE = "H43050200001"
MESSAGE = f"2204:{CODE}202605310821000001"


def line(place: int, **other: object) -> Line:
    shared = {"at_ms": 1_780_186_860_000, "mdtrt_id": 2**63 + 5, "batch": 0, "fixmedins_code": CODE, "med_type": "11"}
    own = {"key": 2**31 + place, "item": 2**63 + place, "cnt_x10000": 20_000, "prd_days": 3, "number": place + 1}
    return Line(**(shared | {"excluded": (), "stem": split(MESSAGE, CODE)[0]} | own | other))


@pytest.mark.parametrize(
    ("event_id", "size"),
    [
        (f"{MESSAGE}:0", 10),
        (f"0001:{CODE}{'0' * 18}:12", 10),
        (f"2204:H99{'0' * 27}:0", 36),  # another institution's message
        (f"{MESSAGE}:01", 39),  # no number: it would come back as 1
        ("agr:p1_x", 9),
        ("", 1),
        (":1", 3),
        ("2204::1", 6),
    ],
)
def test_an_event_id_comes_back_whole(event_id: str, size: int) -> None:
    stem, number = split(event_id, CODE)
    assert joined(stem, number, CODE) == event_id
    assert len(stem) == size


@given(st.text(), st.text(max_size=4))
def test_any_event_id_comes_back_whole(event_id: str, code: str) -> None:
    assert joined(*split(event_id, code), code) == event_id
    national = f"2204:{code}202605310821000001:3"
    assert joined(*split(national, code), code) == national


def test_two_ids_never_share_their_packed_form() -> None:
    ids = ["1", "1:0", "1:00", ":", "::0", "0", f"{MESSAGE}:0", MESSAGE, f"{MESSAGE}:00", f"{MESSAGE}::0"]
    assert len({split(each, CODE) for each in ids}) == len(ids)


def test_care_comes_back_whole() -> None:
    others = [
        line(3, cnt_x10000=12_345, excluded=("dialysis",)),
        line(4, at_ms=1_780_186_860_001, fixmedins_code="", stem=b"\xffe1", number=0, batch=7),
        line(5, at_ms=1_780_186_860_001, cnt_x10000=0),
    ]
    stay = Stay(7, CODE, 1, "e", "21")
    lines = [line(0), line(1), *others]
    care = Care(9, gathered(lines), (stay,), (Above("P04", 1, 5, 24_000, "e", 4, 5, 5),))
    assert unpacked(packed(care)) == care
    assert lines_of(care.messages) == lines
    assert len(care.messages) == 4
    assert unpacked(packed(NO_CARE)) == NO_CARE
    assert packed(NO_CARE) == b""


@given(
    st.lists(st.builds(line, st.integers(0, 2), at_ms=st.integers(1, 3), fixmedins_code=st.sampled_from(["", CODE])))
)
def test_lines_that_come_one_by_one_are_kept_as_all_at_once(lines: list[Line]) -> None:
    messages: Messages = ()
    for each in lines:
        messages = with_line(messages, each)
    in_order = sorted(lines, key=lambda each: each.at_ms)  # stable: ties in log order
    assert messages == gathered(in_order)
    assert lines_of(messages) == in_order
    for item in {each.item for each in lines}:
        assert lines_of(messages, item) == [each for each in in_order if each.item == item]


def test_a_line_more_of_a_message_costs_less_than_twenty_bytes() -> None:
    one, three = (len(packed(Care(1, gathered(line(n) for n in range(count))))) for count in (1, 3))
    assert (three - one) / 2 < 20
    assert one < 90


def test_a_settlement_row_names_its_event_in_a_third_of_the_bytes() -> None:
    event_id = f"2207:{CODE}202605310827000001:0"
    row = Row(1, 2, *split(event_id, CODE), 3, CODE, "1", "11", "D1", 4, 5)
    assert row.event_id == event_id
    assert 3 * (len(row.stem) + 1) < len(event_id)
