"""Servers that the tests share, one of each for the whole run. A test gets its own topic prefix and a flushed Redis."""

import gc
import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from connectors.embedded import MockKafka, RealKafka, RedisClusterServers, RedisServer, kafka_missing, redis_binary
from connectors.topology import Topics
from tests.pens import pen

_prefixes = count(1)
_SERVERS = {"redis_62", "redis_7", "redis_url", "redis_cluster", "mock_kafka"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast things first: what is pure, then what needs Redis or the in-process broker, then what needs a real Kafka."""
    items.sort(key=_cost)


def _cost(item: pytest.Item) -> int:
    needs = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("kafka") or "real_kafka" in needs:
        return 3
    if item.get_closest_marker("slow") or "e2e" in item.path.parts:
        return 2
    return 1 if needs & _SERVERS or item.get_closest_marker("cluster") else 0


def _require(missing: str | None, variable: str) -> None:
    """A part that this machine lacks: skipped loudly, or failed where the environment forbids to skip."""
    if missing is None:
        return
    if os.environ.get(variable) == "1":
        pytest.fail(f"{missing}, and {variable}=1 forbids to skip", pytrace=False)
    pytest.skip(f"NOT TESTED: {missing}")


def _redis_7_missing() -> str | None:
    return None if redis_binary("7") else "no redis-server 7 or newer on PATH (Debian: apt-get install redis-server)"


@pytest.fixture(scope="session")
def redis_62_server() -> Iterator[RedisServer]:
    with RedisServer("6.2") as server:
        yield server


@pytest.fixture(scope="session")
def redis_7_server() -> Iterator[RedisServer]:
    _require(_redis_7_missing(), "XINMAI_REQUIRE_SERVERS")
    with RedisServer("7") as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster_servers() -> Iterator[RedisClusterServers]:
    _require(_redis_7_missing(), "XINMAI_REQUIRE_SERVERS")
    with RedisClusterServers("7") as servers:
        yield servers


@pytest.fixture
def redis_62(redis_62_server: RedisServer) -> RedisServer:
    """The Redis 6.2 of this run, empty. A test that stops it starts it again."""
    return _emptied(redis_62_server)


@pytest.fixture
def redis_7(redis_7_server: RedisServer) -> RedisServer:
    """The Redis 7 of this run, empty."""
    return _emptied(redis_7_server)


@pytest.fixture(params=["6.2", pytest.param("7", marks=pytest.mark.redis7)])
def redis_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty Redis, once of each generation."""
    server: RedisServer = request.getfixturevalue("redis_62" if request.param == "6.2" else "redis_7")
    return server.url


@pytest.fixture
def redis_cluster(redis_cluster_servers: RedisClusterServers) -> RedisClusterServers:
    """The three masters of this run, empty and whole."""
    redis_cluster_servers.wait_ok()
    redis_cluster_servers.flush()
    return redis_cluster_servers


def _emptied(server: RedisServer) -> RedisServer:
    if not server.running:
        server.start()
    server.flush()
    return server


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[MockKafka]:
    """The in-process broker of this run: four partitions a topic, small, forgetful."""
    with MockKafka() as broker:
        yield broker
        pen.cache_clear()
        gc.collect()  # clients in cycles would complain, after pytest's last line, that their broker has gone


@pytest.fixture(scope="session")
def real_kafka() -> Iterator[RealKafka]:
    """The Apache Kafka 4 of this run. A test that stops it starts it again."""
    _require(kafka_missing(), "XINMAI_REQUIRE_KAFKA")
    with RealKafka() as broker:
        yield broker
        pen.cache_clear()
        gc.collect()


@pytest.fixture
def topics() -> Topics:
    """Topic names that no other test of this run has."""
    return Topics(f"t{next(_prefixes)}.")


@pytest.fixture
def fresh_topics() -> Callable[[], Topics]:
    """The same, for a test that needs several worlds."""
    return lambda: Topics(f"t{next(_prefixes)}.")
