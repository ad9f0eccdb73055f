"""The alert topic between two instants, read when asked, by a client of its own. It remembers nothing."""

import asyncio
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaException, TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka import is_mock
from streams.alert_routes import Heard, decode_alert

_TIMEOUT_S = 10.0
_BATCH = 1_000
_SILENT_MAX = 20  # empty reads of half a second in a row


class AlertHistory:
    """Looks alerts up by the instant at which the topic took them in."""

    def __init__(self, connect: Callable[[], Consumer], topic: str) -> None:
        self._connect = connect
        self._topic = topic

    async def between(self, start_ms: int, end_ms: int, keep: Callable[[Heard], bool]) -> list[Heard]:
        """Those appended in [start_ms, end_ms) that are to be kept, of all partitions. ConnectorError on any gap."""
        return await asyncio.to_thread(self._between, start_ms, end_ms, keep)

    def _between(self, start_ms: int, end_ms: int, keep: Callable[[Heard], bool]) -> list[Heard]:
        client = self._connect()
        try:
            return [each for each in self._read(client, start_ms, end_ms) if keep(each)]
        except KafkaException as error:
            raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error
        finally:
            client.close()

    def _read(self, client: Consumer, start_ms: int, end_ms: int) -> Iterator[Heard]:
        missing = self._spans(client, start_ms)
        client.assign([TopicPartition(self._topic, partition, first) for partition, (first, _) in missing.items()])
        silent = 0
        while missing:
            # asked for more than there is, it would wait out its time
            messages = client.consume(min(_BATCH, sum(end - reached for reached, end in missing.values())), 0.5)
            silent = 0 if messages else silent + 1
            if silent > _SILENT_MAX:
                raise ConnectorError("kafka", f"{self._topic} was not read to its end", retryable=True)
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
                partition, appended_ms = message.partition() or 0, message.timestamp()[1]
                alert = decode_alert(message.value())
                if alert is not None and start_ms <= appended_ms < end_ms and partition in missing:
                    yield Heard(alert, appended_ms)
                reached, end = (message.offset() or 0) + 1, missing.get(partition, (0, 0))[1]
                if appended_ms >= end_ms or reached >= end:
                    missing.pop(partition, None)
                else:
                    missing[partition] = (reached, end)

    def _spans(self, client: Consumer, start_ms: int) -> dict[int, tuple[int, int]]:
        """Per partition the first offset at or after `start_ms` and the end, where there is anything between."""
        metadata = client.list_topics(self._topic, _TIMEOUT_S)
        partitions = metadata.topics[self._topic].partitions
        asked = [TopicPartition(self._topic, partition, start_ms) for partition in partitions]
        firsts = {place.partition: place.offset for place in client.offsets_for_times(asked, _TIMEOUT_S)}
        spans = {}
        for partition in partitions:
            low, end = client.get_watermark_offsets(TopicPartition(self._topic, partition), _TIMEOUT_S)
            # the in-process broker looks nothing up by time: there everything is read
            first = low if is_mock(str(metadata.cluster_id)) else firsts[partition]
            if 0 <= first < end:
                spans[partition] = (max(low, first), end)
        return spans
