"""What agents ask before money leaves: open orders, live shards and pauses, from one Redis and from a cluster."""

import asyncio
import time
from types import SimpleNamespace

import orjson
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.state_codec import pack, unpack_credit
from connectors.store import KEY_PREFIX, PULSE_CHANNEL, Store
from connectors.topology import partition_of, tags
from risk.credit import Credit
from risk.ordered import FundingState, Item, Order
from streams.liveness import Liveness
from streams.open_orders import open_orders
from streams.orders import (
    PAUSES_KEY,
    Pause,
    PauseBoard,
    change_pauses,
    read_pauses,
    run_pause,
    run_resume,
    write_pause,
)

PARTITIONS = 4


@pytest.fixture(params=["single", pytest.param("cluster", marks=pytest.mark.cluster)])
def store(request):
    """A store on one Redis 6.2, and one on a cluster."""
    server = request.getfixturevalue("redis_62" if request.param == "single" else "redis_cluster")
    opened = Store(server.url)
    yield opened
    opened.close()


def credit(*states: FundingState) -> bytes:
    orders = [
        Order(
            order_id=f"or_{number}",
            kind="debit",
            bundle="M1",
            agreement_no="AG1",
            bank_code="ICBC",
            fixmedins_code="H1",
            mdtrt_id="M1",
            items=(Item("S1", 1_000, 0), Item("S2", 500, 500)),
            original_order_id="",
            attempt=2,
            state=state,
            first_ms=1_767_312_000_000,
            due_ms=1_767_484_800_000,
        )
        for number, state in enumerate(states)
    ]
    return pack(Credit(orders=tuple(orders)))


def put(store: Store, psn_no: str, value: bytes) -> int:
    """The record, and the mark in its shard's index that the same commit writes."""
    shard = partition_of(psn_no, PARTITIONS)
    key = f"{KEY_PREFIX}{tags('p', PARTITIONS)[shard]}"
    store.client.set(f"{key}:c:{psn_no}", value)
    if any(order.in_flight for order in unpack_credit(value).orders):
        store.client.hset(f"{key}:orders", psn_no, "1")
    return shard


def collected(walk) -> list[tuple[str, str]]:
    async def run():
        return [(psn_no, body["order_id"]) async for psn_no, body in walk()]

    return sorted(asyncio.run(run()))


def test_only_orders_without_a_final_word_are_open(store):
    put(
        store, "p1_a", credit(FundingState.SUBMITTED, FundingState.SETTLED, FundingState.UNKNOWN, FundingState.REJECTED)
    )
    put(store, "p1_b", credit(FundingState.SETTLED))
    put(store, "p1_c", credit(FundingState.SUBMITTED))
    walk = open_orders(store, PARTITIONS, lambda: range(PARTITIONS))
    assert collected(walk) == [("p1_a", "or_0"), ("p1_a", "or_2"), ("p1_c", "or_0")]


def test_only_the_shards_asked_for_are_walked(store):
    people = [f"p1_{number}" for number in range(40)]
    shards = {psn_no: put(store, psn_no, credit(FundingState.SUBMITTED)) for psn_no in people}
    walk = open_orders(store, PARTITIONS, lambda: [2])
    assert {psn_no for psn_no, _ in collected(walk)} == {psn_no for psn_no, shard in shards.items() if shard == 2}


def test_an_open_order_asks_for_what_has_not_moved(store):
    put(store, "p1_a", credit(FundingState.SUBMITTED))

    async def first():
        return [body async for _, body in open_orders(store, PARTITIONS, lambda: range(PARTITIONS))()]

    (body,) = asyncio.run(first())
    assert (body["amount_fen"], body["attempt"], body["items"]) == (1_000, 2, [{"setl_id": "S1", "amount_fen": 1_000}])
    assert "p1_a" not in orjson.dumps(body).decode()


def pulse(partition: int, *, live: bool, family: str = "p", clock_ms: int = 0) -> bytes:
    return orjson.dumps({"shard": "p0", "family": family, "partition": partition, "live": live, "clock_ms": clock_ms})


def test_a_shard_is_live_as_long_as_its_lane_says_so():
    now_s = 0.0
    liveness = Liveness(None, clock=lambda: now_s)
    assert not liveness.is_live(1)
    liveness.hear(pulse(1, live=False))
    assert not liveness.is_live(1)
    liveness.hear(pulse(1, live=True, clock_ms=77))
    assert liveness.is_live(1)
    assert liveness.clock_ms(1) == 77
    now_s = 2.0
    assert not liveness.is_live(1)


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"{}", b'{"partition":"x","live":true,"family":"p"}'])
def test_a_pulse_that_cannot_be_read_makes_nothing_live(data):
    liveness = Liveness(None)
    liveness.hear(data)
    assert not liveness.is_live(0)


