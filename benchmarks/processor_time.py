"""How much processor time processes spent while something was measured, as Linux counts it: hundredths of a second."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessorTime:
    """Processes by name and process id, from now on."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        self._began_s = {name: _spent_s(pid) for name, pid in processes.items()}

    def us_each(self, count: int) -> dict[str, float]:
        """Microseconds since the beginning for each of `count` events, by process."""
        return {name: (_spent_s(pid) - self._began_s[name]) * 1e6 / count for name, pid in self._processes.items()}


def _spent_s(pid: int) -> float:
    """User and system time of all its threads (proc(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_S
