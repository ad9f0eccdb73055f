"""Filling an empty Redis from the log, by the same command an operator runs."""

import contextlib
import io
import os
import time

from benchmarks.ours import preload, prepare
from benchmarks.peers.workload import PARTITIONS
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.kafka import set_published_mark
from connectors.log_reader import log_end
from streams.city import settlements
from streams.rebuild import rebuild
from streams.settings import load_settings
from streams.stop import Stop


def run(quick: bool) -> Report:
    """Settlements only, both logs; the second hop's log is empty unless lanes ran, so first-hop records count."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    size = 20_000 if quick else 300_000
    report = Report(
        {"events": size, "people": size * 3 // 4, "span_days": 1, "policy": "shaoyang", "redis": "AOF everysec"}
    )
    with RealKafka() as kafka, RedisServer("any") as redis:
        topics = prepare(kafka.bootstrap, "rebuild.", "shaoyang")
        preload(
            kafka.bootstrap,
            topics.events,
            settlements.preencoded(size, size * 3 // 4, 1, span_days=1, places=2_000, large_share=0.01),
        )
        told = {"XINMAI_KAFKA": kafka.bootstrap, "XINMAI_REDIS": redis.url, "XINMAI_PREFIX": "rebuild."}
        settings = load_settings(os.environ | told)
        ends = {each: log_end(kafka.bootstrap, topics.events, each)[1] for each in range(PARTITIONS)}
        set_published_mark(kafka.bootstrap, settings.group, topics.events, ends)  # as if lanes had said it all
        began_s = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()):
            code = rebuild(settings, as_json=True)
        seconds = time.monotonic() - began_s
    rate = size / seconds if code == 0 else None
    report.add("rebuild", "xinmai rebuild", "throughput", rate, "events/s", f"exit code {code}, {seconds:.1f} s in all")
    return report
