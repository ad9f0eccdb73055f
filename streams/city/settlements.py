"""Settlements and nothing else, in bulk: for benchmarks, and for logs whose alerts must be equal in two live runs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connectors.codec import encode_fact
from risk.facts import SettlementCompleted
from risk.local_time import to_datetime
from streams.city.visits import DAY
from streams.city.world import DISTRICTS

START_MS = 1_772_323_200_000
"""2026-03-01 00:00 UTC: benchmarks need no clock."""
MED_TYPES = ("11", "11", "11", "14", "41", "41")
DOCTORS = 10  # of each institution: some ten patients a day each at a full day's load
CHUNK = 50_000


class Settlements(NamedTuple):
    """Columns of so many settlements, oldest first."""

    person: npt.NDArray[np.int64]
    at_ms: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    medfee_fen: npt.NDArray[np.int64]


def columns(
    size: int,
    people: int,
    seed: int,
    *,
    span_days: float = 30,
    places: int = 300,
    large_share: float = 0.0,
    first_day: int = 0,
) -> Settlements:
    """Random settlements in order of time, from `first_day` after START_MS on; `large_share` of them are bills that P13
    must find.
    """
    rng = np.random.default_rng((seed, size, people))
    kind = rng.integers(0, len(MED_TYPES), size)
    fees = np.minimum(190_000 if large_share else 400_000, rng.lognormal(9.4, 0.9, size).astype(np.int64) + 100)
    fees[rng.random(size) < large_share] = 250_000
    return Settlements(
        person=rng.integers(0, people, size),
        at_ms=START_MS + first_day * DAY + np.sort(rng.integers(0, int(span_days * DAY), size)) // 1000 * 1000,
        place=rng.integers(0, places, size),
        kind=kind,
        medfee_fen=fees,
    )


def settlements_only(size: int, people: int, seed: int, **shape: float) -> Iterator[SettlementCompleted]:
    """`size` settlements of `people` persons, oldest first; `shape` is that of `columns`."""
    table = columns(size, people, seed, **shape)  # type: ignore[arg-type]
    prefix = f"4305{seed % 1000:03d}"
    for begin in range(0, size, CHUNK):
        chunk = [column[begin : begin + CHUNK].tolist() for column in table]
        for number, (person, at_ms, place, kind, medfee_fen) in enumerate(zip(*chunk, strict=True), begin):
            med_type = MED_TYPES[kind]
            district, at_pharmacy = DISTRICTS[place % len(DISTRICTS)], med_type == "41"
            fund_fen = medfee_fen // 2
            yield SettlementCompleted(
                event_id=f"2207:bench{seed}:{number}",
                occurred_at=to_datetime(at_ms),
                psn_no=f"{prefix}{person:013d}",
                setl_id=f"S{seed}.{number}",
                mdtrt_id=f"M{seed}.{number}",
                fixmedins_code=f"{'P' if at_pharmacy else 'H'}4305{district}{place + 1:05d}",
                fixmedins_type="2" if at_pharmacy else "1",
                med_type=med_type,
                insutype="390",
                dr_code=None if at_pharmacy else f"D4305{district}{place:03d}{(person + place) % DOCTORS:03d}",
                medfee_sumamt_fen=medfee_fen,
                fund_pay_sumamt_fen=fund_fen,
                psn_part_amt_fen=medfee_fen - fund_fen,
                acct_pay_fen=0,
                psn_cash_pay_fen=medfee_fen - fund_fen,
                mdtrtarea_admvs="430502",
                insuplc_admdvs="430502",
            )


def preencoded(size: int, people: int, seed: int, **shape: float) -> Iterator[tuple[str, bytes]]:
    """The same settlements as (partition key, canonical JSON)."""
    return ((fact.psn_no, encode_fact(fact)) for fact in settlements_only(size, people, seed, **shape))
