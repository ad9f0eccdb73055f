"""`xinmai up`: everything on this machine, as one foreground program that owns its children and takes them with it.

Embedded unless addresses are set: librdkafka's in-process broker and a Redis of its own. Both forget; it says so.
"""

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from threading import Event
from typing import Self

import httpx

from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.embedded_kafka import MockKafka
from connectors.embedded_redis import RedisServer
from connectors.errors import ConnectorError
from connectors.server_process import ServerProcess, free_ports
from streams.logging_setup import log_to_stderr
from streams.stop import Stop

HOME = Path(".xinmai")
INSTITUTION = "H43050200001"
PHARMACY = "P43050200001"
ROLES = ("hospital", "pharmacy", "bank", "authority", "audit")
READY_WITHIN_S = 60.0
NOTE_ZH = "内嵌模式：消息与状态只在内存中，停止即失，不作性能依据；正式环境请用 Apache Kafka 与带 AOF 的 Redis。"
NOTE_EN = "Embedded mode: log and state live only as long as this program; no speed is quoted from it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """Where everything is: what `--json` prints and .xinmai/up.json holds."""

    api: str
    kafka: str
    redis: str
    token: str
    tokens: Mapping[str, str]
    institution: str
    pharmacy: str
    bank: str
    probes: str
    embedded: bool
    pid: int
    pids: Mapping[str, int]


class Program(ServerProcess):
    """One of our own commands as a child."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        super().__init__()
        self.name = name
        self._command = command
        self._environment = environment
        self.log = log

    def start(self) -> Self:
        """Start it; whether it is ready is for its owner to find out."""
        words = [f"{key}={value}" for key, value in self._environment.items()]
        self._launch(["/usr/bin/env", *words, *self._command], self.log)
        return self

    def tail(self) -> str:
        """The end of its log."""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-8:])


