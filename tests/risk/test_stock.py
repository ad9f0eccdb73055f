"""What is left of an item: each movement once, whatever the order of the log is cut into."""

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from connectors.codec import encode_fact
from connectors.state_codec import unpack_item
from connectors.store import Address
from risk.facts import PolicyActivated, StockMoved
from risk.local_time import SHANGHAI, to_ms
from risk.stock import DAYS_KEPT, NO_ITEM, Item, moved
from streams.shards import Record
from streams.subject_shard import SubjectShard
from tests.oracle.policy_text import policy_files
from tests.oracle.rules_oracle import Parameters

NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)


def movement(number: int, kind: str, count: int, *, days: int = 0, **more: object) -> StockMoved:
    return StockMoved(
        event_id=f"3505:M{number}:0",
        occurred_at=NOON + timedelta(days=days),
        fixmedins_code="P1",
        movement=kind,
        med_list_codg="X1",
        cnt_x10000=count,
        **more,
    )


def told(*facts: StockMoved) -> tuple[Item, list[str]]:
    item, results = NO_ITEM, []
    for fact in facts:
        item, result = moved(item, fact, to_ms(fact.occurred_at))
        results.append(result)
    return item, results


def test_what_is_left_is_the_count_and_what_moved_since() -> None:
    item, _ = told(
        movement(1, "counted", 100_000),
        movement(2, "purchased", 50_000),
        movement(3, "sold", 120_000),
        movement(4, "sale_returned", 10_000),
        movement(5, "purchase_returned", 5_000),
        movement(6, "changed_in", 1),
        movement(7, "changed_out", 2),
    )
    assert item.left_x10000 == 100_000 + 50_000 - 120_000 + 10_000 - 5_000 + 1 - 2


def test_a_movement_before_the_last_count_is_in_it_already() -> None:
    item, results = told(movement(1, "counted", 70_000), movement(2, "sold", 10_000, days=-1))
    assert (item.left_x10000, results) == (70_000, ["applied", "applied"])


@pytest.mark.parametrize(
    ("second", "result"),
    [(movement(1, "sold", 10_000), "duplicate"), (movement(1, "sold", 10_001), "conflict")],
)
def test_the_same_id_counts_once(second: StockMoved, result: str) -> None:
    item, results = told(movement(1, "sold", 10_000), second)
    assert (item.left_x10000, results[1]) == (-10_000, result)


def test_a_key_is_remembered_to_the_last_day_on_which_its_movement_would_count() -> None:
    sold = movement(1, "sold", 10_000)
    for days, result in ((DAYS_KEPT - 1, "duplicate"), (DAYS_KEPT, "late")):
        item, results = told(sold, movement(2, "sold", 1, days=days), sold)
        assert (item.left_x10000, results[2]) == (-10_001, result)


def drawn(seed: int, size: int = 120) -> list[StockMoved]:
    """Movements of a few items, late ones and repeated ones among them."""
    random, kinds = Random(seed), ("counted", "purchased", "sold", "sold", "sale_returned", "changed_out", "deleted")
    facts: list[StockMoved] = []
    for number in range(size):
        if facts and random.random() < 0.2:
            facts.append(random.choice(facts))
            continue
        fact = movement(number, random.choice(kinds), random.randrange(1, 9) * 10_000, days=random.randrange(70))
        facts.append(fact)
    return facts


def shard_of(values: dict[Address, bytes], before: SubjectShard | None) -> SubjectShard:
    """A new worker that stands where the last one stood."""
    shard = SubjectShard("{q0}", 0, partitions=1)
    if before is not None:
        shard.restore(before.state, values[shard.values.address("policy")], lambda _: (), f"{before.values.digest:x}")
    return shard


def folded(facts: list[StockMoved], cuts: list[int]) -> tuple[dict[Address, bytes], int, list[str]]:
    values: dict[Address, bytes] = {}
    shard, results = shard_of(values, None), []
    files = policy_files(Parameters(), ())
    named = {"version": "1", "digest": "", "files": files}
    switch = encode_fact(PolicyActivated(event_id="p", occurred_at=NOON, psn_no="", **named))
    lines = [switch, *(encode_fact(fact) for fact in facts)]
    for start, end in pairwise([0, *cuts, len(lines)]):
        for offset, value in enumerate(lines[start:end], start):
            record = Record(offset, to_ms(NOON), value)
            meaning = shard.decode(record)
            for address in shard.addresses([meaning]):
                shard.values.load(address, values.get(address))
            results.append(shard.apply(record, meaning).result)
        values |= shard.take_changes()
        shard = shard_of(values, shard)
    return values, shard.values.digest, results


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_of_the_log_gives_the_same_bytes(seed: int) -> None:
    facts = drawn(seed)
    random = Random(seed + 1_000)
    cuts = sorted(random.sample(range(1, len(facts)), 9))
    assert folded(facts, cuts) == folded(facts, [1])
    assert {"applied", "duplicate", "late", "waiting"} <= set(folded(facts, cuts)[2])


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_is_what_a_naive_reader_of_all_movements_finds(seed: int) -> None:
    facts = drawn(seed)
    values, _, results = folded(facts, [1])
    (item,) = (unpack_item(value) for (key, _), value in values.items() if ":g:" in key)
    signs = {"purchased": 1, "sale_returned": 1, "sold": -1, "changed_out": -1}
    left, counted_on = 0, -1
    for fact, result in zip(facts, results[1:], strict=True):
        day = (fact.occurred_at - NOON).days
        if result != "applied" or day < counted_on:
            continue
        if fact.movement == "counted":
            left, counted_on = fact.cnt_x10000 or 0, day
        else:
            left += signs[fact.movement] * (fact.cnt_x10000 or 0)
    assert item.left_x10000 == left
