"""An API in one process: the real application over a log in a list, a lane that is a function, and people in a dict."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

import httpx
import msgspec

from connectors.codec import decode_fact
from connectors.errors import ConnectorError
from connectors.http.alert_acts import AlertActs
from connectors.http.alert_feed import AlertFeed
from connectors.http.alerts import AlertStream
from connectors.http.asgi import Application
from connectors.http.bank_notices import BankNotices
from connectors.http.checkout import Checkout, Place
from connectors.http.events import Events
from connectors.http.log import LogFull
from connectors.http.metrics import Metrics
from connectors.http.notices import Notices
from connectors.http.probes import Probes
from connectors.http.reads import Reads, Topic
from connectors.http.routes import Calls, routes
from connectors.http.shedding import Limits, Shedding
from connectors.http.tokens import parse_tokens
from connectors.intake import LineResult, Sender
from connectors.pseudonym import Pseudonyms
from connectors.replies import LaneReply, Pulse, Replies
from risk.facts import Fact
from risk.handling import Act

HOSPITAL = "H43050000001"
PHARMACY = "P43050000002"
PARTITIONS = 4
SUBJECTS = 3
TOKENS = [
    {"name": "hospital-1", "secret": "hospital", "roles": ["hospital"], "institutions": [HOSPITAL]},
    {"name": "pharmacy-1", "secret": "pharmacy", "roles": ["pharmacy"], "institutions": [PHARMACY]},
    {"name": "bank-1", "secret": "bank", "roles": ["bank"], "bank_code": "301"},
    {"name": "authority-1", "secret": "authority", "roles": ["authority"]},
    {"name": "audit-1", "secret": "audit", "roles": ["audit"]},
    {"name": "operator", "secret": "all", "roles": ["hospital", "pharmacy", "bank", "authority", "audit", "person"]},
    {"name": "slow", "secret": "slow", "roles": ["hospital"], "rate_per_s": 1},
]
Lane = Callable[[Fact], tuple[int, dict[str, Any]] | None]

APPROVED: dict[str, Any] = {
    "decision": "approve",
    "state": "held",
    "approved_fen": 5_000,
    "held_fen": 5_000,
    "captured_fen": 0,
    "top_up_fen": 0,
    "available_fen": 45_000,
    "max_approvable_fen": 50_000,
    "expires_at": "2026-03-10T08:30:00.000+08:00",
    "entitlements": [],
    "reasons": [],
    "policy_version": "shaoyang-2026.1+0123456789ab",
    "log_position": "p1@17",
    "replayed": False,
}


class FakeLog:
    """A log in a list; the lane answers as soon as a record is in it."""

    def __init__(self, replies: Replies, lane: Lane) -> None:
        self.records: list[tuple[str, int, str, bytes]] = []
        self.stuck = False
        self.full = False
        self.never_acknowledges = False
        self._replies = replies
        self.lane = lane

    def append(self, topic: str, partition: int, key: str, value: bytes) -> None:
        if self.full:
            raise LogFull
        self.records.append((topic, partition, key, value))
        fact = decode_fact(value)
        answer = self.lane(fact) if getattr(fact, "reply_to", "") else None
        if answer is not None:
            reply = LaneReply(fact.attempt, answer[0], msgspec.Raw(json.dumps(answer[1]).encode()))
            message = msgspec.json.encode(reply)
            asyncio.get_running_loop().call_soon(self._replies.heard, fact.reply_to.encode(), message, now_s())

    async def append_durably(self, topic: str, partition: int, key: str, value: bytes) -> int:
        if self.never_acknowledges:
            await asyncio.Event().wait()
        if self.full:
            raise LogFull
        self.records.append((topic, partition, key, value))
        return len(self.records)

    def is_stuck(self) -> bool:
        return self.stuck

    @property
    def facts(self) -> list[Fact]:
        """What was appended to the events topic."""
        return [decode_fact(value) for topic, _, _, value in self.records if topic == "events"]


class FakeHandling:
    """A topic of acts in a list; `away` is a Kafka that does not answer."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.read_to = 0
        self.away = False

    def read(self) -> list[Act]:
        if self.away:
            raise ConnectorError("kafka", "away", retryable=True)
        news, self.read_to = self.acts[self.read_to :], len(self.acts)
        return news

    def close(self) -> None:
        pass


