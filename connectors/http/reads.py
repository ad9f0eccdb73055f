"""The calls that ask what is: an authorization, an order, a person's credit. They read Redis and say as of when."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple, Protocol
from uuid import uuid4

import orjson
from confluent_kafka import KafkaException

from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.http.asgi import Answer, Call, json_answer
from connectors.http.bodies import CreditQueryBody, decode_body
from connectors.http.log import Log, LogFull
from connectors.http.masking import masked_authorization, masked_credit, masked_order
from connectors.http.problem import Problem
from connectors.http.tokens import Token
from connectors.pseudonym import is_pseudonym
from connectors.topology import partition_of
from risk.facts import QueryLogged
from risk.local_time import rfc3339, to_datetime
from risk.queries import person_of

DURABLE_WITHIN_S = 3.0
FUNDING_POLL_S, FUNDING_POLL_MAX_S = 0.05, 0.3  # ever longer: one thread reads for all who wait
AWAITED = "submitted"  # what is still pending waits for its hour, not for the bank


class People(Protocol):
    """Persons as the store has them now; every body carries `as_of`. Raises ConnectorError."""

    async def authorization(self, psn_no: str, fixmedins_code: str, authorization_id: str) -> dict[str, Any] | None:
        """What was decided and what is held now."""

    async def knows_authorization(self, psn_no: str, authorization_id: str, asking: Collection[str] | None) -> bool:
        """Whether one of the institutions `asking` (None: any) has or lately had an authorization of that id."""

    async def order(self, psn_no: str, order_id: str) -> dict[str, Any] | None:
        """Where the money of one order is."""

    async def credit(self, psn_no: str) -> dict[str, Any]:
        """Level, limits, bank lines, obligations, marks, blocks."""


class Topic(NamedTuple):
    """Where queries are logged."""

    name: str
    partitions: int


class Reads:
    """The three calls, and the wait of a capture for its bank."""

    def __init__(
        self,
        people: People,
        log: Log,
        *,
        queries: Topic,
        subjects: Topic,
        pseudonym: Callable[[str], str],
        pseudonyms_only: bool,
        wall_ms: Callable[[], int],
    ) -> None:
        self._people = people
        self._log = log
        self._queries = queries
        self._subjects = subjects
        self._pseudonym = pseudonym
        self._pseudonyms_only = pseudonyms_only
        self._wall_ms = wall_ms

    async def authorization(self, call: Call) -> Answer:
        """`GET /v1/authorizations/{id}?psn_no=&fixmedins_code=`"""
        psn_no = self._person_in_url(call)
        fixmedins_code = _required(call.query, "fixmedins_code")
        call.token.require_institution(fixmedins_code)
        body = await _read(self._people.authorization(psn_no, fixmedins_code, call.ids[0]))
        if body is None:
            raise Problem("NOT_FOUND")
        return json_answer(200, masked_authorization(body) if call.token.is_masked else body)

    async def order(self, call: Call) -> Answer:
        """`GET /v1/orders/{id}?psn_no=`; of other institutions' and banks' orders a token learns nothing."""
        body = await _read(self._people.order(self._person_in_url(call), call.ids[0]))
        token = call.token
        if body is None or not (
            (token.institutions is None or body.get("payee_fixmedins_code") in token.institutions)
            and (token.bank_code is None or body.get("bank_code") == token.bank_code)
        ):
            raise Problem("NOT_FOUND")
        return json_answer(200, masked_order(body) if token.is_masked else body)

    async def credit(self, call: Call) -> Answer:
        """`POST /v1/credit-queries`: recorded before it is answered: whether it is allowed, not that it was told."""
        asked = decode_body(CreditQueryBody, call.body)
        psn_no = self._pseudonym(asked.psn_no)
        token = call.token
        is_allowed = asked.purpose in token.purposes and (token.persons is None or psn_no in token.persons)
        query_id, asked_ms = f"cq_{uuid4().hex}", self._wall_ms()
        outcome: Literal["answered", "denied"] = "answered" if is_allowed else "denied"
        record = {
            "query_id": query_id,
            "asked_at": rfc3339(asked_ms),
            "asked_by": token.name,
            "roles": sorted(token.roles),
            "psn_no": psn_no,
            "purpose": asked.purpose,
            "authorization_ref": asked.authorization_ref,
            "outcome": "allowed" if is_allowed else "denied",
        }
        named = is_allowed and await self._names_authorization(psn_no, asked.authorization_ref, token)
        told = QueryLogged(
            event_id=query_id,
            occurred_at=to_datetime(asked_ms),
            source="engine",
            asked_by=token.name,
            person=person_of(psn_no),
            purpose=asked.purpose,
            outcome=outcome,
            names_authorization=named is not False,
        )
        await self._record(psn_no, orjson.dumps(record), told)
        if not is_allowed:
            raise Problem("FORBIDDEN_PURPOSE", "purpose")
        if named is None:
            raise Problem("STATE_AWAY", retry_after_s=2)
        body = await _read(self._people.credit(psn_no))
        return json_answer(200, masked_credit(body) if token.is_masked else body)

    async def _names_authorization(self, psn_no: str, named: str | None, token: Token) -> bool | None:
        """Whether what is named is an authorization of this person at an institution of the asker (T01).

        None where the state cannot be read: the asker is believed, and told nothing.
        """
        if named is None:
            return False
        try:
            return await self._people.knows_authorization(psn_no, named, token.institutions)
        except ConnectorError:
            return None

    async def answered_order(self, psn_no: str, order_id: str, wait_ms: int) -> dict[str, Any] | None:
        """An order as the bank answered it, waiting up to `wait_ms`; None when it cannot be read."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + wait_ms / 1000
        order, poll_s = None, FUNDING_POLL_S
        while order_id:
            try:
                order = await self._people.order(psn_no, order_id)
            except ConnectorError:
                return order
            left_s = deadline_s - loop.time()
            if order is None or order.get("funding_state") != AWAITED or left_s <= 0:
                return order
            await asyncio.sleep(min(poll_s, left_s))
            poll_s = min(FUNDING_POLL_MAX_S, 1.5 * poll_s)
        return order

    async def _record(self, psn_no: str, record: bytes, told: QueryLogged) -> None:
        """First who asked about whom, then the same without his number for the asker's shard: no count without it."""
        queries, subjects, asker = self._queries, self._subjects, told.shard_key
        partition = partition_of(psn_no, queries.partitions)
        home = partition_of(asker, subjects.partitions)
        try:
            async with asyncio.timeout(DURABLE_WITHIN_S):
                await self._log.append_durably(queries.name, partition, f"p{partition}", record)
                await self._log.append_durably(subjects.name, home, asker, encode_fact(told))
        except (LogFull, KafkaException, TimeoutError):
            raise Problem("LOG_AWAY", retry_after_s=2) from None

    def _person_in_url(self, call: Call) -> str:
        psn_no = _required(call.query, "psn_no")
        if len(psn_no) > 64:
            raise Problem("FIELD_INVALID", "psn_no", why="at most 64 characters")
        if self._pseudonyms_only and not is_pseudonym(psn_no):
            # A URL stands in the logs of every machine it passes.
            raise Problem("FIELD_INVALID", "psn_no", why="only pseudonyms (p1_ + 22 characters) may stand in a URL")
        call.token.require_person(psn_no)
        return psn_no


def _required(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise Problem("FIELD_MISSING", name)
    return value


async def _read(reading: Any) -> Any:
    try:
        return await reading
    except ConnectorError:
        raise Problem("STATE_AWAY", retry_after_s=2) from None
