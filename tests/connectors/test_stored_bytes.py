"""Packing is a matter of memory alone: whatever is stored comes back, and nobody else notices."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.value_dictionary import city_values, county
from connectors.stored_bytes import PACKED, PACKED_FROM, stored, value_of

VALUES = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda value: PACKED + value),
    st.binary(min_size=1, max_size=20).map(lambda value: value * 50),
)


@given(VALUES)
def test_every_value_comes_back_and_takes_hardly_more_than_it_is(value: bytes):
    assert value_of(stored(value)) == value
    # only what begins as a packed one may grow, by the mark and the frame's head
    assert len(stored(value)) <= len(value) + (20 if value[:1] == PACKED else 0)


def test_a_deletion_and_a_short_value_are_stored_as_they_are():
    assert stored(b"") == b""
    assert stored(b"\x93\x01\x02\x03") == b"\x93\x01\x02\x03"


def test_a_damaged_frame_is_given_as_it_lies_and_is_no_value():
    frame = stored(b"\x92" + bytes(200))
    assert frame[:1] == PACKED
    for damaged in (frame[:1], frame[:3], frame[:-2]):
        assert value_of(damaged) == damaged


@pytest.mark.parametrize("seed", [7])
def test_what_a_city_leaves_takes_three_fifths(seed: int):
    """Else the shapes have outgrown the dictionary: run benchmarks/value_dictionary.py with the next number."""
    values = city_values(county(seed, people=500, days=60, plants=0))
    assert len(values) > 300
    assert min(map(len, values)) >= PACKED_FROM
    assert sum(len(stored(value)) for value in values) < 0.6 * sum(map(len, values))


def test_several_threads_open_and_pack_at_once():
    values = [random.Random(number).randbytes(40) * 30 for number in range(200)]
    kept = [stored(value) for value in values]

    def again(_: int) -> bool:
        opened = [[value_of(each) for each in kept] for _ in range(20)]
        packed = [[stored(value) for value in values] for _ in range(20)]
        return opened == [values] * 20 and packed == [kept] * 20

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(again, range(8)))


def test_a_frame_of_an_unknown_dictionary_is_given_as_it_lies():
    frame = PACKED + zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(_another())).compress(bytes(300))
    assert value_of(frame) == frame


def _another() -> bytes:
    samples = [random.Random(number).randbytes(20) * 10 for number in range(500)]
    return zstandard.train_dictionary(2_000, samples, dict_id=99).as_bytes()
