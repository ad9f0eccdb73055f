"""How a lane's batch is shared out: whose answers are waited for, what catches up, and what nobody waits for."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from streams.pace import CATCHING_UP, TOGETHER, shares_of


@dataclass
class Shard:
    """What a share depends on."""

    tag: str
    is_live: bool
    waiting: list[int] = field(default_factory=lambda: [1])

    @property
    def shard(self) -> Any:
        return SimpleNamespace(family=self.tag[0])


IDLE: list[int] = []
MANY = [1] * TOGETHER


@pytest.mark.parametrize(
    ("shards", "shares"),
    [
        ([], {}),
        ([Shard("p0", True, IDLE), Shard("q0", True, IDLE)], {}),
        ([Shard("p0", True), Shard("p1", True)], {"p0": 400, "p1": 400}),
        ([Shard("p0", True), Shard("p1", False)], {"p0": 400, "p1": 100}),
        ([Shard("p0", True), Shard("q0", False)], {"p0": 400, "q0": 100}),
        ([Shard("p0", True), Shard("q0", True)], {"p0": 400, "q0": 100}),
        # somebody may come at any moment: batches stay short, those of the second hop above all
        ([Shard("p0", True, IDLE), Shard("p1", False), Shard("q0", True)], {"p1": 400, "q0": 100}),
        ([Shard("p0", True, IDLE), Shard("q0", True)], {"q0": 200}),
        # nobody waits for an answer; subjects that are live hold nobody back
        ([Shard("p0", False), Shard("q0", True, MANY)], {"p0": 400 * CATCHING_UP, "q0": 400}),
        ([Shard("p0", False, IDLE), Shard("q0", True)], {"q0": 800}),
        # a few contributions wait for more while people catch up: a turn of theirs costs what a long one does
        ([Shard("p0", False), Shard("q0", True, MANY[1:])], {"p0": 400 * CATCHING_UP}),
        ([Shard("p0", False), Shard("p1", False, IDLE)], {"p0": 800 * CATCHING_UP}),
    ],
)
def test_a_batch_is_shared_out_by_who_is_waited_for(shards: list[Any], shares: dict[str, int]) -> None:
    assert shares_of(shards, 800) == shares


def test_every_shard_gets_at_least_one_record() -> None:
    live, behind = Shard("p0", True), Shard("p1", False)
    assert shares_of([live, behind], 1) == {"p0": 1, "p1": 1}  # type: ignore[list-item]
