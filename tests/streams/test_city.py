"""The simulated city: equal plans give equal bytes, amounts add up, and what is planted is there to be found."""

import tracemalloc
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from connectors.amounts import AmountProfiles
from connectors.codec import decode_fact, encode_fact
from connectors.national_line import read_national
from risk.facts import (
    BankOverdue,
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReversed,
    StaffFact,
    StockMoved,
    VisitOpened,
)
from risk.local_time import local_day, to_date, to_ms
from streams.city.canonical import facts_of
from streams.city.happenings import PAPER, Happening
from streams.city.misconduct import stages
from streams.city.plan import CityPlan
from streams.city.stream import Deliveries, expectations, facts, labels, national_lines, preencoded
from streams.city.traffic import Traffic
from streams.city.world import World

PLAN = CityPlan(people=3_000, institutions=30, first_day=20_520, days=4, seed=7)


@lru_cache(maxsize=2)
def told(plan: CityPlan) -> tuple[Fact, ...]:
    """A city's facts, made once for the tests that read them one after the other."""
    return tuple(facts(plan))


def counted(plan: CityPlan) -> dict[str, SettlementCompleted]:
    return {fact.event_id: fact for fact in told(plan) if isinstance(fact, SettlementCompleted)}


def labelled(plan: CityPlan) -> dict[str, Any]:
    """What a label may name: bills and their estimates, what is said of staff, of stock, and of debts."""
    kinds = SettlementCompleted | SettlementEstimated | StaffFact | StockMoved | BankOverdue
    return {fact.event_id: fact for fact in told(plan) if isinstance(fact, kinds)}


def test_equal_plans_give_equal_bytes_and_another_seed_gives_others():
    assert list(preencoded(PLAN)) == list(preencoded(PLAN))
    assert list(national_lines(PLAN)) == list(national_lines(PLAN))
    other = CityPlan(people=3_000, institutions=30, first_day=20_520, days=4, seed=8)
    assert {key for key, _ in preencoded(PLAN)}.isdisjoint(key for key, _ in preencoded(other))


def test_every_fact_survives_the_codec():
    for fact in told(PLAN):
        assert decode_fact(encode_fact(fact)) == fact


def test_amounts_add_up_to_the_fen():
    wrong = {label.event_ids[0] for label in expectations(PLAN) if label.rule == "Q03" and label.verdict != "innocent"}
    assert wrong
    for event_id, fact in counted(PLAN).items():
        parts_fen = fact.fund_pay_sumamt_fen + fact.psn_part_amt_fen + (fact.hosp_part_amt_fen or 0)
        assert (fact.medfee_sumamt_fen == parts_fen) == (event_id not in wrong)
        assert fact.psn_part_amt_fen == fact.acct_pay_fen + fact.psn_cash_pay_fen
        assert min(fact.fund_pay_sumamt_fen, fact.acct_pay_fen, fact.psn_cash_pay_fen) >= 0


def test_messages_arrive_in_order_of_delivery_and_some_of_them_late_or_twice():
    deliveries = list(Deliveries(PLAN))
    arrivals = [arrival_ms for arrival_ms, _ in deliveries]
    assert arrivals == sorted(arrivals)
    assert any(arrival_ms - happening.at_ms > 3_600_000 for arrival_ms, happening in deliveries)
    repeats = Counter(fact.event_id for fact in told(PLAN))
    assert 0 < sum(times > 1 for times in repeats.values()) < 0.05 * len(repeats)


def test_every_reversal_names_a_settlement_that_came_before_it_unless_it_is_late():
    punctual = CityPlan(people=3_000, institutions=30, first_day=20_520, days=4, seed=7, late_percent=0)
    seen, reversals = set(), 0
    for fact in facts(punctual):
        if isinstance(fact, SettlementCompleted):
            seen.add(fact.setl_id)
        if isinstance(fact, SettlementReversed):
            reversals += 1
            assert fact.setl_id in seen
    assert reversals


@pytest.mark.parametrize("days", [1, 4, 40])
def test_every_label_points_to_what_its_subject_did_on_that_day(days: int):
    plan = CityPlan(people=300, institutions=2, first_day=20_520, days=days, seed=3, plants=2)
    events = labelled(plan)
    doctors = {fact.mdtrt_id: fact.dr_code for fact in told(plan) if isinstance(fact, VisitOpened)}
    executors = {fact.mdtrt_id: fact.orders_dr_code for fact in told(plan) if isinstance(fact, FeeAdded)}
    lenders = {fact.psn_no: fact.fixmedins_code for fact in counted(plan).values()}
    found = labels(plan)
    assert {label.rule for label in found} >= {
        "P01",
        "P02",
        "P03",
        "P12",
        "P13",
        "P17",
        "D01",
        "M01",
        "L80",
        "L90",
        "Q02",
    }
    for label in found:
        evidence = [events[event_id] for event_id in label.event_ids]
        assert to_date(local_day(to_ms(evidence[0].occurred_at))).isoformat() == label.day
        for fact in evidence:
            if isinstance(fact, BankOverdue):
                assert label.subject == lenders[fact.psn_no]
                continue
            said = (fact.dr_code,) if isinstance(fact, StaffFact) else (fact.psn_no, fact.fixmedins_code)
            if isinstance(fact, StockMoved):
                said += (f"{fact.med_list_codg}@{fact.fixmedins_code[1:5]}",)  # the product, in the prefecture
            visit = getattr(fact, "mdtrt_id", "")
            assert label.subject in (*said, doctors.get(visit), executors.get(visit))
        assert max(evidence, key=lambda fact: fact.occurred_at) is evidence[0]


