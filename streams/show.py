"""`xinmai show person|institution|staff`: one subject as Redis has it now, and the place in the log where it stands."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from connectors.http.people import StoredPeople
from connectors.kafka import cluster_identity
from connectors.pseudonym import Pseudonyms
from connectors.state_codec import unpack_activity, unpack_credit, unpack_history, unpack_subject
from connectors.store import KEY_PREFIX, Store
from connectors.topology import partition_of, tags
from risk.activity import COUNTED, NOTHING, Activity
from risk.counters import COUNTERS
from risk.local_time import rfc3339, to_date, to_ms
from risk.outputs import event_of
from risk.staff_standing import Standing, points_of_year
from risk.subjects import Subject, people_of
from streams.risk_reader import risk_of
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

SHOWN_ROWS = 20


def run_show(
    settings: "Settings", kind: Literal["person", "institution", "staff"], subject_id: str, *, as_json: bool
) -> int:
    """Print what is known of a subject; exit 1 if nothing is."""
    body = _person(settings, subject_id) if kind == "person" else _subject(settings, kind, subject_id)
    body["risk_state"] = risk_of(settings, kind, body["psn_no" if kind == "person" else "subject_id"], _now_ms())
    layout = 0 if as_json else orjson.OPT_INDENT_2
    sys.stdout.buffer.write(orjson.dumps(body, default=str, option=layout | orjson.OPT_NON_STR_KEYS) + b"\n")
    return 0


def _now_ms() -> int:
    return to_ms(datetime.now(UTC))


def _person(settings: "Settings", psn_no: str) -> dict[str, Any]:
    stored_as = Pseudonyms(settings.pseudonym_key).of(psn_no)
    partitions = partitions_of(settings, settings.topics.events)
    tag = tags("p", partitions)[partition_of(stored_as, partitions)]
    store = Store(settings.redis)
    try:
        ((_, (value, money)),) = store.read([(tag, [(f"{KEY_PREFIX}{tag}:{kind}:{stored_as}", "") for kind in "ac"])])
    finally:
        store.close()
    if not (value or money):
        raise Stop(f"没有 {psn_no} 的记录", f"nothing is known of person {psn_no}", exit_code=1)
    people = StoredPeople(lambda: Store(settings.redis), partitions, lambda _partition: _now_ms(), _now_ms)
    try:
        credit = asyncio.run(people.credit(stored_as))
    finally:
        people.close()
    activity = unpack_activity(value) if value else NOTHING
    alarms = unpack_credit(money).alarms if money else ()
    return {
        "psn_no": stored_as,
        "as_of": credit.pop("as_of"),
        "open_alerts": [
            *(
                {"rule_id": each.rule_id, "level": each.level, "since_event": each.crossing_id}
                for each in activity.episodes
            ),
            *(
                {"rule_id": each.rule_id, "service": each.service, "since_event": event_of(each.crossing_id)}
                for each in alarms
            ),
        ],
        "activity": _conduct(activity),
        "credit": credit,
    }


def _conduct(activity: Activity) -> dict[str, Any]:
    return {
        "newest_settlement": rfc3339(activity.newest_ms) if activity.newest_ms else None,
        "settlements_in_windows": len(activity.rows),
        "newest": [
            {"at": rfc3339(row.at_ms), "event_id": row.event_id, "at_institution": row.fixmedins_code,
             "med_type": row.med_type, "medfee_fen": row.medfee_fen, "counted": row.state == COUNTED}
            for row in activity.rows[-SHOWN_ROWS:]
        ],
        "fund_fen_by_year": dict(activity.years),
        "visits": [
            {"mdtrt_id": visit.mdtrt_id, "fixmedins_code": visit.fixmedins_code, "med_type": visit.med_type,
             "opened": rfc3339(visit.opened_ms), "ended": rfc3339(visit.ended_ms) if visit.ended_ms else None}
            for visit in activity.visits
        ],
    }  # fmt: skip


def _subject(settings: "Settings", kind: str, subject_id: str) -> dict[str, Any]:
    partitions = partitions_of(settings, settings.topics.subjects)
    tag = tags("q", partitions)[partition_of(subject_id, partitions)]
    store = Store(settings.redis)
    try:
        key = f"{KEY_PREFIX}{tag}:{'i' if kind == 'institution' else 's'}:{subject_id}"
        values = dict(store.hash_values(key))
    finally:
        store.close()
    if not values:
        raise Stop(f"没有 {subject_id} 的记录", f"nothing is known of {kind} {subject_id}", exit_code=1)
    short = unpack_subject(values["w"]) if values.get("w") else Subject()
    days = unpack_history(values["h"]).days if values.get("h") else []
    days += [short.day] if short.day.date else []
    standing = short.standing or Standing()
    return {
        "subject_kind": kind,
        "subject_id": subject_id,
        "newest_settlement": rfc3339(short.newest_ms) if short.newest_ms else None,
        "in_the_short_window": len(short.recent),
        "open_alerts": [
            {"rule_id": episode.rule_id, "level": episode.level, "since_event": episode.crossing_id}
            for episode in (*short.episodes, *standing.episodes)
        ],
        **(_said_of(standing) if kind == "staff" else {}),
        "days": {
            to_date(day.date).isoformat(): dict(zip(COUNTERS, day.counters, strict=True))
            | ({"people_counted": people_of(day)} if kind == "staff" else {})
            for day in days
        },
    }  # fmt: skip


def _said_of(standing: Standing) -> dict[str, Any]:
    """What an authority said of a doctor."""
    return {
        "absences": [
            {"status": each.status, "document_no": each.document_no, "since": rfc3339(each.since_ms),
             "until": rfc3339(each.until_ms) if each.until_ms else None}
            for each in standing.absences
        ],
        "points_by_year": {year: points_of_year(standing, year) for year in sorted({p.year for p in standing.points})},
    }  # fmt: skip


def partitions_of(settings: "Settings", topic: str) -> int:
    """How many partitions a topic has: by that a subject's shard is found."""
    _, found = cluster_identity(settings.kafka, [topic])
    if topic not in found:
        raise Stop(f"没有主题 {topic}：请先运行 xinmai topics create", f"no topic {topic}: run xinmai topics create")
    return found[topic][1]
