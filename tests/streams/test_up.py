"""What `up` says it starts and stops is what it starts and stops."""

import pytest

from streams.up import own_servers


def test_only_servers_without_an_address_are_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("XINMAI_KAFKA", raising=False)
    monkeypatch.delenv("XINMAI_REDIS", raising=False)
    assert own_servers() == ["broker", "Redis"]
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    assert own_servers() == ["Redis"]
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert own_servers() == []
