"""Dead letters of the fold: a record that it reads and does not apply, with what a retry needs."""

from typing import Any

from msgspec import to_builtins

from risk.activity import hash32
from risk.facts import Fact
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
        body["event"] = to_builtins(fact)  # canonical JSON: defaults left out
    return Output("deadletter", moment.position, identity, body)
