"""Beside one's peers: which baseline counts, what is compared, and that nobody is compared with last month's."""

from datetime import datetime, timedelta

import pytest

from risk.counters import COUNTERS
from risk.facts import PeersPublished
from risk.local_time import SHANGHAI, day_of
from risk.peers import KNOWN_DAYS, Baseline, beside_peers, heard, measure_key, ranked
from risk.policy_counters import DayMeasure
from risk.policy_rules import Level
from risk.subject_plan import Look, counters_beside
from risk.subjects import Day
from streams.peers import _own

MIDNIGHT = datetime(2026, 3, 31, tzinfo=SHANGHAI)
LAST_DAY = day_of(MIDNIGHT.date()) - 1
MEASURE = DayMeasure("over_peers", (0, 1), scale=100, least=30, rank=90, least_peers=10)


def published(**changes) -> PeersPublished:
    said = {
        "event_id": "peers:1",
        "occurred_at": MIDNIGHT,
        "psn_no": "",
        "subject": "institution",
        "counters": ("inpatient_fee_fen", "inpatient_bills"),
        "window_days": 30,
        "least": 30,
        "members": 12,
        "p50_x1000000": 300_000_000_000,
        "p90_x1000000": 400_000_000_000,
    }
    return PeersPublished(**(said | changes))


def test_the_newest_day_is_known_and_the_same_day_said_again_changes_nothing() -> None:
    key = measure_key("institution", ("inpatient_fee_fen", "inpatient_bills"), 30, 30)
    known = heard({}, published())
    assert known == {key: Baseline(LAST_DAY, 12, 300_000_000_000, 400_000_000_000)}
    assert heard(known, published(event_id="peers:2", members=13)) is None
    assert heard(known, published(occurred_at=MIDNIGHT - timedelta(days=1))) is None
    assert heard(known, published(occurred_at=MIDNIGHT + timedelta(days=1), members=13))[key].members == 13


def test_measures_of_other_days_or_of_another_least_stand_apart() -> None:
    known = heard(heard({}, published()), published(window_days=90))
    assert len(heard(known, published(least=31))) == 3


@pytest.mark.parametrize(
    ("now", "observed"),
    [
        ([40 * 400_000, 40], 100),  # 4,000 yuan a stay, as nine tenths do not exceed
        ([40 * 599_999, 40], 149),
        ([40 * 600_000, 40], 150),
        ([29 * 900_000, 29], 0),  # too few of its own
    ],
)
def test_ones_own_measure_in_hundredths_of_the_peers(now, observed) -> None:
    baseline = Baseline(LAST_DAY, 12, 300_000 * 10**6, 400_000 * 10**6)
    assert beside_peers(MEASURE, now, baseline, LAST_DAY + 1) == observed


@pytest.mark.parametrize(
    ("baseline", "end"),
    [
        (None, LAST_DAY + 1),
        (Baseline(LAST_DAY, 9, 1, 1), LAST_DAY + 1),  # fewer peers than the rule asks for
        (Baseline(LAST_DAY, 12, 0, 0), LAST_DAY + 1),  # they have none of it
        (Baseline(LAST_DAY, 12, 1, 1), LAST_DAY + KNOWN_DAYS + 1),
    ],
)
def test_where_nothing_can_be_compared_the_measure_is_nothing(baseline, end) -> None:
    assert beside_peers(MEASURE, [40 * 600_000, 40], baseline, end) == 0


def test_the_ranks_are_members_and_who_has_too_little_is_none() -> None:
    tenths = [(n * 100, 100) for n in range(1, 11)]
    assert ranked([*tenths, (99, 9)], 10) == (10, 5_000_000, 9_000_000)
    assert ranked([(700, 100)], 100) == (1, 7_000_000, 7_000_000)
    assert ranked([(700, 99)], 100) == (0, 0, 0)


def test_a_sum_is_held_beside_the_sums_of_its_peers() -> None:
    measure = DayMeasure("over_peers", (0,), scale=100, least=100_000, rank=90, least_peers=2)
    assert ranked([(100_000,), (200_000,), (99_999,)], 100_000) == (2, 100_000 * 10**6, 200_000 * 10**6)
    baseline = Baseline(LAST_DAY, 2, 100_000 * 10**6, 200_000 * 10**6)
    assert beside_peers(measure, [4_000_000], baseline, LAST_DAY + 1) == 2_000
    assert beside_peers(measure, [99_999], baseline, LAST_DAY + 1) == 0


def test_growth_beside_the_peers_growth_is_of_one_counter_and_the_days_before() -> None:
    measure = DayMeasure("growth_over_peers", (0,), scale=100, least=30, rank=50, least_peers=10)
    assert beside_peers(measure, [90, 30], Baseline(LAST_DAY, 12, 1_500_000, 2_000_000), LAST_DAY + 1) == 200
    assert beside_peers(measure, [90, 29], Baseline(LAST_DAY, 12, 1_500_000, 2_000_000), LAST_DAY + 1) == 0
    assert counters_beside(measure) == ("settlements", "settlements")
    look = Look("D10", Level(2, 200, 160, 0, "suspicion", 2), measure, 30, 59, 1, 1, "")
    days = [Day(LAST_DAY - ago, [1 + (ago < 30)] + [0] * (len(COUNTERS) - 1)) for ago in range(61)]
    assert _own(look, days, LAST_DAY) == (60, 30)
