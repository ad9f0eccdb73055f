"""The city at work against a running engine: messages sent in the order of arrival, and counters that ask for credit.

Sending is paced twice: by the speed asked for, and by the lag of the engine. The city's own time is data.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Protocol

import httpx
import orjson

from connectors.codec import encode_fact
from connectors.intake import Intake, Sender
from streams.city.canonical import facts_of
from streams.city.happenings import CALLS, CAPTURE, Happening, message_id
from streams.city.national import line_of
from streams.city.plan import CityPlan
from streams.city.stream import Deliveries

CHUNK_LINES = 200
CHUNK_S = 0.05
SETTLES_AFTER_MS = 25_000
"""From the authorization at the counter to the settlement (visits.settled)."""

TURNED_AWAY = frozenset({"refused", "forbidden"})

SETTLES = ("2207", "2304", "2102")

Lines = list[tuple[str, bytes]]
"""(form, line): canonical or national."""


class Engine(Protocol):
    """Where the city sends: events, and requests for credit."""

    def post(self, form: str, lines: list[bytes]) -> Counter[str]:
        """Send lines of one form; how many were accepted, refused, ignored."""

    reasons: Counter[str]
    """Why lines were turned away."""

    def authorize(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for an authorization; the answer."""

    def capture(self, authorization_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take a bill's cash part out of what was authorized; the answer."""


def spelled(happening: Happening, form: str) -> Iterator[tuple[str, bytes]]:
    """A happening as lines; what the platform does not carry stays canonical."""
    if form == "national" and happening.fact is None:
        line = line_of(happening)
        if line is not None:
            yield "national", line
        return
    for fact in facts_of(happening):
        yield "canonical", encode_fact(fact)


class Traffic:
    """One run of a city against an engine."""

    def __init__(
        self,
        plan: CityPlan,
        engine: Engine,
        *,
        form: str,
        speed: float,
        is_stopped: Callable[[], bool] = lambda: False,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        """`now_ms`: what the engine's wall clock shows; what happens later is left out. None: simulated time."""
        self._now_ms = now_ms
        self.not_yet = 0
        """Messages of stays that go on beyond now."""
        self._plan = plan
        self._engine = engine
        self._form = form
        self._speed = speed
        self._is_stopped = is_stopped
        self._declined: set[str] = set()
        self._waiting: Lines = []
        self._sent_s = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.on_credit: list[Happening] = []
        """Settlements sent under an authorization that was granted."""

    def run(self) -> None:
        """Send everything, or until stopped."""
        began_s = time.monotonic()
        for arrival_ms, happening in Deliveries(self._plan):
            self._wait(began_s, arrival_ms)
            if self._is_stopped():
                break
            if self._now_ms is not None and happening.at_ms > self._now_ms():
                self.not_yet += 1
                continue
            self.deliver(happening)
        self.flush()

    def deliver(self, happening: Happening) -> None:
        """Send or ask one thing; lines wait a moment for others."""
        if happening.infno in CALLS:
            self.flush()
            if happening.infno == CAPTURE:
                self._capture(happening)
            else:
                self._ask(happening)
            return
        paid = self._as_paid(happening)
        if paid.infno in SETTLES and paid.bill is not None and paid.bill.authorization_id:
            self.on_credit.append(paid)
        self._waiting.extend(spelled(paid, self._form))
        if len(self._waiting) >= CHUNK_LINES or time.monotonic() - self._sent_s > CHUNK_S:
            self.flush()

    def _wait(self, began_s: float, arrival_ms: int) -> None:
        if self._speed <= 0 or arrival_ms < self._plan.start_ms:
            return
        due_s = began_s + (arrival_ms - self._plan.start_ms) / 1000 / self._speed
        while (left_s := due_s - time.monotonic()) > 0 and not self._is_stopped():
            self.flush()
            time.sleep(min(left_s, 0.1))

    def flush(self) -> None:
        """Send what waits."""
        for form, lines in groupby(self._waiting, key=lambda pair: pair[0]):
            self.counts += self._engine.post(form, [line for _, line in lines])
        self._waiting.clear()
        self._sent_s = time.monotonic()

    def _ask(self, happening: Happening) -> None:
        visit, bill = happening.visit, happening.bill
        assert bill is not None
        assert bill.authorization_id is not None
        if bill.cash_fen == 0:
            self._declined.add(bill.authorization_id)
            return
        answer = self._engine.authorize(
            {
                "authorization_id": bill.authorization_id,
                "psn_no": visit.psn_no,
                "mdtrt_id": visit.mdtrt_id,
                "fixmedins_code": visit.fixmedins_code,
                "service": "deposit_free" if visit.med_type.startswith("2") else "visit_first",
                "medins_setl_id": message_id(visit.fixmedins_code, happening.at_ms + SETTLES_AFTER_MS, visit.number),
                "med_type": visit.med_type,
                "amount_fen": bill.cash_fen,
            }
        )
        decision = str(answer.get("decision", "error"))
        self.decisions[decision] += 1
        if decision not in ("approve", "partial"):
            self._declined.add(bill.authorization_id)

    def _capture(self, happening: Happening) -> None:
        """A capture before the bill is told; whoever was declined pays otherwise."""
        visit, bill = happening.visit, happening.bill
        assert bill is not None
        assert bill.authorization_id is not None
        if bill.authorization_id in self._declined:
            return
        asked = {
            "request_id": f"C{bill.setl_id}",
            "psn_no": visit.psn_no,
            "fixmedins_code": visit.fixmedins_code,
            "setl_id": bill.setl_id,
            "psn_cash_pay_fen": bill.cash_fen,
        }
        answer = self._engine.capture(bill.authorization_id, asked)
        self.decisions[f"capture {answer.get('decision', 'error')}"] += 1

    def _as_paid(self, happening: Happening) -> Happening:
        """A bill whose authorization was declined was paid otherwise."""
        bill = happening.bill
        if bill is None or bill.authorization_id not in self._declined:
            return happening
        self._declined.discard(bill.authorization_id)
        return happening._replace(bill=bill._replace(authorization_id=None, credit_fen=0))


class IntoKafka:
    """Straight through the strict edge into the log. It cannot ask for credit: that is the API's."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.reasons: Counter[str] = Counter()

    def post(self, form: str, lines: list[bytes]) -> Counter[str]:
        """Append, paced by the lanes' lag."""
        self._intake.wait_for_room()
        numbered = list(enumerate(lines, 1))
        kind: Any = form
        results = self._intake.take(numbered, Sender("city"), kind, "city")
        self.reasons.update(result.reason for result in results if result.result in TURNED_AWAY and result.reason)
        return Counter(result.result for result in results)

    def authorize(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nobody answers here."""
        return {"decision": "fallback"}

    def capture(self, authorization_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Nor here."""
        return {"decision": "fallback"}


class IntoHttp:
    """Through the API, as hospitals, banks and authorities do."""

    def __init__(self, api: str, token: str) -> None:
        self.client = httpx.Client(base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        self.reasons: Counter[str] = Counter()

    def post(self, form: str, lines: list[bytes]) -> Counter[str]:
        """Post lines; an engine that is busy says when to come again."""
        content_type = "application/x-ndjson" + ("; profile=national" if form == "national" else "")
        for _ in range(100):
            response = self.client.post("/v1/events", content=b"\n".join(lines), headers={"Content-Type": content_type})
            if response.status_code not in (429, 503):
                break
            time.sleep(min(2.0, float(response.headers.get("Retry-After", "0.2"))))
        if response.status_code != 200:
            return Counter({f"http_{response.status_code}": len(lines)})
        results = orjson.loads(response.content)["results"]
        self.reasons.update(result["reason"] for result in results if result["result"] in TURNED_AWAY)
        return Counter(result["result"] for result in results)

    def authorize(self, body: dict[str, Any]) -> dict[str, Any]:
        """The API's answer; whatever is no decision counts as ordinary payment."""
        return self._call("/v1/authorizations", body)

    def capture(self, authorization_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """The same of a capture."""
        return self._call(f"/v1/authorizations/{authorization_id}/capture", body)

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.client.post(path, content=orjson.dumps(body))
        answer: dict[str, Any] = orjson.loads(response.content)
        return answer if response.status_code == 200 else {"decision": f"http_{response.status_code}", **answer}

    def close(self) -> None:
        """Hang up."""
        self.client.close()
