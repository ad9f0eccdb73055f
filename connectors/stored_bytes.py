"""Values as they lie in Redis: long ones packed by zstd with a dictionary of what such values look like.

It is a matter of memory alone. Digests, `verify` and snapshots are about the values themselves, so that another
version of zstd, which may pack otherwise, changes nothing that is compared. A frame names its dictionary: when
`benchmarks/value_dictionary.py` makes a new one, with the next number, the old file stays and is read.
"""

from pathlib import Path

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError

PACKED = b"\xc1"
"""The one byte that begins no MessagePack value. Others that begin so (trace codes may) are always packed."""
PACKED_FROM = 100  # bytes; shorter ones gain less than Redis rounds up
LEVEL = 1  # the next gains 1 % and takes a fifth longer (measured)
DICTIONARY = Path(__file__).with_name("values.1.zdict")

_dictionary = ZstdCompressionDict(DICTIONARY.read_bytes())
_dictionary.precompute_compress(level=LEVEL)
_pack = ZstdCompressor(level=LEVEL, dict_data=_dictionary).compress
_open = ZstdDecompressor(dict_data=_dictionary).decompress


def stored(value: bytes) -> bytes:
    """What Redis keeps of a value; the empty one means: delete."""
    must = value[:1] == PACKED
    if len(value) < PACKED_FROM and not must:
        return value
    packed = PACKED + _pack(value)
    return packed if must or len(packed) < len(value) else value


def value_of(kept: bytes) -> bytes:
    """The value that Redis kept so. A damaged frame is given as it lies: no value begins so, and its reader stops."""
    if kept[:1] != PACKED:
        return kept
    try:
        return _open(kept[1:])
    except ZstdError:
        return kept
