"""An order's way to its bank and its answer's way back into the log. It decides nothing; the fold does, by the answer.

What was submitted is known from the log alone: an order is open until the fold has applied its `bank.order_result`.
What is remembered here only spares calls. An order that somebody may have sent before is asked after first; sent twice,
the bank books it once. Orders of one agreement go one after the other, in the order they were emitted.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol
from weakref import WeakValueDictionary

from connectors.bank import BankAnswer, BankOrder
from connectors.errors import ConnectorError
from risk.facts import BankOrderResult, Fact
from risk.local_time import to_datetime

OrderBody = Mapping[str, Any]
OpenOrders = Callable[[], AsyncIterator[tuple[str, OrderBody]]]
_log = logging.getLogger(__name__)

AT_ONCE_MAX = 32
REMEMBERED_MAX = 200_000
BELIEVED_S = 60.0  # an order still open in the state so long after its answer was appended is asked after again
PATIENCE_S = (1.0, 2.0, 4.0, 8.0, 15.0)


class Gateway(Protocol):
    """The bank, as far as an order needs it."""

    async def submit(self, order: BankOrder) -> BankAnswer: ...

    async def query(self, order: BankOrder) -> BankAnswer | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the submitter asks before an order leaves, and where it brings what came of it."""

    append: Callable[[Fact], Awaitable[None]]
    shard_of: Callable[[str], int]
    is_live: Callable[[int], bool]
    is_owned: Callable[[int], bool]
    is_paused: Callable[[str, str], bool]
    now_ms: Callable[[str, OrderBody], int]
    count: Callable[[str, str], None]
    unanswered: Callable[[float], None] = lambda age_s: None
    """Hears of each redrive for how many seconds the oldest open order has had no clear answer from its bank."""


@dataclass(slots=True)
class _Memory:
    """What this process has seen of one attempt."""

    result: str = ""
    answered_s: float = float("-inf")
    tries: int = 0
    not_before_s: float = float("-inf")
    unclear_since_s: float | None = None  # it was asked, and nobody knows what the bank did


