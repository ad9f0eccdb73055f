"""A server that this process owns: started on loopback, dead when its owner is dead, killed by its own pid only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from connectors.errors import ConnectorError

# A fresh interpreter asks the kernel to be killed with its parent and then becomes the server: preexec_fn would run
# Python between fork and exec, which can hang in a process that has librdkafka's threads.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the owner died first")
os.execv(sys.argv[2], sys.argv[2:])
"""


def free_ports(count: int, *, below: int = 65_536) -> list[int]:
    """Loopback ports that nobody listens on, all different. Somebody may take one before its server does."""
    held: list[socket.socket] = []
    refused: list[socket.socket] = []
    try:
        while len(held) < count:
            probe = socket.socket()
            probe.bind(("127.0.0.1", 0))
            (held if probe.getsockname()[1] < below else refused).append(probe)
        return [int(probe.getsockname()[1]) for probe in held]
    finally:
        for probe in held + refused:
            probe.close()


class ServerProcess:
    """One child process with a log file.

    The kernel kills it when its owner ends, and also when the thread that started it ends: start it from a lasting one.
    """

    name = "server"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; ConnectorError when it is not running."""
        if self._process is None:
            raise ConnectorError(self.name, "not running", retryable=False)
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server, on the directory and ports it had before if it ran before, and wait until it answers."""
        raise NotImplementedError

    def stop(self, *, wait_s: float = 10.0) -> None:
        """End the server as its operator would; what does not end in time is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)  # a paused server could not obey
        deadline = time.monotonic() + wait_s
        while self._process.poll() is None and time.monotonic() < deadline:
            self._process.terminate()  # repeated: Redis refuses to end while it writes its first append-only file
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        self.kill9()

    def kill9(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> Self:
        """Stop it and start it again on the same directory and port."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, command: Sequence[str], log: Path) -> None:
        assert not self.running, f"{self.name} is running already"
        wrapped = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                wrapped,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # Ctrl-C is for the owner, which then stops its servers in order
            )

    def _wait_until(self, ready: Callable[[], bool], *, within_s: float, log: Path) -> None:
        deadline = time.monotonic() + within_s
        while not ready():
            if not self.running or time.monotonic() > deadline:
                state = "did not answer in time" if self.running else "ended at once"
                self.kill9()
                tail = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
                raise ConnectorError(self.name, f"{state}; its log ends: {' | '.join(tail)}", retryable=True)
            time.sleep(0.02)
