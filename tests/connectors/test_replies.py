"""What the API hears over Redis: answers find their attempt, pulses their shard; a broken line is seen and mended."""

import asyncio

import orjson
import pytest
import uvloop
from redis import Redis

from connectors.embedded import RedisServer
from connectors.redis_address import addresses_of
from connectors.replies import LaneReply, Pulse, Pulses, Replies, listen
from connectors.store import PULSE_CHANNEL, reply_channel


async def until(condition: object, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


def reply(attempt: str) -> dict[str, object]:
    return {"attempt": attempt, "status": 200, "body": {"attempt": attempt}}


def test_answers_and_pulses_are_heard_over_a_real_redis(redis_url: str) -> None:
    async def scenario() -> None:
        replies = Replies()
        task = asyncio.create_task(listen(redis_url, "api1", replies, print))
        await until(lambda: replies.is_subscribed)
        one, two, three = (replies.expect(attempt) for attempt in ("1", "2", "3"))
        with Redis.from_url(redis_url) as redis:
            redis.publish(reply_channel("api1"), orjson.dumps(reply("2")))
            redis.publish(reply_channel("api2"), orjson.dumps(reply("1")))
            redis.publish(reply_channel("api1"), b"no json")
            redis.publish(reply_channel("api1"), orjson.dumps([reply("3"), reply("nobody")]))
            pulse = {"shard": "p3", "family": "p", "partition": 3, "offset": 9, "record_ms": 1, "at_ms": 2, "lag": 0}
            redis.publish(PULSE_CHANNEL, orjson.dumps(pulse | {"live": True, "later": 1}))
            redis.publish(PULSE_CHANNEL, orjson.dumps(pulse | {"shard": "q1", "family": "q", "partition": 1}))
        async with asyncio.timeout(60):
            answer = await two
            await three
        assert isinstance(answer, LaneReply)
        assert bytes(answer.body) == b'{"attempt":"2"}'
        assert not one.done()
        await until(lambda: replies.pulses.shards)
        assert list(replies.pulses.shards) == [3]
        task.cancel()

    uvloop.run(scenario())  # the loop that the API runs on


def test_a_redis_that_restarts_is_heard_again_and_no_shard_counts_as_alive_meanwhile() -> None:
    async def scenario(server: RedisServer) -> None:
        replies = Replies()
        task = asyncio.create_task(listen(server.url, "api1", replies, print))
        await until(lambda: replies.is_subscribed)
        replies.pulses.note(Pulse("p0", 1, 1, 1, 0), asyncio.get_running_loop().time())
        server.kill9()
        await until(lambda: not replies.is_subscribed)
        assert replies.pulses.shards == {}
        server.start()
        await until(lambda: replies.is_subscribed)
        task.cancel()

    with RedisServer("6.2") as server:  # its own: whoever shares one keeps connections to it
        uvloop.run(scenario(server))


def test_a_pulse_older_than_a_second_is_no_life() -> None:
    pulses = Pulses()
    pulses.note(Pulse("p2b", 5, 1_000, 1_000, 0), 10.0)
    assert pulses.is_live(2, 10.9)
    assert not pulses.is_live(2, 11.1)
    assert not pulses.is_live(3, 10.0)


def test_a_shard_that_catches_up_is_not_asked() -> None:
    pulses = Pulses()
    pulses.note(Pulse("p0", 5, 1_000, 1_000, 0, live=False), 10.0)
    assert not pulses.is_live(0, 10.0)


def test_the_age_of_what_waits_counts_from_when_nothing_waited() -> None:
    #  now_s     100      100.1     100.2
    #  lag        0         2         2        the record applied last is an hour old in both
    pulses = Pulses()
    pulses.note(Pulse("p0", 5, 0, 3_600_000, 0), 100.0)
    assert pulses.record_age_s(0, 100.0) == 0
    pulses.note(Pulse("p0", 5, 0, 3_600_100, 2), 100.1)
    assert pulses.record_age_s(0, 100.2) == pytest.approx(0.2)
    pulses.note(Pulse("p0", 6, 3_600_050, 3_600_200, 2), 100.2)
    assert pulses.record_age_s(0, 100.2) == pytest.approx(0.15)


def test_a_backlog_that_came_all_at_once_is_as_long_as_its_lane_needs_for_it() -> None:
    #  at_ms     0        100      200      300
    #  offset    5        5        505      1105      5,000 then 6,000 records a second
    #  lag       0        9,000    8,500    7,900     the record applied last is young in all of them
    pulses = Pulses()
    pulses.note(Pulse("p0", 5, 0, 0, 0), 10.0)
    pulses.note(Pulse("p0", 5, 90, 100, 9_000), 10.1)
    assert pulses.record_age_s(0, 10.1) == pytest.approx(0.01)
    pulses.note(Pulse("p0", 505, 95, 200, 8_500), 10.2)
    assert pulses.record_age_s(0, 10.2) == pytest.approx(8_500 / 5_000)
    pulses.note(Pulse("p0", 1_105, 98, 300, 7_900), 10.3)
    assert pulses.record_age_s(0, 10.3) == pytest.approx(7_900 / 5_125)
    pulses.note(Pulse("p0", 9_000, 390, 400, 5), 10.4)
    assert pulses.record_age_s(0, 10.4) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:7000/0", [("127.0.0.1", 7000, ())]),
        ("redis+cluster://a:1,b:2", [("a", 1, ()), ("b", 2, ())]),
        ("redis://:secret@h:1", [("h", 1, (("AUTH", "secret"),))]),
        ("redis://me:secret@h:1", [("h", 1, (("AUTH", "me", "secret"),))]),
        ("me:secret@h:1, i:2", [("h", 1, (("AUTH", "me", "secret"),)), ("i", 2, (("AUTH", "me", "secret"),))]),
        ("redis+cluster://:a@h:1,redis://:b@i:2", [("h", 1, (("AUTH", "a"),)), ("i", 2, (("AUTH", "b"),))]),
    ],
)
def test_addresses_name_every_node_and_how_to_greet_it(url: str, expected: object) -> None:
    assert [(each.host, each.port, each.greeting) for each in addresses_of(url)] == expected
