"""What a shard forgets it reads again: however small the working set, what is said and what is stored are the same."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from benchmarks.both_hops import city_facts
from connectors.store import Address
from risk.facts import Fact
from streams.city.plan import CityPlan
from streams.city.settlements import settlements_only
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

SMALL = 5


class Late(Engine):
    """What it changed is stored one commit later, as a lane's is, which decides the next batch in the meantime."""

    on_the_way: tuple[dict[Address, bytes], ...] = ({}, {})

    def commit(self) -> None:
        for changes in self.on_the_way:
            self.store |= changes
        self.on_the_way = self.people.take_changes(), self.subjects.take_changes()


def told(facts: Iterable[Fact], *, kept: int | None) -> Late:
    """A commit every few records; behind each the shards forget all but so much."""
    engine = Late(Parameters(), files=shaoyang_files())
    for number, fact in enumerate(facts):
        engine.fold([fact])
        if number % 3:
            continue
        engine.commit()
        if kept is not None:
            for shard, ahead in zip((engine.people, engine.subjects), engine.on_the_way, strict=True):
                shard.forget_beyond(kept, [ahead])
    engine.commit()
    return engine


def city() -> list[Fact]:
    plan = CityPlan(people=40, institutions=4, first_day=20_537, days=6, signed_percent=50)
    return list(city_facts(plan))


@pytest.mark.parametrize("kept", [0, SMALL])
def test_what_is_forgotten_is_read_again(kept: int) -> None:
    facts = city()
    small, whole = told(facts, kept=kept), told(facts, kept=None)
    assert small.outputs == whole.outputs != []
    assert small.stored() == whole.stored()
    small.commit()
    small.people.forget_beyond(0)
    assert all(value for _, value in small.people.values.everything())  # what left an index is not kept as nothing


def test_who_comes_often_is_forgotten_last_and_no_more_go_than_have_to() -> None:
    engine = Engine(Parameters(), files=shaoyang_files())
    often, *others = settlements_only(12, 1_000_000, 3)
    assert often.dr_code is not None, "a bill of a hospital"
    for number, other in enumerate(others):
        own = {"event_id": f"e{number}", "setl_id": f"s{number}", "mdtrt_id": f"m{number}"}
        engine.fold([replace(often, occurred_at=other.occurred_at, **own), other])
        engine.commit()
        engine.people.forget_beyond(SMALL)
        engine.subjects.forget_beyond(4 * SMALL)
    values = engine.people.values
    assert values.missing([values.address("a", fact.psn_no) for fact in others]) == [
        values.address("a", fact.psn_no) for fact in others[: 1 - SMALL]
    ]
    assert values.missing([values.address("a", often.psn_no)]) == []
    told_of = engine.subjects.values
    assert told_of.missing([told_of.address("s", often.dr_code, "w")]) == []
    assert len(list(told_of.everything())) == 4 * SMALL + 2  # the policy and what peers have in common stay too
