"""Alerts as a person reads them: nothing found is said, and a row of another year carries its year."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams import alerts_reader
from streams.alerts_reader import Wanted, markup_of, run_alerts
from streams.settings import Settings

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
    monkeypatch.setattr(
        alerts_reader, "stamped_bodies", lambda *_, follow=False, **__: iter(() if follow else ((first, 1), (late, 2)))
    )
    for follow, said in ((False, ["al_late", "al_first"]), (True, ["al_first", "al_late"])):
        assert run_alerts(SETTINGS, Wanted(), follow=follow, limit=50, as_json=True) == 0
        assert [json.loads(line)["alert_id"] for line in capsys.readouterr().out.splitlines()] == said
