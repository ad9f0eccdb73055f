"""`xinmai alerts`: the alert topic as a person reads it, each alert once however often it was sent."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from risk.handling import Act, Handling, NoticePrepared
from risk.local_time import local_day, to_date, to_ms
from risk.policy_parameters import RULES, rule_called
from streams.handling_board import read_acts
from streams.stop import Stop
from streams.topic_reader import Stamped, past_then_coming, stamped_bodies

if TYPE_CHECKING:
    from streams.settings import Settings

Choice = Callable[[dict[str, Any], int], bool]
_COLOURS = {"warning": "yellow", "over_limit": "red", "suspicion": "magenta", "data_quality": "cyan", "sla": "blue"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts a reader asks for."""

    rule_id: str | None = None
    suppressed: bool = False
    notice_id: str | None = None


def run_alerts(settings: "Settings", wanted: Wanted, *, follow: bool, limit: int, as_json: bool) -> int:
    """Print the newest alerts, oldest first; with `follow` as they came, and then each new one."""
    topic = settings.topics.alerts
    is_wanted = _choice(settings, wanted)
    is_any = wanted == Wanted()
    reach = limit * 4 if is_any else None  # a rare one is found too
    read: Iterator[Stamped | None] = (past_then_coming if follow else stamped_bodies)(
        settings.kafka, topic, newest=reach
    )
    until_none = partial(next, read, None)
    seen: set[tuple[str, str]] = set()
    past = _once(iter(until_none, None), is_wanted, seen)
    newest = sorted(past, key=lambda alert: (alert["detected_at"], alert["alert_id"]))[-limit:]
    if not follow:  # what came late belongs where it happened
        newest.sort(key=lambda alert: (datetime.fromisoformat(alert["occurred_at"]), alert["alert_id"]))
    for alert in newest:
        _say(alert, as_json)
    if not newest and not as_json:
        print("没有这样的预警 / there is no such alert" + (" yet" if follow else ""), file=sys.stderr)
    if follow:
        with suppress(KeyboardInterrupt):  # the reader has seen enough
            for alert in _once(iter(until_none, None), is_wanted, seen):
                _say(alert, as_json)
    return 0


def known_rule(rule_id: str) -> str:
    """A rule that exists, however it was spelt; nothing found for a rule that nobody has would look like peace."""
    named = rule_called(rule_id)
    if named is None:
        raise Stop(
            f"没有规则 {rule_id}；现有 {'、'.join(RULES)}", f"no rule is called {rule_id}; there are {', '.join(RULES)}"
        )
    return named


def _choice(settings: "Settings", wanted: Wanted) -> Choice:
    """Whether an alert that came at an instant is asked for."""
    rule_id = None if wanted.rule_id is None else known_rule(wanted.rule_id)
    acts = read_acts(settings.kafka, settings.topics) if wanted.suppressed or wanted.notice_id else []
    handling = Handling(acts)
    members = None if wanted.notice_id is None else _members(acts, wanted.notice_id)

    def is_wanted(alert: dict[str, Any], appended_ms: int) -> bool:
        return (
            rule_id in (None, alert["rule_id"])
            and (not wanted.suppressed or handling.withheld_by(alert, appended_ms) is not None)
            and (members is None or (alert["alert_id"] in members and alert["episode"] != "closed"))
        )

    return is_wanted


def _members(acts: list[Act], notice_id: str) -> frozenset[str]:
    """The ids of a notice's alerts; what it calls escalated stands on the topic as opened."""
    for act in acts:
        if isinstance(act, NoticePrepared) and act.notice_id == notice_id:
            return frozenset(alert_id for alert_id, _ in act.members)
    raise Stop(
        f"没有通知 {notice_id}；编号见通知链接中的 notice=",
        f"no notice is called {notice_id}; its id stands in the link of the message, behind notice=",
    )


def _once(alerts: Iterable[Stamped], is_wanted: Choice, seen: set[tuple[str, str]]) -> Iterator[Any]:
    for alert, appended_ms in alerts:
        key = (alert["alert_id"], alert["episode"])
        if key not in seen and is_wanted(alert, appended_ms):
            seen.add(key)
            yield alert


def _say(alert: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(alert) + b"\n")
        sys.stdout.buffer.flush()
        return
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(markup_of(alert))


def markup_of(alert: dict[str, Any]) -> str:
    """One alert on one line."""
    return f"{words_of(alert)} [dim]{alert['alert_id']}[/]"


def words_of(alert: dict[str, Any]) -> str:
    """One alert on one line, without its id; the year stands there when it is another than this."""
    from rich.markup import escape

    colour = _COLOURS.get(alert["kind"], "white")
    occurred_at = str(alert["occurred_at"])
    this_year = f"{to_date(local_day(to_ms(datetime.now(UTC)))).year}-"
    time = occurred_at[:19].removeprefix(this_year).replace("T", " ")
    closed = " [dim]closed[/]" if alert["episode"] == "closed" else ""
    text = escape(str(alert.get("vola_cont_zh", "")))
    return (
        f"[dim]{time}[/] [{colour}]{alert['rule_id']}·{alert['level']}[/]{closed} "
        f"{alert['subject_kind']} {escape(str(alert['subject_id']))} {text}"
    )
