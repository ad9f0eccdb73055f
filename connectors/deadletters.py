"""What an edge refused, as it is kept: enough to find, explain and resend it; no name, no certificate number."""

from collections.abc import Callable
from hashlib import sha256
from json import loads
from typing import Any, Literal, NamedTuple

import orjson
from stdnum.cn import ric

from connectors.canonical_line import check_record
from connectors.codec import encode_fact
from connectors.field_checks import CHECKS, text
from connectors.refusals import Refused
from risk.facts import Fact
from risk.local_time import rfc3339
from risk.outputs import derived_id

Form = Literal["canonical", "national"]

_WHITELIST = ("event_id", "event_type", "infno", "msgid", "fixmedins_code", "mdtrt_id", "setl_id", "feedetl_sn")


class Arrival(NamedTuple):
    """Where a line came from, exactly enough to be found again at its sender."""

    origin: str
    source: str
    form: Form
    line: int
    data: bytes
    received_ms: int


class DeadLetter(NamedTuple):
    """One record of the dead-letter topic: its key and its JSON body."""

    key: str
    body: bytes


def dead_letter(
    arrival: Arrival,
    refused: Refused,
    *,
    record: dict[str, Any] | None = None,
    fact: Fact | None = None,
    event_id: str | None = None,
    pseudonym: Callable[[str], str],
) -> DeadLetter:
    """The letter for one refusal. `record` is the parsed line, `fact` what could be made of it, bound to its sender.

    What was forbidden carries no event: a retry is made with the operator's rights, not with the sender's.
    """
    digest = sha256(arrival.data).hexdigest()
    body = {
        "deadletter_id": derived_id("dl_", arrival.origin, arrival.line, digest, event_id or ""),
        "reason": refused.reason,
        "field": refused.field,
        "detail_zh": refused.detail_zh,
        "detail_en": refused.detail_en,
        "origin": arrival.origin,
        "line": arrival.line,
        "source": arrival.source,
        "form": arrival.form,
        "refused_at": rfc3339(arrival.received_ms),
        "sha256": digest,
        **_whitelisted(record or {}, pseudonym),
        **({"event_id": event_id} if event_id and not ric.is_valid(event_id) else {}),
        "can_retry": fact is not None,
        "event": None if fact is None else loads(encode_fact(fact)),
    }
    return _letter(arrival.origin, body)


def resolution(letter: dict[str, Any], *, event_id: str, at_ms: int) -> DeadLetter:
    """Says that a letter was retried and accepted; beside it on the same topic, so that no retry repeats it."""
    body = {
        "deadletter_id": letter["deadletter_id"],
        "resolved": "retried",
        "event_id": event_id,
        "resolved_at": rfc3339(at_ms),
    }
    return _letter(letter["origin"], body)


def _letter(origin: str, body: dict[str, Any]) -> DeadLetter:
    return DeadLetter(origin, orjson.dumps({name: value for name, value in body.items() if value is not None}))


def schema_fact(record: dict[str, Any], **told: Any) -> Fact | None:
    """What remains of a line without its unknown fields, whatever the clock says; None if that is no fact. `told` as in
    check_record.
    """
    event_type = record.get("event_type")
    if not isinstance(event_type, str) or event_type not in CHECKS:
        return None
    known = {name: value for name, value in record.items() if name in CHECKS[event_type].checks}
    try:
        return check_record({"event_type": event_type, **known}, now_ms=None, **told)
    except Refused:
        return None


def _whitelisted(record: dict[str, Any], pseudonym: Callable[[str], str]) -> dict[str, str]:
    """Identifiers only, of a plain form; a certificate number stays outside even under a good name."""
    blocks = [record, *(block for side in ("input", "output") if isinstance(block := record.get(side), dict))]
    blocks += [each for block in blocks[1:] for each in block.values() if isinstance(each, dict)]
    found: dict[str, str] = {}
    for name in _WHITELIST:
        value = _identifier(name, blocks)
        if value is not None and value.isascii() and not ric.is_valid(value):
            found[name] = value
    psn_no = _identifier("psn_no", blocks)
    return found if psn_no is None else found | {"psn_no": pseudonym(psn_no)}


def _identifier(name: str, blocks: list[dict[str, Any]]) -> str | None:
    for block in blocks:
        if name in block:
            try:
                return text(name, block[name])
            except Refused:
                return None
    return None
