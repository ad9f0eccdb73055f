"""Dead letters of the fold: a record that it reads and does not apply, with what a retry needs."""

from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

from risk.activity import hash32
from risk.facts import Fact
from risk.local_time import rfc3339, to_ms
from risk.moment import Moment
from risk.outputs import Output

CONFLICT, SENDER_FORBIDDEN = "CONFLICT", "SENDER_FORBIDDEN"
_WHY = {
    CONFLICT: (
        "同一业务键，金额不同；请核对原记录。",
        "The same business key came with other amounts; check the original record.",
    ),
    SENDER_FORBIDDEN: (
        "发送方不能说明其他机构或银行的业务。",
        "The sender may not speak about the business of another institution or bank.",
    ),
}


def dead_letter(fact: Fact, moment: Moment, reason: str) -> Output:
    """What was forbidden carries no event: a retry is made with the operator's rights, not with the sender's."""
    identity = f"dl_{hash32(fact.event_id):08x}_{moment.position}"
    detail_zh, detail_en = _WHY[reason]
    body: dict[str, Any] = {
        "deadletter_id": identity,
        "reason": reason,
        "origin": moment.position,
        "source": fact.source,
        "event_id": fact.event_id,
        "event_type": fact.event_type,
        "detail_zh": detail_zh,
        "detail_en": detail_en,
        "can_retry": reason != SENDER_FORBIDDEN,
    }
    if body["can_retry"]:
        body["event"] = _event(fact)
    return Output("deadletter", moment.position, identity, body)


def _event(fact: Fact) -> dict[str, Any]:
    """The fact as canonical JSON carries it: defaults left out."""
    told: dict[str, Any] = {"event_type": fact.event_type}
    for each in fields(fact):
        value = getattr(fact, each.name)
        if each.default is not MISSING and value == each.default:
            continue
        if isinstance(value, datetime):
            value = rfc3339(to_ms(value))
        told[each.name] = list(value) if isinstance(value, tuple) else value
    return told
