"""A rebuild beside running lanes, or without published marks, is refused before anything is emptied; lanes that have
just ended are waited for.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from streams import rebuild as rebuilding
from streams.settings import Settings, Tuning
from streams.stop import Stop
from streams.verify import Log

SETTINGS = Settings(kafka="nowhere:1", redis="redis://nowhere:1/0", tuning=Tuning(session_timeout_ms=1))


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What Kafka says when it is asked whether the group has members; the last answer stays."""
    answers: list[bool] = []

    def group_has_members(_bootstrap: str, group: str) -> bool:
        assert group == "xinmai.lanes"
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def logs(*_: object) -> Iterator[None]:
        raise AssertionError("it went on to the logs")

    monkeypatch.setattr(rebuilding, "cluster_identity", lambda *_: ("a real cluster", {}))
    monkeypatch.setattr(rebuilding, "group_has_members", group_has_members)
    monkeypatch.setattr(rebuilding, "logs", logs)
    monkeypatch.setattr(rebuilding, "_NOTICED_WITHIN_S", 0.3)
    return answers


def test_a_rebuild_beside_running_lanes_is_refused(lanes: list[bool]):
    lanes.append(True)
    with pytest.raises(Stop, match=r"group xinmai\.lanes.*Redis is left as it is\. Stop the workers") as stopped:
        rebuilding.rebuild(SETTINGS, as_json=False)
    assert stopped.value.exit_code == 2


def test_lanes_that_have_just_ended_are_waited_for(lanes: list[bool]):
    lanes += [True, False]
    with pytest.raises(AssertionError, match="it went on to the logs"):
        rebuilding.rebuild(SETTINGS, as_json=False)


def test_a_partition_without_a_published_mark_is_refused_before_any_is_emptied(
    lanes: list[bool], monkeypatch: pytest.MonkeyPatch
):
    def make() -> Any:
        raise AssertionError("it began to fold")

    found = [Log(topic, each, "{p}", make) for topic in ("xinmai.events.v1", "xinmai.subjects.v1") for each in range(2)]
    lanes.append(False)
    monkeypatch.setattr(rebuilding, "logs", lambda *_: found)
    monkeypatch.setattr(rebuilding, "published_marks", lambda *at: {0: 5, 1: 7} if "events" in at[2] else {0: 0})
    with pytest.raises(Stop, match=r"subjects\.v1\[1\] has no published mark.*Redis is left as it is"):
        rebuilding.rebuild(SETTINGS, as_json=False)