class OrderSubmitter:
    """Submits orders and appends their results; used by the agent and by the redrive at once."""

    def __init__(self, gateway: Gateway, around: Surroundings, clock: Callable[[], float] = monotonic) -> None:
        self._gateway = gateway
        self._around = around
        self._clock = clock
        self._memories: OrderedDict[str, _Memory] = OrderedDict()
        self._in_flight: set[str] = set()
        self._stuck: dict[str, str] = {}
        self._held_back: set[tuple[str, str]] = set()
        self._unclear_for_s = 0.0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(self, psn_no: str, body: OrderBody, *, is_new: bool) -> str:
        """One order: the bank's result, or why it waits. `is_new`: surely nobody has sent it before."""
        try:
            order = BankOrder.from_body(body)
        except ValueError as error:  # from our own fold: a bug, for which no bank is called
            _log.error("%s is not an order: %s", body.get("order_id"), error)
            return self._counted(str(body.get("kind", "")), "malformed")
        if waits := self._waits(psn_no, order):
            return waits
        if order.key in self._in_flight:
            return "in_flight"
        self._in_flight.add(order.key)
        turn = self._turns.setdefault(order.agreement_no, asyncio.Lock())
        try:
            async with turn:
                return self._waits(psn_no, order) or await self._carried(psn_no, body, order, is_new=is_new)
        finally:
            self._in_flight.discard(order.key)

    @property
    def is_released(self) -> bool:
        """Whether an order that a pause held back may leave now: the next redrive need not wait for its hour."""
        return any(not self._around.is_paused(*scope) for scope in self._held_back)

    async def redrive(self, open_orders: OpenOrders) -> int:
        """Submit or ask after every open order of our shards that has no result yet; how many were looked at."""
        self._stuck.clear()
        self._held_back.clear()
        self._unclear_for_s = 0.0
        slots = asyncio.Semaphore(AT_ONCE_MAX)
        seen = 0
        people: list[tuple[str, list[OrderBody]]] = []
        async for psn_no, body in open_orders():
            shard = self._around.shard_of(psn_no)
            if not (self._around.is_owned(shard) and self._around.is_live(shard)):
                continue
            seen += 1
            if people and people[-1][0] == psn_no:
                people[-1][1].append(body)
                continue
            if len(people) >= 32 * AT_ONCE_MAX:
                await asyncio.gather(*(self._redrive_person(slots, *person) for person in people))
                people = []
            people.append((psn_no, [body]))
        await asyncio.gather(*(self._redrive_person(slots, *person) for person in people))
        self._around.unanswered(self._unclear_for_s)
        return seen

    async def _redrive_person(self, slots: asyncio.Semaphore, psn_no: str, bodies: list[OrderBody]) -> None:
        async with slots:
            for body in bodies:
                memory = self._memories.get(f"{body.get('order_id')}:{body.get('attempt')}")
                self._note_unclear(memory, body)
                if memory is not None and self._clock() < memory.not_before_s:
                    # It was asked a moment ago. What follows it waits too, unless the bank has taken it in.
                    if memory.result != "accepted":
                        self._stuck.setdefault(str(body.get("agreement_no")), f"{body['order_id']}:{body['attempt']}")
                    continue
                await self.submit(psn_no, body, is_new=False)

    def _note_unclear(self, memory: _Memory | None, body: OrderBody) -> None:
        """An order that a pause holds back is nobody's to wonder about."""
        if memory is None or memory.unclear_since_s is None:
            return
        if not self._around.is_paused(str(body.get("bank_code")), str(body.get("payee_fixmedins_code"))):
            self._unclear_for_s = max(self._unclear_for_s, self._clock() - memory.unclear_since_s)

    def _waits(self, psn_no: str, order: BankOrder) -> str | None:
        """Why the order does not leave now, if so."""
        memory = self._memories.get(order.key)
        if memory is not None and self._clock() - memory.answered_s < BELIEVED_S:
            return "answered"
        if not self._around.is_live(self._around.shard_of(psn_no)):
            return "not_live"
        if self._around.is_paused(order.bank_code, order.payee_fixmedins_code):
            self._held_back.add((order.bank_code, order.payee_fixmedins_code))
            return self._counted(order.kind, "paused")
        if self._stuck.get(order.agreement_no, order.key) != order.key:
            return "behind"
        return None

    async def _carried(self, psn_no: str, body: OrderBody, order: BankOrder, *, is_new: bool) -> str:
        memory = self._remembered(order.key)
        try:
            answer = None if is_new and not memory.tries else await self._gateway.query(order)
            memory.tries += 1
            if answer is None:
                answer = await self._gateway.submit(order)
        except ConnectorError as error:
            memory.tries += 1
            self._postpone(order, memory, is_answered=False)
            level = logging.WARNING if error.retryable else logging.ERROR
            _log.log(level, "order %s waits: %s", order.order_id, error)
            return self._counted(order.kind, "not_reached" if error.retryable else "failed")
        if answer.result != memory.result or answer.is_final:
            try:
                await self._around.append(order_result(psn_no, order, answer, self._around.now_ms(psn_no, body)))
            except ConnectorError as error:  # the bank will say it again when it is asked
                self._postpone(order, memory)
                _log.warning("the bank's answer to %s waits: %s", order.order_id, error)
                return self._counted(order.kind, "not_appended")
            self._counted(order.kind, answer.result)
        memory.result = answer.result
        if answer.is_final:
            memory.answered_s, memory.unclear_since_s = self._clock(), None
            memory.tries = 0
        else:
            self._postpone(order, memory)
        return answer.result

    def _postpone(self, order: BankOrder, memory: _Memory, *, is_answered: bool = True) -> None:
        """Ask later. What the bank took in holds up no order behind it; that it is silent since is unclear too."""
        is_accepted = memory.result == "accepted"
        if not is_accepted:
            self._stuck.setdefault(order.agreement_no, order.key)
        if is_accepted and is_answered:
            memory.unclear_since_s = None
        elif memory.unclear_since_s is None:
            memory.unclear_since_s = self._clock()
        memory.not_before_s = self._clock() + PATIENCE_S[min(memory.tries, len(PATIENCE_S)) - 1]

    def _remembered(self, key: str) -> _Memory:
        memory = self._memories.setdefault(key, _Memory())
        self._memories.move_to_end(key)
        while len(self._memories) > REMEMBERED_MAX:
            self._memories.popitem(last=False)
        return memory

    def _counted(self, kind: str, result: str) -> str:
        self._around.count(kind, result)
        return result


def order_result(psn_no: str, order: BankOrder, answer: BankAnswer, occurred_ms: int) -> BankOrderResult:
    """The bank's answer as a fact. Its id says which answer to which attempt: told twice, it counts once."""
    return BankOrderResult(
        event_id=f"bank:{order.order_id}:{order.attempt}:{answer.result}",
        occurred_at=to_datetime(occurred_ms),
        psn_no=psn_no,
        source=f"bank:{order.bank_code}",
        order_id=order.order_id,
        attempt=order.attempt,
        result=answer.result,
        amount_fen=answer.amount_fen,
        bank_ref=answer.bank_ref,
        code=answer.code,
        cause=answer.cause,
        booked_at=answer.booked_at,
    )
