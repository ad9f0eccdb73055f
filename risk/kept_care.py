"""How a person's care is kept: what the fee lines of one message share stands once, the lines follow as numbers.

The bytes are a function of the care alone. A person's activity carries them unread: a settlement never opens them.
"""

from itertools import groupby

from msgspec import msgpack

from risk.activity import Stored
from risk.care import NO_CARE, Above, Care, Line, Stay

_WHOLE = 10_000
_NUMBERS = 5  # of a line: key, item, quantity, days, its number in the message


class Message(Stored, frozen=True):
    """Fee lines of one message. `fixmedins_code` None: as in the message before; `lines`: five numbers each."""

    at_ms: int
    mdtrt_id: int
    batch: int
    fixmedins_code: str | None
    med_type: str
    excluded: tuple[str, ...]
    stem: bytes
    lines: tuple[int, ...]


class Kept(Stored, frozen=True):
    """A care as it is packed."""

    newest_ms: int
    messages: tuple[Message, ...]
    stays: tuple[Stay, ...]
    above: tuple[Above, ...]


_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Kept).decode


def packed(care: Care) -> bytes:
    """The care as bytes; nothing remembered is no byte."""
    if care == NO_CARE:
        return b""
    messages: list[Message] = []
    before: str | None = None
    for (at_ms, mdtrt_id, batch, code, med_type, excluded, stem), lines in groupby(care.lines, key=_shared):
        numbers = tuple(number for line in lines for number in _numbers(line))
        told = None if code == before else code
        messages.append(Message(at_ms, mdtrt_id, batch, told, med_type, excluded, stem, numbers))
        before = code
    return _encode(Kept(care.newest_ms, tuple(messages), care.stays, care.above))


def unpacked(kept: bytes) -> Care:
    """The care again."""
    if not kept:
        return NO_CARE
    found = _decode(kept)
    lines, code = [], ""
    for message in found.messages:
        code = code if message.fixmedins_code is None else message.fixmedins_code
        shared = (message.at_ms, message.mdtrt_id, message.batch, code, message.med_type, message.excluded)
        numbers = iter(message.lines)
        for key, item, quantity, days, number in zip(*[numbers] * _NUMBERS, strict=True):
            cnt_x10000 = quantity * _WHOLE if quantity >= 0 else -quantity
            lines.append(Line(*shared, message.stem, key, item, cnt_x10000, days, number))
    return Care(found.newest_ms, tuple(lines), found.stays, found.above)


def _shared(line: Line) -> tuple[int, int, int, str, str, tuple[str, ...], bytes]:
    return (line.at_ms, line.mdtrt_id, line.batch, line.fixmedins_code, line.med_type, line.excluded, line.stem)


def _numbers(line: Line) -> tuple[int, ...]:
    """Whole units as such: most are, and a small number is one byte; parts of a unit below zero."""
    whole, part = divmod(line.cnt_x10000, _WHOLE)
    return line.key, line.item, -line.cnt_x10000 if part else whole, line.prd_days, line.number
