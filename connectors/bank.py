"""The bank by contract, over signed HTTP: an order goes out, an answer comes back. It judges and remembers nothing.

    POST {url}/v1/orders                                    the order, with Idempotency-Key `{order_id}:{attempt}`
    GET  {url}/v1/orders/{order_id}/attempts/{attempt}      what became of it; 404 ORDER_UNKNOWN: it never arrived
    GET  {url}/v1/agreements/{agreement_no}/line            {agreement_no, bank_line_fen, as_of}
    GET  {url}/v1/statements/{bank_code}/{date}             what the bank booked that day (bank_statement.py)

The first two answer `{order_id, attempt, result, amount_fen, bank_ref?, booked_at?, code?, cause?}`. The bank books an
(order_id, attempt) once, however often it is sent; cancel and refund are orders too. Silence is not failure: an order
that may have arrived is asked after, and as long as nobody knows, the answer is `unknown`. What the bank tells us
unasked comes the other way (bank_notice.py); how both sides sign is bank_signature.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import time_ns
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
import msgspec

from connectors.bank_signature import signed_headers
from connectors.bank_statement import parse_statement
from connectors.circuit_breaker import CircuitBreaker
from connectors.errors import ConnectorError
from risk.facts.base import Whole
from risk.local_time import to_date
from risk.reconciliation import Booking

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Result = Literal["accepted", "settled", "partial", "rejected", "unknown", "cancelled"]
FINAL_RESULTS = frozenset({"settled", "partial", "rejected", "cancelled"})
ORDER_UNKNOWN = "ORDER_UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """The part of an order that pays one settlement."""

    setl_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BankOrder:
    """All that the bank is told. It knows the person by the agreement."""

    order_id: str
    kind: Literal["debit", "draw", "refund", "cancel"]
    attempt: int
    agreement_no: str
    bank_code: str
    payee_fixmedins_code: str
    amount_fen: int
    items: tuple[OrderItem, ...] = ()
    original_order_id: str | None = None
    not_before: str | None = None
    due_at: str | None = None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "BankOrder":
        """The order of a withholding record; what else the record carries stays here. ValueError when it is not one."""
        return msgspec.convert(dict(body), cls)

    @property
    def key(self) -> str:
        """What the bank books once."""
        return f"{self.order_id}:{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """What the bank says of one attempt of an order."""

    order_id: str
    attempt: int
    result: Result
    amount_fen: Whole = 0
    bank_ref: str | None = None
    code: str | None = None
    cause: Literal["person", "bank"] | None = None
    booked_at: Instant | None = None

    @property
    def is_final(self) -> bool:
        """Whether the bank will not say anything else of this attempt."""
        return self.result in FINAL_RESULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccess:
    """Where a bank listens, and the secret that both sides sign with."""

    url: str
    secret: str = field(repr=False)
    client_id: str = "xinmai"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """What the bank lends on one agreement now."""

    agreement_no: str
    bank_line_fen: Whole
    as_of: Instant


class BankGateway:
    """The client of all banks: one fuse per bank, one connection pool."""

    def __init__(
        self,
        banks: Mapping[str, BankAccess],
        *,
        other_banks: BankAccess | None = None,
        timeout_s: float = 5.0,
        breaker: Callable[[], CircuitBreaker] = CircuitBreaker,
    ) -> None:
        self._banks = banks
        self._other_banks = other_banks
        self._new_breaker = breaker
        self._breakers: dict[str, CircuitBreaker] = {}
        # No proxy from the environment: money goes only where the settings say.
        self._client = httpx.AsyncClient(timeout=timeout_s, trust_env=False, limits=httpx.Limits(max_connections=64))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    def is_resting(self, bank_code: str) -> bool:
        """Whether this bank is left alone now, because it failed several times in a row."""
        return bank_code in self._breakers and self._breakers[bank_code].is_open

    async def submit(self, order: BankOrder) -> BankAnswer:
        """Send the order once. ConnectorError: it surely did not arrive. `unknown`: nobody can say."""
        try:
            response = await self._call(order.bank_code, "POST", "/v1/orders", order)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ConnectorError(_name(order.bank_code), f"not reached: {error!r}", retryable=True) from error
        except httpx.HTTPError:
            return await self._ask_after(order)
        if response.status_code == 429:
            raise ConnectorError(_name(order.bank_code), "asks to slow down (429)", retryable=True)
        if response.status_code in (401, 403, 404, 405):
            raise ConnectorError(_name(order.bank_code), f"refuses us: {response.status_code}", retryable=False)
        if response.status_code in (400, 422):
            return _refused(order, response)
        if response.status_code >= 300:  # 409: the id is known with other content, so what was booked first counts
            return await self._ask_after(order)
        try:
            return _answer(order, response)
        except msgspec.DecodeError:
            return await self._ask_after(order)

    async def query(self, order: BankOrder) -> BankAnswer | None:
        """What became of the order; None: the bank never received it."""
        path = f"/v1/orders/{quote(order.order_id, safe='')}/attempts/{order.attempt}"
        response = await self._asked(order.bank_code, path)
        if response.status_code == 404 and _problem_code(response) == ORDER_UNKNOWN:
            return None  # any other 404 may be a wrong address, and must not be read as "never arrived"
        _check_answered(order.bank_code, response)
        try:
            return _answer(order, response)
        except msgspec.DecodeError as error:
            raise _unreadable(order.bank_code, error) from error

    async def line(self, bank_code: str, agreement_no: str) -> BankLine:
        """What the bank lends on an agreement now."""
        response = await self._asked(bank_code, f"/v1/agreements/{quote(agreement_no, safe='')}/line")
        _check_answered(bank_code, response)
        try:
            line = msgspec.json.decode(response.content, type=BankLine)
        except msgspec.DecodeError as error:
            raise _unreadable(bank_code, error) from error
        if line.agreement_no != agreement_no:
            raise ConnectorError(
                _name(bank_code), f"told the line of another agreement than {agreement_no}", retryable=False
            )
        return line

    async def statement(self, bank_code: str, day: int) -> list[Booking]:
        """What the bank booked on a local day."""
        response = await self._asked(bank_code, f"/v1/statements/{quote(bank_code, safe='')}/{to_date(day)}")
        _check_answered(bank_code, response)
        return parse_statement(response.content.decode(errors="replace"), bank_code=bank_code, day=day)

    async def _asked(self, bank_code: str, path: str) -> httpx.Response:
        try:
            return await self._call(bank_code, "GET", path, None)
        except httpx.HTTPError as error:
            raise ConnectorError(_name(bank_code), f"no answer to the query: {error!r}", retryable=True) from error

    async def _ask_after(self, order: BankOrder) -> BankAnswer:
        try:
            answer = await self.query(order)
        except ConnectorError as error:
            if not error.retryable:
                raise  # it will not be known later either, unless somebody acts
            answer = None
        if answer is not None:
            return answer
        # "Never arrived" right after a time-out may be "not yet": it stays unknown until the next query.
        return BankAnswer(
            order_id=order.order_id, attempt=order.attempt, result="unknown", code="NO_ANSWER", cause="bank"
        )

    async def _call(self, bank_code: str, method: str, path: str, order: BankOrder | None) -> httpx.Response:
        access = self._banks.get(bank_code, self._other_banks)
        if access is None:
            unknown = "no address in the settings: set XINMAI_BANK and XINMAI_BANK_SECRET, or name it in XINMAI_BANKS"
            raise ConnectorError(_name(bank_code), unknown, retryable=False)
        breaker = self._breakers.setdefault(bank_code, self._new_breaker())
        if not breaker.allows():
            raise ConnectorError(_name(bank_code), "left alone for a moment after several failures", retryable=True)
        answered = False
        try:
            response = await self._client.send(self._request(access, method, path, order))
            answered = response.status_code < 500 and response.status_code not in (401, 403, 429)
        finally:  # also when cancelled: who was allowed reports back
            (breaker.succeeded if answered else breaker.failed)()
        return response

    def _request(self, access: BankAccess, method: str, path: str, order: BankOrder | None) -> httpx.Request:
        body = b"" if order is None else msgspec.json.encode(order)
        now_ms = time_ns() // 1_000_000
        headers = signed_headers(access.secret, method, path, now_ms=now_ms, body=body, client_id=access.client_id)
        if order is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": order.key}
        return self._client.build_request(method, access.url.rstrip("/") + path, content=body, headers=headers)


def _name(bank_code: str) -> str:
    return f"bank {bank_code}"


def _check_answered(bank_code: str, response: httpx.Response) -> None:
    if response.status_code != 200:
        retryable = response.status_code == 429 or response.status_code >= 500
        said = f"{response.status_code} {_problem_code(response) or ''}".rstrip()
        raise ConnectorError(_name(bank_code), f"query answered {said}", retryable=retryable)


def _unreadable(bank_code: str, error: msgspec.DecodeError) -> ConnectorError:
    return ConnectorError(_name(bank_code), f"query answered no answer: {error}", retryable=True)


def _answer(order: BankOrder, response: httpx.Response) -> BankAnswer:
    answer = msgspec.json.decode(response.content, type=BankAnswer)
    if (answer.order_id, answer.attempt) != (order.order_id, order.attempt):
        raise ConnectorError(_name(order.bank_code), f"answered {order.key} with another order", retryable=False)
    fits = {
        "settled": answer.amount_fen == order.amount_fen,
        "partial": 0 < answer.amount_fen < order.amount_fen,
    }
    if not fits.get(answer.result, True):
        detail = f"{answer.result} {answer.amount_fen} fen for {order.key}, which orders {order.amount_fen}"
        raise ConnectorError(_name(order.bank_code), detail, retryable=False)
    return answer


def _refused(order: BankOrder, response: httpx.Response) -> BankAnswer:
    """The bank read the order and will not take it as it stands: no fault of the person."""
    code = _problem_code(response) or f"HTTP_{response.status_code}"
    return BankAnswer(order_id=order.order_id, attempt=order.attempt, result="rejected", code=code, cause="bank")


def _problem_code(response: httpx.Response) -> str | None:
    try:
        problem = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    code = problem.get("code")
    return code if isinstance(code, str) else None
