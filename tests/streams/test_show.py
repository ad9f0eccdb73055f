"""`xinmai show`: of whom nothing is known it says so, of a person as of an institution."""

import pytest

from connectors.embedded import MockKafka, RedisServer
from connectors.topology import Topics
from streams.settings import Settings
from streams.show import run_show
from streams.stop import Stop
from tests.pens import pen


@pytest.mark.parametrize("kind", ["person", "institution", "staff"])
def test_of_whom_nothing_is_known_it_says_so_and_exits_with_1(
    kind, mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics
):
    writer = pen(mock_kafka.bootstrap)
    for topic in topics.all:  # the in-process broker creates a topic when it is asked for
        writer.list_topics(topic, timeout=10)
    settings = Settings(kafka=mock_kafka.bootstrap, redis=redis_62.url, prefix=topics.prefix)
    with pytest.raises(Stop, match=f"nothing is known of {kind} nobody") as stopped:
        run_show(settings, kind, "nobody", as_json=True)
    assert stopped.value.exit_code == 1
