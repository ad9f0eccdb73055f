"""What an authority says of a doctor: the later word stands, whatever the order of arrival and the cuts of batches."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from risk.facts import Fact, StaffPointsDetermined, StaffStatusChanged
from risk.local_time import SHANGHAI
from tests.oracle.case_log import facts_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

TEN = datetime(2026, 3, 1, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


def leave(event_id: str, said: datetime, **changes: Any) -> StaffStatusChanged:
    known: dict[str, Any] = {"dr_code": "D1", "document_no": "leave", "status": "on_leave", "since": TEN}
    return StaffStatusChanged(event_id=event_id, occurred_at=said, **(known | changes))


def points(event_id: str, said: datetime, count: int, document: str = "No1") -> StaffPointsDetermined:
    return StaffPointsDetermined(
        event_id=event_id, occurred_at=said, dr_code="D1", document_no=document, points=count, determined_at=TEN
    )


def engine() -> Engine:
    return Engine(Parameters(), files=shaoyang_files())


def of_the_doctor(facts: list[Fact]) -> bytes:
    told = engine()
    told.fold(facts)
    stored, *_ = told.stored()
    (value,) = [value for (key, field), value in stored.items() if ":s:D1" in key and field == "w"]
    return value


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_latest_word_of_a_document_stands_in_whatever_order_the_words_come(order: tuple[int, ...]) -> None:
    words: list[Fact] = [
        leave("a", TEN),
        leave("b", TEN + HOUR, until=TEN + 48 * HOUR),
        leave("c", TEN + 2 * HOUR, until=TEN + 24 * HOUR),
    ]
    assert of_the_doctor([words[n] for n in order]) == of_the_doctor(words[2:])


def test_a_word_sent_again_changes_no_byte() -> None:
    assert of_the_doctor([points("a", TEN, 3), points("b", TEN, 3)]) == of_the_doctor([points("a", TEN, 3)])


def test_two_words_of_one_document_at_one_instant_are_a_conflict_and_the_first_stands() -> None:
    told = engine()
    told.fold([points("a", TEN, 12), points("b", TEN, 1)])
    letters = [output.body for output in told.outputs if output.topic == "deadletter"]
    assert [letter["reason"] for letter in letters] == ["CONFLICT"]
    assert of_the_doctor([points("a", TEN, 12), points("b", TEN, 1)]) == of_the_doctor([points("a", TEN, 12)])


def test_nothing_can_be_said_of_a_placeholder() -> None:
    told = engine()
    nobody = StaffPointsDetermined(
        event_id="a", occurred_at=TEN, dr_code="未知", document_no="No1", points=12, determined_at=TEN
    )
    assert told.fold([nobody]) == []
    assert [output.body["reason"] for output in told.outputs] == ["PLACEHOLDER_CODE"]


def test_a_doctor_with_twelve_points_loses_no_level_by_what_is_forgotten_of_bills() -> None:
    """Points outlive every window: three years of them are kept."""
    said: list[Fact] = [points("a", TEN, 12)]
    later = [points(f"e{n}", TEN + n * 24 * HOUR, 0, document=f"No{n}") for n in range(2, 40)]
    told = engine().fold([*said, *later])
    assert [each.alert["level"] for each in told] == [1, 2, 3]


def test_words_and_bills_in_any_batches_leave_the_same_bytes_and_alerts() -> None:
    case = {
        "log": [
            {"at": "2026-03-01 09:00", "staff_status": "suspended", "since": "2026-03-02 00:00", "document": "No1"},
            {"at": "2026-03-01 10:00", "person": "P#", "times": 3, "every": "1 min"},
            {"at": "2026-03-02 10:00", "person": "P#", "times": 3, "every": "1 min"},
            {"at": "2026-03-02 12:00", "points": 9, "document": "No2"},
            {"at": "2026-03-02 13:00", "person": "Q#", "times": 3, "every": "1 min"},
        ]
    }
    facts = facts_of(case, {"doctor": "D1"})
    whole, cut = engine(), engine()
    assert cut.fold(facts, range(len(facts))) == whole.fold(facts)
    assert cut.stored() == whole.stored()
