"""The job as a Bytewax dataflow: one worker, in-memory state, no recovery store (the fastest setting)."""

import os

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from confluent_kafka import OFFSET_BEGINNING
from rolling_sum import RollingSum, alert_of, at_ms_of

BROKERS = [os.environ["PEER_BOOTSTRAP"]]


def keyed(message):
    """(person, event)"""
    event = orjson.loads(message.value)
    return event["psn_no"], event


def judge(rolling, event):
    """The new state and the alerts."""
    if rolling is None:
        rolling = RollingSum()
    return rolling, [event] if rolling.reaches(at_ms_of(event), event["medfee_sumamt_fen"]) else []


def spelled(item):
    """The alert as a Kafka message."""
    return KafkaSinkMessage(item[0].encode(), orjson.dumps(alert_of(item[1])))


flow = Dataflow("rolling_sum")
source = kafka.input(
    "events", flow, brokers=BROKERS, topics=[os.environ["PEER_IN"]], starting_offset=OFFSET_BEGINNING, batch_size=2000
)
alerts = op.stateful_flat_map("sum", op.map("key", source.oks, keyed), judge)
kafka.output("alerts", op.map("spell", alerts, spelled), brokers=BROKERS, topic=os.environ["PEER_OUT"])
