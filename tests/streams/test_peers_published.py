"""What hospitals and doctors have in common, published from a lane's state: in every partition, and judged by it."""

from datetime import datetime, timedelta

import pytest

from connectors.codec import decode_fact, encode_fact
from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from risk.facts import Fact, FeeAdded, SettlementCompleted
from risk.local_time import SHANGHAI, day_of
from streams.peers import publish_peers, run_peers_publish
from streams.settings import Settings
from streams.stop import Stop
from tests.streams.lane_world import SUBJECTS, World

pytestmark = pytest.mark.kafka
FIRST = datetime(2026, 3, 1, 9, tzinfo=SHANGHAI)
TONIGHT = day_of(FIRST.date()) + 1
HOSPITALS, BILLS = 12, 30
DOCTORS = 12
NUMBERS = iter(range(10**6))


def stay(hospital: int, fee_fen: int, at: datetime) -> Fact:
    number = next(NUMBERS)
    return SettlementCompleted(
        event_id=f"E{number}",
        occurred_at=at,
        psn_no=f"P{number}",
        setl_id=f"S{number}",
        mdtrt_id=f"V{number}",
        fixmedins_code=f"H4305{hospital:05d}",
        fixmedins_type="1",
        med_type="21",
        medfee_sumamt_fen=fee_fen,
        fund_pay_sumamt_fen=0,
        psn_part_amt_fen=fee_fen,
        acct_pay_fen=0,
        psn_cash_pay_fen=fee_fen,
    )


def line(doctor: str, amount_fen: int, at: datetime) -> Fact:
    """A fee line of the key drug."""
    number = next(NUMBERS)
    return FeeAdded(
        event_id=f"E{number}",
        occurred_at=at,
        psn_no=f"P{number}",
        mdtrt_id=f"V{number}",
        feedetl_sn=f"L{number}",
        fixmedins_code="H430500001",
        med_list_codg="XA10BJ0001",
        cnt_x10000=10_000,
        amount_fen=amount_fen,
        dr_code=doctor,
    )


@pytest.fixture
def world(real_kafka: RealKafka, redis_7: RedisServer, topics: Topics) -> World:
    return World(real_kafka, redis_7, topics)


@pytest.fixture
def settings(world: World) -> Settings:
    return Settings(kafka=world.kafka.bootstrap, redis=world.redis.url, prefix=world.topics.prefix, clock="log")


def test_a_hospital_dearer_than_nine_tenths_is_found_by_what_was_published(world: World, settings: Settings, capsys):
    lane = world.lane()
    people = [stay(n, 100_000 * (n + 1), FIRST + timedelta(minutes=m)) for n in range(HOSPITALS) for m in range(BILLS)]
    world.append((fact.psn_no, encode_fact(fact)) for fact in people)
    world.drain(lane)

    published = publish_peers(settings, TONIGHT)
    assert [(each.subject, each.members, each.p50_x1000000, each.p90_x1000000) for each in published.facts] == [
        ("institution", 0, 0, 0),  # growth, for D10: of no pharmacy, and of nobody heard of before
        ("institution", HOSPITALS, 600_000 * 10**6, 1_100_000 * 10**6),
        ("staff", 0, 0, 0),
    ]
    assert run_peers_publish(settings, on="2026-03-02", as_json=True) == 0, "said again, it changes nothing"
    said = [decode_fact(line.encode()) for line in capsys.readouterr().out.splitlines()]
    assert said == published.facts
    in_log = [value for value in world.values(world.topics.subjects) if b"peers.published" in value]
    assert [decode_fact(value) for value in in_log] == 2 * SUBJECTS * published.facts

    tomorrow = FIRST + timedelta(days=1)
    dear = [stay(HOSPITALS - 1, 3_000_000, tomorrow + timedelta(minutes=m)) for m in range(20)]
    world.append((fact.psn_no, encode_fact(fact)) for fact in dear)
    world.drain(lane)
    found = [each for each in world.outputs(world.topics.alerts) if each["rule_id"] == "H17"]
    assert [(each["subject_id"], each["observed"], each["allowed"]) for each in found] == [("H430500011", 150, 150)]
    more = [stay(n, 9_000_000, FIRST + timedelta(hours=2)) for n in range(HOSPITALS)]
    world.append((fact.psn_no, encode_fact(fact)) for fact in more)
    world.drain(lane)
    assert publish_peers(settings, TONIGHT) == published, "late bills of the day change nothing that was said of it"
    assert world.proof().told == [], "folded again from the log it is the same"


def test_a_doctor_who_orders_twenty_times_what_others_do_is_found_and_a_specialist_is_not(
    world: World, settings: Settings
):
    lane = world.lane()
    ordered = [line(f"D{n}", 100_000 + 10_000 * n, FIRST + timedelta(minutes=n)) for n in range(DOCTORS)]
    ordered += [line("", 90_000_000, FIRST), line("未知", 90_000_000, FIRST)]
    world.append((fact.psn_no, encode_fact(fact)) for fact in ordered)
    world.drain(lane)
    published = publish_peers(settings, TONIGHT)
    assert [(each.members, each.p90_x1000000) for each in published.facts if each.subject == "staff"] == [
        (DOCTORS, 200_000 * 10**6)
    ]
    tomorrow = FIRST + timedelta(days=1)
    more = [line("D1", 3_890_000, tomorrow), line("D2", 3_000_000, tomorrow), line("未知", 90_000_000, tomorrow)]
    world.append((fact.psn_no, encode_fact(fact)) for fact in more)
    world.drain(lane)
    found = [each for each in world.outputs(world.topics.alerts) if each["rule_id"] == "M02"]
    assert [(each["subject_id"], each["observed"], each["allowed"]) for each in found] == [("D1", 2_000, 2_000)]
    assert world.proof().told == [], "folded again from the log it is the same"


def test_without_a_rule_that_compares_there_is_nothing_to_publish(world: World, settings: Settings):
    with pytest.raises(Stop, match="start a worker first"):
        publish_peers(settings, TONIGHT)
    with pytest.raises(Stop, match="--on is 'tomorrow'"):
        run_peers_publish(settings, on="tomorrow", as_json=False)
