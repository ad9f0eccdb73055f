"""`/livez`, `/readyz`, `/metrics`, `/openapi.json` and `/`: what operators, Prometheus and people look at. No token."""

from collections.abc import Callable
from pathlib import Path

import orjson

from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.log import Log
from connectors.http.metrics import Metrics
from connectors.http.openapi import document
from connectors.replies import Replies

WHOLE_WITHIN_S = 30.0
CONSOLE_POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Probes:
    """The open calls."""

    def __init__(
        self, log: Log, replies: Replies, metrics: Metrics, *, partitions: int, monotonic_s: Callable[[], float]
    ) -> None:
        self._log = log
        self._replies = replies
        self._metrics = metrics
        self._partitions = partitions
        self._monotonic_s = monotonic_s
        self._begun_s = monotonic_s()
        self._was_whole = False
        self._console = Path(__file__).with_name("console.html").read_bytes()
        self._openapi = orjson.dumps(document(), option=orjson.OPT_INDENT_2)

    async def live(self, call: Call) -> Answer:
        """This process answers. A log that accepts nothing needs no other process: its pen takes a new producer."""
        return json_answer(200, {"status": "alive"})

    async def ready(self, call: Call) -> Answer:
        """Ready once every shard was served, then while the log accepts, Redis is heard and any lane lives.

        A part that is missing later must not take this process out of service: the other shards still have their lanes.
        """
        now_s = self._monotonic_s()
        pulses = self._replies.pulses
        shards = {
            f"p{partition}": {
                "live": pulses.is_live(partition, now_s),
                "lag_records": state.pulse.lag,
                "record_age_s": round(pulses.record_age_s(partition, now_s), 3),
                "offset": state.pulse.offset,
            }
            for partition, state in sorted(pulses.shards.items())
        }
        live = sum(bool(shard["live"]) for shard in shards.values())
        log, redis = not self._log.is_stuck(), self._replies.is_subscribed
        self._was_whole |= live == self._partitions or now_s - self._begun_s > WHOLE_WITHIN_S
        is_ready = log and redis and live > 0 and self._was_whole
        body = {
            "status": "ready" if is_ready else "not_ready",
            "log": log,
            "redis": redis,
            "shards_live": live,
            "shards": self._partitions,
            "by_shard": shards,
        }
        return json_answer(200 if is_ready else 503, body)

    async def metrics(self, call: Call) -> Answer:
        """Prometheus' text format."""
        return Answer(200, self._metrics.text(), [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])

    async def openapi(self, call: Call) -> Answer:
        """The description of this API."""
        return Answer(200, self._openapi)

    async def console(self, call: Call) -> Answer:
        """The console: one page without anything from elsewhere."""
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", CONSOLE_POLICY),
            (b"x-content-type-options", b"nosniff"),
        ]
        return Answer(200, self._console, headers)
