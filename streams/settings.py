"""What a process is told from outside: the environment, config/settings.toml, a running `up`. Read once, then frozen.

| variable | meaning | default |
|---|---|---|
| XINMAI_KAFKA, XINMAI_REDIS | bootstrap servers; redis(s)://host:port, redis+cluster://a:1,b:2 | a running `up` |
| XINMAI_API, XINMAI_TOKEN | where the API is (clients), what to show it | a running `up` |
| XINMAI_LISTEN | host:port the API listens on | the address in XINMAI_API, else 127.0.0.1:8080 |
| XINMAI_TOKENS | token file of the API: TOML, [[tokens]] of connectors/http/tokens.py | none: nobody may call |
| XINMAI_PSEUDONYM_KEY | the city's key; without it only the sandbox starts | none |
| XINMAI_SANDBOX | 1: no real people here, numbers may stay bare; 0: never without a key | 1 if Kafka is on loopback |
| XINMAI_CLOCK | `wall`, or `log` for simulated time | wall |
| XINMAI_PREFIX | prefix of all topics | xinmai. |
| XINMAI_CONFIG, XINMAI_POLICY | the data folder; the first policy's folder | config; its policies/shaoyang |
| XINMAI_SNAPSHOTS | folder of snapshots | none: verify and rebuild read the whole log |
| XINMAI_PARTITIONS, XINMAI_SUBJECTS_PARTITIONS, XINMAI_REPLICATION | for topics create and check | settings.toml |
| XINMAI_WORKER, XINMAI_LANES | stable name of this worker, no other's; its lanes | host name; 1 |
| XINMAI_PROBES | host:port of the worker's /livez /readyz /metrics | 127.0.0.1:0 |
| XINMAI_BANK, XINMAI_BANK_SECRET | the gateway of all banks without an entry of their own | a running `up` |
| XINMAI_BANKS | TOML, [[banks]] with bank_code, url, secret (connectors/bank_access.py) | none: orders wait |
| XINMAI_ALERTMANAGER | Prometheus Alertmanager | none |
| XINMAI_WEBHOOK, XINMAI_WECOM, XINMAI_DINGTALK, XINMAI_DINGTALK_SECRET | where alerts are told | none |

XINMAI_KAFKA and XINMAI_REDIS are taken together: one from here and one from a running `up` would mix two worlds.
The simulator of a running `up` is the bank of that engine only.
"""

import json
import os
import socket
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from connectors.topology import Topics
from streams.stop import Stop

UP_FILE = Path(".xinmai/up.json")
SOURCE = Path(__file__).resolve().parents[1]
OUTSIDE = ("alertmanager", "webhook", "wecom", "dingtalk", "dingtalk_secret")
LOOPBACK = ("127.", "localhost", "[::1]")
Clock = Literal["wall", "log"]


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


class Tuning(NamedTuple):
    """config/settings.toml; the names are those of the file, `<section>_<key>` where they would clash."""

    partitions: int = 4
    subjects_partitions: int = 4
    replication: int = 3
    batch_records_max: int = 1000
    session_timeout_ms: int = 6_000
    in_flight_max: int = 4_096
    rate_per_s: int = 500
    shed_holds_percent: int = 80
    shed_increases_percent: int = 90
    shed_others_percent: int = 95
    shed_holds_ms: int = 400
    shed_increases_ms: int = 700
    shed_ends_ms: int = 5_000
    shed_waiting_min: int = 64
    suppression_days_max: int = 30
    group_wait_s: int = 5
    messages_per_minute: int = 20
    escalate_after_hours: int = 4
    escalate_severity_min: int = 3
    escalate_steps_max: int = 2
    risk_half_life_days: int = 30
    risk_weight_1: int = 1
    risk_weight_2: int = 3
    risk_weight_3: int = 8
    risk_weight_4: int = 20


