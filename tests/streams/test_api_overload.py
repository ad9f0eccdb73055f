"""More comes than a standing lane can answer: who is turned away over real HTTP, and how they come back."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from connectors.embedded import MockKafka, RedisServer
from connectors.http.shedding import Limits
from connectors.topology import Topics
from tests.connectors.http.fakes import HOSPITAL, authorization
from tests.streams.test_api import ApprovingLane, serve

PERSON = "43050000000000000001"
LIMITS = Limits(waiting_min=20, waits_ms=(300, 2_500, 60_000, 60_000))
CALLERS = 24


async def hold(client: httpx.AsyncClient, number: int) -> httpx.Response:
    body = authorization(authorization_id=f"A{number}", psn_no=PERSON, answer_within_ms=10_000)
    return await client.post("/v1/authorizations", json=body)


async def patient_hold(client: httpx.AsyncClient, number: int, seen: Counter[str]) -> str:
    """Ask until it is answered, each time as late as it was told to."""
    while True:
        answer = await hold(client, number)
        if answer.status_code == 200:
            return str(answer.json()["decision"])
        assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
        seen[answer.headers["retry-after"]] += 1
        await asyncio.sleep(int(answer.headers["retry-after"]))


def test_under_a_standing_lane_new_holds_go_first_and_captures_are_appended_still(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics
) -> None:
    #  0 s     the lane stands; 24 ask and wait
    #  0.6 s   their wait is over the mark of new holds, not of increases
    #  2.7 s   and of increases, not of captures
    #  then    the lane goes on: who waits is answered, who was turned away comes when he was told
    more = {"psn_no": PERSON, "fixmedins_code": HOSPITAL}

    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        def post(action: str, **body: Any) -> Any:
            return client.post(f"/v1/authorizations/A0/{action}", json={**more, **body})

        assert (await hold(client, 99)).json()["decision"] == "approve"
        lane.stalled.set()
        waiting = [asyncio.create_task(hold(client, number)) for number in range(CALLERS)]
        await asyncio.sleep(0.6)
        shed = await hold(client, 100)
        assert (shed.status_code, shed.json()["code"]) == (503, "OVERLOADED")
        assert shed.headers["retry-after"] in ("1", "2")
        increased = asyncio.create_task(post("increase", request_id="R1", amount_fen=1, answer_within_ms=10_000))
        await asyncio.sleep(2.1)
        assert (await post("increase", request_id="R2", amount_fen=1, answer_within_ms=9_000)).json()[
            "code"
        ] == "OVERLOADED"
        captured = asyncio.create_task(post("capture", request_id="R3", setl_id="S1", psn_cash_pay_fen=1))
        seen: Counter[str] = Counter()
        patient = [asyncio.create_task(patient_hold(client, 200 + number, seen)) for number in range(4)]
        await asyncio.sleep(0.2)
        lane.stalled.clear()
        assert {answer.json()["decision"] for answer in await asyncio.gather(*waiting)} == {"approve"}
        assert set(await asyncio.gather(*patient)) == {"approve"}
        assert sum(seen.values()) >= 4
        assert {int(told) for told in seen} <= set(range(1, 8))
        assert (await captured).json()["code"] == "LATE"
        assert (await increased).status_code == 200
        appended = [fact.event_id.split(":", 2)[2] for fact in lane.facts]
        assert {"A0:R1", "A0:R3"} <= set(appended)
        assert not {"A100", "A0:R2"} & set(appended)
        assert len(appended) == len(set(appended)) == 1 + CALLERS + 2 + 4  # each once, however often it knocked
        text = (await client.get("/metrics")).text
        assert 'xinmai_http_shed_total{cause="shard",kind="hold"}' in text
        assert 'xinmai_http_shed_total{cause="shard",kind="increase"} 1.0' in text
        assert "xinmai_http_in_flight 1.0" in text

    serve(mock_kafka, redis_62, topics, scenario, limits=LIMITS)
