"""The calendar months of an institution are the sums of its bills, whatever came in which order and was undone when."""

from collections import Counter
from datetime import date, timedelta
from random import Random

import pytest

from connectors.state_codec import unpack_history, unpack_subject
from risk.facts import Fact, SettlementCompleted, SettlementReversed
from risk.local_time import HOUR_MS, day_of, day_start_ms, to_date, to_datetime
from risk.months import MONTHLY, MONTHS_KEPT, january_of, last_day_of, month_number, month_of, year_ago
from risk.policy_counter_shapes import counter_rule
from risk.terms import PolicyError
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_policy_counters import LEVEL, rule

FIRST = day_of(date(2023, 11, 20))
HOSPITAL = "H43050200001"
YEAR_ON_YEAR = {"year_on_year": "fund_fen", "unit": "percent", "least": 1}


def bill(number: int, at_ms: int, fee_fen: int) -> SettlementCompleted:
    return SettlementCompleted(
        event_id=f"e{number}", occurred_at=to_datetime(at_ms), psn_no=f"P{number}", setl_id=f"S{number}",
        mdtrt_id=f"V{number}", fixmedins_code=HOSPITAL, fixmedins_type="1", med_type="11", medfee_sumamt_fen=fee_fen,
        fund_pay_sumamt_fen=fee_fen // 2, psn_part_amt_fen=fee_fen - fee_fen // 2, acct_pay_fen=0,
        psn_cash_pay_fen=fee_fen - fee_fen // 2,
    )  # fmt: skip


def some_years(random: Random) -> tuple[list[Fact], Counter[int], int]:
    """A log of bills, some late, some undone within ninety days; fees by month; and the newest day of a bill."""
    facts, fees, day, newest = list[Fact](), Counter[int](), FIRST, FIRST
    standing: list[tuple[int, int, int]] = []
    for number in range(random.randrange(60, 260)):
        day += random.choice((0, 0, 1, 2, 9, 30))
        own = max(FIRST, day - random.choice((0, 0, 0, 1, 40)))
        at_ms, fee_fen = day_start_ms(own) + random.randrange(24) * HOUR_MS, random.randrange(1, 10**6)
        facts.append(bill(number, at_ms, fee_fen))
        fees[month_of(own)] += fee_fen
        standing.append((number, own, fee_fen))
        newest = max(newest, own)
        if random.random() < 0.2:
            gone, its_day, its_fee = standing.pop(random.randrange(len(standing)))
            if its_day > newest - 90:
                undone = to_datetime(day_start_ms(day) + 23 * HOUR_MS)
                facts.append(
                    SettlementReversed(event_id=f"u{gone}", occurred_at=undone, psn_no=f"P{gone}", setl_id=f"S{gone}")
                )
                fees[month_of(its_day)] -= its_fee
    return facts, fees, newest


def test_the_months_of_an_institution_that_was_closed_for_half_a_year_outlast_its_days() -> None:
    facts: list[Fact] = [bill(number, day_start_ms(FIRST + 200 * number), 100) for number in range(3)]
    whole, cut = Engine(Parameters()), Engine(Parameters())
    whole.fold(facts)
    cut.fold(facts, range(len(facts)))
    assert cut.stored() == whole.stored()
    stored, *_ = cut.stored()
    history = unpack_history(stored[cut.subjects.values.address("i", HOSPITAL, "h")])
    assert [day.date for day in history.days] == []
    assert [month.month for month in history.months] == [month_of(FIRST + 200 * number) for number in range(2)]


@pytest.mark.parametrize("seed", range(40))
def test_months_are_the_sums_of_their_bills_however_the_log_is_cut(seed: int) -> None:
    random = Random(seed)
    facts, fees, newest = some_years(random)
    engine, cut = Engine(Parameters()), Engine(Parameters())
    engine.fold(facts)
    cut.fold(facts, cuts=random.sample(range(len(facts)), len(facts) // 5))
    stored, *_ = engine.stored()
    assert cut.stored() == engine.stored()
    values = {field: value for (key, field), value in stored.items() if key.endswith(f":i:{HOSPITAL}")}
    subject, history = unpack_subject(values["w"]), unpack_history(values["h"])
    assert subject.day.date == newest
    place = MONTHLY.index("outpatient_fee_fen")
    kept = {each.month: each.amounts[place] for each in history.months}
    today, this = subject.day.counters[8], month_of(newest)
    assert len(history.months) <= MONTHS_KEPT
    for month in range(this - MONTHS_KEPT + 1, this + 1):
        assert kept.get(month, 0) == fees[month] - (today if month == this else 0), month
    year = sum(fees[month] for month in range(january_of(newest), this + 1)) - today
    expected = [fees[this] - today, fees[this - 12], year]
    assert [row[place] for row in subject.months or [[0] * 4] * 3] == expected


def test_the_calendar() -> None:
    leap = day_of(date(2024, 2, 29))
    assert (month_of(leap), month_number(leap), january_of(leap)) == (2024 * 12 + 1, 2, 2024 * 12)
    assert to_date(last_day_of(leap - 28)) == date(2024, 2, 29)
    assert to_date(last_day_of(day_of(date(2025, 12, 1)))) == date(2025, 12, 31)
    assert to_date(year_ago(leap)) == date(2023, 2, 1)
    assert month_of(day_of(date(2024, 1, 1))) - month_of(day_of(date(2024, 1, 1) - timedelta(days=1))) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"measure": {"year_on_year": "night", "unit": "percent", "least": 1}}, "'night', which no month counts"),
        ({"measure": {"year_on_year": ["fund_fen", "medfee_fen"], "unit": "percent", "least": 1}}, "names 2 counters"),
        ({"measure": {"of_year": "fund_fen", "unit": "percent", "least": 1}}, "month"),
        ({"measure": {"of_year": "fund_fen", "month": 13, "unit": "percent", "least": 1}}, "month"),
        ({"measure": YEAR_ON_YEAR, "levels": [LEVEL]}, "Remove window_days"),
        ({"measure": YEAR_ON_YEAR, "subject": "staff", "types": None}, "kept of institutions"),
    ],
)
def test_what_no_month_tells_is_refused(changes: dict[str, object], says: str) -> None:
    date_level = {"theta": 10, "kind": "suspicion", "sev": 2}
    read = counter_rule("year_on_year", "of_year")
    with pytest.raises(PolicyError, match=says):
        read(rule(**({"levels": [date_level]} | changes)), "H12")
