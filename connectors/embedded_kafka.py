"""A Kafka of one's own on loopback: librdkafka's in-process broker, or a real Apache Kafka 4 from its jars."""

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from contextlib import suppress
from ctypes import CDLL, c_char_p, c_int, c_int32, c_size_t, c_void_p, create_string_buffer
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

from confluent_kafka import KafkaException, cimpl
from confluent_kafka.admin import AdminClient

from connectors.errors import ConnectorError
from connectors.kafka import RECORD_BYTES_MAX
from connectors.server_process import ServerProcess, free_ports

LIBRARIES = Path(__file__).resolve().parents[1] / ".cache" / "kafka" / "libs"


_PRODUCER = 0


@cache
def _librdkafka() -> CDLL:
    """What of rdkafka_mock.h confluent_kafka does not hand on: its extension has the library among its own."""
    library = CDLL(cimpl.__file__)
    functions = {
        "rd_kafka_conf_new": (c_void_p, []),
        "rd_kafka_conf_set": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
        "rd_kafka_new": (c_void_p, [c_int, c_void_p, c_char_p, c_size_t]),
        "rd_kafka_destroy": (None, [c_void_p]),
        "rd_kafka_mock_cluster_new": (c_void_p, [c_void_p, c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [c_void_p]),
        "rd_kafka_mock_cluster_bootstraps": (c_char_p, [c_void_p]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [c_void_p, c_int32]),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def kafka_missing(libraries: Path = LIBRARIES) -> str | None:
    """Why a real Kafka cannot start on this machine, or None if it can."""
    if shutil.which("java") is None:
        return "no java on PATH (JDK 17 or newer)"
    if not any(libraries.glob("kafka-server-4*.jar")):
        return f"no Kafka jars in {libraries}; `make kafka` fetches them and needs Maven"
    return None


class MockKafka:
    """librdkafka's in-process broker, reachable by other processes; it forgets everything when this object stops.

    Four partitions a topic, about 5 MB each: beyond that it silently drops the oldest, so its producers must be paced.
    """

    def __init__(self) -> None:
        self._owner: int | None = None
        self._broker: int | None = None
        self.bootstrap = ""

    def start(self) -> Self:
        # the broker lives in the background thread of a client, so the client lives as long as the broker
        said = create_string_buffer(512)
        settings = _librdkafka().rd_kafka_conf_new()
        _librdkafka().rd_kafka_conf_set(settings, b"log_level", b"3", said, len(said))
        self._owner = _librdkafka().rd_kafka_new(_PRODUCER, settings, said, len(said))
        if self._owner is None:
            raise ConnectorError("kafka", said.value.decode(), retryable=False)
        self._broker = _librdkafka().rd_kafka_mock_cluster_new(self._owner, 1)
        # as our real ones, it does not let a group's first member wait for others: three seconds of every start
        _librdkafka().rd_kafka_mock_group_initial_rebalance_delay_ms(self._broker, 0)
        self.bootstrap = _librdkafka().rd_kafka_mock_cluster_bootstraps(self._broker).decode()
        return self

    def stop(self) -> None:
        if self._owner is not None:
            _librdkafka().rd_kafka_mock_cluster_destroy(self._broker)
            _librdkafka().rd_kafka_destroy(self._owner)
        self._owner = self._broker = None

    def __enter__(self) -> Self:
        return self if self._owner is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Quorum(NamedTuple):
    """The nodes that elect and replicate together, as one of them sees it."""

    node: int
    size: int
    voters: str
    cluster_id: str


class RealKafka(ServerProcess):
    """One Apache Kafka node (KRaft, broker and controller in one) in a temporary directory, or in `directory`."""

    name = "kafka"

    def __init__(
        self, directory: Path | None = None, *, port: int | None = None, heap: str = "768m", libraries: Path = LIBRARIES
    ) -> None:
        super().__init__()
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="xinmai-kafka-")
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self._heap = heap
        self._libraries = libraries
        own_port, self._controller_port = free_ports(2)
        self.port = port or own_port
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log = self.directory / "kafka.log"
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        self.quorum = _Quorum(1, 1, self.voter(1), cluster_id)

    def voter(self, node: int) -> str:
        """How this node is called as number `node` of a quorum."""
        return f"{node}@127.0.0.1:{self._controller_port}"

    def start(self) -> Self:
        self.launch()
        self.wait()
        return self

    def launch(self) -> None:
        """Start it without waiting: one node of several answers only once most of them run."""
        missing = kafka_missing(self._libraries)
        if missing:
            raise ConnectorError(self.name, missing, retryable=False)
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "server.properties"
        settings.write_text("".join(f"{key}={value}\n" for key, value in self._settings().items()))
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(settings)
        heap = [f"-Xmx{self._heap}", f"-Xms{self._heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        self._launch([*self._java(*heap), "kafka.Kafka", str(settings)], self.log)

    def wait(self) -> None:
        """Wait until it answers."""
        self._wait_until(self._answers, within_s=60, log=self.log)

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def _java(self, *options: str) -> list[str]:
        java = shutil.which("java")
        assert java is not None, "kafka_missing() has looked"
        return [java, "-Djava.awt.headless=true", *options, "-cp", f"{self._libraries}/*"]

    def _format(self, settings: Path) -> None:
        command = [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        command += ["--cluster-id", self.quorum.cluster_id, "--config", str(settings)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise ConnectorError(self.name, f"storage not formatted: {done.stdout}{done.stderr}", retryable=False)

    def _settings(self) -> dict[str, str | int]:
        replicas, in_sync = self.quorum.size, min(2, self.quorum.size)
        listeners = f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": self.quorum.node,
            "controller.quorum.voters": self.quorum.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "log.message.timestamp.type": "LogAppendTime",
            "message.max.bytes": RECORD_BYTES_MAX,
            "offsets.topic.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.num.partitions": 4,
            "offsets.retention.minutes": 2_147_483_647,  # an idle engine's published marks must not be forgotten
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": 0,
            "broker.session.timeout.ms": 2_000,  # after a kill it waits this long for its former self to expire
            "broker.heartbeat.interval.ms": 500,
            "controller.quorum.election.timeout.ms": 500,  # the others miss it as soon
            "controller.quorum.fetch.timeout.ms": 1_000,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # the default takes a sixth of this heap
        }

    def _answers(self) -> bool:
        with socket.socket() as probe:  # cheap first, so that no client logs its refused connections
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            metadata = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=5)
            return bool(metadata.brokers)
        except KafkaException:
            return False


class RealKafkaCluster:
    """Several nodes, each broker and controller: any one of three may die, and what was acknowledged stands."""

    def __init__(self, nodes: int = 3, *, heap: str = "256m", libraries: Path = LIBRARIES) -> None:
        self.nodes = [RealKafka(heap=heap, libraries=libraries) for _ in range(nodes)]
        voters = ",".join(node.voter(number) for number, node in enumerate(self.nodes, 1))
        cluster_id = self.nodes[0].quorum.cluster_id
        for number, node in enumerate(self.nodes, 1):
            node.quorum = _Quorum(number, nodes, voters, cluster_id)

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        self._wait_for_all()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill9()  # in order each would wait for the others to take over
            node.__exit__()

    def _wait_for_all(self, within_s: float = 30.0) -> None:
        """A topic with a replica on each node can be made only once each has joined."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        deadline = time.monotonic() + within_s
        while len(admin.list_topics(timeout=5).brokers) < len(self.nodes):
            if time.monotonic() > deadline:
                raise ConnectorError("kafka", "not every node joined the cluster", retryable=True)
            time.sleep(0.1)


def _main() -> None:
    """`make kafka`: a broker in the foreground until Ctrl-C; what it holds stays in its directory."""
    parser = argparse.ArgumentParser(description="A real Apache Kafka on loopback, in the foreground.")
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--directory", type=Path, default=Path(".xinmai/kafka"))
    asked = parser.parse_args()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", asked.port)) == 0:  # two brokers in one folder destroy its log
            sys.exit(f"port {asked.port} is in use: a broker runs here. Stop it, or name another --port, --directory.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with RealKafka(asked.directory.resolve(), port=asked.port) as broker, suppress(KeyboardInterrupt):
        print(f"Kafka listens at {broker.bootstrap} (process {broker.pid}); Ctrl-C ends it", flush=True)
        while broker.running:
            time.sleep(0.5)


if __name__ == "__main__":
    _main()
