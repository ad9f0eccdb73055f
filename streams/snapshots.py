"""A shard's values in a file: what makes verify and rebuild short.

Written only by a proof that found Redis equal to the log.

Named by shard, offset and digest; the digest is computed again when it is read, so a damaged file is refused by name.
"""

import os
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.errors import ConnectorError
from connectors.state_codec import ShardState, pack, value_hash
from connectors.store import VALUES_PER_COMMIT, Address, Commit, Store

LOADING = "loading a snapshot; run xinmai rebuild again"


class Snapshot(NamedTuple):
    """Everything a shard is at one offset."""

    tag: str
    topology: str
    offset: int
    digest: str
    record: str
    state: ShardState
    values: dict[str, dict[str, bytes]]  # key → field → value

    def addresses(self) -> dict[Address, bytes]:
        """The values by address."""
        return {(key, field): value for key, fields in self.values.items() for field, value in fields.items()}


class SnapshotDamaged(Exception):
    """The file is not what its name says."""


_decode = msgspec.msgpack.Decoder(Snapshot).decode


def write_snapshot(folder: Path, snapshot: Snapshot) -> Path:
    """Write it whole or not at all; older ones of the shard go once the new one stands."""
    folder.mkdir(parents=True, exist_ok=True)
    name = snapshot.tag.strip("{}")
    path = folder / f"{name}@{snapshot.offset}-{snapshot.digest}.snapshot"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        content = msgspec.msgpack.encode(snapshot)
        file.write(_checksum(content) + content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    for other in folder.glob(f"{name}@*.snapshot"):
        if other != path:
            other.unlink()
    return path


def newest_snapshot(folder: Path | None, tag: str, *, topology: str, up_to: int | None = None) -> Snapshot | None:
    """The snapshot of a shard of this very log, not beyond `up_to`; None where there is none."""
    if folder is None:
        return None
    for path in sorted(folder.glob(f"{tag.strip('{}')}@*.snapshot"), key=_offset_of, reverse=True):
        if up_to is None or _offset_of(path) <= up_to:
            snapshot = _checked(path)
            return snapshot if snapshot.topology == topology else None
    return None


def load_snapshot(store: Store, snapshot: Snapshot, epoch: str) -> None:
    """Put it into an empty shard. Until the last value is in, meta says so and no lane takes the shard."""
    waiting = list(snapshot.addresses().items())
    while True:
        part, waiting = dict(waiting[:VALUES_PER_COMMIT]), waiting[VALUES_PER_COMMIT:]
        if waiting:
            commit = Commit(snapshot.tag, epoch, None, None, "", "", b"", LOADING, part)
        else:
            state = pack(snapshot.state)
            commit = Commit(
                snapshot.tag,
                epoch,
                None,
                snapshot.offset,
                snapshot.digest,
                snapshot.record,
                state,
                snapshot.topology,
                part,
            )
        (result,) = store.commit([commit])
        if result.status == "moved":
            raise ConnectorError("redis", f"{snapshot.tag}: somebody else writes it; stop the lanes", retryable=False)
        if not waiting:
            return


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _offset_of(path: Path) -> int:
    return int(path.stem.split("@")[1].split("-")[0])


def _checked(path: Path) -> Snapshot:
    try:
        whole = path.read_bytes()
        if whole[:16] != _checksum(whole[16:]):
            raise SnapshotDamaged(f"{path.name} is not what was written. Remove it; the log makes another.")
        snapshot = _decode(whole[16:])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SnapshotDamaged(f"{path.name} cannot be read: {error}. Remove it; the log makes another.") from error
    digest = 0
    for (key, field), value in snapshot.addresses().items():
        digest ^= value_hash(key, field, value)
    if f"{digest:032x}" != snapshot.digest or snapshot.digest not in path.name:
        raise SnapshotDamaged(f"{path.name} does not have the digest of its name. Remove it; the log makes another.")
    return snapshot
