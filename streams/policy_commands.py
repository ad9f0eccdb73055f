"""`xinmai policy check|show|activate`: a policy directory parsed strictly, its terms on a day, its way into the log."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of, local_day, to_date, to_ms
from risk.policy import Policy, PolicyError, parse_policy
from streams.logging_setup import log_to_stderr
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

POLICIES = Path(__file__).resolve().parents[1] / "config" / "policies"
DEFAULT = POLICIES / "shaoyang"


def read_policy(directory: Path | None) -> Policy:
    """The policy in a directory; a bad one is something found, so it ends with exit code 1."""
    try:
        return parse_policy(read_policy_dir(directory or DEFAULT))
    except PolicyError as error:
        raise Stop("政策文件有误", f"the policy is not usable: {error}", exit_code=1) from error


def check(directory: Path | None, *, as_json: bool) -> int:
    """Say which policy this is, if it is one."""
    policy = read_policy(directory)
    answer = {
        "version": policy.version,
        "digest": policy.digest,
        "place": policy.place,
        "parameters": len(policy.entries),
    }
    if as_json:
        print(orjson.dumps(answer).decode())
    else:
        print(f"{policy.version}: {policy.title_zh}, {len(policy.entries)} parameters, each with its source")
    return 0


def show_terms(directory: Path | None, *, day: str | None, as_json: bool) -> int:
    """Every parameter in force on a day, with its document and article."""
    policy = read_policy(directory)
    try:
        number = day_of(date.fromisoformat(day)) if day else local_day(to_ms(datetime.now(UTC)))
    except ValueError as error:
        raise Stop(f"日期应写作 2026-04-01，而不是 {day}", f"a day is written 2026-04-01, not {day}") from error
    terms = policy.on(number)
    rows: list[dict[str, Any]] = []
    for name in policy.entries:
        clause = terms.get(name)
        if clause is not None:
            rows.append({"name": name, "value": str(clause.value), **clause.source()})
    if as_json:
        document = {"version": policy.version, "day": to_date(number).isoformat(), "terms": rows}
        sys.stdout.buffer.write(orjson.dumps(document, default=str) + b"\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "parameter", "value", "document, article", "in force from", title=f"{policy.version} · {to_date(number)}"
    )
    for row in rows:
        table.add_row(row["name"], row["value"][:200], f"{row['document']} {row['article']}", str(row["in_force_from"]))
    Console(markup=False).print(table)  # sources say "[proposal]"
    return 0


def activate(settings: "Settings", directory: Path, *, as_json: bool) -> int:
    """Append the policy to every partition of both logs; running it again finishes what was interrupted."""
    from streams.activate import activate_policy

    log_to_stderr()
    policy = read_policy(directory)
    try:
        activate_policy(settings, directory)
    except PolicyError as error:
        raise Stop(
            "这份政策不能接替现行政策", f"the policy cannot follow the one in force: {error}", exit_code=1
        ) from error
    answer = {"activated": policy.version, "digest": policy.digest}
    print(orjson.dumps(answer).decode() if as_json else f"activated {policy.version} in every partition of both logs")
    return 0
