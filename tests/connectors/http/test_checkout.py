"""What a checkout call appends, waits for and answers."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from connectors.http.shedding import Limits, Shedding
from connectors.topology import partition_of
from risk.facts import (
    AuthorizationAbandoned,
    AuthorizationCaptureRequested,
    AuthorizationIncreaseRequested,
    AuthorizationReleaseRequested,
    AuthorizationRequested,
)
from tests.connectors.http.fakes import APPROVED, HOSPITAL, PARTITIONS, PHARMACY, Api, authorization

PERSON = "43050000000000000001"
MORE = {"request_id": "R-1", "psn_no": PERSON, "fixmedins_code": HOSPITAL}


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_an_authorization_is_a_record_on_the_persons_partition_and_the_lanes_answer_is_the_callers() -> None:
    async def scenario() -> None:
        api = Api()
        answer = await api.call("POST", "/v1/authorizations", authorization(x_window="7"), token="all")
        assert answer.status_code == 200
        assert answer.json() == APPROVED
        ((topic, partition, key, _),) = api.log.records
        assert (topic, partition, key) == ("events", partition_of(PERSON, PARTITIONS), PERSON)
        (fact,) = api.log.facts
        assert isinstance(fact, AuthorizationRequested)
        assert fact.event_id == f"auth:{HOSPITAL}:A-1"
        assert (fact.reply_to, fact.source, fact.amount_fen) == ("xinmai:reply:api1", "operator", 5_000)

    run(scenario())


def test_two_calls_have_two_attempts_under_one_event_id() -> None:
    async def scenario() -> None:
        api = Api()
        await api.call("POST", "/v1/authorizations", authorization())
        await api.call("POST", "/v1/authorizations", authorization())
        first, second = api.log.facts
        assert first.event_id == second.event_id
        assert first.attempt != second.attempt  # type: ignore[attr-defined]

    run(scenario())


def test_with_a_key_only_the_pseudonym_is_appended() -> None:
    async def scenario() -> None:
        api = Api(key="0123456789abcdef0123456789abcdef")
        await api.call("POST", "/v1/authorizations", authorization())
        ((_, partition, key, value),) = api.log.records
        assert key.startswith("p1_")
        assert partition == partition_of(key, PARTITIONS)
        assert PERSON.encode() not in value

    run(scenario())


def test_no_answer_in_time_is_a_fallback_and_the_log_is_told() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None)
        answer = await api.call("POST", "/v1/authorizations", authorization(answer_within_ms=50))
        body = answer.json()
        assert answer.status_code == 200
        assert (body["decision"], body["state"], body["held_fen"]) == ("fallback", "none", 0)
        assert [reason["code"] for reason in body["reasons"]] == ["TRY_LATER"]
        requested, abandoned = api.log.facts
        assert isinstance(abandoned, AuthorizationAbandoned)
        assert abandoned.attempt == requested.attempt  # type: ignore[attr-defined]
        assert abandoned.event_id == requested.event_id

    run(scenario())


def test_an_answer_that_comes_after_the_fallback_is_nobodys() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None)
        await api.call("POST", "/v1/authorizations", authorization(answer_within_ms=50))
        attempt = api.log.facts[0].attempt  # type: ignore[attr-defined]
        late = b'{"attempt":"%b","status":200,"body":{}}' % attempt.encode()
        api.replies.heard(b"xinmai:reply:api1", late, 0.0)
        api.log.lane = lambda fact: (200, APPROVED)
        assert (await api.call("POST", "/v1/authorizations", authorization())).json()["decision"] == "approve"

    run(scenario())


@pytest.mark.parametrize(
    "trouble",
    [
        lambda api: api.replies.lost(),
        lambda api: api.beat(lag=3, record_age_ms=60_000) or api.replies.pulses.shards.clear(),
        lambda api: setattr(api.log, "stuck", True),
        lambda api: setattr(api.log, "full", True),
    ],
    ids=["subscription lost", "no lane", "kafka accepts nothing", "queue full"],
)
def test_where_no_answer_can_come_the_fallback_comes_at_once_and_nothing_is_appended(trouble: Any) -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None)
        trouble(api)
        answer = await api.call("POST", "/v1/authorizations", authorization(answer_within_ms=5_000))
        assert answer.json()["decision"] == "fallback"
        assert api.log.records == []

    run(scenario())


def test_a_shard_further_behind_than_the_deadline_is_not_asked() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None)
        api.replies.pulses.shards.clear()
        api.beat(lag=900, record_age_ms=3_000)
        answer = await api.call("POST", "/v1/authorizations", authorization(), token="all")
        assert answer.json()["reasons"][0]["code"] == "STALE_STATE"
        assert api.log.records == []

    run(scenario())


def test_an_old_record_says_nothing_of_a_shard_that_was_idle() -> None:
    async def scenario() -> None:
        api = Api()
        api.beat(lag=0, record_age_ms=3_600_000)
        api.beat(lag=1, record_age_ms=3_600_000)  # one record just came in; the one before it is an hour old
        answer = await api.call("POST", "/v1/authorizations", authorization())
        assert answer.json()["decision"] == "approve"

    run(scenario())


def test_an_increase_is_asked_and_abandoned_like_an_authorization() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None)
        body = {**MORE, "amount_fen": 700, "answer_within_ms": 50}
        answer = await api.call("POST", "/v1/authorizations/A-1/increase", body)
        assert answer.json()["decision"] == "fallback"
        requested, abandoned = api.log.facts
        assert isinstance(requested, AuthorizationIncreaseRequested)
        assert requested.event_id == f"auth:{HOSPITAL}:A-1:R-1"
        assert isinstance(abandoned, AuthorizationAbandoned)
        assert abandoned.request_id == "R-1"

    run(scenario())


@pytest.mark.parametrize("action", ["capture", "release"])
def test_a_late_capture_or_release_stands_and_is_asked_again(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("connectors.http.checkout.ANSWER_WITHIN_MS", 5)
        api = Api(lambda fact: None)
        body = {**MORE, "setl_id": "S1", "psn_cash_pay_fen": 4_000} if action == "capture" else MORE
        answer = await api.call("POST", f"/v1/authorizations/A-1/{action}", body)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["code"] == "LATE"
        (fact,) = api.log.facts
        assert isinstance(fact, AuthorizationCaptureRequested | AuthorizationReleaseRequested)

    run(scenario())


def test_a_capture_that_waits_tells_what_the_bank_said() -> None:
    async def scenario() -> None:
        booked = {"captured_fen": 4_000, "top_up_fen": 0, "order_id": "O1", "funding_state": "pending"}
        api = Api(lambda fact: (200, booked))
        api.people.orders[PERSON, "O1"] = {"order_id": "O1", "funding_state": "settled"}
        body = {**MORE, "setl_id": "S1", "psn_cash_pay_fen": 4_000, "wait_ms": 100}
        answer = await api.call("POST", "/v1/authorizations/A-1/capture", body)
        assert answer.json() == {**booked, "funding_state": "settled"}
        own = {"setl_id": "S1", "captured_fen": 0, "top_up_fen": 4_000}
        other = {"setl_id": "S2", "captured_fen": 9, "top_up_fen": 9}
        refused = {"order_id": "O1", "funding_state": "rejected", "settlements": [other, own]}
        api.people.orders[PERSON, "O1"] = refused
        answer = await api.call("POST", "/v1/authorizations/A-1/capture", body)
        assert answer.json() == {**booked, "funding_state": "rejected", "captured_fen": 0, "top_up_fen": 4_000}

    run(scenario())


def test_a_conflict_of_the_lane_is_a_problem_document() -> None:
    async def scenario() -> None:
        conflict = {"code": "HOLD_OPEN", "open_id": "A-0", "detail_zh": "已有", "detail_en": "open", "level": "D"}
        api = Api(lambda fact: (409, conflict))
        answer = await api.call("POST", "/v1/authorizations", authorization())
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["code"], body["open_id"]) == ("HOLD_OPEN", "A-0")
        assert "level" not in body

    run(scenario())


def test_another_institutions_token_is_refused_before_anything_is_appended() -> None:
    async def scenario() -> None:
        api = Api()
        answer = await api.call("POST", "/v1/authorizations", authorization(fixmedins_code=PHARMACY))
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN_INSTITUTION")
        for path in ("increase", "capture", "release"):
            body = {**MORE, "fixmedins_code": PHARMACY, "amount_fen": 1, "setl_id": "S", "psn_cash_pay_fen": 1}
            kept = {"increase": ("amount_fen",), "capture": ("setl_id", "psn_cash_pay_fen"), "release": ()}[path]
            body = {name: body[name] for name in (*MORE, *kept)}
            assert (await api.call("POST", f"/v1/authorizations/A-1/{path}", body)).status_code == 403
        assert api.log.records == []

    run(scenario())


def test_new_holds_are_shed_before_those_who_already_hold_credit() -> None:
    async def scenario() -> None:
        api = Api(lambda fact: None, limits=Limits(in_flight=5))
        waiting = [
            asyncio.create_task(api.call("POST", "/v1/authorizations", authorization(answer_within_ms=10_000)))
            for _ in range(4)
        ]
        await asyncio.sleep(0)
        while len(api.log.records) < 4:
            await asyncio.sleep(0)
        shed = await api.call("POST", "/v1/authorizations", authorization())
        assert (shed.status_code, shed.json()["code"], shed.headers["retry-after"]) == (503, "OVERLOADED", "1")
        api.log.lane = lambda fact: (200, {"state": "released"})
        assert (await api.call("POST", "/v1/authorizations/A-1/release", MORE)).status_code == 200
        api.app._shedding = Shedding(Limits(in_flight=4))
        for method, path, status in (
            ("POST", "/v1/bank-notices", 503),
            ("GET", "/livez", 200),
            ("GET", "/metrics", 200),
        ):
            assert (await api.call(method, path, token=None)).status_code == status
        api.replies.stop_waiting()
        assert [task.json()["decision"] for task in await asyncio.gather(*waiting)] == ["fallback"] * 4

    run(scenario())
