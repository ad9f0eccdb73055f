"""Alerts on a broker on their way to people: suppressed, grouped, flooded, and a worker that dies in between."""

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from types import SimpleNamespace

import msgspec
import orjson
import pytest
from confluent_kafka import TopicPartition

from connectors.append import Record, append_all
from connectors.errors import ConnectorError
from connectors.handling import ActReader, act_record, encode_act
from connectors.kafka import consumer, create_topics
from risk.handling import (
    LOOK_FURTHER_MS,
    Act,
    AlertAcknowledged,
    AlertEscalated,
    AlertJudged,
    AlertSuppressed,
    AlertUnsuppressed,
    NoticePrepared,
    SuppressionSummarised,
)
from risk.local_time import HOUR_MS, MINUTE_MS, to_datetime
from streams.alert_desk import AlertDesk
from streams.alert_history import AlertHistory
from streams.alert_outbox import Pacing
from streams.alert_redrive import AlertRedrive
from streams.alert_routes import AlertRouter, Heard, Route
from streams.app import Parts, build_app
from streams.handling_board import PATIENCE_S, STALE_S, HandlingBoard, read_acts, reading_client
from tests.pens import pen

PARTITIONS = 4


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def alert(number: int, **over) -> dict:
    body = {"alert_id": f"al_{number}", "rule_id": "P01", "level": 1, "kind": "suspicion", "sev_deg": 3}
    subject = {"subject_kind": "person", "subject_id": f"p1_{number}", "fixmedins_code": f"H{number}"}
    return {**body, **subject, "episode": "opened", **over}


def suppression(**over) -> AlertSuppressed:
    at = to_datetime(now_ms())
    scope = over or {"rule_id": "P01"}
    return AlertSuppressed(
        at=at, by="li", suppression_id="su_1", until=at + timedelta(hours=1), reason="known", **scope
    )


