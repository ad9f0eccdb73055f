"""Yuan become fen exactly or not at all; pseudonyms are stable, keyed, and pass unchanged."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amounts import AmountProfile, parse_profiles, scaled, yuan_to_fen
from connectors.pseudonym import Pseudonyms, is_pseudonym
from connectors.refusals import Refused
from risk.facts.base import FEN_MAX

FEN = st.integers(0, FEN_MAX)


@given(FEN)
def test_every_amount_is_read_exactly_from_text_and_from_number(fen):
    written = f"{fen // 100}.{fen % 100:02d}"
    assert yuan_to_fen(written, "x") == fen
    assert yuan_to_fen(Decimal(written), "x") == fen


@given(st.integers(0, FEN_MAX // 100))
def test_whole_yuan_are_a_hundred_fen_each(yuan):
    assert yuan_to_fen(yuan, "x") == yuan_to_fen(str(yuan), "x") == yuan * 100


@given(FEN, st.integers(1, 9), st.integers(3, 12))
def test_a_fraction_of_a_fen_is_always_refused(fen, digit, places):
    written = f"{fen // 100}.{fen % 100:02d}{'0' * (places - 3)}{digit}"
    with pytest.raises(Refused) as caught:
        yuan_to_fen(written, "x")
    assert caught.value.reason == "NUMBER_TOO_PRECISE"


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text(max_size=30) | st.integers() | st.floats())
def test_anything_else_is_refused_or_exact(value):
    try:
        fen = scaled(value, 2, "x")
    except Refused:
        return
    assert Decimal(fen) == Decimal(value if not isinstance(value, str) else value.strip()) * 100


def test_an_exponent_costs_no_time_and_no_memory():
    with pytest.raises(Refused) as caught:
        scaled(Decimal("1e999999999"), 2, "x")
    assert caught.value.reason == "NUMBER_OUT_OF_RANGE"
    with pytest.raises(Refused) as caught:
        scaled(Decimal("1e-999999999"), 2, "x")
    assert caught.value.reason == "NUMBER_TOO_PRECISE"


def test_profiles_are_found_by_institution_then_source_then_default():
    profiles = parse_profiles("[default]\nhosp_part_in_psn = true\n[H1]\nacct_mulaid_in_acct = false\n")
    assert profiles.of("H1", "token") == AmountProfile(acct_mulaid_in_acct=False)
    assert profiles.of(None, "token") == AmountProfile(hosp_part_in_psn=True)


@pytest.mark.parametrize("text", ["[H1]\nacct = true", "[H1]\nhosp_part_in_psn = 1", "hosp_part_in_psn = true"])
def test_a_profile_with_an_unknown_key_or_value_is_refused(text):
    with pytest.raises(ValueError, match="amount profile"):
        parse_profiles(text)


@given(st.text(min_size=1, max_size=64))
def test_a_pseudonym_is_stable_and_passes_a_second_edge_unchanged(psn_no):
    pseudonyms = Pseudonyms("a city's secret key")
    once = pseudonyms.of(psn_no)
    assert is_pseudonym(once)
    assert pseudonyms.of(once) == once == pseudonyms.of(psn_no)


def test_another_key_is_another_person():
    assert Pseudonyms("k" * 16).of("P1") != Pseudonyms("l" * 16).of("P1")


def test_without_a_key_numbers_stay_as_they_are_because_it_is_a_sandbox():
    assert Pseudonyms(None).sandbox
    assert Pseudonyms(None).of("P1") == "P1"


def test_a_short_key_is_refused_because_it_could_be_guessed():
    with pytest.raises(ValueError, match="XINMAI_PSEUDONYM_KEY"):
        Pseudonyms("short")
