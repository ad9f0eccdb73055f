"""The orders that the state holds open: emitted, and no final word from the bank. What the redrive goes by.

Each shard keeps an index of who has one, in the same commit as the record itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, cast

import msgspec
from redis.exceptions import RedisError

from connectors.errors import ConnectorError
from connectors.state_codec import unpack_credit
from connectors.store import KEY_PREFIX, Store
from connectors.stored_bytes import value_of
from connectors.topology import tags
from risk.credit import Context
from risk.decided import order_output
from streams.order_submission import OrderBody

KEYS_AT_ONCE = 500


class _Person(NamedTuple):
    """All that an order's body needs of its context."""

    psn_no: str


def open_orders(
    store: Store, partitions: int, shards: Callable[[], Iterable[int]]
) -> Callable[[], AsyncIterator[tuple[str, OrderBody]]]:
    """A walk over the open orders of `shards()`: (psn_no, body as on withholding.v1), a person's as emitted."""

    async def walk() -> AsyncIterator[tuple[str, OrderBody]]:
        for shard in shards():
            shard_key = f"{KEY_PREFIX}{tags('p', partitions)[shard]}"
            people = store.hash_values(f"{shard_key}:orders")
            while chunk := await asyncio.to_thread(_next_of, people):
                keys = [f"{shard_key}:c:{psn_no}" for psn_no, _ in chunk]
                values = await asyncio.to_thread(_read, store, keys)
                for (psn_no, _), value in zip(chunk, values, strict=True):
                    for body in bodies(psn_no, value) if value else ():
                        yield psn_no, body

    return walk


def bodies(psn_no: str, value: bytes) -> list[OrderBody]:
    """The open orders of one credit record, earliest first."""
    try:
        orders = [order for order in unpack_credit(value).orders if order.in_flight]
    except msgspec.DecodeError as error:
        raise ConnectorError("redis", f"a credit record cannot be read: {error}", retryable=False) from error
    context = cast(Context, _Person(psn_no))
    return [order_output(context, order).body for order in orders]


def _next_of(people: Iterator[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return list(islice(people, KEYS_AT_ONCE))


def _read(store: Store, keys: list[str]) -> list[Any]:
    try:
        return [value and value_of(value) for value in store.client.mget(keys)]
    except RedisError as error:
        raise ConnectorError("redis", str(error), retryable=True) from error
