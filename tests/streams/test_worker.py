"""`xinmai worker` as a process: real lanes, agents and probes on a broker and a Redis; ended gently and not."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from connectors.kafka import producer
from connectors.server_process import free_ports

NATIONAL = Path(__file__).parents[1] / "cases" / "national" / "county_day.jsonl"


@pytest.fixture
def worker(mock_kafka, redis_62, topics, tmp_path):
    """A worker of two lanes that is ready: (process, address of its probes)."""
    (port,) = free_ports(1)
    told = {
        "XINMAI_KAFKA": mock_kafka.bootstrap,
        "XINMAI_REDIS": redis_62.url,
        "XINMAI_PREFIX": topics.prefix,
        "XINMAI_PROBES": f"127.0.0.1:{port}",
        "XINMAI_REPLICATION": "1",
        "XINMAI_LANES": "2",
        "XINMAI_WORKER": "tested",
    }
    environment = os.environ | told
    command = [sys.executable, "-m", "streams.command_line"]
    subprocess.run([*command, "topics", "create"], env=environment, check=True, capture_output=True, timeout=60)
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen([*command, "worker"], env=environment, stdout=log, stderr=log)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 120, tmp_path / "worker.log")
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def until(condition, wait_s: float, log: Path | None = None) -> None:
    deadline_s = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline_s, log.read_text()[-2000:] if log else ""
        time.sleep(0.05)


def lanes_of(probes: str) -> list[int]:
    return [lane["pid"] for lane in httpx.get(f"{probes}/readyz").json()["lanes"]]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_serves_shows_its_numbers_and_ends_clean_on_sigterm(worker):
    process, probes = worker
    assert answers(f"{probes}/livez")
    until(lambda: 'type="policy.activated"} 8.0' in httpx.get(f"{probes}/metrics").text, 60)
    until(lambda: 'xinmai_policy_info{version="' in httpx.get(f"{probes}/metrics").text, 60)
    numbers = dict(re.findall(r"^(xinmai_\w+) (\S+)$", httpx.get(f"{probes}/metrics").text, re.MULTILINE))
    assert float(numbers["xinmai_workday_table_days_left"]) >= 0
    assert float(numbers["xinmai_commit_duration_seconds_count"]) > 0
    assert float(numbers["xinmai_batch_events_count"]) > 0
    lanes = lanes_of(probes)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not any(is_running(pid) for pid in lanes)


def test_the_raw_national_topic_goes_into_the_log_and_its_dead_letters_are_counted(worker, mock_kafka, topics):
    _, probes = worker
    sender = producer(mock_kafka.bootstrap)
    for line in NATIONAL.read_bytes().splitlines():
        sender.produce(topics.national, line)
    sender.flush(10)
    until(lambda: applied(probes) == 53, 120)

    def is_counted() -> bool:
        """The agents count from when they began, and nobody says when that was."""
        sender.produce(topics.deadletter, b'{"deadletter_id":"dl_1","reason":"NOT_JSON"}')
        sender.flush(10)
        counted = re.search(r'^xinmai_deadletters_total{reason="NOT_JSON"} (\S+)$', text(), re.MULTILINE)
        return float(counted[1]) > 0

    def text() -> str:
        return httpx.get(f"{probes}/metrics").text

    assert 'xinmai_deadletters_total{reason="CONFLICT"} 0.0' in text(), "what has not come yet is known by name"
    until(is_counted, 120)


def applied(probes: str) -> int:
    """How many facts the lanes have taken in, whatever became of them."""
    text = httpx.get(f"{probes}/metrics").text
    pattern = r'^xinmai_events_total{result="\w+",type="(?!policy|timer|subject)[\w.]+"} (\S+)$'
    return sum(int(float(count)) for count in re.findall(pattern, text, re.MULTILINE))


def test_a_killed_lane_comes_back_and_a_killed_worker_leaves_no_lane(worker):
    process, probes = worker
    victim, other = lanes_of(probes)
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in lanes_of(probes) and answers(f"{probes}/readyz"), 60)
    again, still = lanes_of(probes)
    assert still == other
    process.kill()
    process.wait()
    until(lambda: not is_running(again) and not is_running(other), 60)
