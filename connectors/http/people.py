"""One person as Redis has it now, read together with its position, in the bodies that queries answer."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import orjson

from connectors.errors import ConnectorError
from connectors.state_codec import unpack_activity, unpack_credit
from connectors.store import KEY_PREFIX, Store
from connectors.topology import partition_of, tags
from risk.activity import NOTHING
from risk.credit import Context, Credit
from risk.lifecycle import authorization_view, order_view, view
from risk.local_time import local_day, rfc3339
from risk.policy import Policy, parse_policy
from risk.requests import knows_authorization

READ_WITHIN_S = 2.0


class _Seen(NamedTuple):
    """What one read found: the record, where and when, and what a body says of that."""

    credit: Credit | None
    context: Context
    as_of: dict[str, Any]


class StoredPeople:
    """People by reading the store; one thread reads, so a slow Redis delays queries and nothing else."""

    def __init__(
        self,
        connect: Callable[[], Store],
        partitions: int,
        instant_ms: Callable[[int], int],
        wall_ms: Callable[[], int],
    ) -> None:
        self._connect = connect
        self._tags = tags("p", partitions)
        self._instant_ms = instant_ms
        self._wall_ms = wall_ms
        self._store: Store | None = None
        self._policies: dict[bytes, Policy] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="people")

    async def authorization(self, psn_no: str, fixmedins_code: str, authorization_id: str) -> dict[str, Any] | None:
        """What was decided and what is held now."""
        seen = await self._see(psn_no)
        body = authorization_view(seen.credit, fixmedins_code, authorization_id, seen.context)
        return None if body is None else body | {"as_of": seen.as_of}

    async def knows_authorization(self, psn_no: str, authorization_id: str, asking: Collection[str] | None) -> bool:
        """Whether one of the institutions `asking` (None: any) has or lately had an authorization of that id."""
        seen = await self._see(psn_no)
        return knows_authorization(seen.credit, authorization_id, asking)

    async def order(self, psn_no: str, order_id: str) -> dict[str, Any] | None:
        """Where the money of one order is."""
        seen = await self._see(psn_no)
        body = order_view(seen.credit, order_id, seen.context)
        if body is None:
            body = _coming_order(view(seen.credit, seen.context), order_id)
        return None if body is None else body | {"funding_state": body["state"], "as_of": seen.as_of}

    async def credit(self, psn_no: str) -> dict[str, Any]:
        """Level, limits, bank lines, obligations, marks, blocks; of one who never signed too."""
        seen = await self._see(psn_no)
        return view(seen.credit, seen.context) | {"as_of": seen.as_of}

    def close(self) -> None:
        """Stop reading."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    async def _see(self, psn_no: str) -> _Seen:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                return await loop.run_in_executor(self._reader, self._read, psn_no)
        except TimeoutError:
            raise ConnectorError("redis", f"no answer within {READ_WITHIN_S} s", retryable=True) from None

    def _read(self, psn_no: str) -> _Seen:
        """In the reader's thread."""
        if self._store is None:
            self._store = self._connect()
        partition = partition_of(psn_no, len(self._tags))
        tag = self._tags[partition]
        keys = [f"{KEY_PREFIX}{tag}:{name}" for name in (f"a:{psn_no}", f"c:{psn_no}", "policy")]
        ((position, (activity, credit, policy_text)),) = self._store.read([(tag, [(key, "") for key in keys])])
        if not policy_text:
            raise ConnectorError("redis", f"shard {tag} has no active policy", retryable=True)
        now_ms = self._instant_ms(partition)
        policy = self._policy(policy_text)
        known = unpack_activity(activity) if activity else NOTHING
        shard = tag.strip("{}")
        context = Context(
            now_ms=now_ms,
            occurred_ms=now_ms,
            event_id="",
            position=f"{shard}@{position.offset}",
            terms=policy.on(local_day(now_ms)),
            policy=policy,
            visit=None,
            visits=known.visits,
            psn_no=psn_no,
            area=known.area,
        )
        as_of = {"shard": shard, "offset": position.offset, "time": rfc3339(self._wall_ms())}
        return _Seen(unpack_credit(credit) if credit else None, context, as_of)

    def _policy(self, text: bytes) -> Policy:
        policy = self._policies.get(text)
        if policy is None:
            policy = self._policies[text] = parse_policy(orjson.loads(text)["files"])
        return policy


def _coming_order(credit_view: dict[str, Any], order_id: str) -> dict[str, Any] | None:
    """The debit that a capture named and that waits for the end of its visit or for its hour."""
    owed = [each for each in credit_view["obligations"] if each["order_id"] == order_id]
    if not order_id or not owed:
        return None
    agreement_no = owed[0]["agreement_no"]
    lines = credit_view["bank_lines"]
    return {
        "order_id": order_id,
        "psn_no": credit_view["psn_no"],
        "kind": "debit",
        "attempt": 0,
        "agreement_no": agreement_no,
        "bank_code": next((line["bank_code"] for line in lines if line["agreement_no"] == agreement_no), ""),
        "payee_fixmedins_code": owed[0]["fixmedins_code"],
        "amount_fen": sum(each["captured_fen"] for each in owed),
        "moved_fen": 0,
        "items": [{"setl_id": each["setl_id"], "amount_fen": each["captured_fen"]} for each in owed],
        "original_order_id": None,
        "state": "pending",
    }
