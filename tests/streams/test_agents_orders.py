"""Orders on their way: asked once whatever happens, healed by the redrive, held back while the past is being folded."""

import asyncio
from collections.abc import Iterator

import pytest

from connectors.bank import BankAccess, BankGateway
from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.circuit_breaker import CircuitBreaker
from connectors.errors import ConnectorError
from risk.facts import BankOrderResult
from streams.order_submission import OrderSubmitter, Surroundings

PERSON = "p1_person"


@pytest.fixture
def bank() -> Iterator[BankSimulator]:
    with BankSimulator() as simulator:
        yield simulator


def order(number: int = 1, **over) -> dict:
    return {
        "order_id": f"or_{number}",
        "kind": "debit",
        "attempt": 1,
        "agreement_no": "AG1",
        "bank_code": "ICBC",
        "payee_fixmedins_code": "H1",
        "amount_fen": 10_000,
        "items": [{"setl_id": "S1", "amount_fen": 10_000}],
        "not_before": "2026-01-02T08:00:00.000+08:00",
        **over,
    }


class Engine:
    """The state beside the agents: open orders leave it when their final result is applied."""

    def __init__(self, *orders: dict):
        self.open = {body["order_id"]: body for body in orders}
        self.facts: list[BankOrderResult] = []
        self.counted: list[tuple[str, str]] = []
        self.live = True
        self.owned = True
        self.paused: set[str] = set()
        self.now_s = 0.0
        self.appends_fail = False
        self.unanswered_s: list[float] = []

    async def append(self, fact):
        if self.appends_fail:
            raise ConnectorError("kafka", "away", retryable=True)
        self.facts.append(fact)
        if fact.result in ("settled", "rejected", "cancelled", "partial"):
            self.open.pop(fact.order_id, None)

    async def open_orders(self):
        for body in list(self.open.values()):
            yield PERSON, body

    def submitter(self, gateway) -> OrderSubmitter:
        around = Surroundings(
            append=self.append,
            shard_of=lambda _: 0,
            is_live=lambda _: self.live,
            is_owned=lambda _: self.owned,
            is_paused=lambda bank_code, institution: bool({bank_code, institution} & self.paused),
            now_ms=lambda *_: 1_767_312_000_000,
            count=lambda kind, result: self.counted.append((kind, result)),
            unanswered=self.unanswered_s.append,
        )
        return OrderSubmitter(gateway, around, clock=lambda: self.now_s)

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(fact.order_id, fact.result) for fact in self.facts]


IMPATIENT_S = 1.0
"""How long a gateway waits where the bank is silent on purpose: long enough for the query that follows."""


def run(bank, engine, play, timeout_s=30.0):
    """`play(submitter, gateway)` against the real bank."""

    async def session():
        access = BankAccess(url=bank.url, secret=SIMULATOR_SECRET)
        breaker = lambda: CircuitBreaker(rest_s=1.0, clock=lambda: engine.now_s)  # noqa: E731 - a ten-line fake's clock
        gateway = BankGateway({}, other_banks=access, timeout_s=timeout_s, breaker=breaker)
        try:
            return await play(engine.submitter(gateway), gateway)
        finally:
            await gateway.close()

    return asyncio.run(session())


def test_a_new_order_is_submitted_and_its_result_is_a_fact_with_a_derived_id(bank):
    engine = Engine(order())
    assert run(bank, engine, lambda submitter, _: submitter.submit(PERSON, order(), is_new=True)) == "settled"
    (fact,) = engine.facts
    assert (fact.event_id, fact.psn_no, fact.source) == ("bank:or_1:1:settled", PERSON, "bank:ICBC")
    assert (fact.amount_fen, fact.bank_ref) == (10_000, "sim-or_1-1")
    assert engine.counted == [("debit", "settled")]
    assert [call.call for call in bank.book.calls] == ["submit"]


def test_a_message_that_the_agent_never_saw_is_healed_by_the_redrive(bank):
    engine = Engine(order(1), order(2, agreement_no="AG2"))

    async def skip_the_second(submitter, _):
        await submitter.submit(PERSON, order(1), is_new=True)
        return await submitter.redrive(engine.open_orders)

    assert run(bank, engine, skip_the_second) == 1
    assert engine.results == [("or_1", "settled"), ("or_2", "settled")]
    assert bank.book.moved_fen("or_2") == 10_000


def test_an_order_that_a_dead_worker_already_sent_is_asked_after_not_sent_again(bank):
    engine = Engine(order())

    async def die_before_the_append(submitter, _):
        engine.appends_fail = True
        assert await submitter.submit(PERSON, order(), is_new=True) == "not_appended"

    run(bank, engine, die_before_the_append)
    engine.appends_fail = False
    run(bank, engine, lambda submitter, _: submitter.redrive(engine.open_orders))
    assert engine.results == [("or_1", "settled")]
    assert [call.call for call in bank.book.calls] == ["submit", "query"]


