"""What `up` says it starts and stops is what it starts and stops."""

import os

import pytest

from streams.stop import Stop
from streams.up import only_one, own_servers


def test_only_servers_without_an_address_are_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("XINMAI_KAFKA", raising=False)
    monkeypatch.delenv("XINMAI_REDIS", raising=False)
    assert own_servers() == ["broker", "Redis"]
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    assert own_servers() == ["Redis"]
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert own_servers() == []


def test_a_second_run_starts_only_when_all_of_the_first_has_ended(tmp_path):
    with only_one(tmp_path), pytest.raises(Stop, match=f"process {os.getpid()}"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass
