"""Settlements and nothing else, in bulk: for benchmarks, and for logs whose alerts must be equal in two live runs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from risk.facts import SettlementCompleted
from risk.local_time import to_datetime
from streams.city.visits import DAY
from streams.city.world import DISTRICTS

START_MS = 1_772_323_200_000
"""2026-03-01 00:00 UTC: benchmarks need no clock."""
MED_TYPES = ("11", "11", "11", "14", "41", "41")
CHUNK = 50_000


class Settlements(NamedTuple):
    """Columns of so many settlements, oldest first."""

    person: npt.NDArray[np.int64]
    at_ms: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    medfee_fen: npt.NDArray[np.int64]


def columns(
    size: int, people: int, seed: int, *, span_days: float = 30, places: int = 300, large_share: float = 0.0
) -> Settlements:
    """Random settlements in order of time; `large_share` of them are bills that P13 must find."""
    rng = np.random.default_rng((seed, size, people))
    kind = rng.integers(0, len(MED_TYPES), size)
    fees = np.minimum(190_000 if large_share else 400_000, rng.lognormal(9.4, 0.9, size).astype(np.int64) + 100)
    fees[rng.random(size) < large_share] = 250_000
    return Settlements(
        person=rng.integers(0, people, size),
        at_ms=START_MS + np.sort(rng.integers(0, int(span_days * DAY), size)) // 1000 * 1000,
        place=rng.integers(0, places, size),
        kind=kind,
        medfee_fen=fees,
    )


class _Row(NamedTuple):
    number: int
    psn_no: str
    at_ms: int
    code: str
    med_type: str
    dr_code: str
    medfee_fen: int


def _rows(size: int, people: int, seed: int, **shape: float) -> Iterator[_Row]:
    table = columns(size, people, seed, **shape)  # type: ignore[arg-type]
    prefix = f"4305{seed % 1000:03d}"
    for begin in range(0, size, CHUNK):
        chunk = [column[begin : begin + CHUNK].tolist() for column in table]
        for offset, (person, at_ms, place, kind, medfee) in enumerate(zip(*chunk, strict=True)):
            med_type = MED_TYPES[kind]
            letter = "P" if med_type == "41" else "H"
            district = DISTRICTS[place % len(DISTRICTS)]
            doctor = "" if med_type == "41" else f"D4305{district}{place:03d}{(person + place) % 997:03d}"
            code = f"{letter}4305{district}{place + 1:05d}"
            yield _Row(begin + offset, f"{prefix}{person:013d}", at_ms, code, med_type, doctor, medfee)


def settlements_only(size: int, people: int, seed: int, **shape: float) -> Iterator[SettlementCompleted]:
    """`size` settlements of `people` persons, oldest first; `shape` is that of `columns`."""
    for row in _rows(size, people, seed, **shape):
        fund = row.medfee_fen // 2
        yield SettlementCompleted(
            event_id=f"2207:bench{seed}:{row.number}",
            occurred_at=to_datetime(row.at_ms),
            psn_no=row.psn_no,
            setl_id=f"S{seed}.{row.number}",
            mdtrt_id=f"M{seed}.{row.number}",
            fixmedins_code=row.code,
            fixmedins_type="2" if row.med_type == "41" else "1",
            med_type=row.med_type,
            insutype="390",
            dr_code=row.dr_code or None,
            medfee_sumamt_fen=row.medfee_fen,
            fund_pay_sumamt_fen=fund,
            psn_part_amt_fen=row.medfee_fen - fund,
            acct_pay_fen=0,
            psn_cash_pay_fen=row.medfee_fen - fund,
            mdtrtarea_admvs="430502",
            insuplc_admdvs="430502",
        )


_TEMPLATE = (
    '{"event_type":"settlement.completed","occurred_at":"%s%03d+08:00","event_id":"2207:bench%d:%d","psn_no":"%s",'
    '"setl_id":"S%d.%d","mdtrt_id":"M%d.%d","fixmedins_code":"%s","fixmedins_type":"%s","med_type":"%s",'
    '"medfee_sumamt_fen":%d,"fund_pay_sumamt_fen":%d,"psn_part_amt_fen":%d,"acct_pay_fen":0,"psn_cash_pay_fen":%d,'
    '"insutype":"390",%s"mdtrtarea_admvs":"430502","insuplc_admdvs":"430502"}'
)


def preencoded(size: int, people: int, seed: int, **shape: float) -> Iterator[tuple[str, bytes]]:
    """The same settlements as (partition key, canonical JSON), several times faster than by way of facts."""
    second, clock = -1, ""
    for row in _rows(size, people, seed, **shape):
        if row.at_ms // 1000 != second:
            second = row.at_ms // 1000
            clock = f"{to_datetime(row.at_ms):%Y-%m-%dT%H:%M:%S}."
        fund, own = row.medfee_fen // 2, row.medfee_fen - row.medfee_fen // 2
        names = (seed, row.number)
        doctor = f'"dr_code":"{row.dr_code}",' if row.dr_code else ""
        kind = "2" if row.med_type == "41" else "1"
        text = _TEMPLATE % (
            *(clock, row.at_ms % 1000, *names, row.psn_no, *names, *names, row.code, kind, row.med_type),
            *(row.medfee_fen, fund, own, own, doctor),
        )
        yield row.psn_no, text.encode()
