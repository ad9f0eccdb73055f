"""Dead letters of the fold: a record that it reads and does not apply, with what a retry needs."""

from typing import Any

from msgspec import to_builtins

from risk.activity import Early, hash32
from risk.credit import Context
from risk.facts import Fact
from risk.moment import Moment
from risk.outputs import Output

CONFLICT, SENDER_FORBIDDEN = "CONFLICT", "SENDER_FORBIDDEN"
TOO_LATE, NOTHING_TO_DELETE, AMBIGUOUS_BATCH = "TOO_LATE", "NOTHING_TO_DELETE", "AMBIGUOUS_BATCH"
_WHY = {
    CONFLICT: (
        "同一笔业务（编号相同）再次报送，但内容不同；请核对原单据，有误时先撤销再重报。",
        "The same business came again with other content. Check the original; reverse it before sending anew.",
    ),
    TOO_LATE: (
        "报送太晚：此前的库存变动已汇总，无法再插入；请重新盘存（3501）。",
        "Too late: what moved then was summed up already. Count the stock anew (3501).",
    ),
    NOTHING_TO_DELETE: (
        "该批次下没有 40 天内报送过的变动，无可删除；请核对批次号，原变动后到时可重试。",
        "Nothing was moved under this batch in 40 days. Check its number; retry once the movement itself has come.",
    ),
    AMBIGUOUS_BATCH: (
        "该批次下的变动超过 16 条，不能确定删除哪一条；请用退货或库存变更（3502）更正。",
        "More than 16 movements came under this batch, so it is not known which is meant. Correct by a return or 3502.",
    ),
    SENDER_FORBIDDEN: (
        "报送方只能报送本机构（本银行）的业务；请由该业务所属的机构或银行报送。",
        "The sender may speak of its own business only; let the institution or bank it belongs to send it.",
    ),
}
REASONS = frozenset(_WHY)


def dead_letter(fact: Fact, moment: Moment, reason: str) -> Output:
    """What was forbidden carries no event: a retry is made with the operator's rights, not with the sender's."""
    told = _letter(Early(fact.source, fact.event_id, fact.event_type), moment, reason)
    if told.body["can_retry"]:
        told.body["event"] = to_builtins(fact)  # canonical JSON: defaults left out
    return told


def forbidden_before(told: Early, moment: Moment | Context) -> Output:
    """A record came early, and what it spoke of, which has come now, is not its sender's own."""
    return _letter(told, moment, SENDER_FORBIDDEN)


def _letter(told: Early, moment: Moment | Context, reason: str) -> Output:
    identity = f"dl_{hash32(told.event_id):08x}_{moment.position}"
    detail_zh, detail_en = _WHY[reason]
    body: dict[str, Any] = {
        "deadletter_id": identity,
        "reason": reason,
        "origin": moment.position,
        "source": told.source,
        "event_id": told.event_id,
        "event_type": told.event_type,
        "detail_zh": detail_zh,
        "detail_en": detail_en,
        "can_retry": reason != SENDER_FORBIDDEN,
    }
    return Output("deadletter", moment.position, identity, body)
