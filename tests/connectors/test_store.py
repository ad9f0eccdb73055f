"""The store's promises, the same on Redis 6.2, on Redis 7 and on a cluster of three: nothing is written by halves."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.embedded import RedisServer, redis_binary
from connectors.errors import ConnectorError
from connectors.store import Address, Commit, CommitResult, Position, Store, meta_key
from connectors.topology import tags

TAG, OTHER = tags("p", 3)[:2]
TOPOLOGY = "cluster/topic/3/log"
NOW_MS = 1_800_000_000_000
KINDS = ("6.2", pytest.param("7", marks=pytest.mark.redis7), pytest.param("cluster", marks=pytest.mark.cluster))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    fixture = {"6.2": "redis_62", "7": "redis_7", "cluster": "redis_cluster"}[request.param]
    return str(request.getfixturevalue(fixture).url)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url, writes=True)
    yield opened
    opened.close()


def value(name: str, field: str = "", tag: str = TAG) -> Address:
    return f"xm:{tag}:{name}", field


def commit(epoch: str, after: int | None, offset: int, changes: dict[Address, bytes], tag: str = TAG) -> Commit:
    return Commit(tag, epoch, after, offset, f"{offset:032x}", f"record {offset}", b"state", TOPOLOGY, changes)


def everything(store: Store, tag: str = TAG) -> dict[Address, bytes]:
    """All that a shard holds: its values, and its position."""
    held = {address: content for key in store.keys_of(tag) for address, content in store.values_at(key)}
    meta = {(meta_key(tag), name): content for name, content in store.hash_values(meta_key(tag))}
    return held | meta


def test_the_first_claim_finds_nothing_and_a_later_one_finds_what_was_committed(store: Store):
    first = store.claim(TAG, NOW_MS)
    assert first == (str(NOW_MS), None, "", "", b"", "")
    store.commit([commit(first.epoch, None, 7, {value("a:1"): b"one"})])
    again = store.claim(TAG, NOW_MS)
    assert again == (str(NOW_MS + 1), 7, f"{7:032x}", "record 7", b"state", TOPOLOGY)


def test_a_read_gives_values_and_the_position_they_belong_to(store: Store):
    claim = store.claim(TAG, NOW_MS)
    asked = [value("a:1"), value("i:9", "w"), value("i:9", "d1"), value("a:none")]
    assert store.read([(TAG, asked)]) == [(Position(claim.epoch, None), [None] * 4)]
    store.commit([commit(claim.epoch, None, 4, {asked[0]: b"\x00\xff", asked[1]: b"w", asked[2]: b"d"})])
    both = store.read([(TAG, asked), (OTHER, [value("a:1", tag=OTHER)])])
    assert both == [(Position(claim.epoch, 4), [b"\x00\xff", b"w", b"d", None]), (Position(None, None), [None])]


def test_an_empty_value_deletes_a_string_and_a_field(store: Store):
    claim = store.claim(TAG, NOW_MS)
    kept = {value("a:2"): b"kept", value("i:9", "d2"): b"kept"}
    gone = {value("a:1"): b"gone", value("i:9", "d1"): b"gone"}
    store.commit([commit(claim.epoch, None, 1, kept | gone)])
    store.commit([commit(claim.epoch, 1, 2, dict.fromkeys(gone, b""))])
    assert {address: held for address, held in everything(store).items() if not address[0].endswith(":meta")} == kept


def test_commits_of_one_round_trip_follow_each_other(store: Store):
    claim, other = store.claim(TAG, NOW_MS), store.claim(OTHER, NOW_MS)
    results = store.commit(
        [
            commit(claim.epoch, None, 10, {value("a:1"): b"1"}),
            commit(other.epoch, None, 3, {value("a:1", tag=OTHER): b"o"}, OTHER),
            commit(claim.epoch, 10, 25, {value("a:1"): b"2"}),
        ]
    )
    assert [result.status for result in results] == ["committed"] * 3
    assert [position for position, _ in store.read([(TAG, []), (OTHER, [])])] == [
        Position(claim.epoch, 25),
        Position(other.epoch, 3),
    ]


@pytest.mark.parametrize(
    ("after", "name"), [(None, "nothing applied"), (6, "an earlier"), (8, "a later"), (0, "the first")], ids=str
)
def test_a_commit_from_another_position_moves_and_writes_nothing(store: Store, after: int | None, name: str):
    claim = store.claim(TAG, NOW_MS)
    store.commit([commit(claim.epoch, None, 7, {value("a:1"): b"one", value("i:9", "w"): b"w"})])
    before = everything(store)
    written = {value("a:1"): b"two", value("a:new"): b"n", value("i:9", "w"): b"", value("i:9", "x"): b"x"}
    assert store.commit([commit(claim.epoch, after, 9, written)]) == [CommitResult("moved", Position(claim.epoch, 7))]
    assert everything(store) == before


def test_a_fenced_owner_reads_another_epoch_and_commits_nothing(store: Store):
    zombie = store.claim(TAG, NOW_MS)
    store.commit([commit(zombie.epoch, None, 7, {value("a:1"): b"one"})])
    owner = store.claim(TAG, NOW_MS)
    assert int(owner.epoch) > int(zombie.epoch)
    before = everything(store)
    ((position, _),) = store.read([(TAG, [])])
    assert position == Position(owner.epoch, 7) != Position(zombie.epoch, 7)
    results = store.commit([commit(zombie.epoch, 7, 8, {value("a:1"): b"z"}), commit(zombie.epoch, 8, 9, {})])
    assert results == [CommitResult("moved", Position(owner.epoch, 7))] * 2
    assert everything(store) == before


def test_a_follower_of_a_moved_commit_moves_too(store: Store):
    claim = store.claim(TAG, NOW_MS)
    results = store.commit([commit(claim.epoch, 1, 2, {value("a:1"): b"x"}), commit(claim.epoch, 2, 3, {})])
    assert [result.status for result in results] == ["moved", "moved"]
    assert list(store.keys_of(TAG)) == []


def test_an_epoch_never_comes_back_after_redis_lost_its_memory(store: Store, request: pytest.FixtureRequest):
    before = store.claim(TAG, NOW_MS)
    store.claim(TAG, NOW_MS)
    _flush(store)
    after = store.claim(TAG, NOW_MS + 5_000)
    assert after.offset is None
    assert int(after.epoch) > int(before.epoch) + 1
    assert store.commit([commit(before.epoch, None, 0, {})])[0].status == "moved"


def test_a_script_that_redis_forgot_is_loaded_again(store: Store):
    claim = store.claim(TAG, NOW_MS)
    store.commit([commit(claim.epoch, None, 0, {value("a:1"): b"1"})])
    store.client.script_flush()
    commits = [commit(claim.epoch, 0, 1, {value("a:1"): b"2"}), commit(claim.epoch, 1, 2, {value("a:1"): b"3"})]
    assert [result.status for result in store.commit(commits)] == ["committed", "committed"]
    store.client.script_flush()
    assert store.read([(TAG, [value("a:1")])]) == [(Position(claim.epoch, 2), [b"3"])]


def test_two_hundred_and_fifty_values_are_one_commit(store: Store):
    claim = store.claim(TAG, NOW_MS)
    changes = {value(f"a:{number:022d}"): b"v" * 300 for number in range(250)}
    assert store.commit([commit(claim.epoch, None, 0, changes)])[0].status == "committed"
    assert store.read([(TAG, list(changes))])[0][1] == [b"v" * 300] * 250


def _flush(store: Store) -> None:
    if store.clustered:
        store.client.flushall(target_nodes=store.client.PRIMARIES)
    else:
        store.client.flushall()


# --- one server of one's own: restarts, eviction, memory ---------------------------------------------------------

VERSIONS = ("6.2", pytest.param("7", marks=pytest.mark.redis7))


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Callable[..., RedisServer]]:
    if redis_binary(request.param) is None:
        request.getfixturevalue("redis_7_server")
    started: list[RedisServer] = []

    def start(**settings: str) -> RedisServer:
        named = {key.replace("_", "-"): word for key, word in settings.items()}
        started.append(RedisServer(request.param, settings=named))
        return started[-1].start()

    yield start
    for each in started:
        each.__exit__()


def _await_written(store: Store) -> None:
    """A running fsync lets Redis postpone the write by up to two seconds; until then a crash loses it."""
    while store.client.info("persistence")["aof_buffer_length"]:
        time.sleep(0.01)


def test_a_store_goes_on_after_a_restart_where_the_last_commit_stood(server: Callable[..., RedisServer]):
    redis = server()
    store = Store(redis.url, writes=True)
    claim = store.claim(TAG, NOW_MS)
    store.commit([commit(claim.epoch, None, 5, {value("a:1"): b"1"})])
    _await_written(store)
    redis.kill9()
    with pytest.raises(ConnectorError) as down:
        store.read([(TAG, [])])
    assert down.value.retryable
    redis.start()
    assert store.commit([commit(claim.epoch, 5, 6, {value("a:1"): b"2"})])[0].status == "committed"
    assert store.read([(TAG, [value("a:1")])]) == [(Position(claim.epoch, 6), [b"2"])]


@pytest.mark.parametrize("lost", [1, 200, 700, 1500])
def test_a_cut_append_only_file_leaves_some_earlier_commit_whole(server: Callable[..., RedisServer], lost: int):
    redis = server()
    store = Store(redis.url, writes=True)
    claim = store.claim(TAG, NOW_MS)
    for offset in range(20):
        changes = {value("a:1"): b"%d" % offset, value("i:9", "w"): b"%d" % offset, value("c:1"): b"%d" % offset}
        store.commit([commit(claim.epoch, offset - 1 if offset else None, offset, changes)])
    redis.stop()
    redis.cut_tail(lost)
    redis.start()
    ((position, held),) = store.read([(TAG, [value("a:1"), value("i:9", "w"), value("c:1")])])
    assert position.offset is not None
    assert position.offset < 19
    assert held == [b"%d" % position.offset] * 3
    assert store.commit([commit(claim.epoch, 19, 20, {})])[0].status == "moved"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_redis_that_would_evict_is_refused_for_good(server: Callable[..., RedisServer], policy: str):
    with pytest.raises(ConnectorError, match="noeviction") as refused:
        Store(server(maxmemory_policy=policy).url).check_policy_of_memory()
    assert not refused.value.retryable


def test_a_redis_that_never_evicts_is_accepted(store: Store):
    store.check_policy_of_memory()


def test_out_of_memory_is_an_error_and_nothing_is_half_written(server: Callable[..., RedisServer]):
    redis = server()
    store = Store(redis.url, writes=True)
    claim = store.claim(TAG, NOW_MS)
    store.commit([commit(claim.epoch, None, 0, {value("a:1"): b"1", value("a:2"): b"2", value("i:9", "w"): b"w"})])
    before = everything(store)
    store.client.config_set("maxmemory", "1")
    for _ in range(2):
        with pytest.raises(ConnectorError, match="command not allowed when used memory") as refused:
            store.commit([commit(claim.epoch, 0, 1, {value("a:3"): b"x" * 4_000, value("a:1"): b""})])
        assert refused.value.retryable
        assert everything(store) == before
    store.client.config_set("maxmemory", "0")
    assert store.commit([commit(claim.epoch, 0, 1, {})])[0].status == "committed"


def test_a_delete_that_needs_no_memory_never_stands_alone(server: Callable[..., RedisServer]):
    redis = server()
    store = Store(redis.url, writes=True)
    claim = store.claim(TAG, NOW_MS)
    store.commit([commit(claim.epoch, None, 0, {value("a:1"): b"1", value("i:9", "w"): b"w"})])
    store.client.config_set("maxmemory", "1")
    # Redis refuses for memory only before a script's first write; a delete is one, so what follows it is allowed
    changes = {value("a:1"): b"", value("i:9", "w"): b"", value("a:3"): b"x" * 4_000}
    assert store.commit([commit(claim.epoch, 0, 1, changes)])[0].status == "committed"
    assert store.read([(TAG, list(changes))]) == [(Position(claim.epoch, 1), [None, None, b"x" * 4_000])]


def test_memory_that_ends_in_the_middle_of_a_commit_does_not_cut_it(server: Callable[..., RedisServer]):
    redis = server()
    store = Store(redis.url, writes=True)
    claim = store.claim(TAG, NOW_MS)
    used: Any = store.client.info("memory")
    store.client.config_set("maxmemory", str(used["used_memory"] + 300_000))
    offset, outcomes = -1, set()
    for number in range(40):
        changes = {value(f"a:{number}:{part}"): random.Random(5 * number + part).randbytes(4_000) for part in range(5)}
        try:
            store.commit([commit(claim.epoch, None if offset < 0 else offset, offset + 1, changes)])
            offset += 1
            outcomes.add("committed")
        except ConnectorError:
            outcomes.add("refused")
    assert outcomes == {"committed", "refused"}
    assert store.read([(TAG, [])])[0][0] == Position(claim.epoch, offset)
    assert len(list(store.keys_of(TAG))) == 5 * (offset + 1)


def test_an_answer_that_came_too_late_is_never_taken_for_the_next_one():
    with RedisServer("6.2") as redis:
        store = Store(redis.url, writes=True, timeout_s=0.2)
        claim = store.claim(TAG, NOW_MS)
        store.commit([commit(claim.epoch, None, 1, {value("a:1"): b"one", value("a:2"): b"two"})])
        redis.pause()
        with pytest.raises(ConnectorError):
            store.read([(TAG, [value("a:1")])])
        redis.resume()
        here = Position(claim.epoch, 1)
        assert store.read([(TAG, [value("a:2")]), (OTHER, [])]) == [(here, [b"two"]), (Position(None, None), [])]
        store.close()
