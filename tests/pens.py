"""A producer that the tests at one broker share: an idempotent one writes nothing in the first half second of its life.

Who hurts its broker, or the producer, has one of its own.
"""

from functools import cache

from confluent_kafka import Producer

from connectors.kafka import producer


@cache
def pen(bootstrap: str) -> Producer:
    """The producer of this broker; forgotten, by `pen.cache_clear()`, when its broker goes."""
    return producer(bootstrap)
