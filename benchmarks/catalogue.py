"""The whole book on a named mix: visits, fee lines, estimates, settlements, reversals of a city, some of it misconduct.

An event is a record of `events.v1`; what is told of doctors and shelves stands beside them on `subjects.v1`. The mix is
drained by one lane and by two, and what they say is held against the same facts folded in memory. Then it comes open
loop, at 30 % of what the faster of both drained: most of it at once, so that people have a history, the rest as it
would happen. What each rule costs of this is `bench rules`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from benchmarks.both_hops import BothHops, city_facts, policy_texts
from benchmarks.engine import WARM_UP, drain, drain_by_one_and_two
from benchmarks.latency import Waits, bodies, engine_of, send, waits_after
from benchmarks.peers.workload import PARTITIONS
from benchmarks.report import Report
from connectors.amounts import AmountProfiles
from connectors.append import Record, append_all
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.intake import Edge, fact_records
from connectors.kafka import producer
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics
from risk.facts import Fact
from risk.local_time import day_of
from risk.policy import parse_policy
from streams.city.plan import CityPlan
from streams.stop import Stop

BENCH = "catalogue"
LOAD_PERCENT = 30
WITHIN_S = 120

Alerts = dict[str, set[tuple[str, ...]]]
"""What tells alerts apart, by the kind of whom they are about: a person's id and episode; of others not by which bill
it crossed, for persons' shards interleave.
"""


class Mix(NamedTuple):
    """What a city's edges append, in the order of arrival; topics stand without their prefix."""

    people: int
    kinds: dict[str, int]
    records: list[Record]
    alerts: Alerts
    """What both hops say of it in memory."""

    def told(self) -> dict[str, Any]:
        """What a report says of it."""
        alerting = 100 * sum(map(len, self.alerts.values())) / len(self.records)
        return {"records": len(self.records), "people": self.people, "alerting": f"{alerting:.2f} %", **self.kinds}

    def fill(self, kafka: str, topics: Topics) -> int:
        """Append everything; how many of it are persons'."""
        records = self.under(topics)
        append_all(producer(kafka), records, timeout_s=WITHIN_S)
        return sum(record.topic == topics.events for record in records)

    def under(self, topics: Topics) -> list[Record]:
        """The records on these topics."""
        return [record._replace(topic=topics.prefix + record.topic) for record in self.records]


def mix_of(plan: CityPlan) -> Mix:
    """Everything a bench needs of a city."""
    edge = Edge(Topics(""), PARTITIONS, Pseudonyms(None), AmountProfiles(), lambda: 0, subjects_partitions=PARTITIONS)
    facts: list[Fact] = list(city_facts(plan))
    kinds = Counter(fact.event_type for fact in facts)
    people = len({fact.psn_no for fact in facts} - {""})
    said = BothHops(policy_texts("shaoyang")).fold(facts)
    alerts = alerts_among(output.body for output in said if output.topic == "alerts")
    return Mix(people, dict(kinds.most_common()), [each for fact in facts for each in fact_records(edge, fact)], alerts)


def alerts_among(told: Iterable[dict[str, Any]]) -> Alerts:
    """Alerts once each: outputs come at least once."""
    found: Alerts = defaultdict(set)
    for body in told:
        kind = body["subject_kind"]
        said = body["alert_id"] if kind == "person" else f"{body['rule_id']} {body['level']} {body['subject_id']}"
        found[kind].add((said, body["occurred_at"][:10], body["episode"]))
    return found


def run(quick: bool) -> Report:
    """Six weeks of a county in spring 2026 (quick: one month of a small one), and two days of the ill of a city of a
    million, each in so many records; every act planted. The county says what alerts wait and what people weigh.
    """
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    mixes = {name: mix_of(plan) for name, plan in plans(quick).items()}
    warm_up = mixes["county"]._replace(records=mixes["county"].records[:WARM_UP])
    servers = {"kafka": "one node, acks=all", "redis": "AOF everysec", "policy": "shaoyang"}
    report = Report({name: mix.told() for name, mix in mixes.items()} | servers)
    rates: dict[str, dict[int, float]] = {}
    with RealKafka() as kafka:
        drain(Report({}), BENCH, (kafka.bootstrap, 0), warm_up.fill)
        for name, mix in mixes.items():
            bench = f"{BENCH}.{name}"
            rates[name] = drain_by_one_and_two(report, bench, kafka.bootstrap, mix.fill)
            for count in rates[name]:
                _compare(report, bench, kafka.bootstrap, count, mix)
        if rates["county"]:
            fastest = max(rates["county"], key=lambda count: rates["county"][count])
            load = round(rates["county"][fastest] * LOAD_PERCENT / 100)
            _open_loop(report, kafka, mixes["county"], lanes=fastest, load=load, seconds=5 if quick else 60)
    return report


