"""The straight line for ordinary settlements against the whole way: the same bytes, the same contributions."""

from functools import cache

import pytest

from connectors.state_codec import pack
from risk.facts import Fact, SettlementCompleted
from risk.local_time import local_day, to_ms
from risk.moment import Moment
from risk.ordinary import ordinary
from risk.person_fold import Person, apply
from risk.policy import Policy, parse_policy
from tests.oracle.logs import CAPS, seeded_log
from tests.oracle.policy_text import policy_files
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_companies import AT_ONCE, files, random_log

POLICY = parse_policy(policy_files(Parameters(), CAPS))


def moment_of(fact: Fact, policy: Policy) -> Moment:
    at_ms = to_ms(fact.occurred_at)
    day = local_day(at_ms)
    return Moment("p00@1", fact.event_id, at_ms, at_ms, at_ms, policy, policy.on(day), day)


def both_ways(facts: list[Fact], policy: Policy = POLICY) -> list[bool]:
    """Fold each fact the whole way; where the straight line answers too, compare. Which were ordinary."""
    people: dict[str, Person] = {}
    plain = []
    for fact in facts:
        person, moment = people.get(fact.psn_no, Person()), moment_of(fact, policy)
        whole = apply(person, fact, moment)
        if isinstance(fact, SettlementCompleted) and person.credit is None:
            short = ordinary(person.activity, fact, moment)
            plain.append(short is not None)
            if short is not None:
                assert pack(short[0]) == pack(whole.person.activity)
                assert (*short[1:], whole.result) == (whole.said, whole.contributions, "applied")
        people[fact.psn_no] = whole.person
    return plain


@pytest.mark.parametrize("seed", range(60))
def test_the_straight_line_gives_what_the_whole_way_gives(seed: int) -> None:
    ordinary_of(seed)


@cache
def ordinary_of(seed: int) -> list[bool]:
    """Which of a log's settlements were ordinary; both ways gave the same."""
    return both_ways(seeded_log(seed, moves=120, persons=4))


@pytest.mark.parametrize("people", [3, 4])
@pytest.mark.parametrize("seed", range(20))
def test_the_straight_line_tells_of_regulars_as_the_whole_way_does(seed: int, people: int) -> None:
    both_ways(random_log(seed, AT_ONCE[people]), parse_policy(files(people)))


def test_logs_hold_both_kinds() -> None:
    plain = [each for seed in range(60) for each in ordinary_of(seed)]
    assert 0.02 < sum(plain) / len(plain) < 0.95
