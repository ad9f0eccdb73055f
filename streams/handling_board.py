"""What was done about alerts, as one worker sees it, and how a worker adds to it. Who cannot read it withholds nothing.

The board reads all of `handling.v1` at its start, and what is new twice a second. It withholds only what it is sure of:
one that has not read to the topic's end lately lets every alert through, so that a lifted suppression holds for nobody
longer than the summary looks back (risk/handling.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer

from connectors.errors import ConnectorError
from connectors.handling import ActReader
from connectors.kafka import consumer
from connectors.topology import Topics
from risk.handling import Act, AlertSuppressed, Handling

REFRESH_S = 0.5
STALE_S = 30.0  # half of what a summary looks further (LOOK_FURTHER_MS): what a late lifting withheld is in it
PATIENCE_S = 30.0  # at its start a worker tells nobody until it knows what is suppressed, but not for ever


class HandlingBoard:
    """The acts; `append` writes one and returns when Kafka has it."""

    def __init__(
        self,
        reader: ActReader,
        append: Callable[[Act], Awaitable[None]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.handling = Handling()
        self._reader = reader
        self._append = append
        self._clock = clock
        self._began_s = clock()
        self._read_s = float("-inf")
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Take in what is new. ConnectorError when the topic's end was not reached."""
        async with self._turn:
            began_s = self._clock()
            for act in await asyncio.to_thread(self._reader.read):
                self.handling.apply(act)
            self._read_s = began_s

    async def add(self, act: Act) -> None:
        """Append an act of this worker, and know it at once. ConnectorError when Kafka did not take it."""
        await self._append(act)
        self.handling.apply(act)

    def withheld_by(self, alert: Mapping[str, Any], appended_ms: int) -> AlertSuppressed | None:
        """The suppression under which the alert came. ConnectorError while it is not known yet what is suppressed."""
        if self._read_s == float("-inf") and self._clock() - self._began_s < PATIENCE_S:
            raise ConnectorError("handling", "what is suppressed is not read yet", retryable=True)
        return self.handling.withheld_by(alert, appended_ms) if self.is_fresh() else None

    def is_fresh(self) -> bool:
        """Whether the end of the topic was reached lately."""
        return self._clock() - self._read_s <= STALE_S

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()


def reading_client(bootstrap: str) -> Consumer:
    """A client that is assigned what it reads and a member of nothing."""
    over = {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 50}
    return consumer(bootstrap, f"xinmai-reader-{uuid4().hex[:12]}", **over)


def read_acts(bootstrap: str, topics: Topics) -> list[Act]:
    """Everything that was done about alerts until now."""
    reader = ActReader(lambda: reading_client(bootstrap), topics.handling)
    try:
        return reader.read()
    finally:
        reader.close()
