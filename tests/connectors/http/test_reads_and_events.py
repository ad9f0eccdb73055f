"""Queries are recorded before they are answered; facts are answered once they are in the log."""

import asyncio
import json

import pytest

from connectors.errors import ConnectorError
from connectors.http.log import LogFull
from connectors.pseudonym import Pseudonyms
from connectors.topology import partition_of
from risk.queries import person_of
from tests.connectors.http.fakes import HOSPITAL, PARTITIONS, PHARMACY, SUBJECTS, Api

KEY = "0123456789abcdef0123456789abcdef"
CREDIT = {"psn_no": "1", "level": "B", "limits": [], "as_of": {"shard": "p0", "offset": 4, "time": "t"}}


def asked(purpose: str) -> dict[str, str]:
    return {"psn_no": "1", "purpose": purpose, "authorization_ref": "ref-1"}


def test_a_credit_query_is_in_the_log_before_it_is_answered() -> None:
    async def scenario() -> None:
        api = Api()
        api.people.credits["1"] = CREDIT
        api.people.authorizations["1", HOSPITAL, "ref-1"] = {"state": "held"}
        answer = await api.call("POST", "/v1/credit-queries", asked("supervision"), token="authority")
        assert answer.json() == CREDIT
        (topic, partition, key, value), told = api.log.records
        assert (topic, partition, key) == ("queries", partition_of("1", PARTITIONS), f"p{partition}")
        record = json.loads(value)
        query_id = record.pop("query_id")
        assert query_id.startswith("cq_")
        assert told[:3] == ("subjects", partition_of("authority-1", SUBJECTS), "authority-1")
        assert json.loads(told[3]) == {
            "event_type": "query.logged",
            "event_id": query_id,
            "occurred_at": "2026-03-10T08:00:00+08:00",
            "source": "engine",
            "asked_by": "authority-1",
            "person": person_of("1"),
            "purpose": "supervision",
            "outcome": "answered",
            "names_authorization": True,
        }
        assert record == {
            "asked_at": "2026-03-10T08:00:00.000+08:00",
            "asked_by": "authority-1",
            "roles": ["authority"],
            "psn_no": "1",
            "purpose": "supervision",
            "authorization_ref": "ref-1",
            "outcome": "allowed",
        }

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("whose", "where", "named", "is_known"),
    [
        ("1", HOSPITAL, "ref-1", True),
        ("1", HOSPITAL, "ref-2", False),
        ("1", PHARMACY, "ref-1", False),
        ("2", HOSPITAL, "ref-1", False),
    ],
)
def test_an_authorization_that_the_asker_does_not_have_of_this_person_counts_as_none(
    whose: str, where: str, named: str, is_known: bool
) -> None:
    async def scenario() -> None:
        api = Api()
        api.people.credits["1"] = CREDIT
        api.people.authorizations[whose, where, named] = {"state": "held"}
        assert (await api.call("POST", "/v1/credit-queries", asked("checkout"), token="hospital")).status_code == 200
        record, told = (json.loads(value) for *_, value in api.log.records)
        assert record["authorization_ref"] == "ref-1"
        assert told.get("names_authorization", False) is is_known

    asyncio.run(scenario())


def test_whoever_asks_while_the_state_is_away_is_believed_for_nobody_is_told_anything() -> None:
    async def scenario() -> None:
        api = Api()
        api.people.away = True
        assert (await api.call("POST", "/v1/credit-queries", asked("checkout"), token="hospital")).status_code == 503
        assert json.loads(api.log.records[1][3])["names_authorization"] is True

    asyncio.run(scenario())


def test_what_the_log_says_is_true_of_a_query_that_the_state_could_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        api = Api()

        async def away(psn_no: str) -> dict[str, object]:
            raise ConnectorError("redis", "away", retryable=True)

        monkeypatch.setattr(api.people, "credit", away)
        answer = await api.call("POST", "/v1/credit-queries", asked("supervision"), token="authority")
        assert (answer.status_code, answer.json()["code"]) == (503, "STATE_AWAY")
        assert json.loads(api.log.records[0][3])["outcome"] == "allowed"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("token", "purpose"), [("hospital", "audit"), ("bank", "checkout"), ("authority", "audit"), ("audit", "self")]
)
def test_a_query_for_a_purpose_that_is_not_the_tokens_is_recorded_and_denied(token: str, purpose: str) -> None:
    async def scenario() -> None:
        api = Api()
        answer = await api.call("POST", "/v1/credit-queries", asked(purpose), token=token)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN_PURPOSE")
        assert [json.loads(record[3])["outcome"] for record in api.log.records] == ["denied", "denied"]

    asyncio.run(scenario())


def test_a_query_that_cannot_be_recorded_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("connectors.http.reads.DURABLE_WITHIN_S", 0.01)
        api = Api()
        api.people.credits["1"] = CREDIT
        api.log.never_acknowledges = True
        answer = await api.call("POST", "/v1/credit-queries", asked("audit"), token="audit")
        assert (answer.status_code, answer.json()["code"]) == (503, "LOG_AWAY")
        assert "level" not in answer.text

    asyncio.run(scenario())


