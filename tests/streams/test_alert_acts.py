"""`xinmai alerts suppress` and what follows, as an operator types it, on the in-process broker."""

import orjson
import pytest

from connectors.append import Record, append_all
from connectors.handling import act_record
from connectors.kafka import create_topics
from connectors.topology import Topics
from risk.handling import Handling, NoticePrepared
from risk.local_time import HOUR_MS, rfc3339, to_datetime, to_ms
from streams.command_line import run
from streams.handling_board import read_acts
from streams.risk_reader import risk_of
from streams.settings import load_settings
from tests.pens import pen


@pytest.fixture
def engine(mock_kafka, topics, monkeypatch, tmp_path) -> tuple[str, Topics]:
    """A broker with topics and nothing else; the command line finds it."""
    monkeypatch.chdir(tmp_path)
    create_topics(mock_kafka.bootstrap, topics, partitions=4)
    monkeypatch.setenv("XINMAI_KAFKA", mock_kafka.bootstrap)
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1")  # acts on alerts need none
    monkeypatch.setenv("XINMAI_PREFIX", topics.prefix)
    return mock_kafka.bootstrap, topics


def warn(engine, number: int, rule_id: str = "P01", subject_id: str = "p1_x") -> None:
    bootstrap, topics = engine
    body = {"alert_id": f"al_{number}", "rule_id": rule_id, "level": 1, "kind": "suspicion", "sev_deg": 3}
    body |= {"subject_kind": "person", "subject_id": subject_id, "episode": "opened"}
    body |= {"occurred_at": rfc3339(number), "detected_at": rfc3339(number)}
    append_all(pen(bootstrap), [Record(topics.alerts, subject_id, orjson.dumps(body))], timeout_s=10)


def said(capsys, *words: str, code: int = 0) -> str:
    assert run(["alerts", *words]) == code
    streams = capsys.readouterr()
    return streams.out or streams.err


def test_a_suppression_is_recorded_with_its_author_shown_and_lifted(engine, capsys):
    warn(engine, 1)
    made = orjson.loads(said(capsys, "suppress", "--rule", "p01", "--hours", "2", "--reason", "a drill", "--by", "li",
                             "--json"))  # fmt: skip
    assert (made["rule_id"], made["by"], made["reason"]) == ("P01", "li", "a drill")
    warn(engine, 2)
    warn(engine, 3, "P03")
    shown = [orjson.loads(line) for line in said(capsys, "--suppressed", "--json").splitlines()]
    assert [alert["alert_id"] for alert in shown] == ["al_2"]
    assert len(said(capsys, "--json").splitlines()) == 3  # raised and shown as ever
    assert "holds" in said(capsys, "suppressions")
    said(capsys, "unsuppress", made["suppression_id"], "--by", "wang")
    assert "ended" in said(capsys, "suppressions")
    (line,) = said(capsys, "suppressions", "--json").splitlines()
    assert orjson.loads(line)["holds"] is False
    assert "already" in said(capsys, "unsuppress", made["suppression_id"], code=1)
    handling = Handling(read_acts(*engine))
    (act,) = handling.suppressions.values()
    assert to_ms(act.until) - to_ms(act.at) == 2 * HOUR_MS


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--hours", "1", "--reason", "r"], "name a rule"),
        (["--rule", "P01", "--reason", "r"], "either --hours or --until"),
        (["--rule", "P01", "--reason", "r", "--hours", "1", "--until", "2030-01-01T00:00+08:00"], "either --hours"),
        (["--rule", "P01", "--reason", "r", "--until", "tomorrow"], "expected an instant with its offset"),
        (["--rule", "P01", "--reason", "r", "--until", "2020-01-01T00:00+08:00"], "lies in the past"),
        (["--rule", "P01", "--reason", "r", "--hours", "721"], "at most 30 days"),
        (["--rule", "P01", "--reason", "r", "--hours", "0"], "at least 1"),
        (["--rule", "P999", "--reason", "r", "--hours", "1"], "no rule is called P999"),
        (["--rule", "P01", "--reason", " ", "--hours", "1"], "say why"),
        (["--rule", "P01", "--hours", "1"], "reason"),
        (["--person", "1", "--staff", "2", "--reason", "r", "--hours", "1"], "not both"),
        (["--institution", "H" * 65, "--reason", "r", "--hours", "1"], "at most 64"),
    ],
)
def test_a_suppression_that_may_not_be_says_why_and_what_to_do(engine, capsys, words, says):
    assert says in said(capsys, "suppress", *words, code=2)
    assert read_acts(*engine) == []


