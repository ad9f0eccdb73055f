"""Files and the raw national topic reach the log, paced by the lanes; refused lines come back once they are good."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep, time_ns
from typing import Any

import pytest
from confluent_kafka import Producer
from redis import Redis

from connectors.append import Pen
from connectors.canonical_line import LINE_BYTES_MAX
from connectors.codec import decode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.intake import Intake, Sender
from connectors.kafka import consumer, producer
from connectors.store import PULSE_CHANNEL
from connectors.topology import Topics
from streams.deadletters import Letters, read_letters, run_list, run_retry
from streams.edges import open_edge
from streams.ingest import numbered_lines, origin_of, run_ingest
from streams.pacing import Backlog
from streams.settings import Settings
from tests.pens import pen

SAMPLES = Path(__file__).parents[1] / "cases" / "national"


@pytest.fixture
def settings(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Settings:
    writer = pen(mock_kafka.bootstrap)
    for topic in topics.all:  # the in-process broker creates a topic when it is asked for
        writer.list_topics(topic, timeout=10)
    return Settings(kafka=mock_kafka.bootstrap, redis=redis_62.url, prefix=topics.prefix, clock="wall")


@pytest.fixture
def lane(settings: Settings) -> Iterator[None]:
    """A lane that is always at the end of every shard."""
    running = [True]

    def pulse() -> None:
        with Redis.from_url(settings.redis) as client:
            while running:
                now_ms = time_ns() // 1_000_000
                shards = [
                    {"shard": f"p{n}", "offset": 10**9, "record_ms": 0, "at_ms": now_ms, "lag": 0} for n in range(4)
                ]
                client.publish(PULSE_CHANNEL, json.dumps(shards))
                sleep(0.02)

    thread = Thread(target=pulse)
    thread.start()
    yield
    running.clear()
    thread.join()


def values(settings: Settings, topic: str, count: int) -> list[bytes]:
    """The first `count` records of a topic, and a look whether there are more."""
    reader = consumer(settings.kafka, "test-reader", **{"auto.offset.reset": "earliest"})
    reader.subscribe([topic])
    found: list[bytes] = []
    end_s = monotonic() + 60
    while len(found) < count and monotonic() < end_s:
        found += [message.value() or b"" for message in reader.consume(100, timeout=0.2) if not message.error()]
    reader.close()
    return found


def visit(**changes: Any) -> str:
    good = {
        "event_type": "visit.opened",
        "event_id": "e1",
        "occurred_at": "2026-03-10T07:00:00+08:00",
        "psn_no": "P1",
        "mdtrt_id": "M1",
        "fixmedins_code": "H1",
        "fixmedins_type": "1",
    }
    return json.dumps(good | changes) + "\n"


@pytest.mark.usefixtures("lane")
def test_a_sample_day_goes_into_the_log(settings, capsys):
    assert run_ingest(settings, str(SAMPLES / "hospital_day.jsonl"), format="national", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["ignored"], told["refused"], told["facts"]) == (88, 6, 0, 97)
    found = [decode_fact(value) for value in values(settings, settings.topics.events, 97)]
    assert {fact.source for fact in found} == {"file:hospital_day.jsonl"}


@pytest.mark.usefixtures("lane")
def test_a_refused_line_is_shown_listed_and_kept(settings, capsys, tmp_path):
    path = tmp_path / "day.jsonl"
    path.write_text(visit() + "{poison\n" + visit(event_id="e2", occurred_at="2126-01-01T00:00:00Z"))
    assert run_ingest(settings, str(path), format="canonical", as_json=False) == 1
    shown = capsys.readouterr().out
    assert "line 2: NOT_JSON" in shown
    assert "line 3: TIME_IN_FUTURE" in shown
    assert run_list(settings, as_json=True) == 0
    letters = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(letter["line"], letter["can_retry"]) for letter in letters} == {(2, False), (3, True)}


@pytest.mark.usefixtures("lane")
def test_a_retry_sends_what_has_become_good_once(settings, capsys, tmp_path):
    path = tmp_path / "day.jsonl"
    path.write_text(visit(occurred_at="2126-01-01T00:00:00Z") + visit(event_id="e2", ward="7B"))
    run_ingest(settings, str(path), format="canonical", as_json=True)
    capsys.readouterr()
    assert run_retry(settings, (), as_json=True) == 1  # the year 2126 has not come
    told = json.loads(capsys.readouterr().out)
    assert told["accepted"] == ["e2"]
    assert [why.split(":")[0] for _, why in told["refused"]] == ["TIME_IN_FUTURE"]
    assert run_retry(replace(settings, clock="log"), (), as_json=True) == 0  # simulated time asks no clock
    assert json.loads(capsys.readouterr().out)["accepted"] == ["e1"]
    assert run_retry(settings, (), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == []
    assert len(values(settings, settings.topics.events, 2)) == 2
    assert len(read_letters(settings.kafka, settings.topics.deadletter).resolved) == 2


@pytest.mark.usefixtures("lane")
@pytest.mark.parametrize(
    ("sender", "told"),
    [
        (
            Sender("h1", institutions={"H1"}),
            {"event_type": "topup.received", "mdtrt_id": "M1", "amount_fen": 10_000, "channel": "counter", "ref": "R1"},
        ),
        (
            Sender("b2", bank_code="B2"),
            {"event_type": "bank.repaid", "agreement_no": "of B1", "amount_fen": 100, "bank_ref": "R1"},
        ),
    ],
    ids=["a payment", "a repayment"],
)
def test_a_retry_says_what_its_sender_would_have_said_and_nothing_more(settings, capsys, sender, told):
    told = {"event_id": "e1", "occurred_at": "2026-03-10T07:00:00+08:00", "psn_no": "P1"} | told
    intake = Intake(Pen(lambda: pen(settings.kafka)), open_edge(settings))
    lines = [(1, json.dumps(told | {"note": "x"}).encode()), (2, json.dumps(told).encode())]
    results = intake.take(lines, sender, "canonical", "http:token")
    assert [result.reason for result in results] == ["UNKNOWN_FIELD", None]
    assert run_retry(settings, (), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == ["e1"]
    first, again = values(settings, settings.topics.events, 2)
    assert again == first  # the same business key, so a duplicate; the same sender, so judged as one


@pytest.mark.usefixtures("lane")
@pytest.mark.parametrize("sender", [Sender("token"), Sender("token", institutions={"H1"})], ids=["any", "bound"])
def test_a_bill_of_the_future_whose_kind_its_visit_tells_is_retried_as_the_message_told_it(settings, capsys, sender):
    amounts = {"medfee_sumamt": 10, "fund_pay_sumamt": 5, "psn_part_amt": 5, "acct_pay": 0, "psn_cash_pay": 5}
    bill = {"setl_id": "S1", "mdtrt_id": "M1", "setl_time": "2126-01-01 08:00:00", **amounts}
    told = {
        "infno": "2207", "msgid": "X1", "infcode": 0, "fixmedins_code": "H1",
        "input": {"data": {"psn_no": "P1", "dr_code": ""}}, "output": {"setlinfo": bill},
    }  # fmt: skip
    intake = Intake(Pen(lambda: pen(settings.kafka)), open_edge(settings))
    (result,) = intake.take([(1, json.dumps(told).encode())], sender, "national", "http:token")
    assert result.reason == "TIME_IN_FUTURE"
    assert run_retry(settings, (), as_json=True) == 1
    assert "TIME_IN_FUTURE" in capsys.readouterr().out
    later = replace(settings, clock="log")
    assert run_retry(later, (), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == ["2207:X1:0"]
    Intake(Pen(lambda: pen(settings.kafka)), open_edge(later)).take(
        [(1, json.dumps(told).encode())], sender, "national", "http:token"
    )
    retried, in_time = values(settings, settings.topics.events, 2)
    assert retried == in_time


def test_the_letter_of_a_lane_is_listed_by_its_position_in_the_log(settings, capsys):
    writer = pen(settings.kafka)
    letter = {"deadletter_id": "dl_1", "reason": "NOT_JSON", "detail_en": "not JSON", "origin": "p0@7", "sha256": "ab"}
    writer.produce(settings.topics.deadletter, json.dumps(letter), key="p0@7")
    writer.flush(10)
    assert run_list(settings, as_json=False) == 0
    assert "dl_1  resend     p0@7  NOT_JSON: not JSON" in capsys.readouterr().out


@pytest.mark.usefixtures("lane")
def test_a_conflict_is_not_retried_because_it_would_conflict_again(settings, capsys):
    writer = pen(settings.kafka)
    letter = {"deadletter_id": "dl_1", "reason": "CONFLICT", "origin": "p0@7", "can_retry": True, "event": {}}
    writer.produce(settings.topics.deadletter, json.dumps(letter), key="p0@7")
    writer.flush(10)
    assert run_list(settings, as_json=False) == 0
    assert "dl_1  resend" in capsys.readouterr().out
    assert run_retry(settings, ("dl_1",), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["cannot_retry"] == ["dl_1"]


@pytest.mark.usefixtures("lane")
def test_a_retry_of_everything_says_what_it_left_and_why(settings, capsys):
    writer = pen(settings.kafka)
    letter = {"deadletter_id": "dl_1", "reason": "NOT_JSON", "detail_en": "not JSON", "origin": "p0@7", "sha256": "ab"}
    writer.produce(settings.topics.deadletter, json.dumps(letter), key="p0@7")
    writer.flush(10)
    assert run_retry(settings, (), as_json=False) == 0
    assert "1 not retried: no event is kept" in capsys.readouterr().out
    assert run_retry(settings, (), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["left"] == ["dl_1"]


@pytest.mark.usefixtures("lane")
def test_a_letter_that_nobody_knows_cannot_be_retried(settings, capsys):
    assert run_retry(settings, ("dl_nobody",), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["unknown"] == ["dl_nobody"]


def test_on_a_broker_that_forgets_nothing_is_sent_while_nobody_reads(settings, capsys):
    assert run_ingest(settings, str(SAMPLES / "county_day.jsonl"), format="national", as_json=True) == 2
    assert "no worker reads" in capsys.readouterr().err


@pytest.mark.usefixtures("lane")
def test_a_producer_that_never_connects_is_followed_by_one_that_does(settings, capsys, tmp_path, monkeypatch):
    made: list[Producer] = []

    def first_nowhere(kafka: str) -> Producer:
        made.append(producer(kafka if made else "127.0.0.1:1"))
        return made[-1]

    monkeypatch.setattr("streams.ingest.producer", first_nowhere)
    monkeypatch.setattr("connectors.append.GIVEN_UP_AFTER_S", 5.0)
    path = tmp_path / "day.jsonl"
    path.write_text(visit() + visit(event_id="e2"))
    assert run_ingest(settings, str(path), format="canonical", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 2
    assert len(made) == 2
    assert len(values(settings, settings.topics.events, 2)) == 2


def test_a_file_that_is_not_there_cannot_run(settings, capsys):
    assert run_ingest(settings, "nowhere.jsonl", format="canonical", as_json=False) == 2
    error = capsys.readouterr().err
    assert "没有文件 nowhere.jsonl" in error
    assert "no file nowhere.jsonl: check the path" in error


def test_a_directory_cannot_be_sent(settings, capsys, tmp_path):
    assert run_ingest(settings, str(tmp_path), format="canonical", as_json=False) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path} is a directory" in error
    assert "Errno" not in error


@pytest.mark.usefixtures("lane")
@pytest.mark.parametrize("form", ["canonical", "national"])
@pytest.mark.parametrize("line", ["# no event", "[" * 30_000 + "]" * 30_000], ids=["words", "too deep to be read"])
def test_a_file_that_is_no_json_at_all_brings_one_sentence_and_no_letter(settings, capsys, tmp_path, form, line):
    path = tmp_path / "README.md"
    path.write_text(f"{line}\n" * 20 + visit())
    assert run_ingest(settings, str(path), format=form, as_json=True) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("nothing was sent")) == ("", 1)
    assert not read_letters(settings.kafka, settings.topics.deadletter).by_id
    path.write_text(f"{line}\n" * 19 + visit())  # one that can be read: the others are told apart
    assert run_ingest(settings, str(path), format=form, as_json=True) == 1
    assert len(read_letters(settings.kafka, settings.topics.deadletter).by_id) == (19 if form == "canonical" else 20)


@pytest.mark.usefixtures("lane")
def test_national_messages_taken_for_events_bring_one_hint_and_no_letter(settings, capsys, tmp_path):
    messages = (SAMPLES / "hospital_day.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    path = tmp_path / "day.jsonl"
    path.write_text("".join(messages), encoding="utf-8")
    assert run_ingest(settings, str(path), format="canonical", as_json=True) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("add --format national")) == ("", 1)
    assert not read_letters(settings.kafka, settings.topics.deadletter).by_id
    path.write_text("".join(messages) + visit(), encoding="utf-8")
    assert run_ingest(settings, str(path), format="canonical", as_json=True) == 1
    assert "--format" not in capsys.readouterr().err


def test_the_edge_asks_kafka_how_many_partitions_there_are(settings):
    assert open_edge(settings).partitions == 4


def test_lines_are_counted_from_one_and_a_line_without_end_does_not_fill_memory():
    stream = io.BytesIO(b"a\n\n" + b"x" * 1_000_000 + b"\n" + b"c")
    lines = list(numbered_lines(stream))
    assert [number for number, _ in lines] == [1, 3, 4]
    assert [len(line) for _, line in lines] == [1, LINE_BYTES_MAX + 2, 1]


def test_a_files_origin_is_its_name_without_the_folders_of_a_machine():
    assert origin_of("/home/somebody/day.jsonl") == "file:day.jsonl"
    assert origin_of("-") == "stdin"


def test_the_backlog_is_what_was_acknowledged_here_and_not_applied_there():
    backlog = Backlog("events")
    backlog.delivered("events", 0, 99)
    backlog.delivered("deadletter", 0, 500)
    assert backlog.lag(0.0) == 0  # nobody serves the shard: nobody's checkout waits
    backlog.heard(b'{"shard":"p0","offset":39,"record_ms":0,"at_ms":0,"lag":10}', 1.0)
    assert backlog.lag(1.5) == 60
    backlog.heard(b'[{"shard":"p0","offset":99,"record_ms":0,"at_ms":0,"lag":7}]', 2.0)
    assert backlog.lag(2.5) == 7
    backlog.heard(b"noise", 2.6)
    assert backlog.lag(99.0) == 0


def test_what_is_no_letter_on_the_topic_is_left():
    letters = Letters()
    resolved = b'{"deadletter_id":"a","resolved":"retried"}'
    for body in (b"noise", b"[1]", b"{}", b'{"deadletter_id":"a"}', b'{"deadletter_id":"b"}', resolved):
        letters.note(body)
    assert [letter["deadletter_id"] for letter in letters.open] == ["b"]
