"""The name of a worker, held on this host as long as the worker lives.

Kafka gives a name's shards to whoever came under it last: two workers of one name take them from each other for ever.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings


@contextmanager
def own_name(settings: "Settings") -> Iterator[None]:
    """Refuse to be the second of this name here, so that the first goes on. Of another host only Kafka knows."""
    identity = sha256(f"{settings.kafka} {settings.group} {settings.worker}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"xinmai-worker-{identity}.lock"
    try:
        lock = _locked(path)
    except BlockingIOError:
        raise Stop(
            f"本机已有名为 {settings.worker} 的 worker；请为每个 worker 设置各自的 XINMAI_WORKER",
            f"a worker named {settings.worker} runs on this host already: give each its own XINMAI_WORKER",
        ) from None
    except OSError:  # another user's: whether that one lives cannot be seen, and Kafka will say
        yield
        return
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> TextIO:
    """The file, locked, and still the one that has this name: whoever held it before takes it away when he ends."""
    while True:
        lock = path.open("a")
        try:
            flock(lock, LOCK_EX | LOCK_NB)
            if path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
        except FileNotFoundError:
            pass
        except OSError:
            lock.close()
            raise
        lock.close()
