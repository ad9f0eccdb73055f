"""P18 against a naive reader of the whole log: who keeps coming together, however the log is cut into batches.

What the engine says must be a company by the definition, as large as it can be made, and new; where it says nothing,
there must be none. Which of several is told first is the engine's to choose.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from functools import cache
from itertools import combinations
from random import Random
from typing import Any, NamedTuple

import pytest

from connectors.state_codec import pack, unpack_gathered
from risk.companies import KEPT_DATES, NOBODY, heard
from risk.contributions import REGULAR, Contribution
from risk.facts import Fact, SettlementCompleted, SettlementReinstated, SettlementReversed
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, SHANGHAI, local_day, to_ms
from risk.policy import parse_policy
from risk.terms import PolicyError
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters

FIRST = datetime(2026, 3, 1, 9, tzinfo=SHANGHAI)
DAYS, WINDOW, GAP_MS, CROWD = 3, 30, 30 * MINUTE_MS, 5


def files(people: int, crowd: int = CROWD) -> dict[str, str]:
    return {
        "policy.toml": '[policy]\nplace = "naive"\nedition = "1"\ntitle_zh = "同行"\ntitle_en = "Companies"\n',
        "rules.toml": f"""
[[P18]]
effective_from = 2000-01-01
document = "this test"
article = "P18"
value.days = {DAYS}
value.gap_minutes = 30
value.crowd = {crowd}
value.levels = [{{ theta = {people}, window_days = {WINDOW}, kind = "suspicion", sev = 2 }}]
value.precision_percent = 90
value.text_zh = "{{observed}}"
value.text_en = "{{observed}}"
""",
    }


class Bill(NamedTuple):
    event_id: str
    person: str
    place: str
    at_ms: int

    @property
    def date(self) -> int:
        return local_day(self.at_ms)

    @property
    def half_hour(self) -> tuple[str, int]:
        return self.place, self.at_ms // GAP_MS


class Reader:
    """Everything that was told, read again at each fact."""

    def __init__(self, people: int) -> None:
        self.people = people
        self.bills: dict[str, Bill] = {}
        self.standing: list[Bill] = []
        self.present: list[Bill] = []
        self.crowded: set[tuple[str, int]] = set()
        self.marks: dict[str, set[str]] = {}
        self.newest: dict[str, int] = defaultdict(int)
        self.told = 0

    def reads(self, fact: Fact, said: list[dict[str, Any]]) -> None:
        """One fact, and what the engine said of it."""
        silent = not isinstance(fact, SettlementCompleted)
        if isinstance(fact, SettlementCompleted):
            bill = Bill(fact.event_id, fact.psn_no, fact.fixmedins_code, to_ms(fact.occurred_at))
            self.bills[fact.setl_id] = bill
            silent = bill.at_ms < self.newest[bill.person] - 48 * HOUR_MS
            self.standing.append(bill)
        elif isinstance(fact, SettlementReversed):
            bill = self.bills[fact.setl_id or ""]
            self.standing = [each for each in self.standing if each != bill]
        else:
            bill = self.bills[fact.setl_id or ""]  # type: ignore[attr-defined]
            self.standing += [] if bill in self.standing else [bill]
        if not isinstance(fact, SettlementReversed):
            self.newest[bill.person] = max(self.newest[bill.person], bill.at_ms)
        regular = [each for each in self.standing if self._is_regular(each)]
        self.present = [each for each in self.present if each in regular]
        self._unmark()
        alerts = {alert["vola_evid"][0]: alert for alert in said}
        fresh = [each for each in regular if each not in self.present and each.half_hour not in self.crowded]
        for each in sorted(fresh, key=lambda bill: bill.at_ms):
            self._came(each)
            found = [] if silent or each not in self.present else self._companies(each)
            assert bool(found) == (each.event_id in alerts), (each, found, said)
            if found:
                self._is_right(each, alerts.pop(each.event_id))
        assert not alerts

    def _is_regular(self, bill: Bill) -> bool:
        dates = {each.date for each in self.standing if (each.person, each.place) == (bill.person, bill.place)}
        return any(
            len({date for date in dates if first <= date < first + WINDOW}) >= DAYS
            for first in range(bill.date - WINDOW + 1, bill.date + 1)
        )

    def _came(self, bill: Bill) -> None:
        self.present.append(bill)
        if sum(each.half_hour == bill.half_hour for each in self.present) > CROWD:
            self.crowded.add(bill.half_hour)
            self.present = [each for each in self.present if each.half_hour != bill.half_hour]
            self._unmark()

    def _unmark(self) -> None:
        """What told of a company is forgotten with its bill."""
        known = {each.event_id for each in self.present}
        self.marks = {event: who for event, who in self.marks.items() if event in known}

    def _dates(self, bill: Bill, people: set[str]) -> set[int]:
        """The dates of the window on which all of them met, with the bill on its own."""
        window = (b for b in self.present if b.place == bill.place and bill.date - WINDOW < b.date <= bill.date)
        there = [each for each in window if each.person in people]
        found = set()
        for first in there:
            met = [each for each in there if each.date == first.date and 0 <= each.at_ms - first.at_ms < GAP_MS]
            if people == {each.person for each in met} and (first.date != bill.date or bill in met):
                found.add(first.date)
        return found if bill.date in found else set()

    def _companies(self, bill: Bill) -> list[set[str]]:
        """Every so many that are one and were not told of."""
        others = {each.person for each in self.present if each.place == bill.place} - {bill.person}
        some = [{bill.person, *two} for two in combinations(sorted(others), self.people - 1)]
        here = [each for each in self.present if each.place == bill.place]
        dates = {
            each.date for each in here if each.person == bill.person and bill.date - WINDOW < each.date <= bill.date
        }
        told = [self.marks[each.event_id] for each in here if each.event_id in self.marks and each.date in dates]
        return [each for each in some if len(self._dates(bill, each)) >= DAYS and not any(each <= who for who in told)]

    def _bill(self, event: str) -> Bill:
        return next(each for each in self.present if each.event_id == event)

    def _is_right(self, bill: Bill, alert: dict[str, Any]) -> None:
        evidence = [self._bill(event) for event in alert["vola_evid"]]
        company = {each.person for each in evidence}
        assert (alert["subject_kind"], alert["subject_id"]) == ("institution", bill.place)
        assert alert["observed"] == len(company) >= self.people == alert["allowed"]
        assert {each.date for each in evidence} == self._dates(bill, company)
        assert len(self._dates(bill, company)) >= DAYS
        for other in {each.person for each in self.present} - company:
            assert len(self._dates(bill, company | {other})) < DAYS, "somebody was left out"
        self.marks[bill.event_id] = company
        self.told += 1


AT_ONCE = {3: (1, 3, 4, 4, 5), 4: (4, 5, 5)}
"""How many come at a time, by how many are a company."""


def random_log(seed: int, at_once: tuple[int, ...]) -> list[Fact]:
    """Six people, two places, some weeks: alone or with some others at ten, some late, undone, or counted again."""
    random, facts, now = Random(seed), list[Fact](), FIRST
    while len(facts) < 120:
        now += timedelta(days=random.choice((0, 0, 1, 1, 1, 3)))
        start = now.replace(hour=random.choice((10, 10, 10, 10, 23)))
        place = random.choice((*("H1",) * 7, "P1"))
        for person in random.sample(range(6), random.choice(at_once)):
            late = timedelta(days=random.choice((0,) * 12 + (1, 2, 3)))
            at = start - late + timedelta(minutes=random.randrange(0, 36, 5))
            number = len(facts) + 1
            common: dict[str, Any] = {"event_id": f"E{number}", "occurred_at": at, "psn_no": f"P{person}"}
            bills = [fact for fact in facts if isinstance(fact, SettlementCompleted)][-12:]
            kind = random.choice((*("settle",) * 11, SettlementReversed, SettlementReinstated)) if bills else "settle"
            if kind == "settle":
                facts.append(settled(number, common, place))
            else:
                original = random.choice(bills)
                facts.append(kind(**(common | {"psn_no": original.psn_no}), setl_id=original.setl_id))
    return facts


def settled(number: int, common: dict[str, Any], place: str) -> SettlementCompleted:
    amounts = {"medfee_sumamt_fen": 9_000, "fund_pay_sumamt_fen": 0, "psn_part_amt_fen": 9_000}
    return SettlementCompleted(
        **common,
        **amounts,
        acct_pay_fen=0,
        psn_cash_pay_fen=9_000,
        setl_id=f"S{number}",
        mdtrt_id=f"V{number}",
        fixmedins_code=place,
        fixmedins_type="1",
        med_type="11",
    )


@cache
def read_through(people: int, seed: int) -> tuple[Engine, Reader]:
    """A random log fact by fact, each alert compared with what the naive reader finds."""
    reader, engine = Reader(people), Engine(Parameters(), files=files(people))
    for fact in random_log(seed, AT_ONCE[people]):
        before = len(engine.outputs)
        engine.fold([fact])
        reader.reads(fact, [output.body for output in engine.outputs[before:]])
    return engine, reader


@pytest.mark.parametrize(("people", "seed"), [*((3, seed) for seed in range(30)), *((4, seed) for seed in range(10))])
def test_the_engine_says_what_a_naive_reader_finds_however_the_log_is_cut(people: int, seed: int) -> None:
    facts, random = random_log(seed, AT_ONCE[people]), Random(seed)
    engine, cut = read_through(people, seed)[0], Engine(Parameters(), files=files(people))
    cut.fold(facts, cuts=random.sample(range(len(facts)), 30))
    assert (cut.outputs, cut.stored()) == (engine.outputs, engine.stored())


@pytest.mark.parametrize(("people", "companies"), [(3, 25), (4, 5)])
def test_the_random_logs_have_companies_and_crowds(people: int, companies: int) -> None:
    told = crowds = 0
    for seed in range(10):
        _, reader = read_through(people, seed)
        told, crowds = told + reader.told, crowds + len(reader.crowded)
    assert told >= companies, told
    assert crowds >= 8, crowds


@pytest.mark.parametrize(("people", "crowd"), [(2, 5), (5, 5), (4, 11), (3, 21)])
def test_a_policy_may_not_ask_for_a_couple_nor_for_more_companies_than_can_be_looked_through(
    people: int, crowd: int
) -> None:
    with pytest.raises(PolicyError, match=r"theta|crowd"):
        parse_policy(files(people, crowd))


def came(person: int, at_ms: int) -> Contribution:
    event = f"2207:H43050100001{at_ms:018d}:1"
    return Contribution(REGULAR, "H43050100001", 1, at_ms, at_ms, event, event, person, "1", "11", 0, 0, 0)


def test_a_place_keeps_no_more_of_a_date_than_its_half_hours_hold() -> None:
    midnight = to_ms(FIRST) - 9 * HOUR_MS
    kept = NOBODY
    for number in range(48 * 10):  # the fullest date: ten in each half hour, twenty digits to each event
        kept = heard(kept, came(2**63 + number, midnight + number * 3 * MINUTE_MS), 10)
    assert (len(kept.met), kept.crowded) == (480, 0)
    assert len(pack(kept)) < 480 * 40
    for number in range(1_000):
        kept = heard(kept, came(number, midnight + 9 * HOUR_MS + number), 10)
    assert (len(kept.met), kept.crowded) == (470, 1 << 18)
    assert unpack_gathered(pack(kept)) == kept


def test_a_date_takes_the_room_of_the_one_that_no_window_reaches_any_more() -> None:
    at_ms = to_ms(FIRST)
    old = heard(NOBODY, came(1, at_ms), 10)
    new = heard(old, came(2, at_ms + KEPT_DATES * DAY_MS), 10)
    assert [each.person for each in new.met] == [2]
    assert heard(new, came(3, at_ms), 10) is new
