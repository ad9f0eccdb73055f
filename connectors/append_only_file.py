"""Redis' append-only file after a restart: written anew before this connection commits anything behind its torn end.

A crash may tear the last transaction of the file. With `aof-load-truncated yes` Redis starts, forgets that transaction,
and leaves its first commands in the file: MULTI and some writes, no EXEC (6.2, 7.0; mended in valkey's pull request
4342). The next EXEC appended closes it, whose shard it ever belongs to, and at the next start the leftovers are done
with it: values of a lost commit under another offset. A file written anew from memory has no leftovers.

It is asked where a connection is made, because a connection never outlives the server's process: what was proved on it
stays true as long as it can carry a commit. A lane that asked at its claim alone would go on, after an unnoticed
reconnect, where another shard's transaction was torn and its own offset stands.
"""

import time
from typing import Any

from redis.exceptions import NoPermissionError, RedisError, ResponseError

from connectors.errors import ConnectorError

_WAIT_S = 1.0  # a lane waits in its loop: Kafka takes its partitions away after some seconds without a poll
_AGAIN_S = 10.0  # a rewrite forks: one that fails is not ordered at every attempt to connect
_POLL_S = 0.02


class FileUnproved(RedisError):
    """What stands in the file is not known to be what Redis holds; nothing may be committed behind it yet."""


class RewriteForbidden(FileUnproved):
    """The user of XINMAI_REDIS may not order the rewrite; no waiting changes that."""


def redis_failure(error: RedisError) -> ConnectorError:
    """How every failure of Redis is told; a cluster's client wraps the one that a node gave it."""
    forbidden = isinstance(error, RewriteForbidden) or isinstance(error.__cause__, RewriteForbidden)
    return ConnectorError("redis", str(error), retryable=not forbidden)


class FileProof:
    """For `redis_connect_func`: after the greeting, the connection is refused until the file is written anew.

    Redis itself remembers whether it was: since this process started, a rewrite has ended, and the last one well. No
    note of ours could be truer, and none has to be kept. A replica that followed has done it when it had synchronised.
    """

    def __init__(self) -> None:
        self._proved: set[str] = set()  # processes by run_id: a later rewrite that fails takes nothing back
        self._not_before_s: dict[str, float] = {}

    def greet_and_prove(self, connection: Any) -> None:
        """For a single server, whose client leaves the greeting to us."""
        connection.on_connect()
        self.prove(connection)

    def prove(self, connection: Any) -> None:
        """Return when the file is known to be whole; FileUnproved where that takes longer than a lane can wait."""
        try:
            known = _info(connection)
            if known["aof_enabled"] == "0" or known["run_id"] in self._proved:
                return
            _check_right(connection)
            if not _is_anew(known):
                self._write_anew(connection, known)
            self._proved.add(known["run_id"])
        except NoPermissionError as error:
            raise RewriteForbidden(
                f"{error}. After a restart the engine has Redis write its append-only file anew before it commits; "
                "the user of XINMAI_REDIS needs INFO, MULTI, DISCARD and BGREWRITEAOF "
                "(ACL SETUSER ... +info +multi +discard +bgrewriteaof)"
            ) from error
        except KeyError as error:
            raise FileUnproved(f"INFO does not say {error}; is this a Redis or Valkey from 6.2?") from error

    def _write_anew(self, connection: Any, known: dict[str, str]) -> None:
        """Order it, unless somebody has, and wait a little; the next attempt to connect asks again."""
        now_s = time.monotonic()
        if now_s >= self._not_before_s.get(known["run_id"], 0.0):
            self._not_before_s[known["run_id"]] = now_s + _AGAIN_S
            if not _is_writing(known):
                _order(connection)
            while time.monotonic() < now_s + _WAIT_S:
                known = _info(connection)
                if _is_anew(known):
                    return
                time.sleep(_POLL_S)
        raise FileUnproved(
            "Redis was started again, and nothing is committed before its append-only file is written anew: "
            + ("it is being written" if _is_writing(known) else "that failed, see its log for memory and disk")
        )


def _is_anew(known: dict[str, str]) -> bool:
    """The time of the last rewrite is -1 until one has ended since the start; the status is of the last one.

    Redis 6.2 says `ok` all the same where only the last step failed, the rename over a file that it could write beside
    (a file mounted by itself), or where somebody sent its child SIGUSR1. From 7 on the first is an `err`.
    """
    return known["aof_last_rewrite_time_sec"] != "-1" and known["aof_last_bgrewrite_status"] == "ok"


def _is_writing(known: dict[str, str]) -> bool:
    return known["aof_rewrite_in_progress"] != "0" or known["aof_rewrite_scheduled"] != "0"


def _order(connection: Any) -> None:
    try:
        _ask(connection, "BGREWRITEAOF")
    except NoPermissionError:
        raise
    except ResponseError:
        return  # another lane was faster, or it could not fork: what INFO says next decides


def _check_right(connection: Any) -> None:
    """Find a missing right at the first start, not after the first crash: Redis asks for it when it queues."""
    _ask(connection, "MULTI")
    try:
        _ask(connection, "BGREWRITEAOF")
    except ResponseError as error:
        if "unknown command" in str(error):  # renamed away: no right to it either
            raise NoPermissionError(str(error)) from error
        raise
    finally:
        _ask(connection, "DISCARD")


def _info(connection: Any) -> dict[str, str]:
    answer = _ask(connection, "INFO")
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _ask(connection: Any, *words: str) -> Any:
    connection.send_command(*words, check_health=False)
    return connection.read_response()
