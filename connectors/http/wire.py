"""HTTP/1.1 as bytes: a request read strictly, an answer written. It opens no connection and knows no call of ours.

Strict is what keeps one caller's bytes from being taken for another's request (RFC 9112, 11.2): a head or a chunk that
reads two ways is refused and the connection ends.
"""

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

Header = tuple[bytes, bytes]

HEAD_MAX = 512 * 1024
TARGET_MAX = 65_534
HEADERS_MAX = 100
KNOWN_MAX = 256  # bytes of a header line that is worth remembering
CHUNK_LINE_MAX = 4_096
TRAILERS_MAX = 16 * 1024
LENGTH_DIGITS_MAX = 15

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NEVER = bytes({*range(32), 127} - set(b"\t\r\n"))  # control characters that no head may hold
_VERSIONS = {b"HTTP/1.1": True, b"HTTP/1.0": False}
_FRAMING = frozenset((b"transfer-encoding", b"connection", b"expect"))
_HEX = b"0123456789abcdefABCDEF"


class BadRequest(Exception):
    """Bytes that are no request. `status` is what the caller is told before the connection ends."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class Head(NamedTuple):
    """A request up to its body. `length` None: it comes in chunks. Names of headers are in lower case."""

    method: str
    target: bytes
    headers: list[Header]
    length: int | None
    is_1_1: bool
    keeps_alive: bool
    expects_word: bool

    @property
    def path(self) -> bytes:
        """The path as it was sent, without the query and without a host before it."""
        path = self.target.partition(b"?")[0]
        if path.startswith(b"/"):
            return path
        _, is_absolute, rest = path.partition(b"://")
        return b"/" + rest.partition(b"/")[2] if is_absolute else path

    @property
    def query(self) -> bytes:
        """What stands behind the question mark."""
        return self.target.partition(b"?")[2]


def read_head(raw: bytes) -> Head:
    """The head in `raw`, which ends before its empty line. Raises BadRequest."""
    first, *lines = raw.split(b"\r\n")
    breaks = len(lines)
    if raw.count(b"\r") != breaks or raw.count(b"\n") != breaks or len(raw.translate(None, _NEVER)) < len(raw):
        raise BadRequest
    asked = first.split(b" ")
    if len(asked) != 3 or not asked[0] or asked[0].translate(None, _TOKEN) or asked[2] not in _VERSIONS:
        raise BadRequest
    if not asked[1] or b"\t" in asked[1]:
        raise BadRequest
    if len(asked[1]) > TARGET_MAX:
        raise BadRequest(414)
    if breaks > HEADERS_MAX:
        raise BadRequest(431)
    return _head(asked, [_known(line) if len(line) <= KNOWN_MAX else _header(line) for line in lines])


def _header(line: bytes) -> Header:
    name, colon, value = line.partition(b":")
    if not colon or not name or name.translate(None, _TOKEN):
        raise BadRequest
    return name.lower(), value.strip(b" \t")


_known = lru_cache(maxsize=4_096)(_header)  # a caller says most of its lines again with each request


def _head(asked: list[bytes], headers: list[Header]) -> Head:
    """What the headers say of the message itself. Two lengths, or a length beside chunks, read two ways."""
    is_1_1 = _VERSIONS[asked[2]]
    length: int | None = 0
    lengths = {value for name, value in headers if name == b"content-length"}
    codings, wishes, expects_word = [], [], False
    if not _FRAMING.isdisjoint(dict(headers)):
        codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        wishes = [
            wish.strip() for name, value in headers if name == b"connection" for wish in value.lower().split(b",")
        ]
        expects_word = is_1_1 and any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)
    if codings:
        if codings != [b"chunked"] or lengths or not is_1_1:
            raise BadRequest
        length = None
    elif lengths:
        said = lengths.pop()
        if lengths or not said.isdigit() or len(said) > LENGTH_DIGITS_MAX:
            raise BadRequest
        length = int(said)
    keeps_alive = b"close" not in wishes and (is_1_1 or b"keep-alive" in wishes)
    return Head(asked[0].decode(), asked[1], headers, length, is_1_1, keeps_alive, expects_word)


class Body:
    """The body of one request, taken out of what comes. `is_whole`: nothing more of it will come."""

    __slots__ = ("_awaits_break", "_is_chunked", "_left", "_trailers", "is_whole")

    def __init__(self, length: int | None) -> None:
        self._left = length or 0  # of the body, or of the chunk
        self._is_chunked = length is None
        self._awaits_break = False  # behind a chunk's data
        self._trailers = -1  # bytes of them read; -1 before the last chunk
        self.is_whole = length == 0

    def take(self, buffer: bytearray) -> bytes:
        """The next bytes of the body; they and what frames them leave `buffer`. Raises BadRequest."""
        if not self._is_chunked:
            taken = bytes(buffer[: self._left])
            del buffer[: len(taken)]
            self._left -= len(taken)
            self.is_whole = self._left == 0
            return taken
        parts = []
        while not self.is_whole:
            if self._left:
                if not buffer:
                    break
                parts.append(bytes(buffer[: self._left]))
                del buffer[: len(parts[-1])]
                self._left -= len(parts[-1])
                self._awaits_break = self._left == 0
            elif (line := _line(buffer)) is None:
                break
            else:
                self._note_line(line)
        return b"".join(parts)

    def _note_line(self, line: bytes) -> None:
        """One line of the framing: the end of a chunk's data, a chunk's size, a trailer, or the end."""
        if self._awaits_break:
            if line:
                raise BadRequest
            self._awaits_break = False
        elif self._trailers >= 0:
            self.is_whole = not line
            self._trailers += len(line)
            if self._trailers > TRAILERS_MAX:
                raise BadRequest(431)
        else:
            size = line.partition(b";")[0].rstrip(b" \t")
            if not size or len(size) > LENGTH_DIGITS_MAX or size.translate(None, _HEX):
                raise BadRequest
            self._left = int(size, 16)
            if self._left == 0:
                self._trailers = 0


def _line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, CHUNK_LINE_MAX)
    if end < 0:
        if len(buffer) >= CHUNK_LINE_MAX:
            raise BadRequest
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    if b"\n" in line or b"\r" in line:
        raise BadRequest
    return line


_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in HTTPStatus
}  # fmt: skip


def answer_head(status: int, headers: Iterable[Header], date: bytes, framing: bytes) -> bytes:
    """The head of an answer; `framing` is what it says of its body and of the connection, ready to be written."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"%b%b%bdate: %b\r\n\r\n" % (_STATUS_LINES[status], lines, framing, date)
