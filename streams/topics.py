"""`xinmai topics create|check`: topics that keep what the engine promises, with the first policy in each partition."""

from typing import TYPE_CHECKING

import orjson

from connectors.kafka import check_topics
from streams.activate import prepare_logs
from streams.logging_setup import log_to_stderr

if TYPE_CHECKING:
    from streams.settings import Settings


def prepare(settings: "Settings") -> str:
    """Create what is missing: topics, published marks at 0, the first policy. The policy's version."""
    policy = prepare_logs(
        settings.kafka,
        settings.topics,
        settings.policy_dir,
        partitions=settings.partitions,
        subjects_partitions=settings.subjects_partitions,
        replication=settings.replication,
        group=settings.group,
    )
    return policy.version


def create(settings: "Settings", *, as_json: bool) -> int:
    """Create what is missing and say what is there now."""
    log_to_stderr()
    version = prepare(settings)
    answer = {"topics": settings.topics.all, "policy": version}
    print(orjson.dumps(answer).decode() if as_json else f"{', '.join(answer['topics'])} exist; first policy {version}")
    return 0


def check(settings: "Settings", *, as_json: bool) -> int:
    """Exit 1 with one sentence per problem."""
    problems = check_topics(
        settings.kafka,
        settings.topics,
        partitions=settings.partitions,
        subjects_partitions=settings.subjects_partitions,
        replication=settings.replication,
    )
    if as_json:
        print(orjson.dumps({"problems": problems}).decode())
    else:
        print("\n".join(problems) or "the topics keep what they must keep")
    return 1 if problems else 0
