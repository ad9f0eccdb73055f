"""How a person's fee lines are kept: what those of one message share stands once, the lines follow as numbers.

A line is made of its numbers only where its item is asked for, so that one more costs the same however many there are.
"""

from collections.abc import Iterable
from operator import attrgetter

from msgspec.structs import replace

from risk.activity import Stored
from risk.event_ids import joined

_WHOLE = 10_000
_NUMBERS = 5  # of a line: key, item, quantity, days, its number in the message
_shared = attrgetter("at_ms", "mdtrt_id", "batch", "med_type", "excluded", "stem", "whole_x10000", "by_unit")
_at_ms = attrgetter("at_ms")


class Line(Stored, frozen=True):
    """A fee line that a rule may still count. First what the lines of one message share.

    `key` tells it apart in its visit; `cnt_x10000` is what was not taken back, of `whole_x10000` if a part was (else
    0); `stem`, `number`: event_ids.py.
    """

    at_ms: int
    mdtrt_id: int
    batch: int
    fixmedins_code: str
    med_type: str
    excluded: tuple[str, ...]  # the common exclusions that concern it
    stem: bytes
    key: int
    item: int
    cnt_x10000: int
    prd_days: int
    number: int
    whole_x10000: int = 0
    by_unit: bool = False  # pills, no boxes (trdn_flag)

    @property
    def days_left(self) -> int:
        """For how many whole days what is left of it lasts."""
        return self.prd_days * self.cnt_x10000 // self.whole_x10000 if self.whole_x10000 else self.prd_days

    @property
    def event_id(self) -> str:
        """The event that told of it: evidence."""
        return joined(self.stem, self.number, self.fixmedins_code)

    def is_same(self, other: "Line") -> bool:
        """Is this the same line, however much of it is left?"""
        return self.key == other.key and self.mdtrt_id == other.mdtrt_id


class Message(Stored, frozen=True):
    """Fee lines of one message. `fixmedins_code` None: as in the message before; `lines`: five numbers each. A line of
    which a part was taken back is not among the others.
    """

    at_ms: int
    mdtrt_id: int
    batch: int
    fixmedins_code: str | None
    med_type: str
    excluded: tuple[str, ...]
    stem: bytes
    lines: tuple[int, ...]
    whole_x10000: int = 0
    by_unit: bool = False


Messages = tuple[Message, ...]
"""Lines in the order of their time, ties in log order. Equal lines are equal messages."""


def gathered(lines: Iterable[Line]) -> Messages:
    """The lines, in this order, as they are kept."""
    messages: list[Message] = []
    before: str | None = None
    for line in lines:
        _append(messages, before, line)
        before = line.fixmedins_code
    return tuple(messages)


def lines_of(messages: Messages, item: int = 0) -> list[Line]:
    """The lines of one item (0: of any) again."""
    lines, code = [], ""
    for message in messages:
        if message.fixmedins_code is not None:
            code = message.fixmedins_code
        if not item or item in message.lines:
            lines += _lines_in(message, code)
    return [line for line in lines if line.item == item] if item else lines


def with_line(messages: Messages, line: Line) -> Messages:
    """One line more."""
    if messages and messages[-1].at_ms > line.at_ms:
        return gathered(sorted((*lines_of(messages), line), key=_at_ms))
    after = list(messages)
    codes = (each.fixmedins_code for each in reversed(messages) if each.fixmedins_code is not None)
    _append(after, next(codes, None), line)
    return tuple(after)


def _append(messages: list[Message], code: str | None, line: Line) -> None:
    """Put a line behind all others; `code`: the institution of the one before it."""
    told = None if line.fixmedins_code == code else line.fixmedins_code
    if told is None and _shared(messages[-1]) == _shared(line):
        last = messages[-1]
        messages[-1] = replace(last, lines=last.lines + _numbers(line))
        return
    shared = (line.at_ms, line.mdtrt_id, line.batch, told, line.med_type, line.excluded, line.stem)
    messages.append(Message(*shared, _numbers(line), line.whole_x10000, line.by_unit))


def _lines_in(message: Message, code: str) -> list[Line]:
    shared = (message.at_ms, message.mdtrt_id, message.batch, code, message.med_type, message.excluded, message.stem)
    numbers, last = iter(message.lines), (message.whole_x10000, message.by_unit)
    return [
        Line(*shared, key, item, quantity * _WHOLE if quantity >= 0 else -quantity, days, number, *last)
        for key, item, quantity, days, number in zip(*[numbers] * _NUMBERS, strict=True)
    ]


def _numbers(line: Line) -> tuple[int, ...]:
    """Whole units as such: most are, and a small number is one byte; parts of a unit below zero."""
    whole, part = divmod(line.cnt_x10000, _WHOLE)
    return line.key, line.item, -line.cnt_x10000 if part else whole, line.prd_days, line.number
