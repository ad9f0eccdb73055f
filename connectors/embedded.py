"""The servers that a test, `xinmai up` and a benchmark can have of their own: the door to embedded_kafka and _redis."""

from connectors.embedded_kafka import MockKafka, RealKafka, RealKafkaCluster, kafka_missing
from connectors.embedded_redis import RedisClusterServers, RedisServer, redis_binary

__all__ = [
    "MockKafka",
    "RealKafka",
    "RealKafkaCluster",
    "RedisClusterServers",
    "RedisServer",
    "kafka_missing",
    "redis_binary",
]
