"""Care as it is kept: nothing is lost, what a message's lines share stands once, and every id comes back whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.activity import Row
from risk.care import NO_CARE, Above, Care, Line, Stay
from risk.event_ids import joined, split
from risk.kept_care import packed, unpacked

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
    care = Care(9, (line(0), line(1), *others), (stay,), (Above("P04", 1, 5, 24_000, "e", 4, 5, 5),))
    assert unpacked(packed(care)) == care
    assert unpacked(packed(NO_CARE)) == NO_CARE
    assert packed(NO_CARE) == b""


def test_a_line_more_of_a_message_costs_less_than_twenty_bytes() -> None:
    one, three = (len(packed(Care(1, tuple(line(n) for n in range(count))))) for count in (1, 3))
    assert (three - one) / 2 < 20
    assert one < 90


def test_a_settlement_row_names_its_event_in_a_third_of_the_bytes() -> None:
    event_id = f"2207:{CODE}202605310827000001:0"
    row = Row(1, 2, *split(event_id, CODE), 3, CODE, "1", "11", "D1", 4, 5)
    assert row.event_id == event_id
    assert 3 * (len(row.stem) + 1) < len(event_id)
