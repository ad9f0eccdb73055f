"""`xinmai alerts`: the alert topic as a person reads it, each alert once however often it was sent."""

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from risk.policy_parameters import PARAMETERS
from streams.stop import Stop
from streams.topic_reader import bodies

if TYPE_CHECKING:
    from streams.settings import Settings

RULES = tuple(name for name in PARAMETERS if re.fullmatch(r"[A-Z]+[0-9]+", name))
_COLOURS = {"warning": "yellow", "over_limit": "red", "suspicion": "magenta", "data_quality": "cyan", "sla": "blue"}


def run_alerts(settings: "Settings", *, follow: bool, limit: int, rule_id: str | None, as_json: bool) -> int:
    """Print the newest alerts, oldest first; with `follow`, also each new one."""
    topic = settings.topics.alerts
    rule_id = None if rule_id is None else _known(rule_id)
    past = bodies(settings.kafka, topic, newest=limit * 4 if rule_id is None else None)  # a rare rule is found too
    wanted = (alert for alert in past if rule_id in (None, alert["rule_id"]))
    newest = sorted(_once(wanted, set()), key=lambda alert: (alert["detected_at"], alert["alert_id"]))[-limit:]
    for alert in newest:
        _say(alert, as_json)
    if follow:
        seen = {(alert["alert_id"], alert["episode"]) for alert in newest}
        with suppress(KeyboardInterrupt):  # the reader has seen enough
            for alert in _once(bodies(settings.kafka, topic, newest=0, follow=True), seen):
                if rule_id in (None, alert["rule_id"]):
                    _say(alert, as_json)
    return 0


def _known(rule_id: str) -> str:
    """A rule that exists, however it was spelt; nothing found for a rule that nobody has would look like peace."""
    named = rule_id.upper()
    if named not in RULES:
        raise Stop(
            f"没有规则 {rule_id}；现有 {'、'.join(RULES)}", f"no rule is called {rule_id}; there are {', '.join(RULES)}"
        )
    return named


def _once(alerts: Any, seen: set[tuple[str, str]]) -> Any:
    for alert in alerts:
        key = (alert["alert_id"], alert["episode"])
        if key not in seen:
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
    from rich.markup import escape

    colour = _COLOURS.get(alert["kind"], "white")
    time = str(alert["occurred_at"])[5:19].replace("T", " ")
    closed = " [dim]closed[/]" if alert["episode"] == "closed" else ""
    text = escape(str(alert.get("vola_cont_zh", "")))
    return (
        f"[dim]{time}[/] [{colour}]{alert['rule_id']}·{alert['level']}[/]{closed} "
        f"{alert['subject_kind']} {escape(str(alert['subject_id']))} {text} [dim]{alert['alert_id']}[/]"
    )
