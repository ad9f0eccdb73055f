"""Redis bytes per insured person: a normal year (4 visits, 4 settlements, 12 fee lines), and one with credit in use."""

from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.both_hops import BothHops, policy_texts
from benchmarks.ours import lanes, preload, prepare
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.codec import encode_fact
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.store import KEY_PREFIX
from connectors.stored_bytes import stored
from risk.facts import AuthorizationRequested, CodeMoved, Fact, StockMoved
from risk.local_time import DAY_MS, to_datetime
from risk.trace_codes import BUCKETS, box_of, seen
from streams.city.canonical import facts_of, signed_up
from streams.city.happenings import Visit
from streams.city.settlements import START_MS
from streams.city.visits import outpatient
from streams.city.world import signed_person
from streams.stop import Stop

ITEMS = 400
"""A pharmacy's assortment that moves."""
VISITS, HOSPITALS = 4, 40
DRAWS = (0.5, 0.5, 0.5, 0.5, 0.2, 0.4, 0.7, 0.5, 0.5, 0.5, 0.5, 0.5)
"""An ordinary visit: not cancelled, three fee lines, no reversal."""


def run(quick: bool) -> Report:
    """used_memory after, less used_memory once the empty shards were claimed, per person; keys included."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    people = 1_000 if quick else 20_000
    report = Report({"people": people, "psn_no": "25 characters, as pseudonyms have", "policy": "shaoyang"})
    with RealKafka() as kafka:
        for name, credit in (("a normal year", False), ("a normal year, an agreement, an open hold", True)):
            _measure(report, kafka.bootstrap, name, people, credit)
    for codes_per_bucket in (24, 240):
        _measure_codes(report, codes_per_bucket, 10_000 if quick else 200_000)
    for a_day in (100, 1_000):
        _measure_stock(report, a_day, days=5 if quick else 40)
    return report


def _measure_codes(report: Report, codes_per_bucket: int, codes: int) -> None:
    """used_memory of trace codes at the fill of so many in all, per code: the production bucket in Redis alone."""
    buckets, draw = max(1, codes // codes_per_bucket), Random(1)
    with RedisServer("any") as redis, redis.client() as client:
        before = int(client.info("memory")["used_memory"])
        for number in range(buckets):
            bucket = b""
            for _ in range(codes_per_bucket):  # nothing that two codes of a bucket share may be the bench's own
                moved = CodeMoved(
                    event_id=f"{draw.getrandbits(64):x}",
                    occurred_at=to_datetime(START_MS + draw.randrange(180 * DAY_MS)),
                    fixmedins_code=f"P43050{draw.randrange(200_000, 203_000)}",
                    movement="sold",
                    drug_trac_codg=f"8{draw.randrange(10**19):019d}",
                )
                bucket = seen(bucket, box_of(moved)).bucket
            client.set(f"{KEY_PREFIX}{{q0}}:t:{number:x}", stored(bucket))
        after = int(client.info("memory")["used_memory"])
    per_code = (after - before) / (buckets * codes_per_bucket)
    total = codes_per_bucket * BUCKETS
    report.add("memory", f"trace codes, {total:.2g} in all", "bytes per code", per_code, "bytes", f"{buckets} buckets")


def _measure_stock(report: Report, a_day: int, *, days: int) -> None:
    """used_memory of one pharmacy's stock after days of so many sales each, per movement: its values in Redis alone."""
    hops = BothHops(policy_texts("shaoyang"))
    count = a_day * days
    for _ in hops.fold(_sale(number, START_MS + number * DAY_MS // a_day) for number in range(count)):
        pass
    with RedisServer("any") as redis, redis.client() as client:
        before = int(client.info("memory")["used_memory"])
        for (key, field), value in hops.subjects.values.everything():
            if field and value:
                client.hset(key, field, stored(value))
        after = int(client.info("memory")["used_memory"])
    name = f"stock of a pharmacy, {a_day} sales a day"
    report.add("memory", name, "bytes per movement", (after - before) / count, "bytes", f"{count} sales, {ITEMS} items")


def _sale(number: int, at_ms: int) -> StockMoved:
    return StockMoved(
        event_id=f"3505:P43050200001{at_ms:014d}{number % 10_000:04d}:0",
        occurred_at=to_datetime(at_ms),
        fixmedins_code="P43050200001",
        movement="sold",
        med_list_codg=f"X{Random(number % ITEMS).randrange(10**22):022d}",
        cnt_x10000=10_000,
        fixmedins_bchno=f"B{Random(number).randrange(10**12):012d}",
    )


def _measure(report: Report, kafka: str, name: str, people: int, credit: bool) -> None:
    prefix = f"memory{int(credit)}."
    topics = prepare(kafka, prefix, "shaoyang")
    with RedisServer("any") as redis, lanes(kafka, redis.url, prefix, 1) as running:
        progress = Progress(kafka, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
        claimed = progress.await_claims()
        before = progress.used_memory()
        records = ((fact.psn_no, encode_fact(fact)) for fact in year(people, credit))
        count = preload(kafka, topics.events, records)
        drained = claimed and running.alive and progress.await_drained()
        after = progress.used_memory()
        with redis.client() as client:
            codes = _codes_of(client) / people
        progress.close()
    if not drained:
        report.add(
            "memory",
            name,
            "bytes per person",
            None,
            "bytes",
            " | ".join(running.stops())[-300:] or f"claimed: {claimed}",
        )
        return
    note = f"{count} records; {codes:,.0f} bytes of it trace codes, each alone in its bucket in so small a place"
    report.add("memory", name, "bytes per person", (after - before) / people, "bytes", note)


def _codes_of(client: Any) -> float:
    """What the buckets of trace codes take, keys included, by a sample of them."""
    keys = list(client.scan_iter(match=f"{KEY_PREFIX}*:t:*", count=10_000))
    sample = keys[:500]
    return len(keys) * sum(client.memory_usage(key) for key in sample) / max(1, len(sample))


def year(people: int, credit: bool) -> Iterator[Fact]:
    """Everybody's year, a visit each season; with credit, signed before and one authorization at the end."""
    for index in range(people if credit else 0):
        yield from signed_up(signed_person(_psn_no(index)), START_MS - DAY_MS)
    for ordinal in range(VISITS):
        for index in range(people):
            for happening in outpatient(_visit(index, ordinal), _at_ms(ordinal, index), DRAWS, credit=False, ask=False):
                yield from facts_of(happening)
    for index in range(people if credit else 0):
        yield _request(index)


def _at_ms(ordinal: int, index: int) -> int:
    return START_MS + (ordinal * 91 + index % 50) * DAY_MS


def _psn_no(index: int) -> str:
    return f"p1_{index:022d}"


def _visit(index: int, ordinal: int) -> Visit:
    """At one of the two hospitals he goes to, by one of its ten doctors; no number is a counter or the bench's own."""
    home, draw = Random(index), Random(index * 10 + ordinal)
    hospital = home.sample(range(HOSPITALS), 2)[draw.randrange(2)]
    code = f"H4305{Random(hospital).randrange(10**7):07d}"
    doctor = f"D4305{Random(HOSPITALS + 10 * hospital + draw.randrange(10)).randrange(10**8):08d}"
    number = draw.randrange(10**17)
    return Visit(f"{number:018d}", _psn_no(index), code, "1", "11", "390", "430502", doctor, "0300", number)


def _request(index: int) -> AuthorizationRequested:
    visit = _visit(index, 9)
    return AuthorizationRequested(
        event_id=f"auth:{visit.fixmedins_code}:A{index}",
        occurred_at=to_datetime(START_MS + 300 * DAY_MS),
        psn_no=visit.psn_no,
        authorization_id=f"A{index}",
        fixmedins_code=visit.fixmedins_code,
        attempt=f"bench{index}",
        mdtrt_id=visit.mdtrt_id,
        service="visit_first",
        med_type="11",
        amount_fen=20_000,
    )
