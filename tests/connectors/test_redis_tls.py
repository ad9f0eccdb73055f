"""Redis over TLS: the store, the replies and the pacing speak to a node that has proved its name, and to no other."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import orjson
import pytest
import uvloop
from redis import Redis

from connectors.embedded import RedisServer
from connectors.errors import ConnectorError
from connectors.redis_address import Tls, addresses_of
from connectors.replies import Replies, listen
from connectors.store import PULSE_CHANNEL, Store
from streams.pacing import Pacer

PULSE = {"shard": "p0", "offset": 9, "record_ms": 1, "at_ms": 2, "lag": 0}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that vouches for itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "ca.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@contextmanager
def tls_in_front_of(server: RedisServer, key: Path, certificate: Path) -> Iterator[int]:
    """A port that speaks TLS and hands on to a plain Redis, as stunnel does."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    ready, ports, loops = Event(), [0], []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain = addresses_of(server.url)[0]
        to_redis = await asyncio.open_connection(plain.host, plain.port)
        await asyncio.gather(carry(reader, to_redis[1]), carry(to_redis[0], writer), return_exceptions=True)

    async def serve() -> None:
        ended = asyncio.Event()
        listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        ports[0] = listening.sockets[0].getsockname()[1]
        loops.append((asyncio.get_running_loop(), ended))
        ready.set()
        await ended.wait()
        listening.close()

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(20)
    yield ports[0]
    loop, ended = loops[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)


@pytest.fixture
def tls_url(redis_62: RedisServer, certificate: tuple[Path, Path]) -> Iterator[str]:
    with tls_in_front_of(redis_62, *certificate) as port:
        yield f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate[1]}"


def test_answers_and_pulses_are_heard_over_tls(tls_url: str, redis_62: RedisServer) -> None:
    async def scenario() -> None:
        replies = Replies()
        task = asyncio.create_task(listen(tls_url, "api1", replies, print))
        async with asyncio.timeout(20):
            while not replies.pulses.shards:
                with Redis.from_url(redis_62.url) as redis:
                    redis.publish(PULSE_CHANNEL, orjson.dumps(PULSE))
                await asyncio.sleep(0.02)
        task.cancel()

    uvloop.run(scenario())


def test_the_store_reads_and_publishes_over_tls_and_pacing_hears_it(tls_url: str) -> None:
    store = Store(tls_url)
    assert store.client.ping()
    with Pacer(tls_url, "events") as pacer:
        assert any(pacer.wait_for_lanes(0.1) for _ in _published(store))


def _published(store: Store) -> Iterator[None]:
    for _ in range(100):
        store.publish([(PULSE_CHANNEL, orjson.dumps(PULSE))])
        yield


def test_a_node_that_nobody_vouches_for_is_not_spoken_to(tls_url: str) -> None:
    url = tls_url.partition("?")[0]
    with pytest.raises(ConnectorError):
        Store(url)

    async def scenario() -> None:
        broken: list[str] = []
        replies = Replies()
        task = asyncio.create_task(listen(url, "api1", replies, broken.append))
        async with asyncio.timeout(20):
            while not broken:
                await asyncio.sleep(0.01)
        assert "CERTIFICATE_VERIFY_FAILED" in broken[0]
        assert not replies.is_subscribed
        task.cancel()

    uvloop.run(scenario())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1", [None]),
        ("rediss://h:1", [Tls()]),
        ("rediss+cluster://:p@a:1,b:2?ssl_ca_certs=/ca.pem", [Tls(ssl_ca_certs="/ca.pem")] * 2),
        ("rediss://h:1?ssl_cert_reqs=none", [Tls(ssl_cert_reqs="none")]),
    ],
)
def test_an_address_says_how_its_nodes_prove_themselves(url: str, expected: list[Tls | None]) -> None:
    assert [each.tls for each in addresses_of(url)] == expected
