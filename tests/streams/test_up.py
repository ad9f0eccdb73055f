"""What `up` says it starts and stops is what it starts and stops."""

import os
from threading import Event
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from streams.probes import probe_server
from streams.stop import Stop
from streams.up import _refusal, only_one, own_servers, running_engine


def test_only_servers_without_an_address_are_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("XINMAI_KAFKA", raising=False)
    monkeypatch.delenv("XINMAI_REDIS", raising=False)
    assert own_servers() == ["broker", "Redis"]
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    with pytest.raises(Stop, match="XINMAI_REDIS"):
        own_servers()
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert own_servers() == []


def test_a_second_run_starts_only_when_all_of_the_first_has_ended(tmp_path):
    with only_one(tmp_path), pytest.raises(Stop, match=f"process {os.getpid()}"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


@pytest.mark.parametrize("told", ["XINMAI_KAFKA", "XINMAI_REDIS"])
def test_one_address_without_the_other_is_refused(told, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("XINMAI_KAFKA", "XINMAI_REDIS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(told, "127.0.0.1:1")
    with pytest.raises(Stop, match="set both XINMAI_KAFKA and XINMAI_REDIS"), running_engine(Event()):
        pytest.fail("a log that stays and a state that goes")


def test_why_a_lane_refuses_is_known_at_once():
    health: dict[str, Any] = {"ready": False, "lanes": [{"shards_stopped": {}}]}
    probes = probe_server(CollectorRegistry(), lambda: health, lambda: True)
    assert _refusal("http://127.0.0.1:1") == ""
    probes.start()
    assert _refusal(probes.url) == ""
    health["lanes"].append({"shards_stopped": {"p0": "{p0}: Redis remembers another log"}})
    assert _refusal(probes.url) == "{p0}: Redis remembers another log"
    probes.stop()
