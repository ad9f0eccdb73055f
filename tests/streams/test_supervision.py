"""Lanes as processes: they come back when they die, and never outlive their parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.kafka import create_topics
from connectors.topology import tags
from streams.activate import prepare_logs
from streams.lane_process import lane_main
from streams.ownership import LaneSettings
from streams.supervision import LaneSupervisor, lane_pids
from tests.streams import fake_lanes

POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"


class Watched:
    """A supervisor, what it paged, and what its lanes noted."""

    def __init__(self, folder: Path, lane_main, lanes: int = 1, **over):
        self.notes_file = folder / "notes"
        self.notes_file.touch()
        self.pages: list[str] = []
        self.died: list[int] = []
        settings = {"notes": str(self.notes_file), "drain_s": over.pop("drain_s", 0)}
        self.supervisor = LaneSupervisor(
            lane_main, lambda _: settings, lanes=lanes, page=self.pages.append, heard=self.hear, **over
        )

    def hear(self, index, message):
        if message["kind"] == "died":
            self.died.append(index)

    @property
    def notes(self) -> list[str]:
        return self.notes_file.read_text().splitlines()

    async def until(self, condition, wait_s: float = 60.0):
        deadline_s = time.monotonic() + wait_s
        while not condition():
            assert time.monotonic() < deadline_s, (self.notes, self.pages, self.supervisor.health())
            await asyncio.sleep(0.02)

    def play(self, scene):
        async def run():
            self.supervisor.start()
            try:
                await scene()
            finally:
                await self.supervisor.stop()

        asyncio.run(run())


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_lanes_run_until_the_pipe_closes_and_drain_first(tmp_path):
    watched = Watched(tmp_path, fake_lanes.steady_lane, lanes=2, drain_s=0.2)

    async def scene():
        await watched.until(lambda: watched.supervisor.health()["ready"])

    watched.play(scene)
    assert sorted(note for note in watched.notes if note.startswith("drained")) == ["drained 0", "drained 1"]
    assert watched.pages == []
    assert not watched.supervisor.health()["ready"]


def test_a_killed_lane_is_started_again_at_once_and_paged(tmp_path):
    watched = Watched(tmp_path, fake_lanes.steady_lane, lanes=2)

    async def scene():
        await watched.until(lambda: watched.supervisor.health()["ready"])
        victim, other = lane_pids(watched.supervisor.lanes)
        assert watched.supervisor.lanes_down() == 0
        os.kill(victim, signal.SIGKILL)
        await watched.until(lambda: watched.supervisor.lanes[0].restarts == 1)
        assert (watched.died, watched.supervisor.lanes_down()) == ([0], 1)
        await watched.until(lambda: watched.supervisor.health()["ready"])
        assert lane_pids(watched.supervisor.lanes)[1] == other

    watched.play(scene)
    assert len([note for note in watched.notes if note.startswith("started 0")]) == 2
    assert watched.pages[0].startswith("lane 0 ended with -9")


def test_a_lane_that_dies_again_and_again_is_started_ever_later(tmp_path):
    watched = Watched(tmp_path, fake_lanes.crashing_lane)

    async def scene():
        await watched.until(lambda: len(watched.pages) >= 3)

    watched.play(scene)
    assert [page.rsplit(" in ")[1] for page in watched.pages[:3]] == ["0.0 s", "0.2 s", "1.0 s"]


def test_a_shard_stopped_on_purpose_pages_and_makes_the_worker_unready_while_the_lane_goes_on(tmp_path):
    watched = Watched(tmp_path, fake_lanes.lane_with_a_bad_rule)

    async def scene():
        await watched.until(lambda: watched.supervisor.lanes[0].status == "running" and bool(watched.pages))
        await watched.until(lambda: "started" in watched.notes_file.read_text())
        health = watched.supervisor.health()
        assert not health["ready"]
        assert health["lanes"][0]["shards_stopped"] == {"p3": "rule P01 raised ZeroDivisionError at p3@17"}

    watched.play(scene)
    assert watched.pages == ["lane 0 stopped shard p3: rule P01 raised ZeroDivisionError at p3@17"]


def test_a_shard_that_is_owned_and_not_served_makes_the_worker_unready_and_takes_back_no_page():
    pages: list[str] = []
    supervisor = LaneSupervisor(lane_main, lambda _: None, lanes=1, page=pages.append)
    (lane,) = supervisor.lanes

    def hear(**message: object) -> None:
        supervisor._heard(lane, message)

    def pulse(*, p3_serves: bool) -> None:
        hear(kind="pulse", shards=[{"shard": "p2", "serving": True}, {"shard": "p3", "serving": p3_serves}])

    pulse(p3_serves=True)
    assert supervisor.health()["ready"]
    pulse(p3_serves=False)  # Redis is away: lost, and not claimed again yet
    assert not supervisor.health()["ready"]
    assert supervisor.health()["lanes"][0]["shards_unserved"] == ["p3"]
    for _ in range(2):  # claimed again after a rebalance, and stopped for the same reason: no news
        hear(kind="stopped", shard="p3", detail="the log was cut")
        pulse(p3_serves=False)
    assert pages == ["lane 0 stopped shard p3: the log was cut"]
    hear(kind="owned", shards=["{p2}"])
    pulse(p3_serves=True)
    assert supervisor.health()["ready"]


def test_a_lane_that_stopped_on_purpose_is_not_started_again(tmp_path):
    watched = Watched(tmp_path, fake_lanes.lane_that_gives_up)

    async def scene():
        await watched.until(lambda: watched.supervisor.lanes[0].status == "stopped")
        await asyncio.sleep(0.5)

    watched.play(scene)
    assert len(watched.notes) == 1
    assert watched.pages == ["lane 0 stopped shard *: the topics do not exist"]
    assert (watched.died, watched.supervisor.lanes_down()) == ([0], 1)


def test_a_lane_whose_place_another_takes_again_and_again_gives_way_and_says_what_to_set(tmp_path):
    watched = Watched(tmp_path, fake_lanes.lane_with_a_namesake)

    async def scene():
        await watched.until(lambda: watched.supervisor.lanes[0].status == "stopped")
        await asyncio.sleep(0.5)

    watched.play(scene)
    assert len(watched.notes) == 3  # once may be a broker that forgot
    assert watched.pages[-1].startswith("lane 0 stopped shard *")
    assert "XINMAI_WORKER" in watched.pages[-1]


def test_a_lane_that_waits_is_started_again_until_it_can_and_pages_once(tmp_path):
    watched = Watched(tmp_path, fake_lanes.lane_that_waits)

    async def scene():
        await watched.until(lambda: watched.supervisor.lanes[0].status == "waiting")
        assert not watched.supervisor.health()["ready"]
        await watched.until(lambda: watched.supervisor.health()["ready"])

    watched.play(scene)
    assert watched.pages == ["lane 0 cannot start and tries again until it can: redis: connection refused"]


def real_lanes(settings: LaneSettings, pages: list[str], heard: list[dict]) -> LaneSupervisor:
    return LaneSupervisor(
        lane_main, lambda _: settings, lanes=1, page=pages.append, heard=lambda _, message: heard.append(message)
    )


def supervise(supervisor: LaneSupervisor, scene) -> None:
    """Play a scene with real lanes."""

    async def run():
        supervisor.start()
        try:
            async with asyncio.timeout(90):
                await scene()
        finally:
            await supervisor.stop()

    asyncio.run(run())


async def seen(condition) -> None:
    while not condition():
        await asyncio.sleep(0.05)


def test_a_real_lane_started_while_redis_is_down_comes_up_when_redis_comes_back(mock_kafka, redis_62, topics):
    prepare_logs(mock_kafka.bootstrap, topics, POLICY, partitions=4, subjects_partitions=4, group=f"{topics.prefix}g")
    settings = LaneSettings(
        kafka=mock_kafka.bootstrap, redis=redis_62.url, member="m0", prefix=topics.prefix, group=f"{topics.prefix}g"
    )
    pages: list[str] = []
    heard: list[dict] = []
    supervisor = real_lanes(settings, pages, heard)

    async def scene():
        await seen(lambda: supervisor.lanes[0].restarts >= 2)
        assert not supervisor.health()["ready"]
        redis_62.start()
        await seen(lambda: any(message["kind"] == "pulse" and message["shards"] for message in heard))
        await seen(lambda: supervisor.health()["ready"])

    redis_62.stop()
    supervise(supervisor, scene)
    assert len(pages) == 1
    assert pages[0].startswith("lane 0 cannot start and tries again until it can: redis")


def test_a_real_lane_that_is_told_to_end_with_its_whole_group_waits_for_its_parent(mock_kafka, redis_62, topics):
    group = f"{topics.prefix}g"
    prepare_logs(mock_kafka.bootstrap, topics, POLICY, partitions=4, subjects_partitions=4, group=group)
    settings = LaneSettings(
        kafka=mock_kafka.bootstrap, redis=redis_62.url, member="m0", prefix=topics.prefix, group=group
    )
    pages: list[str] = []
    supervisor = real_lanes(settings, pages, [])
    ended: list[int | None] = []

    async def scene():
        await seen(lambda: supervisor.health()["ready"])
        process = supervisor.lanes[0].process
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(process.pid, number)
        await asyncio.sleep(0.5)
        await supervisor.stop()
        ended.append(process.exitcode)

    supervise(supervisor, scene)
    assert (ended, pages) == ([0], [])


def test_a_real_lane_whose_topics_do_not_exist_is_paged_once_and_not_started_again(mock_kafka, redis_62, topics):
    pages: list[str] = []
    settings = LaneSettings(kafka=mock_kafka.bootstrap, redis=redis_62.url, member="m0", prefix=topics.prefix)
    supervisor = real_lanes(settings, pages, [])

    async def scene():
        await seen(lambda: supervisor.lanes[0].status == "stopped")
        await asyncio.sleep(0.5)
        assert not supervisor.health()["ready"]

    supervise(supervisor, scene)
    assert supervisor.lanes[0].restarts == 0
    assert len(pages) == 1
    assert "does not exist. Run: xinmai topics create" in pages[0]


def test_a_real_shard_that_stops_is_paged_once_while_the_lane_goes_on(mock_kafka, redis_62, topics):
    # without a published mark nobody knows which outputs were said: that shard stops, and says so by its tag's name
    create_topics(mock_kafka.bootstrap, topics)
    pages: list[str] = []
    settings = LaneSettings(
        kafka=mock_kafka.bootstrap, redis=redis_62.url, member="m0", prefix=topics.prefix, group=f"{topics.prefix}none"
    )
    supervisor = real_lanes(settings, pages, [])

    async def scene():
        await seen(lambda: len(pages) == 8)
        await asyncio.sleep(0.5)
        assert supervisor.lanes[0].status == "running"
        assert not supervisor.health()["ready"]

    supervise(supervisor, scene)
    shards = {tag.strip("{}") for family in "pq" for tag in tags(family, 4)}
    assert set(supervisor.lanes[0].shards_stopped) == shards
    assert len(pages) == 8


def test_a_silent_lane_is_killed_and_started_again(tmp_path):
    watched = Watched(tmp_path, fake_lanes.lane_that_hangs, silent_s=0.5)

    async def scene():
        await watched.until(lambda: watched.supervisor.lanes[0].restarts >= 1)

    stop = watched.supervisor.stop
    watched.supervisor.stop = lambda: stop(drain_s=0.2)
    watched.play(scene)
    assert "has been silent" in watched.pages[0]


PARENT = """
import asyncio, sys
from streams.supervision import LaneSupervisor
from tests.streams import fake_lanes

async def main():
    supervisor = LaneSupervisor(fake_lanes.steady_lane, lambda _: {"notes": sys.argv[1]}, lanes=2, page=print)
    supervisor.start()
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda end: end.name)
def test_lanes_end_when_their_parent_is_killed(tmp_path, end):
    notes = tmp_path / "notes"
    notes.touch()
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script), str(notes)], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    )
    try:
        wait_until(lambda: notes.read_text().count("started") == 2)
        pids = [int(line.split()[2]) for line in notes.read_text().splitlines()]
        assert all(alive(pid) for pid in pids)
        parent.send_signal(end)
        parent.wait(60)
        wait_until(lambda: not any(alive(pid) for pid in pids))
    finally:
        parent.kill()
        parent.wait()
    assert notes.read_text().count("drained") == 2


def wait_until(condition, wait_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
