"""What every bench answers: machine, versions, settings, and results as (bench, system, metric, value, unit)."""

import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `value` None: no figure, and `note` says why."""

    bench: str
    system: str
    metric: str
    value: float | None
    unit: str
    note: str = ""


@dataclass(slots=True)
class Report:
    """The object that `bench NAME --json` prints."""

    settings: dict[str, Any]
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    versions: dict[str, str] = field(default_factory=lambda: versions())
    results: list[Result] = field(default_factory=list)

    def add(self, bench: str, system: str, metric: str, value: float | None, unit: str, note: str = "") -> None:
        """Note one figure, to four significant digits."""
        rounded = None if value is None else float(f"{value:.4g}")
        self.results.append(Result(bench, system, metric, rounded, unit, note))

    def as_json(self) -> dict[str, Any]:
        """The contract's object."""
        results = [{key: value for key, value in asdict(result).items() if value != ""} for result in self.results]
        return {"machine": self.machine, "versions": self.versions, "settings": self.settings, "results": results}


def machine() -> dict[str, Any]:
    """Where it ran: processor, cores, memory, system."""
    cpu = ""
    memory_gib = 0.0
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
        memory_gib = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return {
        "cpu": cpu or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": memory_gib,
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Python and the libraries that the hot path stands on."""
    found = {"python": platform.python_version()}
    for name in ("xinmai", "confluent-kafka", "redis", "numpy", "msgspec", "orjson", "uvicorn", "zstandard", "uvloop"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def table(report: Report) -> str:
    """The results as a Markdown table."""
    lines = ["| bench | system | metric | value | unit | note |", "|---|---|---|---:|---|---|"]
    for result in report.results:
        value = "–" if result.value is None else f"{result.value:,.6g}"
        lines.append(
            f"| {result.bench} | {result.system} | {result.metric} | {value} | {result.unit} | {result.note} |"
        )
    return "\n".join(lines)
