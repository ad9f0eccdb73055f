"""`xinmai ingest`: a file or stdin of events into the log, paced by the lanes."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Literal

from connectors.append import Pen
from connectors.canonical_line import LINE_BYTES_MAX
from connectors.errors import ConnectorError
from connectors.intake import Intake, LineResult, Sender
from connectors.kafka import producer
from streams.edges import is_embedded, open_edge
from streams.pacing import Pacer
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

CHUNK_LINES = 250
SHOWN_MAX = 20
LANES_WITHIN_S = 3.0
NO_JSON_MIN = 20
HINT = (
    "这些行是国家医保平台报文，请加 --format national；未写入任何内容",
    "these lines are messages of the national platform: add --format national; nothing was sent",
)
NO_JSON = (
    f"开头 {NO_JSON_MIN} 行都不是 JSON：文件应每行一个 JSON 对象；未写入任何内容",
    f"not one of the first {NO_JSON_MIN} lines is JSON: a file has one JSON object a line; nothing was sent",
)

Form = Literal["canonical", "national"]


@dataclass(slots=True)
class Tally:
    """What became of all lines, and the ones that somebody must look at."""

    counts: Counter[str] = field(default_factory=Counter)
    facts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    shown: list[LineResult] = field(default_factory=list)

    def add(self, results: list[LineResult]) -> None:
        """Count one chunk."""
        for result in results:
            self.counts[result.result] += 1
            self.facts += result.facts
            if result.reason is not None:
                self.reasons[result.reason] += 1
            if result.result in ("refused", "forbidden") and len(self.shown) < SHOWN_MAX:
                self.shown.append(result)

    @property
    def turned_away(self) -> int:
        """Lines that did not pass."""
        return self.counts["refused"] + self.counts["forbidden"]


def run_ingest(settings: "Settings", file: str, *, format: Form, as_json: bool) -> int:
    """Exit code 0: all lines are in the log or ignored; 1: some were refused; 2: could not run."""
    try:
        with _opened(file) as stream, Pacer(settings.redis, settings.topics.events) as pacer:
            tally, seconds = _send(settings, pacer, numbered_lines(stream), form=format, origin=origin_of(file))
    except FileNotFoundError:
        why = f"没有文件 {file}，请检查路径 / there is no file {file}: check the path, or give - for stdin"
        print(f"xinmai ingest: {why}", file=sys.stderr)
        return 2
    except IsADirectoryError:
        why = f"{file} 是目录，请给出其中的文件 / {file} is a directory: name a file in it"
        print(f"xinmai ingest: {why}", file=sys.stderr)
        return 2
    except (ConnectorError, OSError, Stop, ValueError) as error:
        print(f"xinmai ingest: {error}", file=sys.stderr)
        return 2
    _print(tally, seconds, as_json=as_json)
    return 1 if tally.turned_away else 0


def origin_of(file: str) -> str:
    """Where the lines of a file come from, as dead letters say it: its name, without the folders of a machine."""
    return "stdin" if file == "-" else f"file:{Path(file).name}"


def _opened(file: str) -> BinaryIO:
    return sys.stdin.buffer if file == "-" else Path(file).open("rb")


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, from 1, without blank ones. A line too long is cut: it may not fill memory."""
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 2):
        number += 1
        whole = line
        while not line.endswith(b"\n") and (line := stream.readline(LINE_BYTES_MAX)):
            pass
        if stripped := whole.strip():
            yield number, stripped


def is_national(line: bytes) -> bool:
    """Whether a line that is no event looks like a message of the national platform."""
    return b'"infno"' in line and b'"event_type"' not in line


def is_json(line: bytes) -> bool:
    """Whether a line can be read at all; what stands in it is for the edge to judge."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):  # brackets too deep for a reader are none that any edge takes
        return False
    return True


def _send(
    settings: "Settings", pacer: Pacer, lines: Iterator[tuple[int, bytes]], *, form: Form, origin: str
) -> tuple[Tally, float]:
    intake = Intake(
        Pen(lambda: producer(settings.kafka)), open_edge(settings), lag=pacer.lag, delivered=pacer.backlog.delivered
    )
    if not pacer.wait_for_lanes(LANES_WITHIN_S):
        if is_embedded(settings.kafka, settings.topics):
            raise ConnectorError("kafka", "no worker reads, and this broker forgets: start one", retryable=True)
        print("no worker is applying the log: lines are appended without waiting for one", file=sys.stderr)
    tally, begun_s = Tally(), monotonic()
    while chunk := list(islice(lines, CHUNK_LINES)):
        first = [] if tally.counts else chunk[:NO_JSON_MIN]
        if len(first) == NO_JSON_MIN and not any(is_json(line) for _, line in first):
            raise Stop(*NO_JSON)
        if form == "canonical" and not tally.counts and all(is_national(line) for _, line in chunk):
            raise Stop(*HINT)
        intake.wait_for_room()
        tally.add(intake.take(chunk, Sender(origin), form, origin))
    return tally, monotonic() - begun_s


def _print(tally: Tally, seconds: float, *, as_json: bool) -> None:
    names = ("accepted", "ignored", "refused", "forbidden")
    if as_json:
        body = {
            **{name: tally.counts[name] for name in names},
            "facts": tally.facts,
            "reasons": dict(tally.reasons),
            "seconds": round(seconds, 3),
            "results": [result.wire() for result in tally.shown],
        }
        print(json.dumps(body, ensure_ascii=False))
        return
    counted = ", ".join(f"{tally.counts[name]} {name}" for name in names)
    print(f"{sum(tally.counts.values())} lines in {seconds:.1f} s: {counted}; {tally.facts} facts in the log")
    for result in tally.shown:
        print(f"  line {result.line}: {result.reason}: {result.detail_en} ({result.detail_zh})")
    if tally.turned_away > len(tally.shown):
        print(f"  and {tally.turned_away - len(tally.shown)} more: xinmai deadletters list")
