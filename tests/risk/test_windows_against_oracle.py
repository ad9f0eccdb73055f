"""The engine's windows and episodes against the naive oracle, on logs that go where windows break."""

from functools import reduce
from operator import xor

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from connectors.state_codec import value_hash
from risk.facts import Fact
from tests.oracle.logs import CAPS, SMALL, Move, built, cap_of, drawn_moves, seeded_log
from tests.oracle.production import Engine
from tests.oracle.reference import first_difference, told_by_oracle
from tests.oracle.rules_oracle import Parameters

DRAWN = settings(
    max_examples=150,
    deadline=None,  # a log of three hundred facts, judged naively, takes its time on a busy machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    derandomize=True,
)


def assert_the_engine_says_what_the_oracle_says(facts: list[Fact], parameters: Parameters) -> None:
    """Every subject hears the same alerts, in the same order, from the same facts."""
    told = told_by_oracle(facts, parameters, cap_of)
    difference = first_difference(told, Engine(parameters, CAPS).fold(facts))
    assert difference == ""


@DRAWN
@given(moves=drawn_moves())
def test_every_log_raises_the_alerts_the_oracle_raises(moves: list[Move]) -> None:
    note("\n".join(repr(move) for move in moves))
    assert_the_engine_says_what_the_oracle_says(built(moves), SMALL)


@pytest.mark.parametrize("seed", range(150))
def test_a_long_log_raises_the_alerts_the_oracle_raises(seed: int) -> None:
    assert_the_engine_says_what_the_oracle_says(seeded_log(seed), SMALL)


@pytest.mark.parametrize("seed", range(1000, 1010))
def test_so_it_is_under_the_numbers_of_the_page(seed: int) -> None:
    assert_the_engine_says_what_the_oracle_says(seeded_log(seed, moves=150, persons=2), Parameters())


@DRAWN
@given(moves=drawn_moves(), cuts=st.sets(st.integers(0, 300), max_size=20))
def test_any_cutting_into_batches_gives_the_same_bytes_alerts_and_decisions(moves: list[Move], cuts: set[int]) -> None:
    facts = built(moves)
    whole, cut = Engine(SMALL, CAPS), Engine(SMALL, CAPS)
    assert cut.fold(facts, cuts) == whole.fold(facts)
    assert cut.outputs == whole.outputs
    assert cut.stored() == whole.stored()
    stored, of_people, of_subjects = cut.stored()
    assert of_people ^ of_subjects == reduce(xor, (value_hash(*each, value) for each, value in stored.items()))


@pytest.mark.parametrize("seed", range(12))
def test_cutting_a_long_log_leaves_the_digest_of_what_is_stored(seed: int) -> None:
    facts = seeded_log(seed, moves=120, persons=3)
    engine = Engine(SMALL, CAPS)
    engine.fold(facts, range(0, len(facts), 7))
    stored, of_people, of_subjects = engine.stored()
    assert of_people ^ of_subjects == reduce(xor, (value_hash(*each, value) for each, value in stored.items()))


@pytest.mark.parametrize("seed", range(20))
def test_sending_the_whole_log_again_changes_nothing_but_conflicts(seed: int) -> None:
    """What at-least-once delivery repeats is known by its business key: no alert comes twice, only Q04 again."""
    facts = seeded_log(seed, moves=20)
    engine = Engine(SMALL, CAPS)
    engine.fold(facts)
    settled = [fact for fact in facts if fact.event_type == "settlement.completed"]
    assert {told.alert["rule_id"] for told in engine.fold(settled)} <= {"Q04"}
