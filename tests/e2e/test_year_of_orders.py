"""Redis flushed with a year of settled orders behind it: the bank hears of none of them again."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.embedded import RealKafka, RedisServer
from connectors.log_reader import log_end
from connectors.store import KEY_PREFIX
from connectors.topology import Topics, tags
from risk.local_time import day_of
from streams.city.plan import CityPlan
from tests.e2e.chaos.city_log import records
from tests.e2e.live_engine import PARTITIONS, LiveEngine, until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
MONTHS = 12
REDRIVES_S = 4.0  # the redrive walks over open orders every second

YEAR = CityPlan(
    people=60,
    institutions=4,
    first_day=day_of(date(2025, 3, 3)),
    days=365,
    seed=5,
    visits_per_year=6,
    signed_percent=100,
    plants=0,
    checkout=True,
)


@pytest.fixture
def bank() -> Iterator[BankSimulator]:
    with BankSimulator() as simulator:
        yield simulator


def test_a_flush_behind_a_year_of_settled_orders_sends_the_bank_nothing(
    real_kafka: RealKafka, topics: Topics, bank: BankSimulator, tmp_path: Path
):
    year = list(records(YEAR))
    month = len(year) // MONTHS
    gateway = {"XINMAI_BANK": bank.url, "XINMAI_BANK_SECRET": SIMULATOR_SECRET}
    with RedisServer("any") as redis:
        engine = LiveEngine(real_kafka.bootstrap, redis.url, topics, tmp_path, clock="log", environment=gateway)
        with engine:
            for number in range(MONTHS):
                engine.append_encoded(year[number * month : (number + 1) * month])
                _wait_until_settled(engine, redis)
            called, ledger = len(bank.book.calls), dict(bank.book.ledger)
            said = _ends(engine)
            results = Counter(answer["result"] for answer in ledger.values())
            assert results["settled"] > 100, results
            assert results.keys() <= {"settled", "rejected", "cancelled"}, "each has its last word"

            redis.flush()
            until(lambda: engine.unapplied() == 0, within_s=60)
            time.sleep(REDRIVES_S)
            assert bank.book.calls[called:] == []
            assert _ends(engine) == said, "no output, no timer, no bank result is appended again"

            engine.append_encoded(year[MONTHS * month :] + _one_more_day())
            _wait_until_settled(engine, redis)
            assert len(bank.book.ledger) > len(ledger), "what comes now is ordered"
            assert {key: bank.book.ledger[key] for key in ledger} == ledger


def _one_more_day() -> list[tuple[str, bytes]]:
    """Another city's people, a day later."""
    later = replace(YEAR, first_day=YEAR.first_day + YEAR.days, days=2, seed=6, visits_per_year=200)
    return list(records(later))


def _wait_until_settled(engine: LiveEngine, redis: RedisServer) -> None:
    """Until every record is applied and no order is open at the bank."""
    until(lambda: engine.unapplied() == 0 and not _open_orders(redis) and engine.unapplied() == 0, within_s=60)


def _open_orders(redis: RedisServer) -> int:
    with redis.client() as client:
        return sum(client.hlen(f"{KEY_PREFIX}{tag}:orders") for tag in tags("p", PARTITIONS))


def _ends(engine: LiveEngine) -> dict[str, int]:
    """Where each topic ends."""
    topics = engine.topics
    names = (topics.events, topics.subjects, topics.alerts, topics.decisions, topics.withholding)
    return {name: sum(log_end(engine.kafka, name, number)[1] for number in range(PARTITIONS)) for name in names}
