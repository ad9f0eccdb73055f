"""T01 beside a naive reading of random queries; what is kept of an asker; how the rule is written."""

import re
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest

from connectors.state_codec import pack
from risk.facts import QueryLogged
from risk.local_time import HOUR_MS, SHANGHAI, to_ms
from risk.policy import parse_policy
from risk.policy_examples import worked_example
from risk.policy_queries import query_rule
from risk.policy_rules import PERSONS_ASKED_MOST
from risk.queries import person_of
from risk.terms import PolicyError
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
FILES = shaoyang_files()
NUMBERS = count()
LEVELS = ((1, "asked", 51, 40), (2, "asked", 101, 80), (3, "denied", 3, 2))
Said = tuple[int, int, str, int]
"""At which query, which level, opened or closed, how many persons."""


def query(
    seconds: float, person: int, *, purpose: str = "audit", denied: bool = False, named: bool = False, by: str = "T1"
) -> QueryLogged:
    return QueryLogged(
        event_id=f"cq_{next(NUMBERS)}",
        occurred_at=NOON + timedelta(seconds=seconds),
        asked_by=by,
        person=person_of(f"P{person}"),
        purpose=purpose,  # type: ignore[arg-type]
        outcome="denied" if denied else "answered",
        names_authorization=named,
    )


def random_log(random: Random) -> list[QueryLogged]:
    """Some hours of two askers: rushes and quiet, many persons or few, some denied, some behind the one before."""
    log, seconds, pace = list[QueryLogged](), 0.0, random.choice((8, 8, 20, 40))
    for _ in range(random.randrange(300, 700)):
        seconds += random.randrange(pace) if random.random() < 0.99 else random.choice((1_800, 4_000))
        person = random.randrange(random.choice((5, 150, 600, 600)))
        denied = random.random() < (0.05 if seconds % 7_200 < 3_600 else 0.0)
        purpose = random.choice(("audit", "audit", "audit", "supervision", "checkout", "self"))
        at, named = seconds - random.choice((0, 0, 0, 0.5, 1_000)), random.random() < 0.5
        by = random.choice(("T1", "T1", "T1", "T2"))
        log.append(query(at, person, purpose=purpose, denied=denied, named=named, by=by))
    return log


def naive(log: list[QueryLogged]) -> list[Said]:
    """The same by whole lists: every query an asker ever made, each window counted anew."""
    said, made, open_levels = list[Said](), dict[str, list[tuple[int, int, bool]]](), set[tuple[str, int]]()
    for index, fact in enumerate(log):
        denied, mine = fact.outcome == "denied", made.setdefault(fact.asked_by, [])
        counter = fact.purpose == "checkout" and fact.names_authorization
        if not denied and (fact.purpose == "self" or counter):
            continue
        now_ms = max([to_ms(fact.occurred_at), *(at for at, _, _ in mine)])

        def persons(queries: list[tuple[int, int, bool]], counts: str, since_ms: int = now_ms - HOUR_MS) -> int:
            return len({who for at, who, no in queries if at > since_ms and (no or counts == "asked")})

        with_it = [*mine, (now_ms, fact.person, denied)]
        closed, opened = list[Said](), list[Said]()
        for level, counts, theta, rearm in LEVELS:
            key = (fact.asked_by, level)
            if key in open_levels and persons(mine, counts) < rearm:
                open_levels.remove(key)
                closed.append((index, level, "closed", persons(mine, counts)))
            if key not in open_levels and persons(with_it, counts) >= theta and (denied or counts == "asked"):
                open_levels.add(key)
                opened.append((index, level, "opened", persons(with_it, counts)))
        said += closed + opened
        made[fact.asked_by] = with_it
    return said