def test_agent_and_redrive_at_once_ask_the_bank_once(bank):
    engine = Engine(order())
    bank.script("settle", delay_ms=100)

    async def both(submitter, _):
        agent = asyncio.create_task(submitter.submit(PERSON, order(), is_new=True))
        await asyncio.sleep(0.02)
        redrives = [submitter.redrive(engine.open_orders) for _ in range(3)]
        await asyncio.gather(agent, *redrives)

    run(bank, engine, both)
    assert len(bank.book.calls) == 1
    assert engine.results == [("or_1", "settled")]


def test_a_record_delivered_twice_asks_the_bank_once(bank):
    engine = Engine(order())

    async def twice(submitter, _):
        return [await submitter.submit(PERSON, order(), is_new=True) for _ in range(2)]

    assert run(bank, engine, twice) == ["settled", "answered"]
    assert len(bank.book.calls) == 1


def test_while_a_shard_folds_the_past_nothing_leaves(bank):
    engine = Engine(*(order(number) for number in range(5)))
    engine.live = False

    async def everything(submitter, _):
        waits = await submitter.submit(PERSON, order(), is_new=True)
        return waits, await submitter.redrive(engine.open_orders)

    assert run(bank, engine, everything) == ("not_live", 0)
    assert bank.book.calls == []


def test_a_year_of_settled_orders_behind_a_flush_reaches_no_bank(bank):
    engine = Engine()  # rebuilt: every order of the past has its result, so none is open
    assert run(bank, engine, lambda submitter, _: submitter.redrive(engine.open_orders)) == 0
    assert bank.book.calls == []


def test_orders_of_a_shard_that_another_worker_owns_are_left_to_it(bank):
    engine = Engine(order())
    engine.owned = False
    run(bank, engine, lambda submitter, _: submitter.redrive(engine.open_orders))
    assert bank.book.calls == []


def test_a_bank_that_is_down_receives_its_orders_when_it_is_back(bank):
    engine = Engine(order(1), order(2, agreement_no="AG2"))
    bank.stop()

    async def outlast(submitter, _):
        waits = await submitter.submit(PERSON, order(1), is_new=True)
        for _ in range(10):
            engine.now_s += 1
            await submitter.redrive(engine.open_orders)
        bank.start()
        for _ in range(20):
            engine.now_s += 1
            await submitter.redrive(engine.open_orders)
        return waits

    assert run(bank, engine, outlast) == "not_reached"
    assert sorted(engine.results) == [("or_1", "settled"), ("or_2", "settled")]
    assert [bank.book.moved_fen(f"or_{number}") for number in (1, 2)] == [10_000, 10_000]


def test_an_unknown_answer_is_told_once_and_then_asked_after_until_known(bank):
    engine = Engine(order())
    bank.script("timeout_before", times=2)

    async def insist(submitter, _):
        await submitter.submit(PERSON, order(), is_new=True)
        for _ in range(40):
            engine.now_s += 1
            await submitter.redrive(engine.open_orders)

    run(bank, engine, insist, IMPATIENT_S)
    assert engine.results == [("or_1", "unknown"), ("or_1", "settled")]
    assert bank.book.moved_fen("or_1") == 10_000


def test_it_is_said_for_how_long_the_oldest_order_has_had_no_clear_answer(bank):
    engine = Engine(order(1), order(2, agreement_no="AG2", bank_code="CCB"))
    bank.script("timeout_before", times=5)
    bank.script("accept", times=1)

    async def follow(submitter, _):
        for _ in range(3):
            await submitter.redrive(engine.open_orders)
            engine.now_s += 100
        engine.paused = {"ICBC", "CCB"}
        await submitter.redrive(engine.open_orders)
        engine.paused = set()
        for _ in range(5):
            engine.now_s += 100
            await submitter.redrive(engine.open_orders)

    run(bank, engine, follow, IMPATIENT_S)
    assert engine.unanswered_s[:4] == [0.0, 100.0, 200.0, 0.0]
    assert (engine.open, engine.unanswered_s[-1]) == ({}, 0.0)


def test_an_order_that_its_bank_has_taken_in_is_no_unclear_one(bank):
    engine = Engine(order())
    bank.script("accept", times=1)

    async def follow(submitter, _):
        for _ in range(2):
            await submitter.redrive(engine.open_orders)
            engine.now_s += 1

    run(bank, engine, follow)
    assert set(engine.unanswered_s) == {0.0}


def test_a_bank_that_took_an_order_in_and_then_falls_silent_is_unclear_too(bank):
    engine = Engine(order())
    bank.script("accept", times=1)

    async def follow(submitter, _):
        await submitter.redrive(engine.open_orders)
        bank.script("down")
        for _ in range(3):
            engine.now_s += 100
            await submitter.redrive(engine.open_orders)

    run(bank, engine, follow, IMPATIENT_S)
    assert engine.unanswered_s == [0.0, 0.0, 100.0, 200.0]


