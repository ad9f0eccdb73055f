"""Checkout: a request becomes a record in the log, and the lane's answer to it the caller's, or `fallback` in time.

Nothing is decided here. An answer that says yes was in the log before it was given (contract.md, HTTP).
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from connectors.codec import encode_fact
from connectors.http.answers import Cause, fallback, shown
from connectors.http.asgi import Answer, Call
from connectors.http.bodies import AuthorizationBody, CaptureBody, IncreaseBody, ReleaseBody, decode_body
from connectors.http.log import Log, LogFull
from connectors.http.problem import Problem
from connectors.http.shedding import SPREAD_MIN_S, Kind, Limits, Shedding
from connectors.http.tokens import Token
from connectors.replies import LaneReply, Replies
from connectors.store import reply_channel
from connectors.topology import partition_of
from risk.facts import (
    AuthorizationAbandoned,
    AuthorizationCaptureRequested,
    AuthorizationIncreaseRequested,
    AuthorizationReleaseRequested,
    AuthorizationRequested,
)
from risk.local_time import to_datetime

ANSWER_WITHIN_MS = 1_000

_Growing = AuthorizationRequested | AuthorizationIncreaseRequested
_Ending = AuthorizationCaptureRequested | AuthorizationReleaseRequested


class Now(Protocol):
    """The engine's clocks at this edge."""

    def monotonic_s(self) -> float:
        """For deadlines."""

    def instant_ms(self, partition: int) -> int:
        """What `occurred_at` says: the wall, or the shard's own now under `XINMAI_CLOCK=log`."""


class Place(NamedTuple):
    """Where requests go, and who is told the answers."""

    api_id: str
    topic: str
    partitions: int


def _as_funded(order: dict[str, Any], setl_id: str) -> dict[str, Any]:
    """What a capture answers anew once its bank has spoken: a draw that was refused is a top-up."""
    own = [each for each in order.get("settlements", ()) if each["setl_id"] == setl_id]
    amounts = {name: each[name] for each in own for name in ("captured_fen", "top_up_fen")}
    return {"funding_state": order["funding_state"], **amounts}


