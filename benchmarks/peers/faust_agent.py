"""The job as a Faust agent: one worker, state in a plain dict (no changelog: the fastest way Faust has), uvloop."""

import os
import sys

import faust
import orjson
from rolling_sum import RollingSum, alert_of, at_ms_of

app = faust.App(
    os.environ["PEER_GROUP"],
    broker="aiokafka://" + os.environ["PEER_BOOTSTRAP"],
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    broker_max_poll_records=2000,
    stream_buffer_maxsize=8192,
    producer_acks=-1,
    producer_linger_ms=1,
    web_enabled=False,
)
events = app.topic(
    os.environ["PEER_IN"], value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes
)
alerts = app.topic(
    os.environ["PEER_OUT"], value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes
)
sums = {}


@app.agent(events)
async def judge(stream):
    """Sum, compare, send."""
    async for value in stream:
        event = orjson.loads(value)
        person = event["psn_no"]
        rolling = sums.get(person)
        if rolling is None:
            rolling = sums[person] = RollingSum()
        if rolling.reaches(at_ms_of(event), event["medfee_sumamt_fen"]):
            await alerts.send(key=person.encode(), value=orjson.dumps(alert_of(event)))


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