def test_a_query_that_no_rule_would_hear_of_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        api = Api()
        api.people.credits["1"] = CREDIT
        append = api.log.append_durably

        async def only_queries(topic: str, *record: object) -> int:
            if topic == "subjects":
                raise LogFull
            return await append(topic, *record)

        monkeypatch.setattr(api.log, "append_durably", only_queries)
        answer = await api.call("POST", "/v1/credit-queries", asked("audit"), token="audit")
        assert (answer.status_code, answer.json()["code"]) == (503, "LOG_AWAY")
        assert [(topic, json.loads(value)["outcome"]) for topic, *_, value in api.log.records] == [
            ("queries", "allowed")
        ]

    asyncio.run(scenario())


def test_an_authorization_is_read_as_it_stands_by_its_own_institution() -> None:
    async def scenario() -> None:
        api = Api()
        api.people.authorizations["1", HOSPITAL, "A-1"] = {"state": "held", "held_fen": 5, "level": "D"}
        path = "/v1/authorizations/A-1?psn_no=1&fixmedins_code="
        assert (await api.call("GET", path + HOSPITAL)).json() == {"state": "held", "held_fen": 5}
        assert (await api.call("GET", path + HOSPITAL, token="audit")).json()["level"] == "D"
        assert (await api.call("GET", path + PHARMACY)).status_code == 403
        assert (await api.call("GET", path)).json()["field"] == "fixmedins_code"
        assert (await api.call("GET", f"/v1/authorizations/A-2?psn_no=1&fixmedins_code={HOSPITAL}")).status_code == 404
        said_literally = f"/v1/authorizations/{{id}}?psn_no=1&fixmedins_code={HOSPITAL}"
        assert (await api.call("GET", said_literally)).status_code == 404  # the template is an id that nobody has
        api.people.away = True
        assert (await api.call("GET", path + HOSPITAL)).json()["code"] == "STATE_AWAY"

    asyncio.run(scenario())


def test_an_order_is_read_by_its_payee_and_its_bank_only() -> None:
    async def scenario() -> None:
        api = Api()
        order = {"order_id": "O1", "payee_fixmedins_code": HOSPITAL, "bank_code": "301", "repayment_state": "overdue"}
        api.people.orders["1", "O1"] = order
        path = "/v1/orders/O1?psn_no=1"
        assert (await api.call("GET", path)).json() == {k: v for k, v in order.items() if k != "repayment_state"}
        assert (await api.call("GET", path, token="bank")).status_code == 200
        assert (await api.call("GET", path, token="pharmacy")).status_code == 404
        assert (await api.call("GET", path, token="authority")).json() == order

    asyncio.run(scenario())


def test_with_a_key_only_pseudonyms_stand_in_urls() -> None:
    async def scenario() -> None:
        api = Api(key=KEY)
        pseudonym = Pseudonyms(KEY).of("43050000000000000001")
        api.people.orders[pseudonym, "O1"] = {"order_id": "O1"}
        refused = await api.call("GET", "/v1/orders/O1?psn_no=43050000000000000001", token="audit")
        assert (refused.status_code, refused.json()["field"]) == (400, "psn_no")
        assert (await api.call("GET", f"/v1/orders/O1?psn_no={pseudonym}", token="audit")).status_code == 200

    asyncio.run(scenario())


def test_lines_are_taken_in_the_tokens_name_and_every_line_has_its_number() -> None:
    async def scenario() -> None:
        api = Api()
        body = b'{"a":1}\n\n{"b":2}\r\n'
        answer = await api.call("POST", "/v1/events", body, content_type="application/x-ndjson; profile=national")
        assert [result["line"] for result in answer.json()["results"]] == [1, 3]
        assert {result["result"] for result in answer.json()["results"]} == {"accepted"}
        ((sender, form),) = api.intake.senders
        assert (sender.source, sender.institutions, form) == ("hospital-1", {HOSPITAL}, "national")
        assert "settlement.completed" in (sender.allowed_types or ())
        assert "bank.repaid" not in (sender.allowed_types or ())
        assert "timer.due" not in (sender.allowed_types or ())

    asyncio.run(scenario())


def test_bulk_waits_for_the_lanes_and_goes_in_pieces() -> None:
    async def scenario() -> None:
        api = Api()
        answer = await api.call("POST", "/v1/events", b"{}\n" * 1_200, token="bank")
        assert len(answer.json()["results"]) == 1_200
        assert len(api.intake.senders) == 3
        assert api.intake.rooms == 9

    asyncio.run(scenario())


def test_lines_that_kafka_did_not_take_are_sent_again() -> None:
    async def scenario() -> None:
        api = Api()
        api.intake.away = True
        answer = await api.call("POST", "/v1/events", b"{}", token="authority")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert (await api.call("POST", "/v1/events", b"{}", token="audit")).status_code == 403
        assert (await api.call("POST", "/v1/events", b"{}", content_type="x; profile=other")).status_code == 400

    asyncio.run(scenario())
