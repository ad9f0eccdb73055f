"""What was told of a person is forgotten once no bill can be held against it, and not before."""

import pytest

from connectors.state_codec import unpack_activity
from risk.insured import Insured
from tests.oracle.case_log import facts_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files


def told(*log: dict[str, str]) -> Insured | None:
    engine = Engine(Parameters(), files=shaoyang_files())
    engine.fold(facts_of({"log": log}, {"med_type": "11"}))
    stored, *_ = engine.stored()
    (value,) = [value for (key, _), value in stored.items() if ":a:" in key]
    return unpack_activity(value).insured


@pytest.mark.parametrize(
    "word",
    [
        {"face": "failed"},
        {"face": "passed"},
    ],
)
def test_a_face_check_is_forgotten_when_no_bill_can_look_back_to_it(word: dict[str, str]) -> None:
    """A bill keeps its row 90 days (P15), and may be 48 hours late."""
    said = {"at": "2026-03-01 09:00", **word}
    assert told(said, {"at": "2026-05-31 09:00"}, {"at": "2026-06-01 09:00"}) is not None
    assert told(said, {"at": "2026-06-03 09:00"}, {"at": "2026-06-04 09:00"}) is None


def test_a_transfer_without_an_end_stays_and_one_that_ended_goes_after_400_days() -> None:
    ended = {"at": "2026-03-01 09:00", "transfer": "H2", "until": "2026-03-08 00:00"}
    for_good = {"at": "2026-03-01 09:00", "transfer": "H2"}
    much_later = ({"at": "2027-08-01 09:00"}, {"at": "2027-08-02 09:00"})
    assert told(ended, {"at": "2027-02-01 09:00"}, {"at": "2027-02-02 09:00"}) is not None
    assert told(ended, *much_later) is None
    assert told(for_good, *much_later) is not None
