"""The bank's client against a bank that really listens, and fails on purpose."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import httpx
import pytest

from connectors.bank import BankAccess, BankAnswer, BankGateway, BankOrder
from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.circuit_breaker import CircuitBreaker
from connectors.errors import ConnectorError

T = TypeVar("T")
ORDER = BankOrder(
    order_id="or_1",
    kind="debit",
    attempt=1,
    agreement_no="AG1",
    bank_code="ICBC",
    payee_fixmedins_code="H43050100001",
    amount_fen=12_345,
)


@pytest.fixture
def bank() -> Iterator[BankSimulator]:
    with BankSimulator() as simulator:
        yield simulator


IMPATIENT_S = 1.0
"""How long a client waits where the bank is silent on purpose: long enough for the query that follows."""


def with_gateway(
    bank: BankSimulator, talk: Callable[[BankGateway], Awaitable[T]], *, timeout_s: float = 30.0, **settings: object
) -> T:
    """Run `talk` with a client of this bank."""

    async def run() -> T:
        access = BankAccess(url=bank.url, secret=str(settings.pop("secret", SIMULATOR_SECRET)))
        gateway = BankGateway({}, other_banks=access, timeout_s=timeout_s, **settings)  # type: ignore[arg-type]
        try:
            return await talk(gateway)
        finally:
            await gateway.close()

    return asyncio.run(run())


def test_a_bank_settles_an_order_and_names_its_reference(bank):
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert answer.booked_at is not None
    expected = BankAnswer(order_id="or_1", attempt=1, result="settled", amount_fen=12_345, bank_ref="sim-or_1-1")
    assert replace(answer, booked_at=None) == expected
    assert answer.is_final
    assert bank.book.moved_fen("or_1") == 12_345


def test_an_order_sent_twice_moves_money_once_and_is_answered_the_same(bank):
    async def twice(gateway):
        return [await gateway.submit(ORDER), await gateway.submit(ORDER)]

    first, second = with_gateway(bank, twice)
    assert first == second
    assert bank.book.moved_fen("or_1") == 12_345


def test_an_answer_that_never_came_is_asked_after_instead_of_sent_again(bank):
    bank.script("timeout_after_success", times=1)
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER), timeout_s=IMPATIENT_S)
    assert answer.result == "settled"
    assert [call.call for call in bank.book.calls] == ["submit", "query"]


def test_an_answer_later_than_the_time_out_is_asked_after(bank):
    bank.script("settle", times=1, delay_ms=3_000)
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER), timeout_s=IMPATIENT_S)
    assert answer.result == "unknown"  # when it was asked, the bank had not booked it yet
    assert bank.wait_for(lambda book: book.moved_fen("or_1") == 12_345)
    assert with_gateway(bank, lambda gateway: gateway.query(ORDER)).result == "settled"


def test_an_order_that_may_be_on_its_way_is_unknown_even_if_the_bank_has_not_seen_it(bank):
    bank.script("timeout_before", times=1)
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER), timeout_s=IMPATIENT_S)
    assert (answer.result, answer.amount_fen, answer.cause) == ("unknown", 0, "bank")
    assert with_gateway(bank, lambda gateway: gateway.query(ORDER)) is None


@pytest.mark.parametrize("behaviour", ["garbage", "down"])
def test_an_answer_nobody_can_read_is_asked_after(bank, behaviour):
    bank.script(behaviour, times=1)
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert answer.result == ("settled" if behaviour == "garbage" else "unknown")
    assert len(bank.book.submitted("or_1")) == 1


def test_a_hard_decline_keeps_the_banks_code_and_whose_cause_it_is(bank):
    bank.script("decline", code="ACCOUNT_CLOSED", cause="person")
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert (answer.result, answer.code, answer.cause) == ("rejected", "ACCOUNT_CLOSED", "person")


def test_a_partial_settlement_says_how_much(bank):
    bank.script("partial", amount_fen=10_000)
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert (answer.result, answer.amount_fen) == ("partial", 10_000)


def test_a_partial_settlement_of_more_than_was_ordered_is_no_answer(bank):
    bank.script("partial", amount_fen=99_999)
    with pytest.raises(ConnectorError) as failure:
        with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert not failure.value.retryable


@pytest.mark.parametrize("amount_fen", [-100, 10**16])
def test_an_amount_that_no_record_can_carry_is_no_answer_either(amount_fen):
    said = {"order_id": "or_1", "attempt": 1, "result": "rejected", "amount_fen": amount_fen}

    async def submit():
        gateway = BankGateway({"ICBC": BankAccess(url="http://bank", secret="s")})
        gateway._client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=said)))
        return await gateway.submit(ORDER)

    assert asyncio.run(submit()).result == "unknown"


def test_an_accepted_order_is_settled_when_asked_after(bank):
    bank.script("accept")

    async def submit_then_ask(gateway):
        return [await gateway.submit(ORDER), await gateway.query(ORDER)]

    accepted, settled = with_gateway(bank, submit_then_ask)
    assert not accepted.is_final
    assert (settled.result, settled.amount_fen) == ("settled", 12_345)


def test_a_cancel_of_a_settled_order_is_refused_by_the_banks_cause(bank):
    cancel = replace(ORDER, order_id="or_2", kind="cancel", original_order_id="or_1")

    async def settle_then_cancel(gateway):
        await gateway.submit(ORDER)
        return await gateway.submit(cancel)

    answer = with_gateway(bank, settle_then_cancel)
    assert (answer.result, answer.code, answer.cause) == ("rejected", "ALREADY_SETTLED", "bank")


def test_a_known_id_with_another_amount_changes_nothing(bank):
    async def change(gateway):
        await gateway.submit(ORDER)
        return await gateway.submit(replace(ORDER, amount_fen=1))

    with pytest.raises(ConnectorError) as failure:
        with_gateway(bank, change)
    assert not failure.value.retryable
    assert bank.book.moved_fen("or_1") == 12_345


def test_a_bank_that_is_not_there_raises_and_has_received_nothing():
    with BankSimulator() as bank:
        pass
    with pytest.raises(ConnectorError) as failure:
        with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert failure.value.retryable
    assert bank.book.calls == []


def test_a_bank_that_fails_five_times_is_left_alone_and_then_tried_again(bank):
    now_s = 0.0
    bank.script("down")

    async def insist(gateway):
        nonlocal now_s
        answers = [await gateway.submit(replace(ORDER, order_id=f"or_{number}")) for number in range(3)]
        assert [answer.result for answer in answers] == ["unknown"] * 3
        received = len(bank.book.calls)
        with pytest.raises(ConnectorError, match="left alone"):
            await gateway.submit(replace(ORDER, order_id="or_8"))
        assert gateway.is_resting("ICBC")
        assert len(bank.book.calls) == received
        bank.forget_scripts()
        now_s = 5.0
        return await gateway.submit(replace(ORDER, order_id="or_9"))

    breaker = partial(CircuitBreaker, failures_max=5, rest_s=5.0, clock=lambda: now_s)
    assert with_gateway(bank, insist, breaker=breaker).result == "settled"
    assert not bank.book.submitted("or_8")


def test_a_call_with_another_secret_is_refused_and_not_booked(bank):
    with pytest.raises(ConnectorError) as failure:
        with_gateway(bank, lambda gateway: gateway.submit(ORDER), secret="guessed")
    assert not failure.value.retryable
    assert bank.book.calls == []


def test_a_bank_without_an_address_is_an_error_of_the_settings():
    async def run():
        gateway = BankGateway({})
        try:
            await gateway.submit(ORDER)
        finally:
            await gateway.close()

    with pytest.raises(ConnectorError, match=r"no address in the settings: set XINMAI_BANK .*XINMAI_BANKS"):
        asyncio.run(run())


def test_what_the_record_knows_of_the_person_does_not_reach_the_bank():
    body = {
        **{name: getattr(ORDER, name) for name in ("order_id", "kind", "attempt", "agreement_no", "bank_code")},
        "payee_fixmedins_code": "H1",
        "amount_fen": 100,
        "psn_no": "p1_secret",
        "items": [{"setl_id": "S1", "amount_fen": 100}],
    }
    order = BankOrder.from_body(body)
    assert not hasattr(order, "psn_no")
    assert order.items[0].setl_id == "S1"
    with pytest.raises(ValueError, match="amount_fen"):
        BankOrder.from_body({**body, "amount_fen": "100"})


def test_a_script_can_be_given_and_the_book_read_over_http(bank):
    script = {"behaviour": "decline", "times": 1, "bank_code": "ICBC", "code": "MANDATE_CANCELLED"}
    assert httpx.post(f"{bank.url}/simulator/scripts", json=script).status_code == 200
    answer = with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    assert answer.code == "MANDATE_CANCELLED"
    calls = httpx.get(f"{bank.url}/simulator/book").json()["calls"]
    assert [(call["order_id"], call["answered"]) for call in calls] == [("or_1", "rejected")]


def test_a_double_answer_names_another_reference_for_the_same_deed(bank):
    bank.script("double_answer")

    async def twice(gateway):
        return [await gateway.submit(ORDER), await gateway.submit(ORDER)]

    first, second = with_gateway(bank, twice)
    assert first.bank_ref != second.bank_ref
    assert first.result == second.result == "settled"
    assert bank.book.moved_fen("or_1") == 12_345


def test_a_simulator_started_again_listens_on_its_port_and_remembers_its_book(bank):
    with_gateway(bank, lambda gateway: gateway.submit(ORDER))
    url = bank.url
    bank.stop()
    bank.start()
    assert bank.url == url
    assert with_gateway(bank, lambda gateway: gateway.query(ORDER)).result == "settled"