def run_up(*, as_json: bool) -> int:
    """Run until SIGTERM or Ctrl-C."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    log_to_stderr()
    with running_engine(stopped) as (up, programs):
        if as_json:
            print(json.dumps(asdict(up)), flush=True)
        else:
            _welcome(up)
        watch(programs, stopped)
    return 0


def watch(programs: list[Program], stopped: Event) -> None:
    """Wait for the end; a child that dies by itself is the end too, and says why."""
    while not stopped.wait(0.2):
        for program in programs:
            if not program.running:
                raise Stop(
                    f"{program.name} 意外退出：{program.tail()}", f"{program.name} ended by itself, see {program.log}"
                )


@contextmanager
def running_engine(stopped: Event, environment: Mapping[str, str] | None = None) -> Iterator[tuple[Up, list[Program]]]:
    """Everything started, ready and described; everything stopped at the end, last started first."""
    home = HOME.resolve()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(only_one(home))
        stack.callback(say, "已全部停止 / all of it has ended")
        own = own_servers()
        say(f"启动 / starting: {', '.join([*own, 'bank simulator'])} …")
        kafka, redis, embedded = _servers(stack, home)
        bank = stack.enter_context(BankSimulator(book_file=_book(home, embedded)))
        api, probes = _listeners()
        token, tokens = _write_tokens(home / "tokens.toml")
        stack.callback((home / "tokens.toml").unlink, missing_ok=True)
        told = {
            **(environment or {}),
            "XINMAI_KAFKA": kafka,
            "XINMAI_REDIS": redis,
            "XINMAI_API": api,
            "XINMAI_TOKEN": token,
            "XINMAI_TOKENS": str(home / "tokens.toml"),
            "XINMAI_BANK": bank.url,
            "XINMAI_BANK_SECRET": SIMULATOR_SECRET,
        }
        os.environ.update(told)  # our own commands, run in this process, find the engine as the children do
        say("  主题与首份政策 / topics and the first policy …")
        _prepare()
        say(f"  worker 与 API / worker and API … (logs: {HOME}/logs)")
        told["XINMAI_PROBES"] = probes.removeprefix("http://")
        programs = [_program(stack, name, told, home) for name in ("worker", "api")]
        _wait_ready(api, probes, programs, stopped)
        up = Up(
            api=api,
            kafka=kafka,
            redis=redis,
            token=token,
            tokens=tokens,
            institution=INSTITUTION,
            pharmacy=PHARMACY,
            bank=bank.url,
            probes=probes,
            embedded=embedded,
            pid=os.getpid(),
            pids={program.name: program.pid for program in programs},
        )
        _tell_clients(stack, home / "up.json", up)
        say(f"  就绪 / ready after {time.monotonic() - began_s:.0f} s")
        stack.callback(say, f"停止中 / stopping: {', '.join(['API', 'worker', 'bank simulator', *reversed(own)])} …")
        yield up, programs


def _tell_clients(stack: ExitStack, path: Path, up: Up) -> None:
    path.write_text(json.dumps(asdict(up)))
    path.chmod(0o600)
    stack.callback(path.unlink, missing_ok=True)


def say(line: str) -> None:
    """Progress, for who waits; answers go to stdout."""
    print(line, file=sys.stderr, flush=True)


def _book(home: Path, embedded: bool) -> Path:
    """The bank's book lives as long as the log that its orders are in: an embedded one begins anew each time."""
    path = home / "bank.ndjson"
    if embedded:
        path.unlink(missing_ok=True)
    return path


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Refuse a second run here until all of the first has ended: what that removes last would be the second's own."""
    with (home / "up.lock").open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read()
            raise Stop(
                f"本目录已有 xinmai up 或 demo 在运行或正在停止（进程 {pid}）；请待其结束后再启动",
                f"an xinmai up or demo runs here, or is still stopping (process {pid}); start again when it has ended",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def own_servers() -> list[str]:
    """The servers that are started here because no address is given, in that order. A state ends with its log."""
    own = [name for name, told in (("broker", "XINMAI_KAFKA"), ("Redis", "XINMAI_REDIS")) if not os.environ.get(told)]
    if len(own) == 1:
        zh = "XINMAI_KAFKA 与 XINMAI_REDIS 须同时设置或都不设置：状态须与其日志同存亡"
        raise Stop(zh, f"set both XINMAI_KAFKA and XINMAI_REDIS, or neither: a {own[0]} of up's own would forget")
    return own


def _listeners() -> tuple[str, str]:
    """Where the API will listen, and the worker's probes."""
    api, probes = (f"127.0.0.1:{port}" for port in free_ports(2))
    return f"http://{api}", f"http://{os.environ.get('XINMAI_PROBES') or probes}"


def _servers(stack: ExitStack, home: Path) -> tuple[str, str, bool]:
    """The broker and Redis that are given, or our own."""
    kafka, redis = os.environ.get("XINMAI_KAFKA", ""), os.environ.get("XINMAI_REDIS", "")
    embedded = not kafka
    if not redis:
        redis = stack.enter_context(RedisServer("any")).url
    if embedded:
        kafka = stack.enter_context(MockKafka()).bootstrap
    return kafka, redis, embedded


def _write_tokens(path: Path) -> tuple[str, dict[str, str]]:
    """A token per role, each as narrow as in production, and the operator's own."""
    tokens = {role: f"{role}-{secrets.token_urlsafe(24)}" for role in ROLES}
    operator = f"operator-{secrets.token_urlsafe(24)}"
    bound = {"hospital": [INSTITUTION], "pharmacy": [PHARMACY]}
    lines = []
    for name, secret, roles in [("operator", operator, [*ROLES, "person"]), *((r, tokens[r], [r]) for r in ROLES)]:
        lines += ["[[tokens]]", f'name = "{name}"', f'secret = "{secret}"', f"roles = {json.dumps(roles)}"]
        if name in bound:
            lines.append(f"institutions = {json.dumps(bound[name])}")
        lines.append("")
    path.touch(mode=0o600)
    path.write_text("\n".join(lines))
    return operator, tokens


def _prepare() -> None:
    """Topics, and the first policy as record 0 of every partition."""
    from streams.settings import load_settings
    from streams.topics import prepare

    prepare(load_settings())


def _program(stack: ExitStack, name: str, environment: Mapping[str, str], home: Path) -> Program:
    log = home / "logs" / f"{name}.log"
    log.write_bytes(b"")
    command = [sys.executable, "-m", "streams.command_line", name]
    program = Program(name, command, environment, log)
    stack.callback(program.stop)
    return program.start()


def _wait_ready(api: str, probes: str, programs: list[Program], stopped: Event) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    said = "nothing yet"
    while time.monotonic() < until_s and not stopped.wait(0.1):
        for program in programs:
            if not program.running:
                raise Stop(
                    f"{program.name} 未能启动：{program.tail()}", f"{program.name} did not start, see {program.log}"
                )
        if refusal := _refusal(probes):
            raise Stop(f"worker 拒绝处理：{refusal}", f"the worker goes no further: {refusal}")
        try:
            answer = httpx.get(f"{api}/readyz", timeout=2)
            if answer.status_code == 200:
                return
            said = answer.text[:200]
        except httpx.HTTPError as error:
            said = str(error)
    raise ConnectorError("api", f"not ready within {READY_WITHIN_S:.0f} s: {said}", retryable=True)


def _refusal(probes: str) -> str:
    """Why a shard waits for a person, in its lane's words; '' as long as none does."""
    try:
        lanes = httpx.get(f"{probes}/readyz", timeout=2).json()["lanes"]
    except (httpx.HTTPError, ValueError):
        return ""
    return next((str(why) for lane in lanes for why in lane["shards_stopped"].values()), "")


def _welcome(up: Up) -> None:
    print(f"信脉 Xinmai is up: {up.api}  (Kafka {up.kafka}, Redis {up.redis}, bank simulator {up.bank})")
    print(f"  export XINMAI_API={up.api} XINMAI_TOKEN={up.token}")
    print(f"  metrics: {up.api}/metrics, {up.probes}/metrics (worker)")
    print(f"  logs: {HOME}/logs; everything else: {HOME}/up.json; Ctrl-C stops all of it")
    if up.embedded:
        print(f"  {NOTE_ZH}\n  {NOTE_EN}", flush=True)
