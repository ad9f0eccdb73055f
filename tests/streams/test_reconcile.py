"""`orders reconcile` against the bank simulator over HTTP and a log on the in-process broker."""

import asyncio
import json
import time
from dataclasses import asdict
from datetime import timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path

import orjson
import pytest

from connectors.append import Record, append_all
from connectors.bank import BankAccess, BankGateway, BankOrder
from connectors.bank_book import Plant
from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.codec import encode_fact
from connectors.kafka import create_topics
from risk.facts import BankOrderResult
from risk.local_time import day_start_ms, local_day, rfc3339, to_date, to_datetime
from streams.order_submission import order_result
from streams.reconcile import read_attempts, run_reconcile
from streams.settings import Settings
from streams.stop import Stop
from tests.pens import pen

DAY = 20_600
DATE = to_date(DAY).isoformat()
NOON_MS = day_start_ms(DAY) + 12 * 3_600_000
PERSON = "430500000000001"


class Books:
    """A log and a bank: orders go to both, unless a test leaves one out."""

    def __init__(self, kafka, topics, bank, at_ms: int = NOON_MS) -> None:
        self.at_ms = at_ms
        self.settings = Settings(
            kafka=kafka.bootstrap, redis="", prefix=topics.prefix, bank=bank.url, bank_secret=SIMULATOR_SECRET
        )
        self.bank, self._producer = bank, pen(kafka.bootstrap)
        self.answers = []

    def order(self, order_id: str, amount_fen: int = 500, **over) -> BankOrder:
        words = {"kind": "debit", "attempt": 1, "agreement_no": "AG1", "bank_code": "BCM"} | over
        return BankOrder(
            order_id=order_id,
            amount_fen=amount_fen,
            payee_fixmedins_code="H1",
            not_before=rfc3339(self.at_ms),
            due_at=rfc3339(self.at_ms),
            **words,
        )

    def append(self, topic: str, value: bytes) -> None:
        append_all(self._producer, [Record(topic, PERSON, value, 0)], timeout_s=20)

    def ordered(self, order: BankOrder) -> None:
        body = {name: value for name, value in asdict(order).items() if value is not None}
        self.append(self.settings.topics.withholding, orjson.dumps(body))

    def told(self, fact: BankOrderResult) -> None:
        self.append(self.settings.topics.events, encode_fact(fact))

    def carried(self, *orders: BankOrder) -> None:
        """Emitted, submitted, answered."""
        for order in orders:
            self.ordered(order)
        for order, answer in zip(orders, asyncio.run(self.submit(*orders)), strict=True):
            self.told(order_result(PERSON, order, answer, self.at_ms))

    async def submit(self, *orders: BankOrder):
        gateway = BankGateway({}, other_banks=BankAccess(url=self.bank.url, secret=SIMULATOR_SECRET))
        try:
            return [await gateway.submit(order) for order in orders]
        finally:
            await gateway.close()


@pytest.fixture
def books(mock_kafka, topics):
    with BankSimulator() as bank:
        bank.set_clock(NOON_MS)
        made = Books(mock_kafka, topics, bank)
        made.carried(
            made.order("or_1"),
            made.order("or_2", bank_code="ABC", kind="draw"),
            made.order("or_3", 120, kind="refund", original_order_id="or_1"),
            made.order("or_4", 700),
        )
        yield made


def said(books, capsys, **over):
    words = {"day": DATE, "bank": None, "statement": None} | over
    code = run_reconcile(books.settings, as_json=True, **words)
    return code, json.loads(capsys.readouterr().out)


def found(body) -> list[tuple[str, str, int]]:
    return sorted((line["finding"], line["order_id"], line["difference_fen"]) for line in body["differences"])


def test_equal_books_of_all_banks_exit_0_and_add_up(books, capsys):
    code, body = said(books, capsys)
    assert (code, body["equal"], body["differences"]) == (0, True, [])
    assert body["total"] == {"bank_fen": 1_580, "our_fen": 1_580, "lines": 4, "differing": 0, "difference_fen": 0}
    assert {(row["bank_code"], row["institution"]): row["bank_fen"] for row in body["totals"]} == {
        ("ABC", "H1"): 500,
        ("BCM", "H1"): 1_080,
    }
    assert run_reconcile(books.settings, day=DATE, bank="ABC", statement=None, as_json=False) == 0
    assert "相符 equal" in capsys.readouterr().out


