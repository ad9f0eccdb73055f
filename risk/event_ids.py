"""Event ids as values keep them: evidence must name the event, and most ids repeat what stands beside them.

A national id is `{infno}:{msgid}:{n}`, and a `msgid` is institution code (12), time (14) and serial number (4). Ten
bytes and a number tell it, where the institution is known. Any other id is kept as text. Both ways lose nothing.
"""

import re

_NATIONAL = re.compile(r"([0-9]{4}):(.*)([0-9]{18})", re.DOTALL)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_TEXT = b"\xff"  # begins no national stem (infno is below 10,000) and is no UTF-8
_DIGITS = 18


def split(event_id: str, fixmedins_code: str) -> tuple[bytes, int]:
    """What the lines of one message share of their ids, and the line's own number; 0: it has none."""
    message, _, number = event_id.rpartition(":")
    told = 0
    if message and _NUMBER.fullmatch(number):
        event_id, told = message, int(number) + 1
    found = _NATIONAL.fullmatch(event_id)
    if found is None or found[2] != fixmedins_code:
        return _TEXT + event_id.encode(), told
    return int(found[1]).to_bytes(2) + int(found[3]).to_bytes(8), told


def message_of(event_id: str) -> str:
    """The national message id inside an event id `{infno}:{msgid}:{n}`, else nothing; 2208A is 2208, revised."""
    parts = event_id.split(":")
    number = parts[0][:-1] if parts[0][-1:].isalpha() else parts[0]
    return parts[1] if len(parts) == 3 and number.isdigit() else ""


def joined(stem: bytes, number: int, fixmedins_code: str) -> str:
    """The event id again."""
    if stem.startswith(_TEXT):
        message = stem[1:].decode()
    else:
        infno, serial = int.from_bytes(stem[:2]), int.from_bytes(stem[2:])
        message = f"{infno:04d}:{fixmedins_code}{serial:0{_DIGITS}d}"
    return f"{message}:{number - 1}" if number else message
