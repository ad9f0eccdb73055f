"""Prices of a drug: what an institution tells of its own, what its market makes of it, and how little is kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from risk.facts import PriceTold, StockMoved, StockUndone
from risk.local_time import DAY_MS, SHANGHAI, day_of, local_day, to_ms
from risk.market import KNOWN_DAYS, NO_MARKET, NOBODY, Market, price_of, quartiles_before, spread_of, told
from risk.policy import parse_policy
from risk.prices import NO_PRICES, Prices, moved, region_of
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters

SHAOYANG = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
FILES = {path.name: path.read_text(encoding="utf8") for path in sorted(SHAOYANG.glob("*.toml"))}
NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
TERMS = parse_policy(FILES).on(day_of(NOON.date()))
YUAN = 1_000_000


def movement(number: int, kind: str, price: int | None, *, hours: float = 0, place: int = 1, **more: Any) -> StockMoved:
    fields: dict[str, Any] = {"fixmedins_code": f"H430501{place:05d}", "med_list_codg": "XA01", "cnt_x10000": 10_000}
    at, scaled = NOON + timedelta(hours=hours), None if price is None else price * YUAN
    named = fields | {"fixmedins_bchno": f"B{number}"} | more
    return StockMoved(event_id=f"M{number}", occurred_at=at, movement=kind, pric_x1000000=scaled, **named)


def undone(fact: StockMoved) -> StockUndone:
    named = {name: getattr(fact, name) for name in ("fixmedins_code", "movement", "med_list_codg", "cnt_x10000")}
    at = fact.occurred_at + timedelta(hours=1)
    return StockUndone(event_id=f"{fact.event_id}/0", occurred_at=at, moved_at=fact.occurred_at, **named)


def heard(*facts: StockMoved | StockUndone) -> tuple[Prices, list[tuple[str, int | None]]]:
    """What is kept of the movements, and what the market is told of them."""
    prices, said = NO_PRICES, []
    for fact in facts:
        after = moved(prices, fact, TERMS)
        if after is not None:
            prices, message = after
            said += [(message.event_id, message.pric_x1000000)] if message else []
    return prices, said


def test_a_price_is_told_when_it_is_another_one_and_again_after_a_month() -> None:
    days = [movement(n, "sold", 10, hours=24 * n) for n in range(62)]
    assert heard(*days)[1] == [("M0", 10 * YUAN), ("M30", 10 * YUAN), ("M60", 10 * YUAN)]
    _, said = heard(movement(1, "sold", 10), movement(2, "sold", 11, hours=1), movement(3, "purchased", 10, hours=2))
    assert said == [("M1", 10 * YUAN), ("M2", 11 * YUAN), ("M3", 10 * YUAN)]


@pytest.mark.parametrize(
    "silent",
    [
        movement(2, "sold", None, hours=1),
        movement(2, "sold", 0, hours=1),
        movement(2, "sold", 9, hours=1, trdn_flag=True),
        movement(2, "sold", 9, hours=-1),
        movement(2, "sale_returned", 9, hours=1),
        movement(2, "sold", 9, hours=1, fixmedins_code="999999999999"),
        movement(2, "sold", 9, hours=1, med_list_codg="T0001"),
    ],
    ids=["no price", "for nothing", "by the unit", "late", "returned", "no national code", "an item nobody asks for"],
)
def test_what_says_nothing_of_a_box_is_not_told(silent: StockMoved) -> None:
    before, _ = heard(movement(1, "sold", 10))
    assert moved(before, silent, TERMS) is None


def test_a_deleted_newest_movement_leaves_no_price_and_an_older_one_changes_nothing() -> None:
    first, second = movement(1, "sold", 10), movement(2, "sold", 11, hours=1)
    assert heard(first, second, undone(first))[1] == [("M1", 10 * YUAN), ("M2", 11 * YUAN)]
    assert heard(first, second, undone(second))[1][-1] == ("M2/0", None)
    assert heard(first, second, undone(second), undone(second))[1].count(("M2/0", None)) == 1
    assert heard(second, undone(second), movement(3, "sold", 11, hours=2))[1][-1] == ("M3", 11 * YUAN)


def test_a_price_sent_again_for_the_instant_of_a_deleted_one_is_the_newest() -> None:
    first, again, once_more = (movement(number, "sold", price) for number, price in ((1, 100), (2, 30), (3, 31)))
    prices, said = heard(first, undone(first), again, once_more)
    assert said == [("M1", 100 * YUAN), ("M1/0", None), ("M2", 30 * YUAN)]
    assert prices.sold.pric_x1000000 == 30 * YUAN
    assert heard(first, undone(first), again, undone(again), once_more)[1][-2:] == [("M2/0", None), ("M3", 31 * YUAN)]
    assert heard(first, undone(first), again, movement(4, "sold", 29, hours=1))[1][-1] == ("M4", 29 * YUAN)


def test_a_region_is_that_of_a_national_code() -> None:
    assert region_of("H43050200001") == region_of("P43050100001") == "4305"
    assert [region_of(code) for code in ("", "H43", "D43050100001", "未知", "H4305020000123", "H43O50200001")] == [
        ""
    ] * 6


def telling(place: int, price: int | None, *, days: float = 0) -> PriceTold:
    at = NOON + timedelta(days=days)
    named: dict[str, Any] = {"fixmedins_code": f"H430501{place:05d}", "med_list_codg": "XA01", "movement": "purchased"}
    scaled = None if price is None else price * YUAN
    return PriceTold(event_id=f"T{place}", occurred_at=at, moved_at=at, pric_x1000000=scaled, **named)


def market_of(*facts: PriceTold) -> Market:
    market = NO_MARKET
    for fact in facts:
        market = told(market, fact) or market
    return market


def test_the_spread_is_by_nearest_rank_and_leaves_out_whom_it_is_held_against() -> None:
    market = market_of(*(telling(place, place) for place in (3, 1, 2, 5, 4, 7, 6, 10, 9, 8)))
    assert spread_of(market) == (10, 1 * YUAN, 3 * YUAN, 5 * YUAN, 8 * YUAN, 9 * YUAN)
    assert spread_of(market, besides="H43050100010").members == 9
    assert spread_of(NO_MARKET) == NOBODY


def test_the_same_told_again_changes_nothing_and_a_withdrawn_price_stays_withdrawn() -> None:
    market = market_of(telling(1, 10), telling(1, None))
    assert price_of(market, "H43050100001") == 0
    assert told(market, telling(1, 10)) is None, "a worker that crashed tells it once more"
    assert told(market, telling(1, None)) is None
    assert told(market, telling(1, 11, days=-1)) is None
    assert spread_of(market).members == 0


def test_a_market_forgets_by_day_and_keeps_no_more_days_than_it_knows() -> None:
    market = market_of(*(telling(1, 10 + n % 2, days=n) for n in range(400)), telling(2, 10, days=300))
    assert len(market.quartiles) == 30 * KNOWN_DAYS
    assert len(market.prices) == 2 * 28
    assert len(market_of(telling(1, 10), telling(2, 10, days=KNOWN_DAYS)).prices) == 28
    still = market_of(*(telling(1, 10, days=n) for n in range(400)))
    assert len(still.quartiles) == 30, "a median that never moved is one point"
    assert quartiles_before(still, local_day(still.newest_ms), 30, 1) == (30, (300 * YUAN,) * 3)
    assert quartiles_before(still, local_day(still.newest_ms), 30, 2) == (0, (0, 0, 0))


# --- a naive reading of random logs ----------------------------------------------------------------------------------


def random_log(random: Random) -> list[StockMoved]:
    """Months of a drug at nine places: few prices, some late, some by the unit, some deleted, some told twice."""
    facts: list[StockMoved] = []
    hours = 0.0
    for number in range(random.randrange(40, 200)):
        hours += random.choice((1, 5, 40, 90)) + random.random() / 100
        if facts and random.random() < 0.08:
            gone = random.choice(facts[-12:])
            deleted = {"fixmedins_code": gone.fixmedins_code, "movement": "deleted"}
            at = NOON + timedelta(hours=hours)
            facts.append(
                StockMoved(event_id=f"D{number}", occurred_at=at, fixmedins_bchno=gone.fixmedins_bchno, **deleted)
            )
            if number % 2 and gone.movement != "deleted":  # and sent again, at another price
                price = (gone.pric_x1000000 or 0) + random.choice((-2, 0, 15)) * YUAN
                facts.append(replace(gone, event_id=f"M{number}", fixmedins_bchno=f"B{number}", pric_x1000000=price))
            continue
        price = (
            random.choice((10, 10, 10, 10, 11, 13)) + (12 if number > 90 else 0) + (9 if random.random() < 0.05 else 0)
        )
        unit = True if random.random() < 0.05 else None
        kind, late = random.choice(("purchased", "purchased", "sold")), random.choice((0, 0, 0, -30, -100))
        facts.append(movement(number, kind, price, hours=hours + late, place=random.randrange(1, 10), trdn_flag=unit))
        if random.random() < 0.05:
            facts.append(facts[-1])
    return facts


class Naive:
    """The same by whole lists: every price a place ever told, every day by itself."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], tuple[int, int | None, int]] = {}
        self.markets: dict[str, dict[str, tuple[int, int]]] = {"purchased": {}, "sold": {}}
        self.days: dict[str, dict[int, list[int]]] = {"purchased": {}, "sold": {}}
        self.clock: dict[str, int] = {"purchased": 0, "sold": 0}
        self.open: set[tuple[str, str, int, str]] = set()
        self.seen: set[str] = set()

    def tell(self, fact: StockMoved, batches: dict[str, StockMoved]) -> set[tuple[str, int, str, str]]:
        if fact.event_id in self.seen:
            return set()
        self.seen.add(fact.event_id)
        gone = batches.pop(fact.fixmedins_bchno or "", None) if fact.movement == "deleted" else None
        about = gone or fact
        if about.movement == "deleted":
            return set()
        if gone is None:
            batches[fact.fixmedins_bchno or ""] = fact
        at_ms, key = to_ms(about.occurred_at), (about.fixmedins_code, about.movement)
        known_ms, known_price, told_ms = self.newest.get(key, (0, None, 0))
        if gone is not None:
            if at_ms != known_ms or known_price is None:
                return set()
            self.newest[key] = (at_ms, None, at_ms)
            return self.hear(about, at_ms, None)
        if about.trdn_flag or at_ms < known_ms or (at_ms == known_ms and known_price is not None):
            return set()
        is_told = about.pric_x1000000 != known_price or at_ms - told_ms >= 30 * DAY_MS
        self.newest[key] = (at_ms, about.pric_x1000000, at_ms if is_told else told_ms)
        return self.hear(about, at_ms, about.pric_x1000000) if is_told else set()

    def hear(self, fact: StockMoved, at_ms: int, price: int | None) -> set[tuple[str, int, str, str]]:
        kind, place, day = fact.movement, fact.fixmedins_code, local_day(at_ms)
        market, newest_ms = self.markets[kind], self.clock[kind]
        if newest_ms and day > local_day(newest_ms):
            for each in range(local_day(newest_ms), day):
                self.days[kind][each] = sorted(value for _, value in market.values() if value)
            for old in [name for name, (told_at, _) in market.items() if local_day(told_at) <= day - 90]:
                del market[old]
        market[place] = (at_ms, price or 0)
        self.clock[kind] = max(newest_ms, at_ms)
        if at_ms < newest_ms - 2 * DAY_MS:
            return set()
        others = sorted(value for name, (_, value) in market.items() if value and name != place)
        apart = 0
        if price and len(others) >= 5 and not rank(others, 10) <= price <= rank(others, 90):
            apart = abs(price - rank(others, 50)) * 100 // rank(others, 50)
        said = self.levels("W01", kind, place, apart, ((1, 50), (2, 100)))
        for _, _, _, other in [each for each in self.open if each[0] == "W01" and each[1] == kind]:
            if other not in market:
                said |= self.levels("W01", kind, other, 0, ((1, 50), (2, 100)))
        if kind == "purchased":
            said |= self.levels("E01", kind, "XA01@4305", self.moved_by(kind, day), ((1, 30), (2, 50)))
        return said

    def moved_by(self, kind: str, day: int) -> int:
        now = sorted(value for _, value in self.markets[kind].values() if value)
        days = [self.days[kind].get(each, []) for each in range(day - 30, day)]
        known = [prices for prices in days if len(prices) >= 5]
        if len(now) < 5 or len(known) < 21:
            return 0
        sums = [
            (rank(now, percent) * len(known), sum(rank(each, percent) for each in known)) for percent in (25, 50, 75)
        ]
        if not (all(own > total for own, total in sums) or all(own < total for own, total in sums)):
            return 0
        return min(abs(own - total) * 100 // total for own, total in sums)

    def levels(
        self, rule: str, kind: str, subject: str, observed: int, thetas: Sequence[tuple[int, int]]
    ) -> set[tuple[str, int, str, str]]:
        said = set()
        for level, theta in thetas:
            key = (rule, kind, level, subject)
            if key not in self.open and observed >= theta:
                self.open.add(key)
                said.add((rule, level, subject, "opened"))
            elif key in self.open and observed < theta * 4 // 5:
                self.open.remove(key)
                said.add((rule, level, subject, "closed"))
        return said


def rank(values: list[int], percent: int) -> int:
    return values[-(-percent * len(values) // 100) - 1]


def test_random_logs_say_what_a_naive_reading_says_however_they_are_cut() -> None:
    opened = {"W01": 0, "E01": 0}
    for seed in range(100):
        random = Random(seed)
        log, naive, batches = random_log(random), Naive(), dict[str, StockMoved]()
        engine, cut = Engine(Parameters(), files=FILES), Engine(Parameters(), files=FILES)
        told_of = engine.fold(log)
        said = {(each.index, *(each.alert[key] for key in ("rule_id", "level", "subject_id", "episode")))
                for each in told_of if each.alert["rule_id"] in opened}  # fmt: skip
        expected = {(n, *each) for n, fact in enumerate(log) for each in naive.tell(fact, batches)}
        assert said == expected, seed
        for _, rule, _, _, word in said:
            opened[rule] += word == "opened"
        assert cut.fold(log, cuts=random.sample(range(len(log)), len(log) // 4)) == told_of, seed
        assert cut.stored() == engine.stored(), seed
    assert min(opened.values()) > 15, opened


def test_an_alert_says_what_the_price_was_held_against() -> None:
    engine = Engine(Parameters(), files=FILES)
    engine.fold([movement(n, "sold", 10, hours=n, place=n) for n in range(1, 6)])
    engine.fold([movement(9, "sold", 25, hours=9, place=9)])
    body = next(each.body for each in engine.outputs if each.body.get("rule_id") == "W01")
    assert body["med_list_codg"] == "XA01"
    assert body["prices_x1000000"] == {
        "movement": "sold", "region": "4305", "price": 25 * YUAN, "members": 5,
        "p10": 10 * YUAN, "p25": 10 * YUAN, "p50": 10 * YUAN, "p75": 10 * YUAN, "p90": 10 * YUAN,
    }  # fmt: skip
    assert "150%" in body["vola_cont_zh"]
