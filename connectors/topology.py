"""Which partition a person lives on, which slot a shard lives in, how topics are called. It opens no connection."""

from binascii import crc_hqx
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count as count_up
from itertools import product
from string import ascii_lowercase
from struct import Struct
from typing import Literal

import numpy as np

SLOTS = 16_384
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_WORD = 0xFFFFFFFF
_FEW = 8  # keys; setting columns up costs more than hashing these one by one (measured)


@lru_cache(maxsize=256)  # keys have few lengths
def _words(count: int) -> Callable[[bytes], tuple[int, ...]]:
    """How to read that many little-endian words from the beginning of a key."""
    return Struct(f"<{count}I").unpack_from


def murmur2(data: bytes) -> int:
    """The hash that Java's Kafka clients put keys through, as an unsigned 32-bit number."""
    length = len(data)
    whole = length & ~3
    hashed = _SEED ^ length
    for word in _words(whole >> 2)(data):
        word = (word * _MULTIPLIER) & _WORD
        hashed = (hashed * _MULTIPLIER ^ (word ^ word >> 24) * _MULTIPLIER) & _WORD
    if whole < length:
        hashed = ((hashed ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER) & _WORD
    hashed = ((hashed ^ (hashed >> 13)) * _MULTIPLIER) & _WORD
    return hashed ^ (hashed >> 15)


def partition_of(key: str, count: int) -> int:
    """The partition of a key: what a Java client, or librdkafka with murmur2_random, computes for it."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % count


def partitions_of(keys: Sequence[bytes], count: int) -> list[int]:
    """The same for a batch at once: keys of one length are hashed together, as pseudonyms all have one length."""
    if len(keys) < _FEW:
        return [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]
    by_length: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        by_length.setdefault(len(key), []).append(index)
    answer = [0] * len(keys)
    for length, indices in by_length.items():
        hashed = _murmur2_columns(b"".join(keys[index] for index in indices), length, len(indices))
        partitions = ((hashed & np.uint32(0x7FFFFFFF)) % np.uint32(count)).tolist()
        for index, partition in zip(indices, partitions, strict=True):
            answer[index] = partition
    return answer


def _murmur2_columns(joined: bytes, length: int, rows: int) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    multiplier = np.uint32(_MULTIPLIER)
    padded = np.zeros((rows, -(-length // 4) * 4), np.uint8)
    padded[:, :length] = np.frombuffer(joined, np.uint8).reshape(rows, length)
    words = padded.view("<u4")
    hashed = np.full(rows, _SEED ^ length, np.uint32)
    for column in range(length // 4):
        word = words[:, column] * multiplier
        word = (word ^ (word >> np.uint32(24))) * multiplier
        hashed = (hashed * multiplier) ^ word
    if length % 4:
        hashed = (hashed ^ words[:, -1]) * multiplier
    hashed = (hashed ^ (hashed >> np.uint32(13))) * multiplier
    return hashed ^ (hashed >> np.uint32(15))


def slot_of(key: str) -> int:
    """The Redis Cluster slot of a key: CRC16 of what stands between its first braces, else of the whole key."""
    begin = key.find("{")
    end = key.find("}", begin + 1)
    hashed = key[begin + 1 : end] if begin >= 0 and end > begin + 1 else key
    return crc_hqx(hashed.encode(), 0) % SLOTS


@lru_cache(maxsize=64)
def tags(family: Literal["p", "q"], count: int) -> tuple[str, ...]:
    """One hash tag per shard, spread over the slots: shard i gets one near the middle of the i-th of `count` stretches.

    Masters of a cluster own stretches of slots, so each of them gets its share of shards, however many there are.
    """
    return tuple(_tag(family, shard, count) for shard in range(count))


def _tag(family: str, shard: int, count: int) -> str:
    stretch = SLOTS / count
    margin = stretch * 3 / 8 if stretch >= 64 else 0  # the middle quarter; narrow stretches take any slot of theirs
    first, last = stretch * shard + margin, stretch * (shard + 1) - margin
    for length in count_up():
        for letters in product(ascii_lowercase, repeat=length):
            tag = f"{{{family}{shard}{''.join(letters)}}}"
            if first <= slot_of(tag) < last:
                return tag
    raise AssertionError("suffixes do not end")


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics under one prefix."""

    prefix: str = "xinmai."

    @property
    def events(self) -> str:
        return f"{self.prefix}events.v1"

    @property
    def subjects(self) -> str:
        return f"{self.prefix}subjects.v1"

    @property
    def decisions(self) -> str:
        return f"{self.prefix}decisions.v1"

    @property
    def withholding(self) -> str:
        return f"{self.prefix}withholding.v1"

    @property
    def alerts(self) -> str:
        return f"{self.prefix}alerts.v1"

    @property
    def queries(self) -> str:
        return f"{self.prefix}queries.v1"

    @property
    def handling(self) -> str:
        return f"{self.prefix}handling.v1"

    @property
    def deadletter(self) -> str:
        return f"{self.prefix}deadletter.v1"

    @property
    def national(self) -> str:
        return f"{self.prefix}national.v1"

    @property
    def unlimited(self) -> tuple[str, ...]:
        """The topics that are kept for ever: state is derived from the first two, answers are proved by the rest."""
        return (self.events, self.subjects, self.decisions, self.withholding, self.queries, self.handling)

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.unlimited, self.alerts, self.deadletter, self.national)