def test_pulses_are_heard_through_redis_and_shards_of_institutions_are_others(store):
    liveness = Liveness(store.client)
    liveness.start()
    try:
        deadline_s = time.monotonic() + 10
        while not liveness.is_live(3):
            assert time.monotonic() < deadline_s
            store.publish([(PULSE_CHANNEL, pulse(3, live=True)), (PULSE_CHANNEL, pulse(2, live=True, family="q"))])
            time.sleep(0.02)
        assert not liveness.is_live(2)
    finally:
        liveness.stop()


def pause(bank="", institution="", *, active=True, at_ms=1) -> Pause:
    return Pause(bank, institution, active, at_ms, "tester")


def board(store: Store) -> PauseBoard:
    made = PauseBoard(store.client)
    asyncio.run(made.refresh())
    return made


def test_a_pause_holds_back_its_bank_or_institution_and_nobody_else(store):
    store.client.delete(PAUSES_KEY)
    change_pauses(store.client, pause(bank="ICBC"))
    change_pauses(store.client, pause(institution="H9"))
    change_pauses(store.client, pause(bank="CCB", institution="H2"))
    seen = board(store)
    assert seen.is_paused("ICBC", "H1")
    assert seen.is_paused("BOC", "H9")
    assert seen.is_paused("CCB", "H2")
    assert not seen.is_paused("CCB", "H1")
    assert not seen.is_paused("BOC", "H1")


def test_resuming_everything_ends_every_pause(store):
    store.client.delete(PAUSES_KEY)
    for each in (pause(), pause(bank="ICBC"), pause(institution="H9")):
        change_pauses(store.client, each)
    change_pauses(store.client, pause(active=False))
    assert not any(each.active for each in read_pauses(store.client).values())


def test_a_pause_that_redis_forgot_is_written_again_by_who_remembers_it(store):
    store.client.delete(PAUSES_KEY)
    change_pauses(store.client, pause(bank="ICBC"))
    seen = board(store)
    store.client.delete(PAUSES_KEY)
    asyncio.run(seen.refresh())
    assert seen.is_paused("ICBC", "H1")
    assert board(store).is_paused("ICBC", "H1")


def test_a_pause_that_redis_fell_back_behind_is_written_again_by_who_remembers_it(store):
    store.client.delete(PAUSES_KEY)
    write_pause(store.client, pause(bank="ICBC", active=False))
    before = store.client.hgetall(PAUSES_KEY)
    change_pauses(store.client, pause(bank="ICBC", at_ms=2_000))
    seen = board(store)
    store.client.hset(PAUSES_KEY, mapping=before)  # a fail-over that lost the last write
    asyncio.run(seen.refresh())
    assert seen.is_paused("ICBC", "H1")
    assert board(store).is_paused("ICBC", "H1")


@pytest.mark.parametrize("scope", [{"bank": "ICBC"}, {}], ids=["of the scope", "of everything"])
def test_what_was_said_last_stands_although_its_clock_is_behind(store, scope):
    store.client.delete(PAUSES_KEY)
    change_pauses(store.client, pause(bank="ICBC", at_ms=2_000))
    seen = board(store)
    change_pauses(store.client, pause(**scope, active=False, at_ms=1_500))
    asyncio.run(seen.refresh())
    assert not seen.is_paused("ICBC", "H1")
    assert not board(store).is_paused("ICBC", "H1")


def test_who_cannot_read_the_pauses_lets_no_order_leave():
    nowhere = PauseBoard(redis.Redis(port=9, retry=Retry(NoBackoff(), 0)))
    asyncio.run(nowhere.refresh())
    assert nowhere.is_paused("ICBC", "H1")


def test_pauses_read_long_ago_hold_everything_back(store):
    store.client.delete(PAUSES_KEY)
    now_s = 0.0
    seen = PauseBoard(store.client, clock=lambda: now_s)
    asyncio.run(seen.refresh())
    assert not seen.is_paused("ICBC", "H1")
    now_s = 1.5
    assert seen.is_paused("ICBC", "H1")


def test_the_command_pauses_resumes_and_says_what_still_holds(redis_62, capsys):
    settings = SimpleNamespace(redis=redis_62.url)
    assert run_pause(settings, bank="ICBC", institution=None, as_json=False) == 0
    assert run_pause(settings, bank=None, institution=None, as_json=True) == 0
    paused = orjson.loads(capsys.readouterr().out.splitlines()[-1])["paused"]
    assert sorted((each["bank_code"], each["institution"]) for each in paused) == [("", ""), ("ICBC", "")]
    assert run_resume(settings, bank="ICBC", institution=None, as_json=False) == 1
    assert "wider pause" in capsys.readouterr().err
    assert run_resume(settings, bank=None, institution=None, as_json=False) == 0
    assert "nothing" in capsys.readouterr().out
