"""A capture that waits for its bank over HTTP, a real lane between: the answer says where the money is (SY-17)."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson

from connectors.codec import encode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.kafka import producer
from connectors.log_reader import log_end, read_log
from connectors.topology import Topics, partition_of
from risk.facts import BankOrderResult
from risk.local_time import to_datetime
from tests.connectors.http.fakes import HOSPITAL, authorization
from tests.streams.test_api_killed import PSN_NO, Engine, api, until

AMOUNT_FEN = 12_000


class Bank:
    """Reads the orders and answers when it is told to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._producer = producer(engine.kafka.bootstrap)

    def orders(self) -> list[dict[str, Any]]:
        topic, kafka = self._engine.topics.withholding, self._engine.kafka.bootstrap
        return [
            orjson.loads(value)
            for number in range(4)
            for batch in read_log(kafka, topic, number, log_end(kafka, topic, number))
            for _, _, value in batch
        ]

    def answer(self, order: dict[str, Any], result: str) -> None:
        fact = BankOrderResult(
            event_id=f"bank:{order['order_id']}:{result}",
            occurred_at=to_datetime(time.time_ns() // 1_000_000),
            psn_no=PSN_NO,
            source=f"bank:{order['bank_code']}",
            order_id=order["order_id"],
            attempt=order["attempt"],
            result=result,
            amount_fen=order["amount_fen"] if result == "settled" else 0,
            cause="person" if result == "rejected" else None,
        )
        self._producer.produce(self._engine.topics.events, encode_fact(fact), PSN_NO, partition=partition_of(PSN_NO, 4))
        self._producer.flush(10)


def held(client: httpx.Client, name: str) -> None:
    body = authorization(
        authorization_id=name, mdtrt_id=f"M-{name}", psn_no=PSN_NO, amount_fen=AMOUNT_FEN, answer_within_ms=10_000
    )
    assert client.post("/v1/authorizations", json=body).json()["decision"] == "approve"


def capture(client: httpx.Client, name: str, **over: Any) -> httpx.Response:
    body = {"request_id": "C1", "psn_no": PSN_NO, "fixmedins_code": HOSPITAL, "setl_id": f"S-{name}"}
    body |= {"psn_cash_pay_fen": AMOUNT_FEN, **over}
    return client.post(f"/v1/authorizations/{name}/capture", json=body)


def test_a_capture_waits_for_its_bank_as_long_as_it_was_told_and_no_longer(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    with (
        Engine(mock_kafka, redis_62, topics) as engine,
        api(engine, tmp_path) as (_, client),
        ThreadPoolExecutor(1) as counter,
    ):
        until(engine.has_caught_up)
        bank = Bank(engine)
        for number, result in enumerate(("settled", "rejected")):
            held(client, result)
            waiting = counter.submit(capture, client, result, wait_ms=3_000)
            until(lambda number=number: len(bank.orders()) == number + 1)
            bank.answer(order_for(bank, f"S-{result}"), result)
            answer = waiting.result(20).json()
            assert answer["funding_state"] == result, answer
            money = (answer["captured_fen"], answer["top_up_fen"])
            assert money == ((AMOUNT_FEN, 0) if result == "settled" else (0, AMOUNT_FEN)), "refused: to be topped up"
            assert answer["order_id"]

        held(client, "silent")
        begun_s = time.monotonic()
        answer = capture(client, "silent", wait_ms=300).json()
        assert 0.3 <= time.monotonic() - begun_s < 3.0
        assert answer["funding_state"] == "submitted"
        at_once = capture(client, "silent").json()  # the same request_id: booked once
        assert (at_once["funding_state"], at_once["order_id"]) == ("submitted", answer["order_id"])
        assert len(bank.orders()) == 3

        for wait_ms in (3_001, -1, "300", 0.5, None):
            refused = capture(client, "silent", wait_ms=wait_ms)
            assert (refused.status_code, refused.json()["field"]) == (400, "wait_ms")


def order_for(bank: Bank, setl_id: str) -> dict[str, Any]:
    """The order for this settlement."""
    return next(order for order in bank.orders() if order["items"][0]["setl_id"] == setl_id)
