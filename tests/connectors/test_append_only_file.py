"""A transaction torn by a crash stays undone at every later start, whoever commits next, on whichever connection."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.append_only_file import FileProof
from connectors.embedded import RedisClusterServers, RedisServer, redis_binary
from connectors.errors import ConnectorError
from connectors.store import Address, Claim, Commit, Store, meta_key
from connectors.topology import tags

OURS, THEIRS = tags("p", 2)
VERSIONS = ("6.2", pytest.param("7", marks=pytest.mark.redis7))
NOW_MS = 1_800_000_000_000
VALUES = 6
TORN_AT = ("in its first value", "in a middle value", "before its position", "before its end")


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    if redis_binary(request.param) is None:
        request.getfixturevalue("redis_7_server")
    with RedisServer(request.param, settings={"auto-aof-rewrite-percentage": "0"}) as started:
        yield started


class Shard:
    """What a lane does to one shard, and all that it was told is committed."""

    def __init__(self, store: Store, tag: str) -> None:
        self._store, self.tag = store, tag
        self.held: dict[int | None, dict[Address, bytes]] = {None: {}}
        self.claim()

    def claim(self) -> Claim:
        found = self._store.claim(self.tag, NOW_MS)
        self._epoch, self.offset = found.epoch, found.offset
        return found

    def commit(self, *, values: int = VALUES) -> None:
        offset = 0 if self.offset is None else self.offset + 1
        changes = {(f"xm:{self.tag}:a:{number}", ""): b"value %d of %d" % (number, offset) for number in range(values)}
        head = (self.tag, self._epoch, self.offset, offset, f"{offset:032x}", f"record {offset}", b"state", "topology")
        (result,) = self._store.commit([Commit(*head, changes)])
        assert result.status == "committed"
        self.held[offset] = self.held[self.offset] | changes
        self.offset = offset

    def stands(self, server: RedisServer) -> tuple[int | None, dict[Address, bytes]]:
        """Where it stands, looked at from outside; the values are those of that commit, byte for byte."""
        with server.client() as client:
            raw = client.hget(meta_key(self.tag), "offset")
            keys = [key.decode() for key in client.scan_iter(match=f"xm:{self.tag}:a:*")]
            return int(raw) if raw else None, {(key, ""): client.get(key) for key in keys}

    def assert_stands(self, server: RedisServer) -> None:
        assert self.stands(server) == (self.offset, self.held[self.offset])


def _tear(server: RedisServer, where: str) -> None:
    """Kill it and cut its last transaction in the middle of one of its commands."""
    _await_written(server)
    server.kill9()
    content = server.append_only_file().read_bytes()
    begin = content.rindex(b"MULTI")
    commands = [at for at in range(begin, len(content)) if content.startswith((b"SET\r\n", b"HSET\r\n", b"EXEC"), at)]
    place = {TORN_AT[0]: 1, TORN_AT[1]: VALUES // 2, TORN_AT[2]: VALUES, TORN_AT[3]: VALUES + 1}[where]
    # it is cut behind the name of the command: all before it are whole, and stay in the file
    server.cut_tail(len(content) - commands[place] - 2)
    server.start()


def _await_written(server: RedisServer) -> None:
    with server.client() as client:
        while client.info("persistence")["aof_buffer_length"]:
            time.sleep(0.01)


def _restart(server: RedisServer) -> None:
    _await_written(server)
    server.kill9()
    server.start()


@pytest.mark.parametrize("where", TORN_AT)
def test_what_was_torn_off_our_own_shard_does_not_come_back(server: RedisServer, where: str):
    shard = Shard(Store(server.url, writes=True), OURS)
    for _ in range(3):
        shard.commit()
    _tear(server, where)
    assert shard.claim().offset == 1
    shard.assert_stands(server)
    shard.commit(values=1)  # another cut of the log into batches: the torn one wrote more
    _restart(server)
    shard.assert_stands(server)


@pytest.mark.parametrize("where", TORN_AT)
def test_what_was_torn_off_another_shard_does_not_come_back_behind_a_lane_that_noticed_nothing(
    server: RedisServer, where: str
):
    store = Store(server.url, writes=True)
    ours, theirs = Shard(store, OURS), Shard(Store(server.url, writes=True), THEIRS)
    for shard in (ours, theirs, ours, theirs):
        shard.commit()
    _tear(server, where)
    theirs.offset = 0
    theirs.assert_stands(server)
    ours.commit()  # its own offset stands: nothing but the reconnect could have told it
    _restart(server)
    ours.assert_stands(server)
    theirs.assert_stands(server)


@pytest.mark.parametrize("where", TORN_AT[1:3])
def test_without_the_rewrite_the_leftovers_come_back(monkeypatch: pytest.MonkeyPatch, where: str):
    """The reason for all this, on the Redis that ships with us. Should it fail, Redis was mended: see valkey 4342."""
    monkeypatch.setattr(FileProof, "prove", lambda _self, _connection: None)
    with RedisServer("6.2") as server:
        store = Store(server.url, writes=True)
        ours, theirs = Shard(store, OURS), Shard(store, THEIRS)
        for shard in (ours, theirs, ours, theirs):
            shard.commit()
        _tear(server, where)
        ours.commit()
        _restart(server)
        offset, values = theirs.stands(server)
    assert offset == 0
    assert values != theirs.held[0], "values of a lost commit stand under an older offset"


def test_a_crash_before_the_rewrite_has_ended_brings_nothing_back(server: RedisServer):
    shard = Shard(Store(server.url, writes=True), OURS)
    for _ in range(3):
        shard.commit()
    _tear(server, TORN_AT[1])
    with server.client() as client:
        client.set("pause:somebody", "1")  # a command of its own, appended behind the leftovers
        client.config_set("rdb-key-save-delay", 1_000_000)  # the rewrite takes a second a key
        with pytest.raises(ConnectorError, match="it is being written") as refused:
            shard.claim()
    assert refused.value.retryable
    server.kill9()
    try:
        server.start()
    except ConnectorError:  # 7: the torn file is not the last one, so it is cut and Redis ends; its supervisor helps
        server.start()
    assert shard.claim().offset == 1
    shard.assert_stands(server)
    shard.commit(values=1)
    _restart(server)
    shard.assert_stands(server)


def test_a_lane_does_not_wait_longer_than_it_may_and_goes_on_when_the_file_is_written(server: RedisServer):
    store = Store(server.url, writes=True)
    shard = Shard(store, OURS)
    shard.commit()
    _restart(server)
    with server.client() as client:
        client.config_set("rdb-key-save-delay", 250_000)
        waits = [_seconds_refused(shard) for _ in range(3)]
        assert waits[0] < 3
        assert max(waits[1:]) < 0.5, "nobody waits for what is known to take long"
        client.config_set("rdb-key-save-delay", 0)
        deadline = time.monotonic() + 60
        while client.info("persistence")["aof_rewrite_in_progress"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    shard.claim()
    shard.assert_stands(server)


def _seconds_refused(shard: Shard) -> float:
    started = time.monotonic()
    with pytest.raises(ConnectorError, match="written anew"):
        shard.claim()
    return time.monotonic() - started


def test_a_rewrite_that_fails_is_told_and_nothing_is_committed(server: RedisServer):
    shard = Shard(Store(server.url, writes=True), OURS)
    shard.commit()
    _restart(server)
    shutil.rmtree(server.directory)  # a disk that takes no new file
    with pytest.raises(ConnectorError, match="that failed, see its log") as refused:
        shard.claim()
    assert refused.value.retryable
    shard.assert_stands(server)


def test_every_process_is_asked_once_and_rewrites_once(server: RedisServer):
    first, second = (Store(server.url, writes=True) for _ in range(2))
    for started_again in (False, True):
        if started_again:
            _restart(server)
        for store, tag in ((first, OURS), (second, THEIRS)):
            store.claim(tag, NOW_MS)
        ended = server.log.read_text().count("Background AOF rewrite terminated with success")
        assert ended == 1 + started_again


def test_who_only_reads_orders_nothing(server: RedisServer):
    with Store(server.url, writes=True).client as client:
        client.ping()
    _restart(server)
    reader = Store(server.url)
    reader.read([(OURS, [])])
    with pytest.raises(AssertionError, match="writes=True"):
        reader.claim(OURS, NOW_MS)
    with server.client() as client:
        assert client.info("persistence")["aof_last_rewrite_time_sec"] == -1


def test_a_redis_without_such_a_file_is_left_as_it_is():
    with RedisServer("6.2", settings={"appendonly": "no"}) as server:
        Store(server.url, writes=True).claim(OURS, NOW_MS)
        with server.client() as client:
            assert client.info("persistence")["aof_last_rewrite_time_sec"] == -1
        assert not server.append_only_file().exists()


@pytest.mark.parametrize("lacking", ["info", "bgrewriteaof", "multi"])
def test_a_user_without_the_right_is_told_which_and_refused_for_good(server: RedisServer, lacking: str):
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "lane", "on", ">word", "~*", "&*", "+@all", f"-{lacking}")
        Store(server.url, writes=True).close()  # somebody else has had it written: the right is asked for all the same
    with pytest.raises(ConnectorError, match=r"\+info .*\+bgrewriteaof") as refused:
        Store(server.url.replace("redis://", "redis://lane:word@"), writes=True)
    assert not refused.value.retryable


def test_a_redis_whose_rewrite_was_renamed_away_is_refused_for_good(server: RedisServer):
    with RedisServer("6.2", settings={"rename-command": "BGREWRITEAOF HIDDEN"}) as other:
        with pytest.raises(ConnectorError, match=r"unknown command.*\+bgrewriteaof") as refused:
            Store(other.url, writes=True)
        assert not refused.value.retryable


def test_a_promoted_replica_had_its_file_written_when_it_synchronised(server: RedisServer):
    shard = Shard(Store(server.url, writes=True), OURS)
    shard.commit()
    with RedisServer(server.version, replica_of=server) as replica:
        with replica.client() as client:
            deadline = time.monotonic() + 30
            while client.info("replication")["master_link_status"] != "up" or _rewriting(client):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            replica.promote()
            written = replica.log.read_text().count("Background AOF rewrite terminated with success")
        assert written >= 1
        Store(replica.url, writes=True).claim(OURS, NOW_MS)
        assert replica.log.read_text().count("Background AOF rewrite terminated with success") == written


def _rewriting(client: Any) -> bool:
    known = client.info("persistence")
    return bool(known["aof_rewrite_in_progress"] or known["aof_rewrite_scheduled"])


@pytest.mark.cluster
def test_on_a_cluster_each_primary_is_asked_for_itself(redis_cluster: RedisClusterServers):
    store = Store(redis_cluster.url, writes=True)
    shards = [Shard(store, tag) for tag in tags("p", 3)]
    for shard in shards:
        shard.commit()
    torn = redis_cluster.masters[0]
    counted = _rewrites(redis_cluster)
    _restart(torn)
    redis_cluster.wait_ok()
    _each_goes_on(shards)
    assert [after - before for before, after in zip(counted, _rewrites(redis_cluster), strict=True)] == [1, 0, 0]


def _rewrites(servers: RedisClusterServers) -> list[int]:
    text = "Background AOF rewrite terminated with success"
    return [node.log.read_text().count(text) for node in servers.masters]


def _each_goes_on(shards: list[Shard]) -> None:
    for shard in shards:
        assert shard.claim().offset == 0
        shard.commit()
