"""One worker of a name: the second one on a host says so and leaves the first alone."""

import pytest

from streams.settings import Settings
from streams.stop import Stop
from streams.worker_name import own_name


def _settings(**over: str) -> Settings:
    return Settings(**({"kafka": "127.0.0.1:1", "redis": "redis://x", "worker": "w"} | over))


def test_a_second_worker_of_a_name_is_refused_as_long_as_the_first_lives(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        own_name(_settings()),
        own_name(_settings(worker="v")),
        own_name(_settings(prefix="other.")),
        pytest.raises(Stop, match="XINMAI_WORKER"),
        own_name(_settings()),
    ):
        pytest.fail("both would take each other's shards")
    with own_name(_settings()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_locked_it_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with own_name(_settings()):
        pass
