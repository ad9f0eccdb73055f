"""The shards' values as bytes: MessagePack arrays, positional, so equal values are equal bytes. It knows no meaning.

A field may be added only at the end of a type, with a default; anything else raises FOLD_VERSION (design.md 3.8).
"""

from hashlib import blake2b
from typing import NamedTuple

import msgspec

from risk.activity import Activity
from risk.billed import Billed
from risk.companies import Gathered
from risk.contributions import Contribution
from risk.credit import Credit
from risk.market import Market
from risk.peers import Baseline
from risk.prices import Prices
from risk.queries import Asker
from risk.stock import Item
from risk.stock_ledger import Batches
from risk.subjects import History, Subject


class ShardState(NamedTuple):
    """What a shard remembers beside its values: fold, clock, policy, and the second hop's counters.

    `sent[t]` = contributions sent to subject shard t so far; `heard[s]` = contributions applied from person shard s so
    far.
    """

    fold_version: int
    clock_ms: int = 0
    policy_version: str = ""
    sent: tuple[int, ...] = ()
    heard: tuple[int, ...] = ()
    gaps: int = 0


class Contributed(NamedTuple):
    """One record of the second hop: contributions number `first`, `first` + 1, … from one person shard to one subject
    shard.
    """

    source: int
    first: int
    contributions: tuple[Contribution, ...]


class _ContributedWire(msgspec.Struct):
    event_type: str
    source: int
    first: int
    contributions: list[Contribution]


CONTRIBUTED = "subject.contributed"
_SAYS_SO = f'"{CONTRIBUTED}"'.encode()
CONTRIBUTIONS_PER_RECORD = 80  # each changes at most two values, and one record must fit one commit

_encoder = msgspec.msgpack.Encoder()
pack = _encoder.encode
unpack_activity = msgspec.msgpack.Decoder(Activity).decode
unpack_credit = msgspec.msgpack.Decoder(Credit).decode
unpack_subject = msgspec.msgpack.Decoder(Subject).decode
unpack_history = msgspec.msgpack.Decoder(History).decode
unpack_baselines = msgspec.msgpack.Decoder(dict[str, Baseline]).decode
unpack_billed = msgspec.msgpack.Decoder(Billed).decode
unpack_batches = msgspec.msgpack.Decoder(Batches).decode
unpack_item = msgspec.msgpack.Decoder(Item).decode
unpack_prices = msgspec.msgpack.Decoder(Prices).decode
unpack_market = msgspec.msgpack.Decoder(Market).decode
unpack_asker = msgspec.msgpack.Decoder(Asker).decode
unpack_gathered = msgspec.msgpack.Decoder(Gathered).decode
unpack_state = msgspec.msgpack.Decoder(ShardState).decode
_json = msgspec.json.Encoder()
_wire = msgspec.json.Decoder(_ContributedWire)


def value_hash(key: str, field: str, value: bytes) -> int:
    """128 bits of one value at its address; a shard's digest is the XOR of all of them."""
    return int.from_bytes(blake2b(f"{key}\0{field}\0".encode() + value, digest_size=16).digest())


def record_hash(value: bytes) -> str:
    """What meta remembers of the record at the applied offset, so that a log that was cut and grew again is noticed."""
    return blake2b(value, digest_size=16).hexdigest()


def encode_contributed(given: Contributed) -> bytes:
    """JSON, so that any reader of the topic can follow it; contributions are arrays in the order of their type."""
    return _json.encode(
        {
            "event_type": CONTRIBUTED,
            "source": given.source,
            "first": given.first,
            "contributions": given.contributions,
        }
    )


def decode_contributed(value: bytes) -> Contributed | None:
    """The contributions in a record of `subjects.v1`, or None if it is another kind of record."""
    if _SAYS_SO not in value[:64]:
        return None
    wire = _wire.decode(value)
    return Contributed(wire.source, wire.first, tuple(wire.contributions))
