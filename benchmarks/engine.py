"""Draining a preloaded log under the first rule book, both hops, by one lane and by two; and where the time goes."""

from collections import Counter

from benchmarks.ours import Lanes, lanes, preload, prepare
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from streams.city import settlements
from streams.stop import Stop

WARM_UP = 20_000
"""Settlements drained first, on a log of their own and uncounted: a broker just started compiles itself meanwhile."""


def run(quick: bool) -> Report:
    """One day of a province, settlements only. Each lane count on a log and a Redis of its own."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    size = 20_000 if quick else 300_000
    mix = {"events": size, "people": size * 3 // 4, "span_days": 1, "places": 2_000, "large_share": 0.01}
    report = Report({"mix": mix, "kafka": "one node, acks=all", "redis": "AOF everysec", "policy": "shaoyang"})
    with RealKafka() as kafka:
        _drain(Report({}), kafka.bootstrap, WARM_UP, 0)
        for count in (1, 2):
            _drain(report, kafka.bootstrap, size, count)
    rates = {result.system: result.value for result in report.results if result.metric == "both hops"}
    if all(rates.get(f"{count} lane(s)") for count in (1, 2)):
        ratio = float(rates["2 lane(s)"] or 0) / float(rates["1 lane(s)"] or 1)
        report.add("engine", "2 lanes / 1 lane", "scaling", ratio, "×")
    return report


def _drain(report: Report, kafka: str, size: int, count: int) -> None:
    """`count` lanes drain a log of their own; 0 is the warm-up, by one lane."""
    prefix, system, count = f"engine{count}.", f"{count} lane(s)", count or 1
    topics = prepare(kafka, prefix, "shaoyang")
    records = settlements.preencoded(size, size * 3 // 4, 1, span_days=1, places=2_000, large_share=0.01)
    preload(kafka, topics.events, records)
    with RedisServer("any") as redis, lanes(kafka, redis.url, prefix, count) as running:
        progress = Progress(kafka, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
        drained = progress.drain(size, lambda: running.alive)
        progress.close()
    if drained is None:
        report.add("engine", system, "both hops", None, "events/s", " | ".join(running.stops())[-300:] or "did not end")
        return
    report.add("engine", system, "first hop", drained.first_hop_per_s, "events/s")
    report.add("engine", system, "both hops", drained.both_hops_per_s, "events/s")
    for phase, share in shares(running).items():
        report.add("engine", system, f"share of {phase}", share, "% of busy time")


def shares(running: Lanes) -> dict[str, float]:
    """Where the lanes' busy time went, by phase, from what they told their parent."""
    spent: Counter[str] = Counter()
    for message in running.told:
        tally = message.get("tally")
        if isinstance(tally, dict):
            spent.update(tally["seconds"])
    total = sum(spent.values()) or 1.0
    return {phase: 100 * seconds / total for phase, seconds in spent.most_common()}
