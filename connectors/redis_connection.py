"""Connections to Redis, single or cluster, and many commands in one exchange."""

from collections.abc import Sequence
from typing import Any

import hiredis
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from connectors.append_only_file import FileProof, redis_failure
from connectors.errors import ConnectorError
from connectors.redis_address import addresses_of, names_cluster


def connected(url: str, timeout_s: float, proof: FileProof | None) -> Any:
    """The client, single or cluster, by the first named node that answers."""
    first, later = (proof.greet_and_prove, proof.prove) if proof else (None, None)
    nodes = addresses_of(url)
    refused: RedisError | None = None
    for node in nodes:
        try:
            single = Redis.from_url(
                node.url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, redis_connect_func=first
            )
            if single.info("cluster").get("cluster_enabled"):
                single.close()
                others = [
                    ClusterNode(each.host, each.port)  # type: ignore[no-untyped-call] # redis-py's gap
                    for each in nodes
                    if each is not node
                ]
                return RedisCluster.from_url(
                    node.url,
                    startup_nodes=others,
                    socket_timeout=timeout_s,
                    redis_connect_func=later,
                    # a writer comes again by itself; redis-py's ten times more would be as many time-outs in one call
                    retry=Retry(NoBackoff(), 0) if proof else None,
                )
        except RedisError as error:
            refused = error
            continue
        if names_cluster(url):
            single.close()
            why = f"{node.host}:{node.port} is no cluster, and the address names one: two servers would be two truths"
            raise ConnectorError("redis", why, retryable=False)
        return single
    assert refused is not None
    raise redis_failure(refused) from refused


def exchange(client: Any, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
    """Send the commands together; their answers, an error that one command met among them. Raises RedisError.

    It is what a pipeline of redis-py does, without what that does beside: `xinmai bench redis` says what it takes.
    """
    connection = client.connection_pool.get_connection()
    try:
        # in one piece: redis-py looks at every argument, and sends a long value by itself
        packed = b"".join([hiredis.pack_command(tuple(each)) for each in commands])  # type: ignore[arg-type]  # its stub
        answers: list[Any] = connection.retry.call_with_retry(
            lambda: _exchanged(connection, packed, len(commands)), lambda _: connection.disconnect()
        )
        return answers
    finally:
        client.connection_pool.release(connection)


def _exchanged(connection: Any, packed: bytes, count: int) -> list[Any]:
    connection.send_packed_command((packed,))
    answers: list[Any] = []
    for _ in range(count):
        try:
            answers.append(connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers
