"""A crowd at two API processes that all want the same few people's credit. Not a test.

Each client asks, asks again at the other process, contradicts himself, gives up early, captures, releases; settlements
of the same people flow meanwhile. Whatever the order, the log's own arithmetic must never pass a limit.
"""

import asyncio
import random
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from itertools import count
from threading import Thread
from typing import Any

import orjson

from risk.facts import SettlementCompleted
from risk.local_time import to_datetime
from tests.e2e.counter import Line
from tests.e2e.live_engine import INSTITUTION, LiveEngine, psn_no_of

AMOUNTS_FEN = (12_300, 61_500, 123_000)
CAPTURED_FEN = 1_700
AT_ONCE_MS = 4  # a deadline that few can keep
SETTLEMENTS_PER_S = 30


class Crowd:
    """So many clients, for so long. `said` collects what was contradictory; it must stay empty."""

    def __init__(self, engine: LiveEngine, people: int, *, clients: int = 16, seed: int = 1) -> None:
        self._engine = engine
        self._people = people
        self._clients = clients
        self._seed = seed
        self._numbers = count()
        self._lines: list[Line] = []
        self.said: list[tuple[Any, ...]] = []
        self.did: Tally[str] = Tally()
        self.waits_s: list[float] = []
        self.approved: dict[str, int] = {}

    def live(self, seconds: float) -> None:
        """Everybody at once, settlements beside them."""
        until_s = time.monotonic() + seconds
        flowing = Thread(target=self._settle, args=(until_s,))
        flowing.start()
        asyncio.run(self._all(until_s))
        flowing.join()

    def _settle(self, until_s: float) -> None:
        """Bills of the same people, paid otherwise: they cost no credit, and their records lie between the others."""
        for number in count():
            if time.monotonic() > until_s:
                return
            psn_no = psn_no_of(number % self._people)
            self._engine.append([_bill(psn_no, f"X{number}", f"XV{number}", 5_000, None)])
            time.sleep(1 / SETTLEMENTS_PER_S)

    async def _all(self, until_s: float) -> None:
        self._lines = [Line(port) for port in self._engine.ports]
        await asyncio.gather(*(self._client(number, until_s) for number in range(self._clients)))
        for line in self._lines:
            line.close()

    async def _client(self, number: int, until_s: float) -> None:
        chance = random.Random(self._seed * 1_000 + number)
        visits: Sequence[Callable[[random.Random, dict[str, Any]], Any]] = (
            self._asks_twice,
            self._gives_up_and_asks_again,
            self._contradicts_himself,
            self._captures,
            self._captures,
        )
        while time.monotonic() < until_s:
            name = f"C{next(self._numbers)}"
            body = {
                "authorization_id": name,
                "psn_no": psn_no_of(chance.randrange(self._people)),
                "fixmedins_code": INSTITUTION,
                "mdtrt_id": f"V{name}",
                "service": "visit_first",
                "med_type": "11",
                "amount_fen": chance.choice(AMOUNTS_FEN),
            }
            visit = chance.choice(visits)
            self.did[visit.__name__.strip("_")] += 1
            await visit(chance, body)
            if name in self.approved and chance.random() < 0.7:  # a visit ends; some holds stay
                await self._release(chance, body)

    async def _ask(self, line: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        sent_s = time.monotonic()
        status, said = await self._lines[line].post("/v1/authorizations", orjson.dumps(body))
        self.waits_s.append(time.monotonic() - sent_s)
        self.did[str(said.get("decision", f"{status} {said.get('code')}"))] += 1
        if said.get("decision") in ("approve", "partial"):
            self.approved[body["authorization_id"]] = said["approved_fen"]
        return status, said

    async def _asks_twice(self, chance: random.Random, body: dict[str, Any]) -> None:
        """The same question at both processes at once: one decision, told twice."""
        answers = [said for _, said in await asyncio.gather(self._ask(0, body), self._ask(1, body))]
        decided = [said for said in answers if said.get("decision") not in ("fallback", None)]
        if len(decided) == 2:
            same = {(said["decision_id"], said["decision"], said["approved_fen"]) for said in decided}
            if len(same) != 1 or sorted(said["replayed"] for said in decided) != [False, True]:
                self.said.append(("two answers to one question", *decided))

    async def _gives_up_and_asks_again(self, chance: random.Random, body: dict[str, Any]) -> None:
        """A retry at the other process races the abandonment of the first call; who is told yes holds."""
        hasty = body | {"answer_within_ms": AT_ONCE_MS}
        await asyncio.gather(self._ask(0, hasty), self._later(chance, 1, body))

    async def _later(self, chance: random.Random, line: int, body: dict[str, Any]) -> None:
        await asyncio.sleep(chance.random() * 0.02)
        await self._ask(line, body)

    async def _contradicts_himself(self, chance: random.Random, body: dict[str, Any]) -> None:
        """The same id with another amount, and another id for the same visit: 409, and what is wrong."""
        _, said = await self._ask(0, body)
        if said.get("decision") not in ("approve", "partial"):
            return
        status, problem = await self._ask(1, body | {"amount_fen": body["amount_fen"] + 1})
        if problem.get("decision") != "fallback" and (status, problem.get("field")) != (409, "amount_fen"):
            self.said.append(("another amount under the same id", status, problem))
        status, problem = await self._ask(1, body | {"authorization_id": f"{body['authorization_id']}b"})
        expected = (409, "HOLD_OPEN", body["authorization_id"])
        if problem.get("decision") != "fallback" and (status, problem.get("code"), problem.get("open_id")) != expected:
            self.said.append(("a second hold for the same visit", status, problem))

    async def _captures(self, chance: random.Random, body: dict[str, Any]) -> None:
        """Captured over HTTP at both processes at once, or by the settlement itself: booked once."""
        _, said = await self._ask(chance.randrange(2), body)
        if said.get("decision") not in ("approve", "partial") or said["approved_fen"] < CAPTURED_FEN:
            return
        name, psn_no = body["authorization_id"], body["psn_no"]
        if chance.random() < 0.5:
            capture = {name: body[name] for name in ("psn_no", "fixmedins_code")} | {
                "request_id": "c1",
                "setl_id": f"S{name}",
                "psn_cash_pay_fen": CAPTURED_FEN,
            }
            path = f"/v1/authorizations/{name}/capture"
            answers = await asyncio.gather(*(line.post(path, orjson.dumps(capture)) for line in self._lines))
            told = {answer["captured_fen"] for status, answer in answers if status == 200}
            if not told <= {CAPTURED_FEN} or any(status not in (200, 503) for status, _ in answers):
                self.said.append(("two captures under one request", *answers))
        bill = _bill(psn_no, f"S{name}", body["mdtrt_id"], CAPTURED_FEN, name)
        await asyncio.to_thread(self._engine.append, [bill])
        self.approved.pop(name)

    async def _release(self, chance: random.Random, body: dict[str, Any]) -> None:
        name = body["authorization_id"]
        release = {"request_id": "r1", "psn_no": body["psn_no"], "fixmedins_code": INSTITUTION}
        path = f"/v1/authorizations/{name}/release"
        answers = await asyncio.gather(*(line.post(path, orjson.dumps(release)) for line in self._lines))
        if any((status, said.get("state")) != (200, "released") and status != 503 for status, said in answers):
            self.said.append(("two releases under one request", *answers))
        del self.approved[name]


def _bill(psn_no: str, setl_id: str, mdtrt_id: str, cash_fen: int, authorization_id: str | None) -> SettlementCompleted:
    return SettlementCompleted(
        event_id=f"2207:{setl_id}",
        occurred_at=to_datetime(time.time_ns() // 1_000_000),
        psn_no=psn_no,
        source="hospital",
        setl_id=setl_id,
        mdtrt_id=mdtrt_id,
        fixmedins_code=INSTITUTION,
        fixmedins_type="1",
        med_type="11",
        medfee_sumamt_fen=2 * cash_fen,
        fund_pay_sumamt_fen=cash_fen,
        psn_part_amt_fen=cash_fen,
        acct_pay_fen=0,
        psn_cash_pay_fen=cash_fen,
        hosp_part_amt_fen=0,
        credit_fen=cash_fen if authorization_id else 0,
        authorization_id=authorization_id,
    )
