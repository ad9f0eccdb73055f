"""Who is a peer of whom: a pharmacy is held beside pharmacies, a hospital beside hospitals, a doctor beside doctors."""

from pathlib import Path

from connectors.policy_files import read_policy_dir
from risk.contributions import INSTITUTION, STAFF
from risk.counters import COUNTERS, place_of
from risk.policy import parse_policy
from risk.subjects import Day, History, Subject
from streams.peers import Member, baselines_of, looks_of

POLICIES = Path(__file__).resolve().parents[2] / "config" / "policies"
DAY = 20_600


def member(kind: str, code: str, before_fen: int, now_fen: int) -> Member:
    """Paid so much in the 30 days before the last 30, and so much in those."""
    days = []
    for date, fen in ((DAY - 40, before_fen), (DAY - 10, now_fen)):
        counters = [0] * len(COUNTERS)
        counters[place_of("fund_fen")] = fen
        days.append(Day(date, counters))
    return Member(kind, code, Subject(day=Day(DAY - 1)), History(days))


def test_hospitals_are_no_peers_of_a_pharmacy() -> None:
    looks = looks_of([parse_policy(dict(read_policy_dir(POLICIES / "shaoyang")))], DAY)
    key = next(each for each in looks if "fund_fen" in each)
    pharmacies = [member(INSTITUTION, f"P43050{n:05d}", 600_000, 600_000) for n in range(10)]
    others = [member(INSTITUTION, f"H43050{n:05d}", 9_000_000, 0) for n in range(30)]
    found = baselines_of([*pharmacies, *others, member(STAFF, "P1", 9_000_000, 0)], looks, DAY)[key]
    assert (found.members, found.p50_x1000000, found.p90_x1000000) == (10, 1_000_000, 1_000_000)
