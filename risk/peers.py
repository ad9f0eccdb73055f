"""One subject beside its peers: what was published of them (`peers.published`), and how it is computed.

A baseline is a fact in every partition of `subjects.v1`: which one a bill was judged by is a matter of the log's order,
so a replay judges by the same.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from risk.activity import Stored
from risk.facts import PeersPublished
from risk.local_time import local_day, to_ms
from risk.policy_counters import DayMeasure

KNOWN_DAYS: Final = 7
"""A baseline older than that says nothing any more: better no alert than one by last month's peers."""
_MILLION: Final = 1_000_000


class Baseline(Stored, frozen=True):
    """What the newest `peers.published` of one measure said; `day`: the last local day that it looked at."""

    day: int
    members: int
    p50_x1000000: int
    p90_x1000000: int


Baselines = dict[str, Baseline]
"""By measure, as `measure_key` names it."""


def measure_key(subject: str, counters: Iterable[str], window_days: int, least: int) -> str:
    """The name of a measure of peers: whose, of what, over which days."""
    return f"{subject}:{'/'.join(counters)}:{window_days}:{least}"


def heard(known: Baselines, fact: PeersPublished) -> Baselines | None:
    """The baselines with this one in its place; None where one as new is known already."""
    key = measure_key(fact.subject, fact.counters, fact.window_days, fact.least)
    day = local_day(to_ms(fact.occurred_at)) - 1
    if key in known and known[key].day >= day:
        return None
    return known | {key: Baseline(day, fact.members, fact.p50_x1000000, fact.p90_x1000000)}


def beside_peers(measure: DayMeasure, now: list[int], baseline: Baseline | None, end: int) -> int:
    """The subject's own measure, the first number for each of the second, in hundredths (or thousandths) of its peers';
    0 where it cannot be compared.
    """
    if baseline is None or end - baseline.day > KNOWN_DAYS or baseline.members < measure.least_peers:
        return 0
    of_peers = baseline.p90_x1000000 if measure.rank == 90 else baseline.p50_x1000000
    if not of_peers or now[-1] < measure.least:
        return 0
    return now[0] * _MILLION * measure.scale // (_per(now) * of_peers)


def _per(sums: Sequence[int]) -> int:
    return sums[1] if len(sums) > 1 else 1


def ranked(sums: Iterable[Sequence[int]], least: int) -> tuple[int, int, int]:
    """Members, p50 and p90 in millionths of the first number (for each of the second, if there is one), over whoever
    has `least` of the last.
    """
    own = sorted(each[0] * _MILLION // _per(each) for each in sums if each[-1] >= least)
    if not own:
        return 0, 0, 0
    p50, p90 = (own[-(-percent * len(own) // 100) - 1] for percent in (50, 90))
    return len(own), p50, p90
