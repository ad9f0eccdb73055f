"""The job: a rolling 24 h sum of `medfee_sumamt_fen` per person; an alert where it first reaches the line (rules.md).

Also its oracle in numpy, independent of every system under test.
"""

from typing import NamedTuple

import numpy as np
import orjson

from connectors.topology import partition_of
from streams.city import settlements

THRESHOLD_FEN = 500_000
REARM_FEN = THRESHOLD_FEN * 8 // 10
WINDOW_MS = 24 * 3_600_000
PARTITIONS = 4
SPAN_DAYS = 10
EVENTS_PER_PERSON = 200


class Workload(NamedTuple):
    """The records in order, and what must come of them."""

    records: list[tuple[str, bytes]]
    expected: frozenset[str]
    first_markers: frozenset[str]
    last_markers: frozenset[str]


def workload(size: int, seed: int) -> Workload:
    """`size` settlements, framed in each partition by two bills that alert by themselves: the clock's start and end."""
    people = max(10, size // EVENTS_PER_PERSON)
    records = list(settlements.preencoded(size, people, seed, span_days=SPAN_DAYS))
    first, last = _markers(records[0][1], "first"), _markers(records[-1][1], "last")
    framed = [*first, *records, *last]
    return Workload(framed, frozenset(oracle(framed)), _ids(first), _ids(last))


def _ids(records: list[tuple[str, bytes]]) -> frozenset[str]:
    return frozenset(orjson.loads(data)["event_id"] for _, data in records)


def _markers(like: bytes, name: str) -> list[tuple[str, bytes]]:
    """One record per partition, at the same instant as `like`, of a person who has no other bill."""
    markers: dict[int, tuple[str, bytes]] = {}
    number = 0
    while len(markers) < PARTITIONS:
        psn_no = f"4305{name}{number:06d}"
        record = orjson.loads(like) | {"psn_no": psn_no, "event_id": f"marker:{name}:{number}"}
        record |= {
            "setl_id": f"S{name}{number}",
            "mdtrt_id": f"M{name}{number}",
            "medfee_sumamt_fen": 2 * THRESHOLD_FEN,
        }
        record |= {"fund_pay_sumamt_fen": THRESHOLD_FEN, "psn_part_amt_fen": THRESHOLD_FEN}
        record |= {"psn_cash_pay_fen": THRESHOLD_FEN}
        markers.setdefault(partition_of(psn_no, PARTITIONS), (psn_no, orjson.dumps(record)))
        number += 1
    return [markers[partition] for partition in sorted(markers)]


def oracle(records: list[tuple[str, bytes]]) -> set[str]:
    """The event ids that open an episode: window sums by prefix sums and searchsorted, then one pass for re-arming."""
    from datetime import datetime

    facts = [orjson.loads(data) for _, data in records]
    people = np.unique([fact["psn_no"] for fact in facts], return_inverse=True)[1]
    at_ms = np.array([round(datetime.fromisoformat(fact["occurred_at"]).timestamp() * 1000) for fact in facts])
    fees = np.array([fact["medfee_sumamt_fen"] for fact in facts], dtype=np.int64)
    order = np.lexsort((np.arange(len(facts)), at_ms, people))
    opened: set[str] = set()
    for rows in np.split(order, np.nonzero(np.diff(people[order]))[0] + 1):
        sums = np.concatenate(([0], np.cumsum(fees[rows])))
        left = np.searchsorted(at_ms[rows], at_ms[rows] - WINDOW_MS, side="right")
        total = sums[1:] - sums[left]
        before = total - fees[rows]
        is_open = False
        for row, total_fen, before_fen in zip(rows.tolist(), total.tolist(), before.tolist(), strict=True):
            is_open = is_open and before_fen >= REARM_FEN
            if not is_open and total_fen >= THRESHOLD_FEN:
                is_open = True
                opened.add(facts[row]["event_id"])
    return opened