class FakeIntake:
    """Takes everything, and remembers from whom."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, bytes]] = []
        self.senders: list[tuple[Sender, str]] = []
        self.rooms = 0
        self.away = False

    def take(
        self, lines: Iterable[tuple[int, bytes]], sender: Sender, form: str, origin: str, *, asked_s: float | None
    ) -> list[LineResult]:
        if self.away:
            raise ConnectorError("kafka", "away", retryable=True)
        taken = list(lines)
        self.taken += taken
        self.senders.append((sender, form))
        return [LineResult(number, f"e{number}", "accepted", 1) for number, _ in taken]

    def has_room(self) -> bool:
        self.rooms += 1
        return self.rooms % 3 == 0


class FakePeople:
    """Persons in three dicts; `away` is a Redis that does not answer."""

    def __init__(self) -> None:
        self.authorizations: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.orders: dict[tuple[str, str], dict[str, Any]] = {}
        self.credits: dict[str, dict[str, Any]] = {}
        self.away = False

    async def authorization(self, psn_no: str, fixmedins_code: str, authorization_id: str) -> dict[str, Any] | None:
        self._check()
        return self.authorizations.get((psn_no, fixmedins_code, authorization_id))

    async def knows_authorization(self, psn_no: str, authorization_id: str, asking: Collection[str] | None) -> bool:
        self._check()
        return any(
            (whose, name) == (psn_no, authorization_id) and (asking is None or where in asking)
            for whose, where, name in self.authorizations
        )

    async def order(self, psn_no: str, order_id: str) -> dict[str, Any] | None:
        self._check()
        return self.orders.get((psn_no, order_id))

    async def credit(self, psn_no: str) -> dict[str, Any]:
        self._check()
        return self.credits[psn_no]

    def _check(self) -> None:
        if self.away:
            raise ConnectorError("redis", "away", retryable=True)


class FakeNow:
    """The loop's clock, and a wall that stands still."""

    def monotonic_s(self) -> float:
        return now_s()

    def instant_ms(self, partition: int) -> int:
        return 1_773_100_800_000


def now_s() -> float:
    return asyncio.get_running_loop().time()


def _alert_acts(log: FakeLog, pseudonyms: Pseudonyms) -> AlertActs:
    return AlertActs(
        log=log,
        topic="handling",
        partitions=PARTITIONS,
        pseudonym=pseudonyms.of,
        wall_ms=lambda: 1_773_100_800_000,
        days_max=30,
    )


class Api:
    """Everything of one API process but its server, and a client that speaks to it."""

    make_intake: Callable[[], Any] = FakeIntake

    def __init__(
        self, lane: Lane = lambda fact: (200, APPROVED), *, key: str | None = None, limits: Limits | None = None
    ) -> None:
        self.replies = Replies()
        self.log = FakeLog(self.replies, lane)
        self.people, self.metrics = FakePeople(), Metrics()
        self.intake, self.handling = self.make_intake(), FakeHandling()
        self.errors: list[BaseException] = []
        self.shedding = Shedding(limits or Limits(), note=self.metrics.note_shed, draw=lambda: 0.0)
        pseudonyms = Pseudonyms(key)
        reads = Reads(
            self.people,
            self.log,
            queries=Topic("queries", PARTITIONS),
            subjects=Topic("subjects", SUBJECTS),
            pseudonym=pseudonyms.of,
            pseudonyms_only=not pseudonyms.sandbox,
            wall_ms=lambda: 1_773_100_800_000,
        )
        checkout = Checkout(
            Place("api1", "events", PARTITIONS),
            self.log,
            self.replies,
            FakeNow(),
            pseudonym=pseudonyms.of,
            await_funding=reads.answered_order,
            shedding=self.shedding,
            note_wait=self.metrics.note_wait,
            note_fallback=self.metrics.note_fallback,
        )
        calls = Calls(
            checkout=checkout,
            reads=reads,
            events=(events := Events(self.intake, now_s)),
            bank_notices=BankNotices(events, lambda code: {"BCM": "key of BCM"}.get(code, ""), lambda: 1_000_000),
            alerts=AlertStream(AlertFeed(lambda: None, "alerts")),  # type: ignore[arg-type,return-value]
            alert_acts=_alert_acts(self.log, pseudonyms),
            notices=Notices(self.handling),
            probes=Probes(self.log, self.replies, self.metrics, partitions=PARTITIONS, monotonic_s=now_s),
        )
        self.app = Application(
            routes(calls),
            parse_tokens(TOKENS),
            now_s,
            shedding=self.shedding,
            note=self.metrics.note_call,
            report=lambda path, error: self.errors.append(error),
        )
        self.beat()

    def beat(self, *, lag: int = 0, record_age_ms: int = 0) -> None:
        """Every shard's lane says that it lives."""
        self.replies.is_subscribed = True
        for partition in range(PARTITIONS):
            pulse = Pulse(f"p{partition}", 1, 1_000_000 - record_age_ms, 1_000_000, lag)
            self.replies.pulses.note(pulse, now_s())

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = "hospital", **headers: str
    ) -> httpx.Response:
        """One call over the ASGI interface."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path, content=content, headers=sent)


def authorization(**over: Any) -> dict[str, Any]:
    """A request for credit as a hospital sends it."""
    return {
        "authorization_id": "A-1",
        "psn_no": "43050000000000000001",
        "mdtrt_id": "M1",
        "fixmedins_code": HOSPITAL,
        "service": "visit_first",
        "med_type": "11",
        "amount_fen": 5_000,
        **over,
    }
