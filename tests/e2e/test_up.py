"""`xinmai up --json` as an outsider meets it: one line, a live engine, and nothing left behind.

The same on the embedded broker and on a real Kafka.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from connectors.embedded import RedisServer

pytestmark = pytest.mark.slow
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("XINMAI_")}
ENVIRONMENT |= {"PYTHONPATH": str(Path(__file__).parents[2]), "XINMAI_PREFIX": "up."}

FIRST_RULES = {"P01", "P02", "P03", "P12", "P13", "P17", "D01", "M01", "Q01"}
"""Of settlements alone (who asks the live counter has ids of the checkout), and whose crossing no lane can swap."""


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.kafka)])
def up(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("up")
    command = [sys.executable, "-m", "streams.command_line", "up", "--json"]
    redis = RedisServer("any")
    real = {}
    if request.param == "real":
        real = {"XINMAI_KAFKA": request.getfixturevalue("real_kafka").bootstrap, "XINMAI_REDIS": redis.start().url}
    environment = ENVIRONMENT | real
    process = subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    assert line, process.stderr.read()
    yield json.loads(line), directory
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=120)
    redis.stop()
    assert (process.returncode, rest) == (0, ""), errors
    assert not (directory / ".xinmai" / "up.json").exists()


def xinmai(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.command_line", *words]
    return subprocess.run(command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def test_the_one_line_says_where_everything_is(up):
    answer, directory = up
    assert {"api", "kafka", "redis", "token", "tokens", "institution"} <= answer.keys()
    assert set(answer["tokens"]) == {"hospital", "pharmacy", "bank", "authority", "audit"}
    assert json.loads((directory / ".xinmai" / "up.json").read_text()) == answer
    assert httpx.get(f"{answer['api']}/readyz").status_code == 200


def test_a_second_up_in_the_same_folder_is_refused(up):
    refused = xinmai(up[1], "up", "--json")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


def test_a_box_sold_twice_over_http_is_found(up):
    """D05: the facts of two pharmacies meet on the shard of the box's code."""
    answer, directory = up
    sale = {
        "event_type": "stock.moved",
        "movement": "sold",
        "med_list_codg": "X1",
        "cnt_x10000": 10_000,
        "drug_trac_codg": ["81234560000000000001"],
    }
    lines = [
        sale | {"event_id": "sale1", "fixmedins_code": "P43050200091", "occurred_at": "2026-03-10T09:00:00+08:00"},
        sale | {"event_id": "sale2", "fixmedins_code": "P43050200092", "occurred_at": "2026-03-12T09:00:00+08:00"},
    ]
    for line in [*lines, lines[1]]:  # told again, the second sale is no third
        headers = {"Authorization": f"Bearer {answer['token']}", "Content-Type": "application/x-ndjson"}
        posted = httpx.post(f"{answer['api']}/v1/events", content=json.dumps(line), headers=headers)
        assert [result["result"] for result in posted.json()["results"]] == ["accepted"]
    found: list[dict[str, object]] = []
    until_s = time.monotonic() + 60
    while not found and time.monotonic() < until_s:
        printed = xinmai(directory, "alerts", "--json", "--limit", "1000").stdout.splitlines()
        found = [alert for alert in map(json.loads, printed) if alert["rule_id"] == "D05"]
    assert [alert["subject_id"] for alert in found] == ["P43050200092"]
    assert found[0]["sold_before"]["fixmedins_code"] == "P43050200091"


def test_what_a_drug_costs_in_a_prefecture_can_be_shown(up):
    answer, directory = up
    bought = {"event_type": "stock.moved", "movement": "purchased", "med_list_codg": "XV01", "cnt_x10000": 10_000}
    headers = {"Authorization": f"Bearer {answer['token']}", "Content-Type": "application/x-ndjson"}
    for n in (1, 2, 3):
        told = {"event_id": f"buy{n}", "fixmedins_code": f"H4305020008{n}", "pric_x1000000": n * 1_000_000}
        line = json.dumps(bought | told | {"occurred_at": "2026-03-10T09:00:00+08:00"})
        httpx.post(f"{answer['api']}/v1/events", content=line, headers=headers).raise_for_status()
    spread: dict[str, int] = {}
    until_s = time.monotonic() + 60
    while spread.get("members") != 3:
        shown = xinmai(directory, "show", "prices", "XV01", "4305", "--json")
        assert time.monotonic() < until_s, (shown.stdout, shown.stderr)
        spread = json.loads(shown.stdout)["prices_x1000000"]["purchased"] if shown.returncode == 0 else {}
    assert spread["p50"] == 2_000_000
    assert "中位价 median 2.00 元" in xinmai(directory, "show", "prices", "XV01", "4305").stdout


def test_a_city_sent_in_raises_the_alerts_it_planted(up):
    directory = up[1]
    labels = directory / "labels.ndjson"
    words = ["--people", "300", "--institutions", "6", "--days", "2", "--labels", str(labels)]
    sent = xinmai(directory, "simulate", "city", *words, "--into", "http", "--format", "canonical", "--json")
    assert sent.returncode == 0, sent.stderr
    results = json.loads(sent.stdout)["results"]
    assert set(results) == {"accepted"}
    expected = {
        crossing(label["rule"], label["level"], label["subject"], label["event_ids"][0])
        for label in map(json.loads, labels.read_text().splitlines())
        if label["verdict"] == "planted"
        and label["rule"] in FIRST_RULES
        and label["rule"] != "D01"  # planted at its threshold exactly: found or not by how people's shards interleave
    }
    found: set[tuple[object, ...]] = set()
    until_s = time.monotonic() + 180
    while not expected <= found and time.monotonic() < until_s:
        printed = xinmai(directory, "alerts", "--json", "--limit", "1000").stdout.splitlines()
        found = {
            crossing(alert["rule_id"], alert["level"], alert["subject_id"], alert["vola_evid"][0])
            for alert in map(json.loads, printed)
        }
    assert expected - found == set()


def crossing(rule_id: str, level: int, subject_id: str, event_id: str) -> tuple[object, ...]:
    """What identifies a finding; on the second hop people's shards interleave, so any of its events may cross."""
    return (rule_id, level, subject_id) if rule_id in ("D01", "M01") else (rule_id, level, subject_id, event_id)


def test_people_and_institutions_can_be_shown(up):
    answer, directory = up
    until_s = time.monotonic() + 60
    while (shown := xinmai(directory, "show", "institution", answer["institution"], "--json")).returncode == 1:
        assert time.monotonic() < until_s, shown.stderr  # the second hop comes after the first
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["days"]
    assert xinmai(directory, "show", "staff", "nobody").returncode == 1


def test_state_and_outputs_are_proved_on_a_real_log_and_cannot_be_on_the_embedded_one(up):
    answer, directory = up
    expected = 2 if answer["embedded"] else 0
    until_s = time.monotonic() + 120
    while (proved := xinmai(directory, "verify", "--outputs")).returncode == 1 and time.monotonic() < until_s:
        pass  # something moved while it was read
    assert proved.returncode == expected, (proved.stdout[-2000:], proved.stderr[-2000:])
