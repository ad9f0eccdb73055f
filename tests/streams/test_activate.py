"""Which policy may follow which: what open holds and debts need is never taken from them."""

from pathlib import Path

import orjson
import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.log_reader import log_end
from connectors.policy_files import read_policy_dir
from connectors.store import KEY_PREFIX
from connectors.topology import Topics, tags
from risk.policy import PolicyError
from streams.activate import activate_policy, prepare_logs
from streams.settings import Settings

SHIPPED = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"


@pytest.fixture
def settings(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Settings:
    prepare_logs(mock_kafka.bootstrap, topics, SHIPPED, partitions=4, subjects_partitions=4)
    return Settings(kafka=mock_kafka.bootstrap, redis=redis_62.url, prefix=topics.prefix)


@pytest.fixture
def without_credit(tmp_path: Path) -> Path:
    for name in ("policy.toml", "rules.toml"):
        (tmp_path / name).write_text((SHIPPED / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_a_policy_without_credit_cannot_follow_one_with_it_even_before_a_lane_began(settings, without_credit):
    with pytest.raises(PolicyError, match=r"debit_hours.*reopen_ms|reopen_ms.*debit_hours"):
        activate_policy(settings, without_credit)
    assert log_end(settings.kafka, settings.topics.events, 0)[1] == 1, "nothing was appended"
    activate_policy(settings, SHIPPED)
    assert log_end(settings.kafka, settings.topics.events, 0)[1] == 2


def test_what_is_in_force_is_what_the_shards_stand_under(settings, without_credit, redis_62):
    def stand_under(directory: Path, *shards: str) -> None:
        value = orjson.dumps({"version": "v", "files": dict(read_policy_dir(directory))})
        with redis_62.client() as client:
            for tag in shards:
                client.set(f"{KEY_PREFIX}{tag}:policy", value)

    everyone = tags("p", 4)
    stand_under(without_credit, *everyone)
    activate_policy(settings, without_credit)
    stand_under(SHIPPED, everyone[3])
    with pytest.raises(PolicyError, match="which is in force"):
        activate_policy(settings, without_credit)