class Target:
    """Remembers each message: its cause and members. Deaf when told to be."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: list[tuple[str | None, list[str]]] = []
        self.notices: list[str] = []
        self.is_deaf = False

    async def tell(self, alerts, notice=None) -> None:
        if self.is_deaf:
            raise ConnectorError(self.name, "deaf", retryable=True)
        self.messages.append((notice and notice.cause, [each["alert_id"] for each in alerts]))
        self.notices += [notice.notice_id] if notice else []

    async def close(self) -> None:
        pass

    @property
    def told(self) -> list[str]:
        return sorted(member for _, members in self.messages for member in members)


class World:
    """One broker, and workers one after the other; `chat` is paced, `list` is told at once."""

    def __init__(self, kafka, topics) -> None:
        self.kafka, self.topics = kafka, topics
        self.pen = pen(kafka.bootstrap)
        self.chat, self.boss, self.list = Target("chat"), Target("boss"), Target("list")
        self.counted: dict[tuple[str, str], int] = {}
        self.began_ms, self.later_ms = now_ms(), 0
        self.aged_s = 5.0  # how much older alerts look to the redrive than they are
        create_topics(kafka.bootstrap, topics, partitions=PARTITIONS)

    def warn(self, *alerts: dict) -> None:
        append_all(self.pen, [Record(self.topics.alerts, each["subject_id"], orjson.dumps(each)) for each in alerts])

    def act(self, act: Act) -> None:
        append_all(self.pen, [act_record(self.topics.handling, act)], timeout_s=10)

    async def append(self, act: Act) -> None:
        await asyncio.to_thread(self.act, act)

    def acts(self, kind: type[Act]) -> list[Act]:
        return [act for act in read_acts(self.kafka.bootstrap, self.topics) if isinstance(act, kind)]

    def count(self, target: str, result: str, alerts: int) -> None:
        self.counted[target, result] = self.counted.get((target, result), 0) + alerts

    def is_marked_delivered(self) -> bool:
        reader = consumer(self.kafka.bootstrap, f"{self.topics.alerts}-delivered")
        try:
            places = [TopicPartition(self.topics.alerts, each) for each in range(PARTITIONS)]
            marks = [max(0, mark.offset) for mark in reader.committed(places, timeout=10)]
            return marks == [reader.get_watermark_offsets(place, timeout=10)[1] for place in places]
        finally:
            reader.close()

    @contextmanager
    def parts(self, pacing: Pacing):
        """What a worker works with, its memory empty; outboxes and desk live `later_ms` in the future."""

        def connect():
            return reading_client(self.kafka.bootstrap)

        def clock() -> int:
            return self.began_ms + self.later_ms  # a pace counts by minutes, and a wall clock may turn one at any line

        board = HandlingBoard(ActReader(connect, self.topics.handling), self.append)
        chats = [Route(self.chat, pacing=pacing), Route(self.boss, severity_min=5, pacing=pacing)]
        routes = [Route(self.list), *chats]
        router = AlertRouter(routes, self.count, board=board, now_ms=clock)
        redrive = AlertRedrive(
            self.kafka.bootstrap, self.topics.alerts, router, clock=lambda: time.time() + self.aged_s
        )
        desk = AlertDesk(AlertHistory(connect, self.topics.alerts), board, router, clock)
        idle = SimpleNamespace(is_released=False, redrive=nothing)
        try:
            yield Parts(submitter=idle, open_orders=None, router=router, alert_redrive=redrive, board=board, desk=desk)
        finally:
            redrive.close()
            board.close()

    @asynccontextmanager
    async def worker(self):
        """The agents as Faust runs them."""
        with self.parts(AT_ONCE) as parts:
            app = build_app(self.kafka.bootstrap, self.topics, parts)
            await app.start()
            try:
                await self.until(lambda: len(app.consumer.assignment()) == 2 * PARTITIONS)
                yield
            finally:
                await app.stop()

    def work(self, pacing: Pacing, *, turns: int = 1, minutes_between: int = 0) -> None:
        """A worker that lives for some turns of its loops and then dies, with all that it had in memory."""

        async def scene(parts: Parts) -> None:
            for turn in range(turns):
                self.later_ms += minutes_between * MINUTE_MS if turn else 0
                await parts.board.refresh()
                await parts.alert_redrive.run_once(frozenset(range(PARTITIONS)))
                await parts.router.flush()
                await parts.desk.run_once()

        with self.parts(pacing) as parts:
            asyncio.run(scene(parts))

    async def until(self, condition, wait_s: float = 40.0) -> None:
        deadline_s = time.monotonic() + wait_s
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < deadline_s, (self.chat.messages, self.list.messages, self.counted)
            await asyncio.sleep(0.05)


async def nothing(*_) -> None:
    pass


@pytest.fixture
def world(mock_kafka, topics) -> World:
    return World(mock_kafka, topics)


AT_ONCE = Pacing(group_wait_ms=0, messages_per_minute=1_000)


def test_what_comes_under_a_suppression_wakes_nobody_and_stands_in_the_summary_when_it_ends(world, monkeypatch):
    for name in ("ALERT_DESK_S", "ALERT_REDRIVE_S", "ALERT_FLUSH_S"):
        monkeypatch.setattr(f"streams.agents.{name}", 0.2)

    async def scene():
        world.act(suppression())
        async with world.worker():
            world.warn(alert(1), alert(2, rule_id="P03"), alert(3), alert(3, episode="closed"))
            await world.until(lambda: world.counted.get(("chat", "withheld")) == 2 and bool(world.chat.told))
            assert world.chat.told == ["al_2"]
            assert world.list.told == ["al_2", "al_3"]  # of 3 the end: it may have been told of the opening before
            world.later_ms = 2 * HOUR_MS
            await world.until(lambda: bool(world.acts(SuppressionSummarised)))

    asyncio.run(scene())
    assert world.chat.messages[1:] == [("suppression", ["al_1", "al_3"])]
    assert world.list.told == ["al_1", "al_2", "al_3"]  # and not of 3 once more: it has closed
    (summarised,) = world.acts(SuppressionSummarised)
    assert summarised.withheld == 2
    members = {act.notice_id: [alert_id for alert_id, _ in act.members] for act in world.acts(NoticePrepared)}
    assert sorted(members[world.chat.notices[-1]]) == ["al_1", "al_3"]


def test_an_opening_that_has_closed_is_not_listed_by_the_summary_even_where_the_end_names_no_institution(world):
    world.act(suppression(institution="H1"))
    world.warn(alert(1), alert(1, episode="closed", fixmedins_code=None))
    world.work(AT_ONCE)
    world.later_ms = 2 * HOUR_MS
    world.work(AT_ONCE)
    assert world.list.messages == [(None, ["al_1"])]  # the end
    assert world.chat.messages == [("suppression", ["al_1"])]


def test_a_worker_that_dies_before_its_summary_leaves_it_to_the_next_and_that_one_says_it_once(world):
    world.act(suppression())
    world.warn(alert(1))
    world.work(AT_ONCE)
    assert world.chat.messages == []
    assert world.is_marked_delivered()  # what is withheld holds up nothing
    world.act(AlertUnsuppressed(at=to_datetime(now_ms()), by="li", suppression_id="su_1"))
    world.work(AT_ONCE)
    assert world.chat.messages == []  # somebody may not have heard of the lifting yet
    world.later_ms = 2 * MINUTE_MS
    world.work(AT_ONCE, turns=2)
    world.work(AT_ONCE)
    assert world.chat.messages == [("suppression", ["al_1"])]


def test_a_summary_that_a_route_does_not_take_is_told_again_under_the_same_id(world):
    world.act(suppression())
    world.warn(alert(1))
    world.work(AT_ONCE)
    world.later_ms = 2 * HOUR_MS
    world.chat.is_deaf = True
    with pytest.raises(ConnectorError, match="deaf"):
        world.work(AT_ONCE)
    world.chat.is_deaf = False
    world.work(AT_ONCE)
    assert world.chat.messages == [("suppression", ["al_1"])]
    assert len({act.notice_id for act in world.acts(NoticePrepared)}) == 1


def test_a_chat_that_is_dead_costs_the_others_no_repetition_and_no_escalation(world):
    world.act(suppression())
    world.act(msgspec.structs.replace(suppression(rule_id="P03"), suppression_id="su_2"))
    world.warn(alert(1), alert(2, rule_id="P03"), alert(3, rule_id="P17"))
    world.work(AT_ONCE)
    assert world.chat.messages == [("group", ["al_3"])]
    world.later_ms = 5 * HOUR_MS
    world.chat.is_deaf = True

    async def scene(parts: Parts) -> None:
        await parts.board.refresh()
        for _ in range(3):
            with pytest.raises(ConnectorError, match="deaf"):
                await parts.desk.run_once()
        world.chat.is_deaf = False
        await parts.desk.run_once()

    with world.parts(AT_ONCE) as parts:
        asyncio.run(scene(parts))
    assert world.list.told == ["al_1", "al_2", "al_3"]  # the list of what is open is told each once
    assert world.boss.messages[0] == ("escalation", ["al_3"])  # though nobody could say what was withheld
    assert sorted(world.chat.messages[1:]) == [("suppression", ["al_1"]), ("suppression", ["al_2"])]
    assert len(world.acts(SuppressionSummarised)) == 2
    summaries = [act.notice_id for act in world.acts(NoticePrepared) if act.cause == "suppression"]
    assert len(summaries) == 2, "each is written down once, however often it is tried"


def test_a_flood_loses_nobody_when_the_worker_dies_before_the_end_of_the_minute(world):
    alerts = [alert(number) for number in range(12)]
    everybody = {each["alert_id"] for each in alerts}
    world.warn(*alerts)
    world.work(Pacing(0, 2), turns=2)
    assert [cause for cause, _ in world.chat.messages] == ["group", "group"]
    assert not world.is_marked_delivered()  # ten wait in the memory of a worker that is no more
    assert set(world.list.told) == everybody  # they stand where everything stands
    world.work(Pacing(0, 2), turns=3, minutes_between=1)
    assert set(world.chat.told) == everybody
    assert [cause for cause, _ in world.chat.messages[2:]] == ["group", "group", "flood"]
    assert world.is_marked_delivered()
    recorded = {member for act in world.acts(NoticePrepared) for member, _ in act.members}
    assert recorded == everybody


def test_what_is_grave_and_nobodys_is_told_again_to_the_next_route_and_not_without_end(world):
    world.warn(alert(1), alert(2, sev_deg=2), alert(3), alert(3, episode="closed"))
    world.work(AT_ONCE)
    for hours, told in ((3.9, 0), (4.1, 1), (7.9, 1), (8.1, 2), (30, 2)):
        world.later_ms = int(hours * HOUR_MS)
        world.work(AT_ONCE)  # each a worker of its own: what was escalated stands on the topic
        assert len(world.boss.messages) == told, hours
    assert world.boss.messages == [("escalation", ["al_1"])] * 2
    assert len(set(world.boss.notices)) == 2  # the second time is not taken for the first
    assert [(act.step, act.route) for act in world.acts(AlertEscalated)] == [(1, "boss"), (2, "boss")]
    assert [cause for cause, _ in world.chat.messages] == ["group"] * 3


@pytest.mark.parametrize("word", [
    AlertAcknowledged(at=to_datetime(1), by="li", alert_id="al_1"),
    AlertJudged(at=to_datetime(1), by="li", alert_id="al_1", verdict="false"),
])  # fmt: skip
def test_an_alert_that_somebody_looks_after_is_not_escalated(world, word):
    world.warn(alert(1), alert(2))
    world.act(word)
    world.later_ms = 5 * HOUR_MS
    world.work(AT_ONCE)
    assert world.boss.messages == [("escalation", ["al_2"])]


def test_what_was_withheld_is_escalated_only_when_its_summary_has_waited(world):
    world.act(suppression())
    world.warn(alert(1))
    for hours, told in ((4.9, 0), (5.1, 1)):  # suppressed for one hour
        world.later_ms = int(hours * HOUR_MS)
        world.work(AT_ONCE)
        assert len(world.boss.messages) == told
    assert world.chat.messages == [("suppression", ["al_1"])]


def test_one_worker_reads_on_where_it_stood_and_forgets_what_closes(world):
    world.warn(alert(1), alert(2))

    async def scene(parts: Parts) -> None:
        await parts.board.refresh()
        await parts.desk.run_once()
        world.warn(alert(2, episode="closed"))
        world.later_ms = 5 * HOUR_MS
        await parts.desk.run_once()

    with world.parts(AT_ONCE) as parts:
        asyncio.run(scene(parts))
    assert world.boss.messages == [("escalation", ["al_1"])]


def test_what_came_while_no_route_listened_is_told_however_late_but_not_what_came_before_the_first_worker(world):
    world.warn(alert(1))
    world.aged_s = 700.0
    world.work(AT_ONCE)  # the first worker of all: what is old has been seen by others or by nobody
    world.aged_s = 5.0
    world.warn(alert(2))
    for target in (world.list, world.chat):
        target.is_deaf = True
    with pytest.raises(ConnectorError):
        world.work(AT_ONCE)
    for target in (world.list, world.chat):
        target.is_deaf = False
    world.aged_s = 700.0
    world.work(AT_ONCE)
    assert world.chat.told == world.list.told == ["al_2"]


@pytest.mark.kafka
def test_on_a_real_broker_the_history_is_found_by_the_instant_the_topic_took_it_in(real_kafka, topics):
    world = World(real_kafka, topics)
    world.warn(alert(1), alert(2))
    time.sleep(0.05)
    start_ms = now_ms()
    world.warn(alert(3), alert(4, subject_id="p1_3"))
    history = AlertHistory(lambda: reading_client(real_kafka.bootstrap), topics.alerts)

    def alert_ids(from_ms: int, to_ms: int, but: str = "") -> list[str]:
        for _ in range(100):  # a young topic has no leaders for a moment: then the desk comes again
            try:
                found = asyncio.run(history.between(from_ms, to_ms, lambda heard: heard.alert["alert_id"] != but))
                return [heard.alert["alert_id"] for heard in found]
            except ConnectorError:
                time.sleep(0.2)
        raise AssertionError("no leader")

    assert alert_ids(start_ms, now_ms() + 1_000, but="al_4") == ["al_3"]
    assert alert_ids(start_ms - 60_000, start_ms, but="al_1") == ["al_2"]
    assert alert_ids(now_ms() + 1_000, now_ms() + 2_000) == []


def play(router: AlertRouter, *alerts: dict) -> None:
    asyncio.run(router.tell([Heard(each, now_ms()) for each in alerts]))


class Acts:
    """A topic in memory."""

    def __init__(self, *acts: Act) -> None:
        self.topic = list(acts)
        self.is_away = False

    def read(self) -> list[Act]:
        if self.is_away:
            raise ConnectorError("kafka", "away", retryable=True)
        return self.topic

    async def append(self, act: Act) -> None:
        if self.is_away:
            raise ConnectorError("kafka", "away", retryable=True)
        self.topic.append(act)


def test_until_it_is_known_what_is_suppressed_nobody_is_told_but_not_for_ever():
    seconds = [0.0]
    acts, target = Acts(suppression()), Target("list")
    board = HandlingBoard(acts, acts.append, clock=lambda: seconds[0])
    router = AlertRouter([Route(target)], board=board)
    with pytest.raises(ConnectorError, match="not read yet"):
        play(router, alert(1))
    assert target.told == []
    seconds[0] = PATIENCE_S
    play(router, alert(1))
    assert target.told == ["al_1"]


def test_who_cannot_read_any_more_what_is_suppressed_withholds_nothing():
    seconds = [0.0]
    acts, target = Acts(suppression()), Target("list")
    board = HandlingBoard(acts, acts.append, clock=lambda: seconds[0])
    asyncio.run(board.refresh())
    router = AlertRouter([Route(target)], board=board)
    play(router, alert(1))
    seconds[0] = STALE_S + 1
    play(router, alert(2))
    assert target.told == ["al_2"]


def test_a_summary_looks_further_than_a_worker_may_be_late_to_hear_of_a_lifting():
    assert STALE_S * 1_000 < LOOK_FURTHER_MS


def test_a_chat_is_woken_even_when_kafka_takes_no_record_of_it():
    acts, target = Acts(), Target("chat")
    router = AlertRouter([Route(target, pacing=AT_ONCE)], board=HandlingBoard(acts, acts.append))
    acts.is_away = True
    asyncio.run(router.tell([Heard(alert(1, sev_deg=4))]))  # a page of the engine's own stands on no topic
    assert target.messages == [("group", ["al_1"])]


def test_a_paced_route_owes_an_alert_until_it_was_told():
    target = Target("chat")
    target.is_deaf = True
    router = AlertRouter([Route(target, pacing=AT_ONCE)])
    heard = [Heard(alert(1), now_ms())]
    with pytest.raises(ConnectorError):
        asyncio.run(router.tell(heard))
    assert router.owes(heard)
    target.is_deaf = False
    asyncio.run(router.flush())
    assert not router.owes(heard)


def test_what_is_no_act_on_the_topic_is_passed_over(mock_kafka, topics):
    create_topics(mock_kafka.bootstrap, topics, partitions=PARTITIONS)
    junk = [Record(topics.handling, "x", value) for value in (b"not json", b"[]", b'{"event_type": "alert.newer"}')]
    act = suppression()
    append_all(pen(mock_kafka.bootstrap), [*junk, Record(topics.handling, "x", encode_act(act))], timeout_s=10)
    assert read_acts(mock_kafka.bootstrap, topics) == [act]
