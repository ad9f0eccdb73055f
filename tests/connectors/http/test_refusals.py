"""What the edge refuses: each a problem document that names the field, in two languages, and nothing is appended."""

import asyncio
import json
from typing import Any

import pytest

from connectors.http.asgi import Answer, Application, Call, Route, json_answer
from connectors.http.tokens import parse_tokens
from tests.connectors.http.fakes import HOSPITAL, TOKENS, Api, authorization, now_s


def refused(
    body: Any, *, path: str = "/v1/authorizations", method: str = "POST", token: str | None = "hospital", **headers: str
) -> dict[str, Any]:
    async def scenario() -> dict[str, Any]:
        api = Api()
        answer = await api.call(method, path, body, token=token, **headers)
        assert answer.headers["content-type"] == "application/problem+json"
        assert api.log.records == []
        assert api.errors == []
        document: dict[str, Any] = answer.json()
        assert document["status"] == answer.status_code
        assert document["detail_zh"]
        assert document["detail_en"]
        return document

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"amount_fen": "5000"}, "amount_fen"),
        ({"amount_fen": 50.5}, "amount_fen"),
        ({"amount_fen": 5000.0}, "amount_fen"),
        ({"amount_fen": 5000.0, "x_own": [1.5e300]}, "amount_fen"),
        ({"amount_fen": 0}, "amount_fen"),
        ({"amount_fen": -1}, "amount_fen"),
        ({"amount_fen": 10**12}, "amount_fen"),
        ({"amount_fen": True}, "amount_fen"),
        ({"psn_no": ""}, "psn_no"),
        ({"psn_no": "9" * 10_240}, "psn_no"),
        ({"psn_no": None}, "psn_no"),
        ({"authorization_id": "a:b"}, "authorization_id"),
        ({"authorization_id": "x" * 65}, "authorization_id"),
        ({"service": "perk"}, "service"),
        ({"scope": "year"}, "scope"),
        ({"answer_within_ms": 0}, "answer_within_ms"),
        ({"emergency": "yes"}, "emergency"),
        ({"med_type": "outpatient"}, "med_type"),
        ({"med_type": "1"}, "med_type"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_named(over: dict[str, Any], field: str) -> None:
    document = refused(authorization(**over))
    assert (document["status"], document["code"], document["field"]) == (400, "FIELD_INVALID", field)


def test_a_missing_field_is_named() -> None:
    body = authorization()
    del body["mdtrt_id"]
    document = refused(body)
    assert (document["code"], document["field"]) == ("FIELD_MISSING", "mdtrt_id")


def test_an_unknown_field_is_named_even_beside_one_of_the_callers_own() -> None:
    document = refused(authorization(x_mine=1, amount=5))
    assert (document["code"], document["field"]) == ("FIELD_UNKNOWN", "amount")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"a":NaN}', b'{"amount_fen":1e400}', b"[1]", b"null", b'"x"', b"[" * 5_000]
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    assert refused(body)["status"] == 400


def test_infinity_as_an_amount_is_refused() -> None:
    raw = json.dumps(authorization()).replace("5000", "1e400").encode()
    assert refused(raw)["status"] == 400


@pytest.mark.parametrize("token", [None, "nobody", ""])
def test_without_a_token_that_we_know_nothing_is_read(token: str | None) -> None:
    assert refused(authorization(), token=token)["code"] == "UNAUTHENTICATED"


def test_a_token_in_another_scheme_is_no_token() -> None:
    assert refused(authorization(), token=None, authorization="Basic hospital")["status"] == 401


@pytest.mark.parametrize("token", ["bank", "authority", "audit"])
def test_only_hospitals_and_pharmacies_ask_for_credit(token: str) -> None:
    assert refused(authorization(), token=token)["code"] == "FORBIDDEN_ROLE"


def test_a_body_above_64_kib_is_too_large() -> None:
    assert refused(authorization(x_blob="x" * 70_000))["status"] == 413


def test_an_unknown_address_and_a_wrong_method_are_told() -> None:
    assert refused(None, path="/v2/authorizations", method="GET")["status"] == 404
    assert refused(None, path="/v1/authorizations", method="GET")["status"] == 405
    assert refused(None, path="/v1/authorizations//increase")["status"] == 404


def test_the_method_that_an_address_answers_is_told() -> None:
    async def scenario() -> None:
        answer = await Api().call("DELETE", "/v1/authorizations/A-1")
        assert answer.headers["allow"] == "GET"
        answer = await Api().call("POST", "/v1/authorizations", authorization(), token=None)
        assert answer.headers["www-authenticate"] == "Bearer"

    asyncio.run(scenario())


def test_a_token_that_calls_too_fast_is_told_when_to_come_back() -> None:
    async def scenario() -> None:
        api = Api()
        answers = [
            await api.call("POST", "/v1/authorizations", authorization(fixmedins_code=HOSPITAL), token="slow")
            for _ in range(11)
        ]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert answers[-1].headers["retry-after"] == "1"
        assert (await api.call("POST", "/v1/authorizations", authorization())).status_code == 200

    asyncio.run(scenario())


def test_a_bug_is_a_500_that_says_nothing_of_itself() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: (200, {"reasons": [{"code": "NO_SUCH_CODE", "outcome": "deny"}]}))
        answer = await api.call("POST", "/v1/authorizations", authorization())
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
        assert len(api.errors) == 1

    asyncio.run(scenario())


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_its_call_allows() -> None:
    async def scenario() -> None:
        async def handler(call: Call) -> Answer:
            return json_answer(200, {})

        route = Route(method="POST", path="/s", handler=handler, roles=None, body_within_s=0.02)
        app = Application([route], parse_tokens(TOKENS), now_s)
        sent: list[Any] = []
        messages = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/s", "query_string": b"", "headers": []}
        async with asyncio.timeout(20):
            await app(scope, receive, send)
        assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (408, "BODY_LATE")
        assert app.in_flight == 0

    asyncio.run(scenario())
