"""A lane as a child process: started by spawn, told to end by its parent's closing pipe, telling its parent how it
goes.
"""

import contextlib
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from connectors.errors import ConnectorError
from streams.lane import Lane
from streams.ownership import ConsumerLost, LaneSettings
from streams.shards import ShardStopped
from streams.supervision import WHOLE_LANE

_LOOK_S = 0.05


def lane_main(settings: LaneSettings, index: int, control: Connection) -> None:
    """Run lane `index` until the parent's end of `control` closes. A lane that cannot start says why and ends:
    `stopped` when only a person can help, `waiting` when time can; one that lost its place in the group: `fenced`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C and systemd tell the whole group; the parent ends its lanes

    def tell(message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # the parent is gone: the loop sees the closed pipe at its next turn
            control.send({"lane": index, **message})

    try:
        lane = Lane(settings, tell=tell)
    except (ShardStopped, ConnectorError) as error:
        if isinstance(error, ConnectorError) and error.retryable:
            tell({"kind": "waiting", "detail": str(error)})
        else:
            tell({"kind": "stopped", "shard": WHOLE_LANE, "detail": str(error)})
        raise SystemExit(1) from error
    try:
        lane.run(until_closed(control))
    except ConsumerLost as error:
        tell({"kind": "fenced", "detail": f"{settings.member}: {error}"})
        raise SystemExit(1) from error


def until_closed(control: Connection) -> Callable[[], bool]:
    """Is the parent's end open? Asked at every turn of the loop, looked up a few times a second: it takes syscalls."""
    next_look_s = 0.0

    def is_open() -> bool:
        nonlocal next_look_s
        if time.monotonic() < next_look_s:
            return True
        next_look_s = time.monotonic() + _LOOK_S
        try:
            return not control.poll() or control.recv() is not None
        except (EOFError, OSError):
            return False

    return is_open
