"""The schemas that outsiders read are those of the types, and say what the edge does."""

from pathlib import Path

import pytest

from connectors.schemas import asyncapi, event_schema, schema_files
from risk.facts import FACTS, InstitutionFact, QueryLogged, SubjectFact

COMMITTED = Path(__file__).parents[2] / "config" / "schemas"


@pytest.mark.parametrize("name", sorted(schema_files()))
def test_the_committed_schema_is_the_generated_one(name):
    assert (COMMITTED / name).read_text(encoding="utf-8") == schema_files()[name], (
        "risk/facts.py changed: run python -m connectors.schemas config/schemas"
    )


def test_every_event_has_a_schema_that_refuses_unknown_fields():
    for kind in FACTS.values():
        schema = event_schema(kind)
        assert schema["additionalProperties"] is False
        whose = "fixmedins_code" if issubclass(kind, InstitutionFact) else "dr_code"
        whose = "asked_by" if kind is QueryLogged else whose
        whose = whose if issubclass(kind, SubjectFact) else "psn_no"
        assert {"event_id", "event_type", "occurred_at", whose} <= set(schema["required"])


def test_what_an_institution_tells_of_itself_names_no_person_and_stands_on_the_log_of_subjects():
    assert "psn_no" not in event_schema(FACTS["stock.moved"])["properties"]
    channels = asyncapi()["channels"]
    assert set(channels["subjects"]["messages"]) == {
        *("stock.moved", "stock.undone", "code.moved", "price.told"),
        *("staff.status_changed", "staff.points_determined", "query.logged"),
    }
    assert "stock.moved" not in channels["events"]["messages"]


def test_no_schema_of_an_event_that_is_gone_lies_about():
    events = {path.name for path in COMMITTED.glob("*.*.json")}
    assert events == {name for name in schema_files() if name.count(".") > 1}