def test_honest_people_stay_clear_of_the_rules_that_are_planted():
    plan = CityPlan(people=3_000, institutions=30, first_day=20_520, days=30, seed=7)
    planted = {label.subject for label in labels(plan)}
    per_day: dict[tuple[str, int], set[str]] = defaultdict(set)
    for fact in counted(plan).values():
        if fact.fixmedins_type == "1":
            per_day[fact.psn_no, local_day(to_ms(fact.occurred_at))].add(fact.fixmedins_code)
    assert {psn_no for (psn_no, _), places in per_day.items() if len(places) >= 3} <= planted


def test_national_messages_map_to_the_same_facts_as_the_canonical_city():
    plan = CityPlan(people=1_000, institutions=12, first_day=20_520, days=3, seed=9, signed_percent=0)
    readings = [
        reading
        for line in national_lines(plan)
        for reading in read_national(orjson.loads(line), source="", now_ms=None, profiles=AmountProfiles())
    ]
    assert [reading.refused for reading in readings if reading.refused] == []
    mapped = [reading.fact for reading in readings]
    messages = (happening for _, happening in Deliveries(plan) if happening.infno != PAPER)
    expected = [replace_credit(fact) for happening in messages for fact in (*facts_of(happening), *unsold(happening))]
    assert mapped == expected
    assert any(isinstance(fact, FeeReversed) and fact.event_id.startswith("2103:") for fact in mapped)


def unsold(happening: Happening) -> list[Fact]:
    """A national 2103 takes back the lines inside its bill as well; this city sends all of its lines as 2204."""
    if happening.infno != "2103":
        return []
    (undone,) = facts_of(happening)
    common = {"event_id": f"2103:{happening.msgid}:1", "occurred_at": undone.occurred_at, "psn_no": undone.psn_no}
    bill = {"mdtrt_id": happening.visit.mdtrt_id, "chrg_bchno": happening.original_setl_id}
    return [FeeReversed(**common, source="", **bill)]


def replace_credit(fact: Fact) -> Fact:
    """The platform's settlement does not say how the patient paid."""
    return replace(fact, credit_fen=None) if isinstance(fact, SettlementCompleted) else fact


class Counting:
    """An engine that takes everything."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.lines: list[bytes] = []

    def post(self, form: str, lines: list[bytes]) -> Counter[str]:
        self.lines += lines
        return Counter(accepted=len(lines))

    def authorize(self, body: dict[str, object]) -> dict[str, object]:
        return {"decision": "deny"}


def test_an_engine_under_the_wall_clock_is_not_told_what_has_not_happened_yet():
    engine, end_ms = Counting(), PLAN.start_ms + PLAN.days * 86_400_000
    traffic = Traffic(PLAN, engine, form="canonical", speed=0, now_ms=lambda: end_ms)
    traffic.run()
    assert traffic.not_yet > 0, "somebody stays in hospital beyond the last day"
    assert max(to_ms(decode_fact(line).occurred_at) for line in engine.lines) <= end_ms


WITH_ACTS = CityPlan(people=300, institutions=8, first_day=20_537, days=45, seed=5, plants=2)


def test_misconduct_is_planted_beside_its_innocent_twin_and_on_both_sides_of_the_threshold():
    kinds = {"planted": set(), "below": set(), "innocent": set()}
    for label in expectations(WITH_ACTS):
        kinds[label.verdict].add(label.rule)
    assert kinds["planted"] - {"F03"} <= kinds["innocent"]
    assert {"P01", "P02", "P03", "P12", "P13", "P17", "D01", "M01"} <= kinds["below"] <= kinds["planted"]


def test_a_label_never_ends_before_it_crosses_and_knows_events_of_the_city():
    events = labelled(WITH_ACTS)
    for label in expectations(WITH_ACTS):
        assert label.ends_ms >= to_ms(events[label.event_ids[0]].occurred_at), label


def test_acts_begin_on_their_day_so_that_a_city_holds_only_what_is_under_way():
    world = World(WITH_ACTS)
    by_day = [len(list(stages(world, day))) for day in range(WITH_ACTS.days)]
    assert sum(by_day) == len(list(stages(world)))
    assert max(by_day) < sum(by_day) / 3, "spread by the seed"


def test_no_two_messages_of_a_city_share_an_id_unless_they_are_one():
    seen: dict[str, Fact] = {}
    for fact in told(WITH_ACTS):
        assert seen.setdefault(fact.event_id, fact) == fact


def test_a_city_of_millions_begins_without_making_its_people():
    tracemalloc.start()
    plan = CityPlan(
        people=5_000_000, institutions=3_000, first_day=20_537, days=30, seed=2, signed_percent=0, plants=20
    )
    delivered = islice(Deliveries(plan), 30_000)
    assert sum(1 for _ in delivered) == 30_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000_000, f"{peak:,} bytes"
