"""The running API answers as its description says, whatever it is sent: schemathesis over HTTP and a real lane."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.http.openapi import document
from connectors.topology import Topics
from tests.streams.test_api_killed import Engine, api, until

SECONDS = 25
NOT_PROMISED = (
    "positive_data_acceptance",  # JSON Schema calls 5000.0 an integer; money with a decimal point is refused here
    "ensure_resource_availability",  # an authorization that was denied leaves nothing behind under its id
)
# A line that is no fact is refused by itself, and the call that brought it is answered.
CONFIG = """
[[operations]]
include-path = "/v1/events"
checks.negative_data_rejection.enabled = false
"""
ENDLESS = "/v1/alerts/stream"  # tests/connectors/http/test_alert_stream.py


@pytest.mark.slow
def test_whatever_it_is_sent_the_api_answers_as_described(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    with Engine(mock_kafka, redis_62, topics) as engine, api(engine, tmp_path) as (_, client):
        until(engine.has_caught_up)
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{client.base_url}/openapi.json",
            "--header", "Authorization: Bearer all", "--exclude-path", ENDLESS, "--continue-on-failure",
            "--exclude-checks", ",".join(NOT_PROMISED), "--max-time", str(SECONDS), "--request-timeout", "10",
        ]  # fmt: skip
        told = os.environ | {"SCHEMATHESIS_HOOKS": "tests.streams.schemathesis_hooks", "PYTHONPATH": os.getcwd()}
        done = subprocess.run(command, env=told, capture_output=True, text=True, check=False, cwd=tmp_path)
        log = "".join(path.read_text() for path in tmp_path.glob("api-*.log"))
        assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:] + log[-2_000:]
        assert "a bug answered" not in log
        described = sum(len(operations) for operations in document()["paths"].values())
        assert f"Tested: {described - 2}" in done.stdout, done.stdout  # neither the stream nor the description itself
