"""Partitions agree with Java's and librdkafka's, slots with Redis Cluster's, and tags spread."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.topology import Topics, murmur2, partition_of, partitions_of, slot_of, tags


@pytest.mark.parametrize(
    ("text", "signed"),
    # the vectors of org.apache.kafka.common.utils.UtilsTest
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_is_the_one_java_clients_use(text: str, signed: int) -> None:
    assert murmur2(text.encode()) == signed & 0xFFFFFFFF


@given(st.lists(st.text(max_size=40)), st.integers(1, 300))
def test_a_batch_is_partitioned_like_its_single_keys(keys: list[str], count: int) -> None:
    assert partitions_of([key.encode() for key in keys], count) == [partition_of(key, count) for key in keys]


@pytest.mark.parametrize(("key", "slot"), [("123456789", 0x31C3), ("{user1000}.following", 3443), ("foo{}{bar}", 8363)])
def test_slots_are_those_of_redis_cluster(key: str, slot: int) -> None:
    assert slot_of(key) == slot


@pytest.mark.parametrize("count", [1, 3, 4, 6, 12, 32, 64, 256])
@pytest.mark.parametrize("masters", [3, 4, 6])
def test_tags_give_every_master_its_share_of_shards(count: int, masters: int) -> None:
    for family in ("p", "q"):
        chosen = tags(family, count)
        assert len(set(chosen)) == count
        shares = Counter(slot_of(tag) * masters // 16_384 for tag in chosen)
        held = [shares[master] for master in range(masters)]
        assert max(held) - min(held) <= (1 if count >= masters else max(held))


def test_tags_never_change() -> None:
    assert tags("p", 4) == tags("p", 4)
    assert all(tag.startswith(f"{{p{shard}") for shard, tag in enumerate(tags("p", 4)))


def test_topics_carry_the_prefix_and_the_contract_names() -> None:
    assert Topics().events == "xinmai.events.v1"
    assert Topics("t1.").deadletter == "t1.deadletter.v1"
    assert len(set(Topics().all)) == 9