SECTIONS: dict[str, tuple[str, ...]] = {
    "topics": ("partitions", "subjects_partitions", "replication"),
    "lane": ("batch_records_max", "session_timeout_ms"),
    "api": (
        "in_flight_max", "rate_per_s", "shed_holds_percent", "shed_increases_percent", "shed_others_percent",
        "shed_holds_ms", "shed_increases_ms", "shed_ends_ms", "shed_waiting_min",
    ),
    "alerts": (
        "suppression_days_max", "group_wait_s", "messages_per_minute", "escalate_after_hours", "escalate_severity_min",
        "escalate_steps_max", "risk_half_life_days", "risk_weight_1", "risk_weight_2", "risk_weight_3", "risk_weight_4",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process is told. Empty text and None: not told."""

    kafka: str
    redis: str
    api: str = ""
    token: str = field(default="", repr=False)
    listen: Address = field(default=Address("127.0.0.1", 8080))
    tokens_file: Path | None = None
    pseudonym_key: str | None = field(default=None, repr=False)
    clock: Clock = "wall"
    prefix: str = "xinmai."
    config_dir: Path = SOURCE / "config"
    policy_dir: Path = SOURCE / "config" / "policies" / "shaoyang"
    snapshots: Path | None = None
    worker: str = "worker"
    lanes: int = 1
    probes: Address = field(default=Address("127.0.0.1", 0))
    bank: str = ""
    bank_secret: str = field(default="", repr=False)
    banks_file: Path | None = None
    alertmanager: str = ""
    webhook: str = field(default="", repr=False)
    wecom: str = field(default="", repr=False)
    dingtalk: str = field(default="", repr=False)
    dingtalk_secret: str = field(default="", repr=False)
    tuning: Tuning = field(default=Tuning())

    @property
    def topics(self) -> Topics:
        """The topics under this prefix."""
        return Topics(self.prefix)

    @property
    def partitions(self) -> int:
        return self.tuning.partitions

    @property
    def subjects_partitions(self) -> int:
        return self.tuning.subjects_partitions

    @property
    def replication(self) -> int:
        return self.tuning.replication

    @property
    def group(self) -> str:
        """The consumer group of the lanes, whose offsets are the published marks."""
        return f"{self.prefix}lanes"

    def member(self, index: int) -> str:
        """The stable name of one lane in Kafka's consumer group."""
        return f"{self.worker}-{index}"


def load_settings(
    environ: Mapping[str, str] | None = None, *, up_file: Path = UP_FILE, needs: Collection[str] = ("kafka", "redis")
) -> Settings:
    """The settings of this process; a Stop in one line when something of `needs` is missing or a value is senseless."""
    told = os.environ if environ is None else environ
    addresses = _addresses(told, up_file)
    if missing := [f"XINMAI_{name.upper()}" for name in needs if not addresses.get(name)]:
        names = ", ".join(missing)
        raise Stop(f"请设置 {names}，或先运行 xinmai up", f"set {names}, or start xinmai up in this folder first")
    shipped = SOURCE / "config"  # beside the source; an installed package finds it where it is started
    config_dir = _path(told, "XINMAI_CONFIG") or (shipped if shipped.is_dir() else Path("config"))
    settings = Settings(
        **cast(Any, addresses),
        listen=_address(told, "XINMAI_LISTEN", _host_and_port(addresses["api"]) or "127.0.0.1:8080"),
        tokens_file=_path(told, "XINMAI_TOKENS"),
        banks_file=_path(told, "XINMAI_BANKS"),
        pseudonym_key=told.get("XINMAI_PSEUDONYM_KEY") or None,
        config_dir=config_dir,
        policy_dir=_path(told, "XINMAI_POLICY") or config_dir / "policies" / "shaoyang",
        snapshots=_path(told, "XINMAI_SNAPSHOTS"),
        worker=told.get("XINMAI_WORKER") or socket.gethostname(),
        lanes=_count(told, "XINMAI_LANES", 1),
        probes=_address(told, "XINMAI_PROBES", "127.0.0.1:0"),
        tuning=_tuning(config_dir / "settings.toml", told),
        **cast(Any, {name: told.get(f"XINMAI_{name.upper()}", "") for name in OUTSIDE}),
    )
    _refuse_bare_numbers(settings, told)
    return settings


def _addresses(told: Mapping[str, str], up_file: Path) -> dict[str, str]:
    """kafka to bank_secret: from the environment, or from a running `up` of this folder."""
    names = ("kafka", "redis", "api", "token", "clock", "prefix", "bank", "bank_secret")
    own = {name: told[f"XINMAI_{name.upper()}"] for name in names if told.get(f"XINMAI_{name.upper()}")}
    running = {} if own.keys() & {"kafka", "redis"} else _running(up_file)
    simulator = str(running.pop("bank", "")).removeprefix("http://")
    if "bank" not in own and simulator.startswith(LOOPBACK):  # its word is known to all: never for a bank elsewhere
        from connectors.bank_simulator import SIMULATOR_SECRET

        running |= {"bank": f"http://{simulator}", "bank_secret": SIMULATOR_SECRET}
    defaults = dict.fromkeys(names, "") | {"clock": "wall", "prefix": "xinmai."}
    found = defaults | {name: str(running[name]) for name in names if name in running} | own
    if found["clock"] not in ("wall", "log"):
        raise _senseless("XINMAI_CLOCK", found["clock"], "wall, log")
    return found


def _running(up_file: Path) -> dict[str, Any]:
    """What a running `up` wrote; nothing if it is gone."""
    try:
        written: dict[str, Any] = json.loads(up_file.read_text())
        os.kill(int(written.get("pid", os.getpid())), 0)
    except (OSError, ValueError):
        return {}
    return written


def _tuning(path: Path, told: Mapping[str, str]) -> Tuning:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        tables = {}
    except tomllib.TOMLDecodeError as e:
        raise Stop(f"{path} 无法解析：{e}", f"{path} is not TOML: {e}") from e
    values = Tuning()._asdict()
    for section, table in tables.items():
        for key, value in table.items() if isinstance(table, dict) else [(section, table)]:
            if key not in SECTIONS.get(section, ()) or not isinstance(value, int) or value < 1:
                known = "; ".join(f"[{name}] {', '.join(keys)}" for name, keys in SECTIONS.items())
                raise Stop(
                    f"{path} 中 [{section}] {key} = {value!r} 无效",
                    f"{path}: [{section}] {key} = {value!r} is unknown or no positive number; known are {known}",
                )
            values[key] = value
    for key in SECTIONS["topics"]:
        values[key] = _count(told, f"XINMAI_{key.upper()}", values[key])
    return Tuning(**values)


def _refuse_bare_numbers(settings: Settings, told: Mapping[str, str]) -> None:
    """Real people's numbers never travel bare: without a key only a sandbox starts."""
    on_loopback = all(node.strip().startswith(LOOPBACK) for node in settings.kafka.split(","))
    sandbox = told.get("XINMAI_SANDBOX") or ("1" if on_loopback else "0")
    if sandbox not in ("0", "1"):  # who writes `no` means something by it, and must not be taken to mean nothing
        raise _senseless("XINMAI_SANDBOX", sandbox, "0, 1")
    if settings.kafka and settings.pseudonym_key is None and sandbox == "0":
        raise Stop(
            "请设置 XINMAI_PSEUDONYM_KEY；仅在没有真实人员的沙箱中可设 XINMAI_SANDBOX=1",
            "set XINMAI_PSEUDONYM_KEY (openssl rand -base64 32); XINMAI_SANDBOX=1 only where no real people are",
        )


def _path(told: Mapping[str, str], name: str) -> Path | None:
    return Path(told[name]) if told.get(name) else None


def _count(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name) or str(default)
    if not text.isdigit() or int(text) < 1:
        raise _senseless(name, text, "1, 2, …")
    return int(text)


def _address(told: Mapping[str, str], name: str, default: str) -> Address:
    text = told.get(name) or default
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise _senseless(name, text, "host:port")
    return Address(host, int(port))


def _host_and_port(url: str) -> str:
    return url.removeprefix("http://").rstrip("/") if url.startswith("http://") else ""


def _senseless(name: str, value: str, expected: str) -> Stop:
    return Stop(f"{name} 的值 {value!r} 无效，应为 {expected}", f"{name} is {value!r}, expected {expected}")