def test_planted_differences_are_named_exactly(books, capsys):
    books.bank.plant(
        Plant(kind="omit", order_id="or_1"),
        Plant(kind="twice", order_id="or_2"),
        Plant(kind="amount", order_id="or_4", amount_fen=701),
        Plant(kind="invent", order_id="or_9", amount_fen=3, bank_code="BCM", booked_at=rfc3339(NOON_MS)),
    )
    code, body = said(books, capsys)
    assert code == 1
    assert found(body) == [
        ("amount_differs", "or_4", 1),
        ("booked_twice", "or_2", 500),
        ("missing_at_bank", "or_1", -500),
        ("missing_with_us", "or_9", 3),
    ]
    assert body["total"]["difference_fen"] == 4
    assert run_reconcile(books.settings, day=DATE, bank=None, statement=None, as_json=False) == 1
    assert "missing_with_us: 1 lines, +3 fen" in capsys.readouterr().out
    code, body = said(books, capsys, bank="ABC")
    assert found(body) == [("booked_twice", "or_2", 500)]


def test_an_order_that_the_bank_booked_and_nobody_told_us_of_is_still_unknown(books, capsys):
    waiting = books.order("or_5", 50)
    books.ordered(waiting)
    code, body = said(books, capsys)
    assert (code, found(body)) == (1, [("still_unknown", "or_5", 0)])
    asyncio.run(books.submit(waiting))
    code, body = said(books, capsys)
    assert found(body) == [("still_unknown", "or_5", 50)]


def test_an_answer_told_a_day_late_belongs_to_the_day_on_which_the_bank_booked_it(books, capsys):
    late = books.order("or_6", 60)
    books.ordered(late)
    (answer,) = asyncio.run(books.submit(late))
    books.told(order_result(PERSON, late, answer, NOON_MS + 86_400_000))
    assert said(books, capsys)[0] == 0
    code, body = said(books, capsys, day=to_date(DAY + 1).isoformat())
    assert (code, body["total"]["lines"]) == (0, 0)


def test_another_banks_word_about_an_order_counts_for_nothing(books, capsys):
    order = books.order("or_7", 70)
    books.ordered(order)
    fact = BankOrderResult(
        event_id="x",
        occurred_at=to_datetime(NOON_MS) + timedelta(hours=1),
        psn_no=PERSON,
        source="bank:ABC/notice",
        order_id="or_7",
        attempt=1,
        result="settled",
        amount_fen=70,
    )
    books.told(fact)
    assert found(said(books, capsys)[1]) == [("still_unknown", "or_7", 0)]


def test_a_statement_may_come_as_a_file_or_on_stdin(books, capsys, tmp_path, monkeypatch):
    path = tmp_path / "statement.csv"
    rows = [row for row in books.bank.book.bookings() if row["bank_code"] == "BCM"]
    names = ("order_id", "attempt", "kind", "amount_fen", "bank_ref", "booked_at")
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    path.write_text("\n".join(lines))
    assert said(books, capsys, bank="BCM", statement=path)[0] == 0
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(path.read_bytes())))
    assert said(books, capsys, bank="BCM", statement=Path("-"))[0] == 0
    path.write_text("\n".join(lines[:-1]))
    code, body = said(books, capsys, bank="BCM", statement=path)
    assert (code, [line["finding"] for line in body["differences"]]) == (1, ["missing_at_bank"])


@pytest.mark.kafka
def test_on_a_real_log_only_the_records_around_the_day_are_read(real_kafka, topics, capsys):
    create_topics(real_kafka.bootstrap, topics, partitions=2, subjects_partitions=1)
    now_ms = time.time_ns() // 1_000_000
    today = local_day(now_ms)
    with BankSimulator() as bank:
        books = Books(real_kafka, topics, bank, now_ms)
        books.carried(books.order("or_1"), books.order("or_2", 70))
        code, body = said(books, capsys, day=to_date(today).isoformat())
        assert (code, body["total"]["bank_fen"], body["total"]["our_fen"]) == (0, 570, 570)
        # orders are looked for forty days back, and what was appended later is not there yet
        assert len(read_attempts(books.settings, today + 39)) == 2
        assert read_attempts(books.settings, today + 42) == {}


def test_a_date_that_is_none_stops_the_command(books):
    with pytest.raises(Stop, match="2026-04-01"):
        run_reconcile(books.settings, day="yesterday", bank=None, statement=None, as_json=True)