def test_random_logs_say_what_a_naive_reading_says_however_they_are_cut() -> None:
    heard: dict[tuple[int, str], int] = {}
    for seed in range(40):
        random = Random(seed)
        log = random_log(random)
        engine, cut = Engine(Parameters(), files=FILES), Engine(Parameters(), files=FILES)
        told = engine.fold(log)
        said = [(each.index, *(each.alert[key] for key in ("level", "episode", "observed"))) for each in told]
        assert said == naive(log), seed
        for _, level, word, _ in said:
            heard[level, word] = heard.get((level, word), 0) + 1
        assert cut.fold(log, cuts=random.sample(range(len(log)), len(log) // 4)) == told, seed
        assert cut.stored() == engine.stored(), seed
    assert all(heard[level, word] >= 10 for level in (1, 2, 3) for word in ("opened", "closed")), heard


def test_an_asker_of_a_million_persons_costs_what_the_newest_thousand_cost() -> None:
    engine = Engine(Parameters(), files=FILES)
    engine.fold([query(n / 10, n, denied=n % 2 == 0) for n in range(3 * PERSONS_ASKED_MOST)])
    (value,) = of_askers(engine)
    assert 2 * 16 * PERSONS_ASKED_MOST < len(value) < 2 * 16 * PERSONS_ASKED_MOST + 200


def test_what_no_window_holds_any_more_is_not_kept() -> None:
    engine, fresh = Engine(Parameters(), files=FILES), Engine(Parameters(), files=FILES)
    late = query(2 * 3_600, 500)
    engine.fold([*(query(n, n) for n in range(40)), late])
    fresh.fold([late])
    assert [len(value) for value in of_askers(engine)] == [len(value) for value in of_askers(fresh)]


def of_askers(engine: Engine) -> list[bytes]:
    return [value for (key, _), value in engine.stored()[0].items() if ":u:" in key]


def test_an_ordinary_query_leaves_no_trace() -> None:
    engine = Engine(Parameters(), files=FILES)
    engine.fold([query(n, n, purpose="checkout", named=True) for n in range(200)])
    assert not of_askers(engine)


def test_persons_are_told_apart_by_numbers_that_every_reader_of_json_holds_exactly() -> None:
    numbers = {person_of(f"p1_{n}") for n in range(10_000)}
    assert len(numbers) == 10_000
    assert max(numbers) < 2**53
    assert len(pack(max(numbers))) <= 9


TEXTS = {"text_zh": "{observed}", "text_en": "{observed}"}
ASKED: dict[str, Any] = {"counts": "asked", "theta": 51, "window_hours": 1, "kind": "suspicion", "sev": 2}
RULE: dict[str, Any] = {
    "levels": [ASKED, ASKED | {"counts": "denied", "theta": 3, **TEXTS}],
    "ordinary": [],
    "ordinary_with_authorization": ["checkout"],
    "precision_percent": 90,
    **TEXTS,
}


def test_levels_of_persons_asked_for_and_denied_rise_each_by_themselves() -> None:
    rule = query_rule(RULE, "T01")
    assert [(level.theta, level.rearm) for level in rule.levels] == [(51, 40), (3, 2)]
    assert rule.counts == ("asked", "denied")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"levels": [ASKED, ASKED | {"theta": 50}]}, "not above 51"),
        ({"levels": [ASKED | {"theta": PERSONS_ASKED_MOST + 1}]}, "outside 2 to 1000"),
        ({"levels": [ASKED | {"counts": "told"}]}, "Only asked, denied"),
        ({"levels": [ASKED | {"text_zh": "甲"}]}, "lacks text_en"),
        ({"ordinary": ["work"]}, "Only checkout, self"),
        ({"ordinary_with_ref": []}, "unknown key ordinary_with_ref"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(said)):
        query_rule(RULE | changed, "T01")


def test_the_rule_by_example_says_who_is_not_counted() -> None:
    policy = parse_policy(FILES)
    zh, en = worked_example(policy, "T01", 20_600)
    assert "第 51 名" in zh
    assert "self, checkout + authorization_ref" in en
    assert "being denied more than 2 different persons within 1 h opens level 3" in en
