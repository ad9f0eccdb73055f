"""A cluster under a lane's hands: a slot migrates key by key, a primary dies. No shard is left between two commits."""

import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from connectors.embedded import RedisClusterServers
from connectors.embedded_redis import RedisServer
from connectors.errors import ConnectorError
from connectors.server_process import free_ports
from connectors.state_codec import value_hash
from connectors.store import Address, Commit, Position, Store, meta_key
from connectors.topology import SLOTS, slot_of, tags

pytestmark = pytest.mark.cluster
TAG = tags("p", 3)[1]


class Writer:
    """What a lane does to one shard: ten values a commit, read and checked first, claimed again after a surprise."""

    def __init__(self, store: Store, tag: str) -> None:
        self.store, self.tag = store, tag
        self.committed: int | None = None
        self.acknowledged = -1
        self.surprises: list[str] = []
        self.epoch = ""
        self.values: dict[Address, bytes] = {}
        self.digests: dict[int | None, int] = {None: 0}

    def turn(self) -> None:
        try:
            if not self.epoch:
                claim = self.store.claim(self.tag, time.time_ns() // 1_000_000)
                self.epoch, self.committed = claim.epoch, claim.offset
                assert claim.digest == (f"{self.digests[claim.offset]:032x}" if claim.offset is not None else "")
            offset = 0 if self.committed is None else self.committed + 1
            changes = _changes(self.tag, offset)
            ((position, before),) = self.store.read([(self.tag, list(changes))])
            if position != Position(self.epoch, self.committed):
                raise ConnectorError("redis", f"moved to {position}", retryable=True)
            digest = self.digests[self.committed]
            for (address, value), held in zip(changes.items(), before, strict=True):
                digest ^= value_hash(*address, held) if held else 0
                digest ^= value_hash(*address, value) if value else 0
            self.digests[offset] = digest
            head = (self.tag, self.epoch, self.committed, offset, f"{digest:032x}", "record", b"state", "topology")
            (result,) = self.store.commit([Commit(*head, changes)])
            if result.status == "moved":
                raise ConnectorError("redis", f"moved to {result.position}", retryable=True)
            self.committed = self.acknowledged = offset
        except ConnectorError as error:
            self.surprises.append(str(error))
            self.epoch = ""


def _changes(tag: str, offset: int) -> dict[Address, bytes]:
    """Strings and hash fields, written anew and deleted: a function of the offset, as a fold is."""
    names = [((offset * 7 + index * 13) % 60, index) for index in range(10)]
    return {
        (f"xm:{tag}:i:{name}", f"d{name % 3}") if name % 2 else (f"xm:{tag}:a:{name}", ""): (
            b"" if (offset + index) % 9 == 0 else b"%d/%d" % (offset, index)
        )
        for name, index in names
    }


def _proved(store: Store, tag: str) -> int | None:
    """The offset the shard stands at, its values' digest being the one that meta holds."""
    meta = dict(store.hash_values(meta_key(tag)))
    digest = 0
    for key in store.keys_of(tag):
        for address, value in store.values_at(key):
            digest ^= value_hash(*address, value)
    assert f"{digest:032x}" == meta.get("digest", b"").decode()
    return int(meta["offset"]) if "offset" in meta else None


def _node(server: RedisServer) -> str:
    with server.client() as client:
        return str(client.execute_command("CLUSTER MYID").decode())


def _owner(servers: RedisClusterServers, slot: int) -> RedisServer:
    count = len(servers.masters)
    ends = [SLOTS * (index + 1) // count for index in range(count)]
    return next(node for node, end in zip(servers.masters, ends, strict=True) if slot < end)


def test_a_slot_migrates_key_by_key_while_its_shard_is_written(redis_cluster: RedisClusterServers):
    slot = slot_of(meta_key(TAG))
    source = _owner(redis_cluster, slot)
    target = next(node for node in redis_cluster.masters if node is not source)
    writer = Writer(Store(redis_cluster.url, writes=True), TAG)
    for _ in range(30):
        writer.turn()
    try:
        for giver, taker in ((source, target), (target, source)):  # and back: others use this cluster
            at_start = writer.acknowledged
            _migrate(redis_cluster, slot, giver, taker, writer)
            for _ in range(20):
                writer.turn()
            assert _proved(writer.store, TAG) == writer.committed == writer.acknowledged
            assert writer.acknowledged >= at_start + 20
    finally:
        redis_cluster.wait_ok()
    assert writer.surprises, "a script whose keys stand in two places is refused: the lane has to come again"


def test_a_cluster_is_found_by_whichever_named_node_answers(redis_cluster: RedisClusterServers):
    (closed,) = free_ports(1)
    store = Store(f"redis+cluster://127.0.0.1:{closed},127.0.0.1:{redis_cluster.masters[1].port}", writes=True)
    assert store.clustered
    assert store.claim(TAG, 1).offset is None
    store.close()


def test_a_node_that_hangs_costs_a_writer_one_time_out_and_the_shards_of_the_others_nothing(
    redis_cluster: RedisClusterServers,
):
    store = Store(redis_cluster.url, writes=True, timeout_s=0.3)
    by_node = {_owner(redis_cluster, slot_of(meta_key(tag))).port: tag for tag in tags("p", 12)}
    hanging, *others = by_node
    for tag in by_node.values():
        store.claim(tag, 1)
    (node,) = (each for each in redis_cluster.masters if each.port == hanging)
    node.pause()
    try:
        begun_s = time.monotonic()
        with pytest.raises(ConnectorError) as failed:
            store.claim(by_node[hanging], 1)
        assert time.monotonic() - begun_s < 1.0
        assert failed.value.retryable
        for other in others:
            store.claim(by_node[other], 1)
    finally:
        node.resume()
        redis_cluster.wait_ok()
    store.claim(by_node[hanging], 1)
    store.close()


def test_one_primary_that_would_evict_is_enough_to_refuse(redis_cluster: RedisClusterServers):
    store = Store(redis_cluster.url)
    store.check_policy_of_memory()
    last = redis_cluster.masters[-1]
    with last.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(ConnectorError, match=f"{last.port} is allkeys-lru") as refused:
                store.check_policy_of_memory()
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert not refused.value.retryable
    store.close()


def test_servers_that_are_no_cluster_are_not_taken_for_one(redis_7: RedisServer):
    for url in (f"redis+cluster://127.0.0.1:{redis_7.port}", f"{redis_7.url},redis://127.0.0.1:1"):
        with pytest.raises(ConnectorError, match="no cluster") as refused:
            Store(url)
        assert not refused.value.retryable


def _migrate(servers: RedisClusterServers, slot: int, giver: RedisServer, taker: RedisServer, writer: Writer) -> None:
    """What redis-cli --cluster reshard does, eight keys at a time, with the writer at work between the steps."""
    with giver.client() as source, taker.client() as target:
        target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", _node(giver))
        source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", _node(taker))
        step = 0
        while keys := source.execute_command("CLUSTER GETKEYSINSLOT", slot, 8):
            source.execute_command("MIGRATE", "127.0.0.1", taker.port, "", 0, 5000, "KEYS", *keys)
            step += 1
            writer.turn()
            assert step < 500, "the writer creates keys faster than they move"
        for node in (target, source, *(each.client() for each in servers.masters)):
            node.execute_command("CLUSTER SETSLOT", slot, "NODE", _node(taker))


@pytest.fixture
def replicated() -> Iterator[RedisClusterServers]:
    with RedisClusterServers("any", replicas=1, node_timeout_ms=1000) as servers:
        yield servers


@pytest.mark.slow
def test_a_primary_dies_under_load_and_its_shard_stands_whole_at_some_commit(replicated: RedisClusterServers):
    slot = slot_of(meta_key(TAG))
    primary = _owner(replicated, slot)
    contact = next(node for node in replicated.masters if node is not primary)
    replica = replicated.replicas[replicated.masters.index(primary)]
    writer = Writer(Store(contact.url, writes=True, timeout_s=1), TAG)
    for _ in range(100):
        writer.turn()
    replica_client = replica.client()
    with primary.client() as client:
        assert client.execute_command("WAIT", 1, 3000) == 1
    replica.pause()  # what is committed from here on is lost with the primary
    for _ in range(30):
        writer.turn()
    lost_from = writer.acknowledged
    ended = Event()
    load = Thread(target=lambda: [writer.turn() for _ in iter(ended.is_set, True)])
    load.start()
    try:
        time.sleep(0.05)
        primary.kill9()
        replica.resume()
        deadline = time.monotonic() + 120
        acknowledged_at_kill = writer.acknowledged
        while replica_client.info("replication")["role"] != "master":
            assert time.monotonic() < deadline, "nobody was promoted"
            time.sleep(0.05)
        while writer.acknowledged < acknowledged_at_kill + 50 or not writer.epoch:
            assert time.monotonic() < deadline, writer.surprises[-3:]
            time.sleep(0.05)
    finally:
        ended.set()
        load.join(20)
    assert lost_from > 100
    assert writer.surprises
    assert _proved(writer.store, TAG) == writer.committed
