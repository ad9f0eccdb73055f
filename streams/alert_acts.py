"""`xinmai alerts suppress` and its kin: what an operator does about alerts, appended to `handling.v1` with his name."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from getpass import getuser
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from connectors.append import append_all
from connectors.handling import act_record
from connectors.kafka import producer
from connectors.pseudonym import Pseudonyms
from risk.handling import (
    Act,
    AlertAcknowledged,
    AlertJudged,
    AlertSuppressed,
    AlertUnsuppressed,
    Handling,
    Verdict,
    refused_suppression,
    suppression_id_of,
)
from risk.local_time import rfc3339, to_datetime, to_ms
from streams.alerts_reader import known_rule
from streams.handling_board import read_acts
from streams.stop import Stop
from streams.topic_reader import bodies

if TYPE_CHECKING:
    from streams.settings import Settings

APPEND_WITHIN_S = 15.0
NAME_MAX, SENTENCE_MAX = 64, 500


class Scope(NamedTuple):
    """Of which alerts an operator speaks; empty is any."""

    rule_id: str
    psn_no: str
    staff: str
    institution: str


def run_suppress(
    settings: "Settings",
    scope: Scope,
    *,
    reason: str,
    hours: int | None,
    until: str | None,
    by: str | None,
    as_json: bool,
) -> int:
    """Append a suppression."""
    at_ms, author = _now_ms(), author_of(by)
    _, psn_no, staff, institution = scope
    _refuse_long(person=(psn_no, NAME_MAX), staff=(staff, NAME_MAX))
    _refuse_long(institution=(institution, NAME_MAX), reason=(reason, SENTENCE_MAX))
    if psn_no and staff:
        raise Stop("--person 与 --staff 只能给其一", "give --person or --staff, not both")
    rule_id = known_rule(scope.rule_id) if scope.rule_id else ""
    subject_id = Pseudonyms(settings.pseudonym_key).of(psn_no) if psn_no else staff
    if not reason.strip():
        raise Stop("请用 --reason 写明理由", "say why with --reason: who reads it later was not there")
    act = AlertSuppressed(
        at=to_datetime(at_ms),
        by=author,
        suppression_id=suppression_id_of((rule_id, subject_id, institution), at_ms, author),
        until=_end(at_ms, hours, until),
        reason=reason.strip(),
        rule_id=rule_id,
        subject_id=subject_id,
        institution=institution,
    )
    refusal = refused_suppression(act, settings.tuning.suppression_days_max)
    if refusal is not None:
        raise Stop(refusal.zh, refusal.en)
    append_act(settings, act)
    _say(act, as_json, f"已静默 / suppressed: {sentence_of(act, to_ms(act.until))}")
    return 0


def run_unsuppress(settings: "Settings", suppression_id: str, *, reason: str, by: str | None, as_json: bool) -> int:
    """End a suppression now. One that has ended already stays as it is: exit code 1."""
    _refuse_long(reason=(reason, SENTENCE_MAX))
    handling = Handling(read_acts(settings.kafka, settings.topics))
    found = handling.suppressions.get(suppression_id)
    if found is None:
        raise Stop(
            f"没有静默 {suppression_id}；现有的见 xinmai alerts suppressions",
            f"no suppression is called {suppression_id}; xinmai alerts suppressions names them",
        )
    now_ms = _now_ms()
    if handling.ends_ms(found) <= now_ms:
        ended = rfc3339(handling.ends_ms(found))
        raise Stop(f"{suppression_id} 已于 {ended} 结束", f"{suppression_id} ended at {ended} already", exit_code=1)
    act = AlertUnsuppressed(
        at=to_datetime(now_ms), by=author_of(by), suppression_id=suppression_id, reason=reason.strip()
    )
    append_act(settings, act)
    _say(act, as_json, f"已解除 / lifted: {suppression_id}")
    return 0


def run_suppressions(settings: "Settings", *, as_json: bool) -> int:
    """All of them, newest last."""
    handling = Handling(read_acts(settings.kafka, settings.topics))
    now_ms = _now_ms()
    for act in sorted(handling.suppressions.values(), key=lambda each: (each.at, each.suppression_id)):
        ends_ms = handling.ends_ms(act)
        if as_json:
            _print_json({**msgspec.to_builtins(act), "ends_at": rfc3339(ends_ms), "holds": now_ms < ends_ms})
            continue
        print("有效 holds" if now_ms < ends_ms else "已止 ended", sentence_of(act, ends_ms))
    return 0


def run_ack(settings: "Settings", alert_ids: Sequence[str], *, note: str, by: str | None, as_json: bool) -> int:
    """Somebody looks after these alerts."""
    _refuse_long(note=(note, SENTENCE_MAX))
    _refuse_unknown(settings, alert_ids)
    at, author = to_datetime(_now_ms()), author_of(by)
    for alert_id in dict.fromkeys(alert_ids):
        act = AlertAcknowledged(at=at, by=author, alert_id=alert_id, note=note.strip())
        append_act(settings, act)
        _say(act, as_json, f"已认领 / acknowledged: {alert_id} ({author})")
    return 0


def run_verdict(
    settings: "Settings", alert_id: str, verdict: Verdict, *, note: str, by: str | None, as_json: bool
) -> int:
    """What a person found the alert to be."""
    _refuse_long(note=(note, SENTENCE_MAX))
    _refuse_unknown(settings, [alert_id])
    act = AlertJudged(
        at=to_datetime(_now_ms()), by=author_of(by), alert_id=alert_id, verdict=verdict, note=note.strip()
    )
    append_act(settings, act)
    _say(act, as_json, f"已判定 / judged: {alert_id} {verdict} ({act.by})")
    return 0


def _refuse_unknown(settings: "Settings", alert_ids: Sequence[str]) -> None:
    """A mistyped id would be looked after by nobody."""
    if not alert_ids:
        raise Stop("请给出预警编号 al_…", "name an alert, al_…")
    missing = set(alert_ids)
    for alert in bodies(settings.kafka, settings.topics.alerts):
        missing.discard(alert["alert_id"])
        if not missing:
            return
    named = ", ".join(sorted(missing))
    raise Stop(
        f"没有预警 {named}；编号见 xinmai alerts",
        f"no alert is called {named}; xinmai alerts shows the ids at the end of each line",
    )


def sentence_of(act: AlertSuppressed, ends_ms: int) -> str:
    """One suppression on one line."""
    named = {"rule": act.rule_id, "subject": act.subject_id, "institution": act.institution}
    scope = " ".join(f"{name} {value}" for name, value in named.items() if value)
    return f"{act.suppression_id}  {scope}  → {rfc3339(ends_ms)[:16]}  {act.by}: {act.reason}"


def append_act(settings: "Settings", act: Act) -> None:
    """Append, and return when Kafka has it."""
    append_all(producer(settings.kafka), [act_record(settings.topics.handling, act)], timeout_s=APPEND_WITHIN_S)


def author_of(by: str | None) -> str:
    """Whose word it is."""
    author = (by or getuser()).strip()
    if not author or len(author) > NAME_MAX:
        raise Stop(f"--by 应为 1 至 {NAME_MAX} 个字符的姓名", f"--by must be a name of 1 to {NAME_MAX} characters")
    return author


def _end(at_ms: int, hours: int | None, until: str | None) -> datetime:
    if (hours is None) == (until is None):
        raise Stop(
            "静默必须有截止时间：--hours 或 --until 二选一",
            "a suppression must end: give either --hours or --until",
        )
    if hours is not None:
        if hours < 1:
            raise Stop(f"--hours 为 {hours}，至少为 1", f"--hours is {hours}, it must be at least 1")
        return to_datetime(at_ms) + timedelta(hours=min(hours, 24 * 366))
    try:
        instant = datetime.fromisoformat(until or "")
    except ValueError:
        instant = datetime.min
    if instant.tzinfo is None:
        raise Stop(
            f"--until 的值 {until!r} 无效，应为带时区的时间，如 2026-04-01T08:00+08:00",
            f"--until is {until!r}; expected an instant with its offset, such as 2026-04-01T08:00+08:00",
        )
    return instant


def _refuse_long(**texts: tuple[str, int]) -> None:
    for name, (text, most) in texts.items():
        if len(text) > most:
            raise Stop(
                f"--{name} 有 {len(text)} 个字符，最多 {most} 个",
                f"--{name} has {len(text)} characters, at most {most} are kept",
            )


def _say(act: Act, as_json: bool, line: str) -> None:
    if as_json:
        _print_json(msgspec.to_builtins(act))
    else:
        print(line)


def _print_json(body: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(body) + b"\n")
    sys.stdout.buffer.flush()


def _now_ms() -> int:
    return time_ns() // 1_000_000
