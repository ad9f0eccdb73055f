"""A person's boxes as they are kept: none is lost, their order stands, and a message says what they share once."""

from itertools import product

import pytest

from risk.boxes import Box, packed, unpacked

PLACE = b"P43050000001"


def box(number: int, visit: int = 2**64 - 1, at_ms: int = 1_780_186_860_000, place: bytes = PLACE) -> Box:
    return Box(visit, number, 2**32 - 1, at_ms, place, number.to_bytes(9))


@pytest.mark.parametrize("count", [0, 1, 2, 254, 255, 256, 600])
def test_boxes_come_back_whole_however_many_a_message_has(count: int) -> None:
    boxes = [box(number) for number in range(count)]
    assert unpacked(packed(boxes)) == boxes


def test_boxes_of_several_messages_keep_their_order() -> None:
    places = (PLACE, b"H43".ljust(12, b"\0"))
    boxes = [box(n, visit, at, place) for n, visit, at, place in product(range(3), (0, 7), (0, 9), places)]
    assert unpacked(packed(boxes)) == boxes
    assert unpacked(packed(boxes[::-1])) == boxes[::-1]


def test_a_box_more_of_a_message_is_thirteen_bytes() -> None:
    assert len(packed([box(1), box(2)])) - len(packed([box(1)])) == 13
