"""`xinmai policy check|show|activate`: a policy directory parsed strictly, its terms on a day, its way into the log."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from connectors.policy_files import read_policy_dir
from risk.local_time import day_of, local_day, to_date, to_ms
from risk.policy import Policy, PolicyError, parse_policy
from risk.policy_parameters import PARAMETERS
from risk.policy_report import policy_list, policy_show
from streams.logging_setup import log_to_stderr
from streams.settings import load_settings
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

_SPELLED = {name.casefold(): name for name in PARAMETERS}


def read_policy(directory: Path | None) -> Policy:
    """The policy in a directory, the configured one if none is given; a bad one is something found: exit code 1."""
    chosen = directory or load_settings(needs=()).policy_dir
    try:
        return parse_policy(read_policy_dir(chosen))
    except PolicyError as error:
        raise not_usable(chosen, error) from error


def not_usable(directory: Path, error: PolicyError, exit_code: int = 1) -> Stop:
    """Why this directory is no policy, in one line; `policy check` says everything."""
    count, first = len(error.problems), error.problems[0]
    return Stop(
        f"{directory} 中的政策不能使用，共 {count} 处错误；请运行 xinmai policy check {directory} 查看全部",
        f"the policy in {directory} cannot be used: {first} "
        f"({count} {'problem' if count == 1 else 'problems'}; all of them: xinmai policy check {directory})",
        exit_code,
    )


def check(directory: Path | None, *, as_json: bool) -> int:
    """Say which policy this is, or everything that keeps it from being one: where, what, why, what to do."""
    chosen = directory or load_settings(needs=()).policy_dir
    try:
        policy = parse_policy(read_policy_dir(chosen))
    except PolicyError as error:
        _say_problems(chosen, error.problems, as_json=as_json)
        return 1
    answer = {
        "usable": True,
        "version": policy.version,
        "digest": policy.digest,
        "place": policy.place,
        "parameters": len(policy.entries),
        "problems": [],
    }
    if as_json:
        print(orjson.dumps(answer).decode())
    else:
        print(f"{policy.version}: {policy.title_zh} · {policy.title_en}")
        print(
            f"可用，{len(policy.entries)} 项参数均有出处 / usable: "
            f"{len(policy.entries)} parameters, each with its source"
        )
    if not any(name[0].isupper() for name in policy.entries):
        print("注意：没有任何规则，不会产生预警 / mind: no rule in it, no alert will come", file=sys.stderr)
    return 0


def _say_problems(directory: Path, problems: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print(orjson.dumps({"usable": False, "problems": problems}).decode())
        return
    print(f"{directory}: 不可用，{len(problems)} 处错误 / not usable, {len(problems)} to correct")
    for number, problem in enumerate(problems, 1):
        print(f"  {number}. {problem}")


def show(directory: Path | None, name: str | None, *, day: str | None, as_json: bool) -> int:
    """What the files of a directory say on a day, or one parameter with its history; an engine may go by others."""
    chosen = directory or load_settings(needs=()).policy_dir
    policy = read_policy(chosen)
    number = _day_number(day)
    where = f"取自 {chosen}；引擎以最近一次 activate 为准 / these files; an engine goes by what was activated last"
    if name is not None:
        try:
            shown = policy_show(policy, _SPELLED.get(name.casefold(), name), number)
        except PolicyError as error:
            raise Stop(f"没有名为 {name} 的参数；xinmai policy show 列出全部", str(error)) from error
        print(orjson.dumps(shown).decode() if as_json else "\n".join([where, *_whole(shown)]))
        return 0
    rows = [policy_show(policy, row["parameter"], number) for row in policy_list(policy, number) if row["in_force"]]
    if as_json:
        terms = [{"name": row["parameter"], "value": row["value"], **row["clause"]} for row in rows]
        document = {"version": policy.version, "day": to_date(number).isoformat(), "terms": terms}
        document["directory"] = str(chosen)
        print(orjson.dumps(document).decode())
        return 0
    print(f"{policy.version} · {to_date(number)} · {policy.title_zh} · {policy.title_en}\n{where}")
    for row in rows:
        print("\n".join(_brief(row)))
    print("\n一项的全部 / all of one: xinmai policy show P13")
    return 0


def _day_number(day: str | None) -> int:
    try:
        return day_of(date.fromisoformat(day)) if day else local_day(to_ms(datetime.now(UTC)))
    except ValueError as error:
        raise Stop(f"日期应写作 2026-04-01，而不是 {day}", f"a day is written 2026-04-01, not {day}") from error


def _brief(row: dict[str, Any]) -> list[str]:
    return [
        f"\n{row['parameter']}  {row['meaning_zh']} · {row['meaning_en']}",
        f"    {row['example_zh']}",
        f"    {row['example_en']}",
        f"    {_source(row['clause'])}",
    ]


def _source(clause: dict[str, Any]) -> str:
    return f"{clause['in_force_from']} 起: {clause['document']}, {clause['article']}"


def _whole(shown: dict[str, Any]) -> list[str]:
    """One parameter in full: what it says, by whose word, what it said before and will say next."""
    lines = [f"{shown['policy_version']} · {shown['day']}"]
    if shown["clause"] is None:
        lines += [
            f"\n{shown['parameter']}  {shown['meaning_zh']} · {shown['meaning_en']}",
            f"    {shown['example_zh']}",
        ]
        lines += [f"    {shown['example_en']}"]
    else:
        lines += _brief(shown)
        lines += [
            f"    {name}: {shown['clause'][name]}" for name in ("note", "url", "checked_on") if name in shown["clause"]
        ]
    unit = f" ({shown['unit']})" if shown["unit"] else ""
    if shown["in_force"]:
        lines += [f"\n值 value{unit}:", *_indented(shown["value"])]
    lines.append("\n沿革 history:")
    for entry in shown["history"]:
        now = entry["in_force_from"] == (shown["clause"] or {}).get("in_force_from")
        ended = "  废止 repealed" if entry.get("repealed") else "  ← 当前 in force" if now else ""
        lines.append(f"    {_source(entry)}{ended}")
    if shown["next_change"]:
        lines.append(f"    下次变化 next change: {shown['next_change']}")
    return lines


def _indented(value: Any) -> list[str]:
    """A value as JSON; a list of rows stands one row a line."""
    lines = []
    for name, content in value.items() if isinstance(value, dict) else [("", value)]:
        rows = content if isinstance(content, list) and content and isinstance(content[0], dict) else [content]
        label = f"{name}: " if name and rows is not content else ""
        lines += [f"    {name}:"] if name and rows is content else []
        lines += [f"    {'  ' * (rows is content)}{label}{_json(row)}" for row in rows]
    return lines


def _json(content: Any) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()


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