def test_a_persons_number_never_reaches_the_log(engine, capsys, monkeypatch):
    monkeypatch.setenv("XINMAI_PSEUDONYM_KEY", "a key of sixteen bytes and more")
    said(capsys, "suppress", "--person", "43050000000000000001", "--reason", "r", "--hours", "1")
    (act,) = read_acts(*engine)
    assert act.subject_id.startswith("p1_")


def test_lifting_what_nobody_suppressed_names_the_list(engine, capsys):
    assert "xinmai alerts suppressions" in said(capsys, "unsuppress", "su_none", code=2)


def test_a_notice_shows_its_members(engine, capsys):
    bootstrap, topics = engine
    warn(engine, 1)
    warn(engine, 2)
    notice = NoticePrepared(
        at=to_datetime(1), by="engine", notice_id="nt_1", route="chat", cause="flood", members=(("al_2", "opened"),)
    )
    append_all(pen(bootstrap), [act_record(topics.handling, notice)], timeout_s=10)
    assert [orjson.loads(line)["alert_id"] for line in said(capsys, "--notice", "nt_1", "--json").splitlines()] == [
        "al_2"
    ]
    assert "no notice is called nt_2" in said(capsys, "--notice", "nt_2", code=2)


def test_an_acknowledgement_and_a_verdict_are_recorded_with_their_authors(engine, capsys):
    warn(engine, 1)
    warn(engine, 2)
    assert "al_2" in said(capsys, "ack", "al_1", "al_2", "--by", "li", "--note", "calling the ward")
    assert "confirmed" in said(capsys, "verdict", "al_1", "confirmed", "--by", "wang", "--note", "two cards, one man")
    handling = Handling(read_acts(*engine))
    assert all(handling.is_acknowledged(alert_id) for alert_id in ("al_1", "al_2"))
    verdict = handling.verdicts["al_1"]
    assert (verdict.by, verdict.verdict, verdict.note) == ("wang", "confirmed", "two cards, one man")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ack", "al_9"], "no alert is called al_9"),
        (["ack"], "name an alert"),
        (["verdict", "al_9", "false"], "no alert is called al_9"),
        (["verdict", "al_1", "perhaps"], "perhaps"),
    ],
)
def test_a_word_about_no_alert_is_refused(engine, capsys, words, says):
    warn(engine, 1)
    assert says in said(capsys, *words, code=2)
    assert read_acts(*engine) == []


def test_precision_marks_a_rule_below_its_floor_and_ends_with_1(engine, capsys):
    for number, rule_id in ((1, "P04"), (2, "P04"), (3, "P04"), (4, "P01")):
        warn(engine, number, rule_id)
    said(capsys, "verdict", "al_1", "confirmed")
    assert "below" not in said(capsys, "precision")
    said(capsys, "verdict", "al_2", "false")
    rows = {row["rule_id"]: row for row in map(orjson.loads, said(capsys, "precision", "--json", code=1).splitlines())}
    assert rows["P04"] == {
        "rule_id": "P04", "alerts": 3, "judged": 2, "confirmed": 1, "false": 1, "precision_percent_x100": 5_000,
        "floor_percent": 90, "below": True,
    }  # fmt: skip
    assert rows["P01"]["precision_percent_x100"] is None
    assert "below" in said(capsys, "precision", code=1)


def test_the_risk_state_of_a_subject_rests_on_its_own_alerts_and_on_what_people_said_of_them(engine, capsys):
    settings = load_settings()
    for number, subject in ((1, "p1_x"), (2, "p1_x"), (3, "p1_y")):
        warn(engine, number, subject_id=subject)
    assert risk_of(settings, "person", "p1_x", 4)["value"] == 16
    assert risk_of(settings, "person", "p1_y", 4)["value"] == 8
    assert risk_of(settings, "staff", "p1_x", 4)["value"] == 0
    said(capsys, "verdict", "al_1", "false")
    state = risk_of(settings, "person", "p1_x", 4)
    assert (state["value"], state["of"], state["alerts"]) == (8, 100, 1)
