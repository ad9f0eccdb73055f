"""`xinmai bench NAME`: finds the bench in benchmarks/, runs it, prints its report. They ship with the source only."""

import importlib
import sys
from typing import Any

import orjson

from streams.logging_setup import log_to_stderr
from streams.stop import Stop

NAMES = (
    "peers", "engine", "catalogue", "latency", "authorize", "memory", "rebuild", "redis", "city", "detection", "rules",
)  # fmt: skip


def run_bench(name: str, *, quick: bool, as_json: bool, fresh: bool = False) -> int:
    """Run one bench; with `--json` exactly one object on stdout. `all` runs them one after another."""
    if name == "all":
        return max(run_bench(each, quick=quick, as_json=as_json, fresh=fresh) for each in NAMES)
    if name not in NAMES:
        raise Stop(f"没有名为 {name} 的基准测试：{'、'.join(NAMES)}", f"no bench {name}; there are {', '.join(NAMES)}")
    try:
        module: Any = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as missing:
        if missing.name not in {"benchmarks", f"benchmarks.{name}"}:
            raise
        raise Stop(
            "基准测试只随源代码提供：请在源码目录运行", "benches ship with the source: run it in a checkout"
        ) from None
    log_to_stderr()
    report = module.run(quick, fresh=fresh) if name == "detection" else module.run(quick)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.as_json()) + b"\n")
    else:
        from benchmarks import report as reports

        table = getattr(module, "table", reports.table)  # a bench may know a shape that reads better
        print(f"{report.machine}\n{report.versions}\n{report.settings}\n\n{table(report)}")
    return 0
