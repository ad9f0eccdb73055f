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
        "同一笔业务（编号相同）再次报送，但金额不同；请核对原单据，有误时先撤销再重报。",
        "The same business came again with other amounts. Check the original; reverse it before sending anew.",
    ),
    SENDER_FORBIDDEN: (
        "报送方只能报送本机构（本银行）的业务；请由该业务所属的机构或银行报送。",
        "The sender may speak of its own business only; let the institution or bank it belongs to send it.",
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