def test_a_time_out_after_success_is_settled_without_a_second_submission(bank):
    engine = Engine(order())
    bank.script("timeout_after_success", times=1)
    run(bank, engine, lambda submitter, _: submitter.submit(PERSON, order(), is_new=True), IMPATIENT_S)
    assert engine.results == [("or_1", "settled")]
    assert len(bank.book.submitted("or_1")) == 1


def test_an_accepted_order_is_asked_after_until_it_is_settled_and_does_not_hold_back_the_next(bank):
    engine = Engine(order(1), order(2))
    bank.script("accept", times=1)

    async def follow(submitter, _):
        results = [await submitter.submit(PERSON, order(number), is_new=True) for number in (1, 2)]
        for _ in range(20):
            engine.now_s += 1
            await submitter.redrive(engine.open_orders)
        return results

    assert run(bank, engine, follow) == ["accepted", "settled"]
    assert engine.results == [("or_1", "accepted"), ("or_2", "settled"), ("or_1", "settled")]


def test_a_cancel_never_overtakes_the_order_it_cancels(bank):
    cancel = order(2, kind="cancel", original_order_id="or_1")
    engine = Engine(order(1), cancel)
    bank.script("timeout_before", times=1)

    async def cancel_at_once(submitter, _):
        waits = [await submitter.submit(PERSON, body, is_new=True) for body in (order(1), cancel)]
        for _ in range(40):
            engine.now_s += 1
            await submitter.redrive(engine.open_orders)
        return waits

    assert run(bank, engine, cancel_at_once, IMPATIENT_S) == ["unknown", "behind"]
    assert [call.order_id for call in bank.book.calls if call.call == "submit"] == ["or_1", "or_1", "or_2"]
    assert engine.results[-1] == ("or_2", "rejected")  # ALREADY_SETTLED


def test_two_orders_of_one_agreement_go_one_after_the_other(bank):
    bank.script("settle", delay_ms=60)
    engine = Engine(order(1), order(2))

    async def at_once(submitter, _):
        await asyncio.gather(*(submitter.submit(PERSON, order(number), is_new=True) for number in (1, 2)))

    run(bank, engine, at_once)
    first, second = (bank.book.submitted(f"or_{number}")[0].at_ms for number in (1, 2))
    assert second - first >= 50


def test_a_paused_bank_receives_nothing_until_it_is_resumed(bank):
    engine = Engine(order(1), order(2, agreement_no="AG2", bank_code="CCB"))
    engine.paused = {"ICBC"}

    async def pause_and_resume(submitter, _):
        await submitter.redrive(engine.open_orders)
        while_paused = list(engine.results)
        engine.paused = set()
        await submitter.redrive(engine.open_orders)
        return while_paused

    assert run(bank, engine, pause_and_resume) == [("or_2", "settled")]
    assert engine.results == [("or_2", "settled"), ("or_1", "settled")]
    assert ("debit", "paused") in engine.counted


def test_a_resumed_order_is_noticed_without_waiting_for_the_next_round(bank):
    engine = Engine(order(1))
    engine.paused = {"ICBC"}

    async def pause_and_resume(submitter, _):
        await submitter.redrive(engine.open_orders)
        said = [submitter.is_released]
        engine.paused = set()
        said.append(submitter.is_released)
        await submitter.redrive(engine.open_orders)
        return [*said, submitter.is_released]

    assert run(bank, engine, pause_and_resume) == [False, True, False]


def test_an_answer_that_the_state_never_took_is_asked_after_again_a_minute_later(bank):
    engine = Engine(order())

    async def lose_the_answer(submitter, _):
        await submitter.submit(PERSON, order(), is_new=True)
        engine.open["or_1"] = order()
        await submitter.redrive(engine.open_orders)
        told_at_once = len(engine.facts)
        engine.now_s += 61
        await submitter.redrive(engine.open_orders)
        return told_at_once

    assert run(bank, engine, lose_the_answer) == 1
    assert [fact.event_id for fact in engine.facts] == ["bank:or_1:1:settled"] * 2
    assert len(bank.book.submitted("or_1")) == 1


def test_a_second_attempt_is_another_order_to_the_bank(bank):
    engine = Engine(order())
    bank.script("decline", times=1)

    async def attempts(submitter, _):
        first = await submitter.submit(PERSON, order(), is_new=True)
        return first, await submitter.submit(PERSON, order(attempt=2), is_new=True)

    assert run(bank, engine, attempts) == ("rejected", "settled")
    assert [fact.cause for fact in engine.facts] == ["person", None]


def test_a_record_that_is_no_order_calls_no_bank(bank):
    engine = Engine()
    broken = order(amount_fen="10000")
    assert run(bank, engine, lambda submitter, _: submitter.submit(PERSON, broken, is_new=True)) == "malformed"
    assert bank.book.calls == []
