"""Alerts as a person reads them: nothing found is said, and a row of another year carries its year."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.embedded import MockKafka
from connectors.topology import Topics
from streams import alerts_reader
from streams.alerts_reader import Wanted, markup_of, run_alerts
from streams.settings import Settings
from tests.pens import pen

SETTINGS = Settings(kafka="nowhere:1", redis="")


def alert(occurred_at: str) -> dict[str, Any]:
    return {
        "alert_id": "al_1", "episode": "opened", "rule_id": "P13", "level": 1, "kind": "suspicion",
        "occurred_at": occurred_at, "detected_at": occurred_at, "subject_kind": "person", "subject_id": "p",
    }  # fmt: skip


def test_nothing_found_is_said_beside_the_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(alerts_reader, "stamped_bodies", lambda *_, **__: iter(()))
    for as_json, said in ((False, "没有这样的预警 / there is no such alert\n"), (True, "")):
        assert run_alerts(SETTINGS, Wanted(rule_id="H17"), follow=False, limit=50, as_json=as_json) == 0
        told = capsys.readouterr()
        assert (told.out, told.err) == ("", said)


def test_a_row_of_another_year_carries_its_year():
    assert "[dim]2001-03-01 08:00:00[/]" in markup_of(alert("2001-03-01T08:00:00+08:00"))
    this_year = (datetime.now(UTC) + timedelta(hours=8)).year
    assert "[dim]03-01 08:00:00[/]" in markup_of(alert(f"{this_year}-03-01T08:00:00+08:00"))


def test_a_list_of_the_past_is_in_the_order_of_what_happened_and_a_followed_one_in_that_of_its_coming(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    late = alert("2026-03-01T08:00:00+08:00") | {"detected_at": "2026-03-02T09:00:00+08:00", "alert_id": "al_late"}
    first = alert("2026-03-01T23:30:00+00:00") | {"detected_at": "2026-03-02T08:00:00+08:00", "alert_id": "al_first"}
    monkeypatch.setattr(alerts_reader, "stamped_bodies", lambda *_, **__: iter(((first, 1), (late, 2))))
    monkeypatch.setattr(alerts_reader, "past_then_coming", lambda *_, **__: iter(((first, 1), (late, 2), None)))
    for follow, said in ((False, ["al_late", "al_first"]), (True, ["al_first", "al_late"])):
        assert run_alerts(SETTINGS, Wanted(), follow=follow, limit=50, as_json=True) == 0
        assert [json.loads(line)["alert_id"] for line in capsys.readouterr().out.splitlines()] == said


def test_what_comes_while_the_past_is_read_is_shown_to_who_follows(
    mock_kafka: MockKafka, topics: Topics, monkeypatch: pytest.MonkeyPatch
):
    #  partition 0   a  b |    d         | the ends when the reader came
    #  partition 1   c    |    e
    writer = pen(mock_kafka.bootstrap)

    def append(name: str, partition: int) -> None:
        body = alert("2026-03-01T08:00:00+08:00") | {"alert_id": name}
        writer.produce(topics.alerts, json.dumps(body), partition=partition)
        assert writer.flush(10) == 0

    for name, partition in (("a", 0), ("b", 0), ("c", 1)):
        append(name, partition)
    shown: list[str] = []
    coming = [("d", 0), ("e", 1)]

    def is_wanted(_body: dict[str, Any], _appended_ms: int) -> bool:
        while coming:
            append(*coming.pop(0))
        return True

    def say(body: dict[str, Any], _as_json: bool) -> None:
        shown.append(body["alert_id"])
        if {"d", "e"} <= {*shown}:
            raise KeyboardInterrupt

    monkeypatch.setattr(alerts_reader, "_choice", lambda *_: is_wanted)
    monkeypatch.setattr(alerts_reader, "_say", say)
    settings = Settings(kafka=mock_kafka.bootstrap, redis="", prefix=topics.prefix)
    assert run_alerts(settings, Wanted(), follow=True, limit=50, as_json=True) == 0
    assert (shown[:3], sorted(shown[3:])) == (["a", "b", "c"], ["d", "e"])
