"""An intake edge made from settings: which topics, whose key, which profiles, what time it is."""

from collections.abc import Callable
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from connectors.amounts import AmountProfiles, parse_profiles
from connectors.errors import ConnectorError
from connectors.intake import Edge
from connectors.kafka import cluster_identity, is_mock
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics

if TYPE_CHECKING:
    from streams.settings import Settings


def now_ms() -> int:
    """This machine's clock: an edge may read it."""
    return time_ns() // 1_000_000


def open_edge(settings: "Settings", clock_ms: Callable[[], int] = now_ms) -> Edge:
    """The edge that `settings` describe. Asks Kafka for the partition count, which it must not guess."""
    topics = settings.topics
    _, existing = cluster_identity(settings.kafka, [topics.events, topics.subjects])
    for name in (topics.events, topics.subjects):
        if name not in existing:
            raise ConnectorError("kafka", f"{name} does not exist; run xinmai topics create", retryable=False)
    return Edge(
        topics=topics,
        partitions=existing[topics.events][1],
        pseudonyms=Pseudonyms(settings.pseudonym_key),
        profiles=read_profiles(settings.config_dir),
        now_ms=clock_ms,
        refuses_future=settings.clock == "wall",
        subjects_partitions=existing[topics.subjects][1],
    )


def read_profiles(config_dir: Path) -> AmountProfiles:
    """The amount profiles of config/amount_profiles.toml; without the file every source adds up as the nation does."""
    path = config_dir / "amount_profiles.toml"
    return parse_profiles(path.read_text(encoding="utf-8")) if path.exists() else AmountProfiles()


def is_embedded(kafka: str, topics: Topics) -> bool:
    """Whether the log is the in-process broker, which drops what is not read in time."""
    cluster_id, _ = cluster_identity(kafka, [topics.events])
    return is_mock(cluster_id)
