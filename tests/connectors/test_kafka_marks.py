"""Published marks on a real Kafka: they can be set only while nobody is a member, and that is waited for."""

import time
from threading import Timer

import pytest

from connectors.embedded import RealKafka
from connectors.kafka import consumer, create_topics, group_has_members, published_marks, set_published_mark
from connectors.topology import Topics

pytestmark = pytest.mark.kafka


def test_marks_wait_for_a_lane_that_has_just_ended_to_leave_its_group(real_kafka: RealKafka, topics: Topics):
    create_topics(real_kafka.bootstrap, topics, partitions=2, subjects_partitions=1)
    group = f"{topics.prefix}lanes"
    lane = consumer(real_kafka.bootstrap, group)
    lane.subscribe([topics.events])
    until_s = time.monotonic() + 20
    while not lane.assignment():
        assert time.monotonic() < until_s
        lane.poll(0.1)
    assert group_has_members(real_kafka.bootstrap, group)
    Timer(1.0, lane.close).start()
    set_published_mark(real_kafka.bootstrap, group, topics.events, {0: 0, 1: 0})
    assert published_marks(real_kafka.bootstrap, group, topics.events) == {0: 0, 1: 0}
    assert not group_has_members(real_kafka.bootstrap, group)