class Checkout:
    """The calls that ask a lane."""

    def __init__(
        self,
        place: Place,
        log: Log,
        replies: Replies,
        now: Now,
        *,
        pseudonym: Callable[[str], str],
        await_funding: Callable[[str, str, int], Any],
        shedding: Shedding | None = None,
        note_wait: Callable[[float], None] = lambda seconds: None,
        note_fallback: Callable[[str], None] = lambda cause: None,
    ) -> None:
        self._place = place
        self._log = log
        self._replies = replies
        self._now = now
        self._pseudonym = pseudonym
        self._await_funding = await_funding
        self._shedding = shedding or Shedding(Limits())
        self._waiting: dict[int, dict[str, float]] = {}  # partition -> attempt -> since when, oldest first
        self._note_wait = note_wait
        self._note_fallback = note_fallback
        self._channel = reply_channel(place.api_id)
        self._attempts = 0

    async def authorize(self, call: Call) -> Answer:
        """May this visit be paid on credit?"""
        body = decode_body(AuthorizationBody, call.body)
        partition, common = self._common(call.token, body, body.authorization_id, None)
        fact = AuthorizationRequested(
            mdtrt_id=body.mdtrt_id,
            service=body.service,
            med_type=body.med_type,
            amount_fen=body.amount_fen,
            scope=body.scope,
            agreement_no=body.agreement_no,
            medins_setl_id=body.medins_setl_id,
            emergency=body.emergency,
            **common,
        )
        return await self._ask_for_hold(call, fact, partition, body.answer_within_ms or ANSWER_WITHIN_MS)

    async def increase(self, call: Call) -> Answer:
        """May the hold grow?"""
        body = decode_body(IncreaseBody, call.body)
        partition, common = self._common(call.token, body, call.ids[0], body.request_id)
        fact = AuthorizationIncreaseRequested(amount_fen=body.amount_fen, **common)
        return await self._ask_for_hold(call, fact, partition, body.answer_within_ms or ANSWER_WITHIN_MS)

    async def capture(self, call: Call) -> Answer:
        """Take the patient's part out of the hold, and wait for the bank if the caller wants to."""
        body = decode_body(CaptureBody, call.body)
        partition, common = self._common(call.token, body, call.ids[0], body.request_id)
        fact = AuthorizationCaptureRequested(
            setl_id=body.setl_id, psn_cash_pay_fen=body.psn_cash_pay_fen, final=body.final, **common
        )
        reply = await self._ask_for_end(call, fact, partition)
        if reply.status == 200 and body.wait_ms:
            answer = orjson.loads(bytes(reply.body))
            order = await self._await_funding(fact.psn_no, answer.get("order_id") or "", body.wait_ms)
            if order is not None:
                answer |= _as_funded(order, body.setl_id)
                return shown(call.token, LaneReply(reply.attempt, 200, msgspec.Raw(orjson.dumps(answer))))
        return shown(call.token, reply)

    async def release(self, call: Call) -> Answer:
        """Give the hold back."""
        body = decode_body(ReleaseBody, call.body)
        partition, common = self._common(call.token, body, call.ids[0], body.request_id)
        fact = AuthorizationReleaseRequested(**common)
        return shown(call.token, await self._ask_for_end(call, fact, partition))

    def _common(
        self,
        token: Token,
        body: AuthorizationBody | IncreaseBody | CaptureBody | ReleaseBody,
        authorization_id: str,
        request_id: str | None,
    ) -> tuple[int, dict[str, Any]]:
        """The partition and what every request carries, once the token was found to act for the institution."""
        token.require_institution(body.fixmedins_code)
        if not 0 < len(authorization_id) <= 64 or ":" in authorization_id or not authorization_id.isascii():
            raise Problem("FIELD_INVALID", "authorization_id", why="1 to 64 printable ASCII characters, no colon")
        psn_no = self._pseudonym(body.psn_no)
        partition = partition_of(psn_no, self._place.partitions)
        event_id = f"auth:{body.fixmedins_code}:{authorization_id}"
        self._attempts += 1
        return partition, {
            "event_id": event_id if request_id is None else f"{event_id}:{request_id}",
            "occurred_at": to_datetime(self._now.instant_ms(partition)),
            "psn_no": psn_no,
            "source": token.name,
            "authorization_id": authorization_id,
            "fixmedins_code": body.fixmedins_code,
            "attempt": f"{self._place.api_id}-{self._attempts}",
            "reply_to": self._channel,
            "request_id": request_id,
        }

    async def _ask_for_hold(self, call: Call, fact: _Growing, partition: int, within_ms: int) -> Answer:
        """The lane's answer; or `fallback`: at once and without a trace if none could come in time, else abandoned."""
        deadline_s = call.arrived_s + within_ms / 1000
        cause = self._trouble(partition, deadline_s)
        if cause is None:
            self._check_load(Kind.HOLD if isinstance(fact, AuthorizationRequested) else Kind.INCREASE, partition)
            try:
                reply = await self._ask(fact, partition, deadline_s)
            except LogFull:
                cause = "log_full"
            else:
                if reply is not None:
                    return shown(call.token, reply)
                cause = "late"
                self._abandon(fact, partition)
        self._note_fallback(cause)
        return fallback(call.token, fact, cause)

    async def _ask_for_end(self, call: Call, fact: _Ending, partition: int) -> LaneReply:
        """The lane's answer to a capture or release, which stands once it is in the log, however late it is applied."""
        deadline_s = call.arrived_s + ANSWER_WITHIN_MS / 1000
        if self._log.is_stuck():
            raise Problem("LOG_AWAY", retry_after_s=self._shedding.retry_after_s(SPREAD_MIN_S))
        self._check_load(Kind.END, partition)
        try:
            reply = await self._ask(fact, partition, deadline_s)
        except LogFull:
            raise Problem("OVERLOADED", retry_after_s=self._shedding.retry_after_s(SPREAD_MIN_S)) from None
        if reply is None:
            raise Problem("LATE", retry_after_s=self._shedding.retry_after_s(SPREAD_MIN_S))
        return reply

    def _trouble(self, partition: int, deadline_s: float) -> Cause | None:
        """Why the shard cannot answer before the deadline, as far as can be seen from here."""
        now_s = self._now.monotonic_s()
        if self._log.is_stuck():
            return "log_stuck"
        if not self._replies.pulses.is_live(partition, now_s):
            return "no_lane"
        if now_s + self._replies.pulses.record_age_s(partition, now_s) > deadline_s:
            return "behind"
        return None

    def _check_load(self, kind: Kind, partition: int) -> None:
        """Turn the call away, before anything is appended, if too many wait for its shard for too long."""
        now_s = self._now.monotonic_s()
        waiting = self._waiting.get(partition, {})
        oldest_s = now_s - next(iter(waiting.values()), now_s)
        wait_s = max(oldest_s, self._replies.pulses.record_age_s(partition, now_s))
        self._shedding.check_shard(kind, partition, waiting=len(waiting), wait_s=wait_s, now_s=now_s)

    async def _ask(self, fact: _Growing | _Ending, partition: int, deadline_s: float) -> LaneReply | None:
        """Append and wait; None when the deadline came first."""
        future = self._replies.expect(fact.attempt)
        begun_s = self._now.monotonic_s()
        waiting = self._waiting.setdefault(partition, {})
        waiting[fact.attempt] = begun_s
        try:
            self._log.append(self._place.topic, partition, fact.psn_no, encode_fact(fact))
            self._replies.give_up_at(fact.attempt, deadline_s)
            return await future
        finally:
            self._replies.forget(fact.attempt)
            del waiting[fact.attempt]
            self._note_wait(self._now.monotonic_s() - begun_s)

    def _abandon(self, fact: _Growing, partition: int) -> None:
        """Tell the log that this attempt was answered `fallback`, behind its request in the same partition."""
        abandoned = AuthorizationAbandoned(
            event_id=fact.event_id,
            occurred_at=to_datetime(self._now.instant_ms(partition)),
            psn_no=fact.psn_no,
            source=fact.source,
            authorization_id=fact.authorization_id,
            fixmedins_code=fact.fixmedins_code,
            attempt=fact.attempt,
            reply_to="",
            request_id=fact.request_id,
        )
        encoded = encode_fact(abandoned)
        try:
            self._log.append(self._place.topic, partition, fact.psn_no, encoded)
        except LogFull:
            # The queue drains on its own; the hold must not wait for its expiry because of this moment.
            loop = asyncio.get_running_loop()
            loop.call_later(0.1, self._abandon, fact, partition)
