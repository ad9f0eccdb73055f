"""Draining a preloaded log under the first rule book, both hops, by one lane and by two; and where the time goes."""

from collections import Counter
from collections.abc import Callable

from benchmarks.ours import Lanes, lanes, preload, prepare
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.topology import Topics
from streams.city import settlements
from streams.stop import Stop

WARM_UP = 20_000
"""Settlements drained first, on a log of their own and uncounted: a broker just started compiles itself meanwhile."""


Fill = Callable[[str, Topics], int]
"""Appends a bench's records to the topics of this broker; how many of them are persons'."""


def run(quick: bool) -> Report:
    """One day of a province, settlements only. Each lane count on a log and a Redis of its own."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    size = 20_000 if quick else 300_000
    mix = {"events": size, "people": size * 3 // 4, "span_days": 1, "places": 2_000, "large_share": 0.01}
    report = Report({"mix": mix, "kafka": "one node, acks=all", "redis": "AOF everysec", "policy": "shaoyang"})
    with RealKafka() as kafka:
        drain(Report({}), "engine", (kafka.bootstrap, 0), _day_of(WARM_UP))
        drain_by_one_and_two(report, "engine", kafka.bootstrap, _day_of(size))
    return report


def _day_of(size: int) -> Fill:
    shape = {"span_days": 1, "places": 2_000, "large_share": 0.01}
    return lambda kafka, topics: preload(kafka, topics.events, settlements.preencoded(size, size * 3 // 4, 1, **shape))


def drain_by_one_and_two(report: Report, bench: str, kafka: str, fill: Fill) -> dict[int, float]:
    """Events/s through both hops by the number of lanes, of those that came to the end."""
    rates = {count: rate for count in (1, 2) if (rate := drain(report, bench, (kafka, count), fill))}
    if len(rates) == 2:
        report.add(bench, "2 lanes / 1 lane", "scaling", rates[2] / rates[1], "×")
    return rates


def drain(report: Report, bench: str, by: tuple[str, int], fill: Fill) -> float | None:
    """On this broker so many lanes drain a log of their own, 0 as a warm-up by one; events/s through both hops."""
    kafka, count = by
    prefix, system, count = f"{bench}{count}.", f"{count} lane(s)", count or 1
    topics = prepare(kafka, prefix, "shaoyang")
    size = fill(kafka, topics)
    with RedisServer("any") as redis, lanes(kafka, redis.url, prefix, count) as running:
        progress = Progress(kafka, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
        drained = progress.drain(size, lambda: running.alive)
        progress.close()
    if drained is None:
        report.add(bench, system, "both hops", None, "events/s", " | ".join(running.stops())[-300:] or "did not end")
        return None
    report.add(bench, system, "first hop", drained.first_hop_per_s, "events/s")
    report.add(bench, system, "both hops", drained.both_hops_per_s, "events/s")
    for phase, share in shares(running).items():
        report.add(bench, system, f"share of {phase}", share, "% of busy time")
    return drained.both_hops_per_s


def shares(running: Lanes) -> dict[str, float]:
    """Where the lanes' busy time went, by phase, from what they told their parent."""
    spent: Counter[str] = Counter()
    for message in running.told:
        tally = message.get("tally")
        if isinstance(tally, dict):
            spent.update(tally["seconds"])
    total = sum(spent.values()) or 1.0
    return {phase: 100 * seconds / total for phase, seconds in spent.most_common()}
