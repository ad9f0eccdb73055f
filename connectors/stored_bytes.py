"""Values as they lie in Redis: long ones packed by zstd with a dictionary of what such values look like.

It is a matter of memory alone. Digests, `verify` and snapshots are about the values themselves, so that another
version of zstd, which may pack otherwise, changes nothing that is compared. A frame names its dictionary: when
`benchmarks/value_dictionary.py` makes a new one, with the next number, the old file stays and is read.
"""

from pathlib import Path
from threading import local

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_parameters

PACKED = b"\xc1"
"""The one byte that begins no MessagePack value. Others that begin so (trace codes may) are always packed."""
PACKED_FROM = 100  # bytes; shorter ones gain less than Redis rounds up
LEVEL = 1  # the next gains 1 % and takes a fifth longer (measured)

_files = Path(__file__).parent.glob("values.*.zdict")
_dictionaries = {each.dict_id(): each for each in (ZstdCompressionDict(file.read_bytes()) for file in _files)}
_newest = _dictionaries[max(_dictionaries)]
_newest.precompute_compress(level=LEVEL)


class _Ways(local):
    """Each thread's own: zstd's objects bear no second one (a worker's surveys read from threads)."""

    def __init__(self) -> None:
        self.pack = ZstdCompressor(level=LEVEL, dict_data=_newest).compress
        self.open = {number: ZstdDecompressor(dict_data=each).decompress for number, each in _dictionaries.items()}


_ways = _Ways()


def stored(value: bytes) -> bytes:
    """What Redis keeps of a value; the empty one means: delete."""
    must = value[:1] == PACKED
    if len(value) < PACKED_FROM and not must:
        return value
    packed = PACKED + _ways.pack(value)
    return packed if must or len(packed) < len(value) else value


def value_of(kept: bytes) -> bytes:
    """The value that Redis kept so. What cannot be opened is given as it lies, and a frame has no sum of its own: what
    was damaged is found by whoever decodes it, and by `verify`.
    """
    if kept[:1] != PACKED:
        return kept
    frame = kept[1:]
    try:
        return _ways.open[get_frame_parameters(frame).dict_id](frame)
    except (ZstdError, KeyError):
        return kept