def plans(quick: bool) -> dict[str, CityPlan]:
    """Lanes meet every ten minutes of business time (streams/pace.py): the county's hold some thirty records,
    the city's a thousand.
    """
    people, institutions, days = (500, 20, 30) if quick else (20_000, 80, 45)
    spring, plants = day_of(date(2026, 3, 25)), 1 if quick else 4
    county = CityPlan(
        people=people, institutions=institutions, first_day=spring, days=days, plants=plants, signed_percent=10
    )
    city = replace(
        county, people=5 * people, institutions=4 * institutions, days=2, visits_per_year=70, signed_percent=3
    )
    workdays = parse_policy(policy_texts("shaoyang")).workdays
    return {"county": county.with_years_of(workdays), "city": city.with_years_of(workdays)}


def _compare(report: Report, bench: str, kafka: str, count: int, mix: Mix) -> None:
    """How many alerts there are by kind, and how many of the fold in memory are among them.

    Of people all must be. Those of subjects follow from how persons' shards interleave, minutes of business time apart
    (M09), and here weeks of stock stand on their log at once, whose prices reach a drug's shard in no order (W01, E01).
    """
    found = alerts_among(body for _, body in bodies(kafka, Topics(f"{bench}{count}.").alerts))
    for kind in sorted(found.keys() | mix.alerts.keys()):
        same, expected = len(found[kind] & mix.alerts[kind]), len(mix.alerts[kind])
        note = f"{same} of the {expected} of the fold in memory"
        report.add(bench, f"{count} lane(s)", f"alerts, {kind}", len(found[kind]), "alerts", note)


def _open_loop(report: Report, kafka: RealKafka, mix: Mix, *, lanes: int, load: int, seconds: int) -> None:
    """The end of the mix at the load; before it a few seconds of it as a warm-up, and before these the rest at once."""
    system, prefix = f"{lanes} lane(s), {load:,} events/s", f"{BENCH}.loop."
    records, measured = mix.under(Topics(prefix)), min(len(mix.records) * 2 // 3, load * seconds)
    begin = len(records) - measured
    warm = max(0, begin - load * max(1, seconds // 6))
    with RedisServer("any") as redis, engine_of(kafka, redis, prefix, lanes) as engine:
        claimed, before = engine.progress.await_claims(), engine.progress.used_memory()
        append_all(producer(engine.kafka), records[:warm], timeout_s=WITHIN_S)
        engine.await_drained(10 * WITHIN_S)
        send(records[warm:begin], engine.kafka, load)
        engine.await_drained()
        came = waits_after(engine, measured, lambda: send(records[begin:], engine.kafka, load))
        if not claimed or not engine.progress.await_drained():
            report.add(BENCH, system, "bytes per person", None, "bytes", " | ".join(engine.running.stops())[-300:])
            return
        bytes_each = (engine.progress.used_memory() - before) / mix.people
    if came is None:
        report.add(BENCH, system, "p50", None, "ms", "not drained within 60 s: above saturation")
    else:
        _tell(report, system, came)
    report.add(
        BENCH, system, "bytes per person", bytes_each, "bytes", f"{mix.people:,} people, {len(records):,} records"
    )


def _tell(report: Report, system: str, came: Waits) -> None:
    people = came.by_kind.get("person", [])
    subjects = [wait for kind, waits in came.by_kind.items() if kind != "person" for wait in waits]
    behind = f"generator behind by at most {came.behind_ms:.0f} ms"
    causeless = f"{came.causeless} more without a cause that was sent"
    for name, waits, note in (("people", people, behind), ("second-hop subjects", subjects, causeless)):
        for percent in (50, 99):
            value = float(np.percentile(waits, percent)) if waits else None
            report.add(BENCH, system, f"p{percent}, {name}", value, "ms", f"{len(waits)} alerts; {note}")
    for name, us in came.us_each.items():
        report.add(BENCH, system, f"processor time, {name}", us, "µs an event")
