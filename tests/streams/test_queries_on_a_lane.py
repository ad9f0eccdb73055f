"""Credit queries over HTTP, through the log and a lane: who asks for too many persons is told on alerts.v1 (T01)."""

from pathlib import Path

import httpx
import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.topology import Topics
from tests.connectors.http.fakes import HOSPITAL, authorization
from tests.streams.test_api_killed import OPERATOR, TOKENS, Engine, api, until

THIRD_PARTY, COUNTER = {"authorization": "Bearer third-party"}, {"authorization": "Bearer counter"}
BOTH = f"""
[[tokens]]
name = "third-party-1"
secret = "third-party"
roles = ["authority"]

[[tokens]]
name = "{HOSPITAL}"
secret = "counter"
roles = ["hospital"]
institutions = ["{HOSPITAL}"]
"""
PERSONS = [f"4305000000000000{number:04d}" for number in range(80)]


@pytest.fixture
def engine(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Engine:
    return Engine(mock_kafka, redis_62, topics)


def test_the_fifty_first_person_within_an_hour_is_told_and_a_busy_counter_is_not(engine: Engine, tmp_path: Path):
    with engine, api(engine, tmp_path, TOKENS + BOTH) as (_, client):
        until(engine.has_caught_up)
        for psn_no in PERSONS:
            wanted = authorization(psn_no=psn_no, authorization_id=f"A-{psn_no}", answer_within_ms=10_000)
            assert client.post("/v1/authorizations", json=wanted, headers=COUNTER).status_code == 200
            named = {"psn_no": psn_no, "purpose": "checkout", "authorization_ref": f"A-{psn_no}"}
            assert client.post("/v1/credit-queries", json=named, headers=COUNTER).status_code == 200
        for psn_no in (*PERSONS[:50], *PERSONS[:20], PERSONS[50]):
            asked(client, psn_no, "supervision", 200)
        for psn_no in PERSONS[:3]:
            asked(client, psn_no, "audit", 403)
        until(lambda: len(alerts_of(engine)) >= 2)
    logged = engine.told_on(engine.topics.queries)
    fifty_first = next(each for each in logged if (each["asked_by"], each["psn_no"]) == ("third-party-1", PERSONS[50]))
    denied = [each["query_id"] for each in logged if (each["psn_no"], each["outcome"]) == (PERSONS[2], "denied")]
    told = [
        (each["subject_kind"], each["subject_id"], each["level"], each["observed"], each["window_s"], each["vola_evid"])
        for each in alerts_of(engine)
    ]
    assert told == [
        ("agency", "third-party-1", 1, 51, 3_600, [fifty_first["query_id"]]),
        ("agency", "third-party-1", 3, 3, 3_600, denied),
    ]
    assert len(logged) == len(PERSONS) + 71 + 3
    heard = [each for each in engine.told_on(engine.topics.subjects) if each["event_type"] == "query.logged"]
    assert {each["event_id"] for each in heard} == {each["query_id"] for each in logged}
    assert not any(psn_no in str(each) for each in heard for psn_no in PERSONS), "no number of a person leaves his log"


def test_a_counter_that_names_authorizations_which_nobody_has_is_counted(engine: Engine, tmp_path: Path):
    with engine, api(engine, tmp_path, TOKENS + BOTH) as (_, client):
        until(engine.has_caught_up)
        for psn_no in PERSONS[:51]:
            named = {"psn_no": psn_no, "purpose": "checkout", "authorization_ref": "A-1"}
            assert client.post("/v1/credit-queries", json=named, headers=COUNTER).status_code == 200
        until(lambda: len(alerts_of(engine)) >= 1)
    assert [(each["subject_id"], each["level"], each["observed"]) for each in alerts_of(engine)] == [(HOSPITAL, 1, 51)]


def asked(client: httpx.Client, psn_no: str, purpose: str, status: int) -> None:
    answer = client.post("/v1/credit-queries", json={"psn_no": psn_no, "purpose": purpose}, headers=THIRD_PARTY)
    assert answer.status_code == status, answer.text


def alerts_of(engine: Engine) -> list[dict]:
    return [each for each in engine.told_on(engine.topics.alerts) if each["rule_id"] == "T01"]


def test_nobody_outside_says_who_asked(engine: Engine, tmp_path: Path):
    line = {
        "event_type": "query.logged",
        "event_id": "cq_1",
        "occurred_at": "2026-03-01T09:00:00+08:00",
        "asked_by": "third-party-1",
        "person": 1,
        "purpose": "audit",
        "outcome": "denied",
    }
    with engine, api(engine, tmp_path) as (_, client):
        (result,) = client.post("/v1/events", json=line, headers=OPERATOR).json()["results"]
    assert result["result"] in ("refused", "forbidden"), result
