"""A release whose fold differs: the old one stops at the switch, the new one judges and proves nothing before it."""

from pathlib import Path

import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.log_reader import log_end
from connectors.topology import Topics, partition_of
from streams import activate, shards
from streams.activate import activate_fold, prepare_logs
from streams.city.settlements import preencoded
from streams.ownership import topology_of
from streams.rebuild import rebuild_log
from streams.settings import Settings
from streams.shards import ShardStopped
from streams.verify import Findings, logs, prove
from tests.pens import pen

SHIPPED = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"


class Engine:
    """The two logs and a Redis; `rebuild` stands for the lanes: the same fold, the same commits."""

    def __init__(self, kafka: MockKafka, redis: RedisServer, topics: Topics) -> None:
        self.settings = Settings(kafka=kafka.bootstrap, redis=redis.url, prefix=topics.prefix, clock="log")
        prepare_logs(kafka.bootstrap, topics, SHIPPED, partitions=4, subjects_partitions=4)

    def append(self, seed: int) -> None:
        client = pen(self.settings.kafka)
        for psn_no, value in preencoded(40, 10, seed):
            client.produce(self.settings.topics.events, value, partition=partition_of(psn_no, 4))
        client.flush(10)

    def fold(self, snapshots: Path | None = None) -> None:
        """As lanes would: every partition up to its end, or to where it must stop."""
        kafka, topics = self.settings.kafka, self.settings.topics
        remembered, _ = topology_of(kafka, topics, "log")
        for log in logs(kafka, topics, "log"):
            _, end = log_end(kafka, log.topic, log.partition)
            rebuild_log(kafka, self.settings.redis, log, end, topology=remembered[log.topic], snapshots=snapshots)

    def proof(self, snapshots: Path | None = None) -> Findings:
        where = (self.settings.kafka, self.settings.redis, self.settings.topics)
        return prove(*where, clock="log", outputs=False, snapshots=snapshots)


@pytest.fixture
def engine(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Engine:
    return Engine(mock_kafka, redis_62, topics)


@pytest.fixture
def newer_release(monkeypatch: pytest.MonkeyPatch):
    """Makes this process the next release."""

    def upgrade() -> None:
        monkeypatch.setattr(shards, "FOLD_VERSION", 2)
        monkeypatch.setattr(activate, "FOLD_VERSION", 2)

    return upgrade


def test_a_switch_hands_the_state_on_by_its_snapshot_and_what_lies_before_stays_the_old_releases(
    engine: Engine, newer_release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = log_end(engine.settings.kafka, engine.settings.topics.events, 0)
    assert activate_fold(engine.settings) == 1
    assert log_end(engine.settings.kafka, engine.settings.topics.events, 0) == before, "the first fold needs no switch"
    engine.append(seed=1)
    engine.fold()
    assert engine.proof(tmp_path).told == []  # the old release writes the switch snapshots
    newer_release()
    with pytest.raises(ShardStopped, match="belongs to fold 1"):
        engine.fold()  # before the switch is in the log, the new release refuses
    activate_fold(engine.settings)
    activate_fold(engine.settings)  # an interrupted activation is finished by a second one
    engine.append(seed=2)
    engine.fold(tmp_path)
    assert engine.proof(tmp_path).told == []
    monkeypatch.setattr(shards, "FOLD_VERSION", 1)
    with pytest.raises(ShardStopped, match="switches to fold 2"):
        engine.fold()  # the old release stops at the record
