"""The counter: callers who ask at their instants, whatever became of the calls before (open loop). Not a test.

Whoever hears `fallback` asks once more, with the same words, at another API process.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

TOKEN = "all"
CALL_S_MAX = 20.0
RETRY_AFTER_S = 1.5


class Question(NamedTuple):
    """One patient at the counter."""

    authorization_id: str
    psn_no: str
    fixmedins_code: str
    mdtrt_id: str
    amount_fen: int
    answer_within_ms: int = 1_000

    def body(self) -> bytes:
        """As the API wants it."""
        return orjson.dumps(self._asdict() | {"service": "visit_first", "med_type": "11"})


class Answer(NamedTuple):
    """What a call came to. Status 0: the connection broke. Seconds are of one monotonic clock."""

    question: Question
    api: int
    sent_s: float
    took_s: float
    status: int
    body: dict[str, Any]

    @property
    def decision(self) -> str:
        return str(self.body.get("decision", f"status {self.status}"))

    @property
    def has_credit(self) -> bool:
        """Was the patient told that he pays on credit?"""
        return self.decision in ("approve", "partial")

    @property
    def is_shed(self) -> bool:
        """Was he turned away before anything was appended?"""
        return self.status == 503 and self.body.get("code") == "OVERLOADED"


class Line:
    """Keep-alive connections to one API process, as many as are in use at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON; status 0 where the connection broke."""
        try:
            async with asyncio.timeout(CALL_S_MAX):
                return await self._exchange(path, body)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return 0, {}

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()

    async def _exchange(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self._free = [each for each in self._free if not each[0].at_eof()]  # the server lets idle ones go
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        head = f"POST {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {TOKEN}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            answered = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answered.split(b"content-length:")[1].split(b"\r\n")[0])
            said = orjson.loads(await reader.readexactly(length))
        except BaseException:
            writer.close()
            raise
        self._free.append((reader, writer))
        return int(answered[9:12]), said


class Counter:
    """Callers of one process. `ports`: the API processes; calls take turns among them."""

    def __init__(self, ports: Sequence[int], *, retries: int = 1) -> None:
        self._lines = [Line(port) for port in ports]
        self._retries = retries
        self.answers: list[Answer] = []
        self.closed = False

    def ask(self, questions: Sequence[Question], per_s: float) -> None:
        """Ask them at their instants until all were asked or the counter is `closed`; wait for every answer."""
        asyncio.run(self._ask(questions, per_s))

    async def _ask(self, questions: Sequence[Question], per_s: float) -> None:
        began_s = time.monotonic()
        calls: list[asyncio.Task[None]] = []
        for number, question in enumerate(questions):
            await asyncio.sleep(max(0.0, began_s + number / per_s - time.monotonic()))
            if self.closed:
                break
            calls.append(asyncio.create_task(self._patient(question, number % len(self._lines))))
        await asyncio.gather(*calls)
        for line in self._lines:
            line.close()

    async def _patient(self, question: Question, api: int) -> None:
        for _ in range(1 + self._retries):
            sent_s = time.monotonic()
            status, body = await self._lines[api].post("/v1/authorizations", question.body())
            answer = Answer(question, api, sent_s, time.monotonic() - sent_s, status, body)
            self.answers.append(answer)
            if answer.decision != "fallback" and not answer.is_shed and status:
                return
            await asyncio.sleep(RETRY_AFTER_S)
            api = (api + 1) % len(self._lines)

    def credit_since(self, at_s: float) -> list[float]:
        """How long after this instant each question was asked that was answered with credit, soonest first."""
        return sorted(answer.sent_s - at_s for answer in self.answers if answer.has_credit and answer.sent_s >= at_s)
