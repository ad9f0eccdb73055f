"""The days of a stay on which something was done: lines taken back in whole, in part, by batch; checks stay."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from risk.activity import hash32, hash64
from risk.care import Care, Stay
from risk.facts import FeeReversed
from risk.idle_days import SERVED, idle_days, unserved
from risk.local_time import SHANGHAI, to_ms

DAY = timedelta(days=1)
OPENED = datetime(2026, 3, 1, 18, tzinfo=SHANGHAI)


def row(days: int, line: str, batch: str = "", count: int = 20_000) -> bytes:
    return SERVED.pack(to_ms(OPENED + days * DAY), hash32(line), hash32(batch) if batch else 0, count)


CHECK = SERVED.pack(to_ms(OPENED + 2 * DAY), 0, 0, 0)


def idle_after(served: bytes, settled_ms: int = -1, **named: Any) -> int:
    stay = Stay(hash64("V1"), "H1", to_ms(OPENED), "E1", "21", ended_ms=to_ms(OPENED + 5 * DAY), served=served)
    fact = FeeReversed(event_id="R", occurred_at=OPENED + 5 * DAY, psn_no="P1", mdtrt_id="V1", **named)
    (left,) = unserved(Care(stays=(stay,)), fact, settled_ms).stays
    return idle_days(left)


EVERY_DAY = row(1, "a", "x") + row(2, "b", "x") + row(3, "c", "y") + row(4, "d", "y")


@pytest.mark.parametrize(
    ("served", "named", "idle"),
    [
        (EVERY_DAY, {"feedetl_sn": "b"}, 1),
        (EVERY_DAY, {"feedetl_sn": "b", "cnt_x10000": 10_000}, 0),
        (EVERY_DAY, {"feedetl_sn": "b", "cnt_x10000": 20_000}, 1),
        (EVERY_DAY, {"feedetl_sn": "unknown"}, 0),
        (EVERY_DAY, {"chrg_bchno": "x"}, 2),
        (EVERY_DAY, {"all_unsettled": True}, 4),
        (EVERY_DAY + row(2, "e"), {"feedetl_sn": "b"}, 0),
        (EVERY_DAY + CHECK, {"all_unsettled": True}, 3),
    ],
)
def test_a_line_taken_back_is_no_care_and_a_check_is_not_taken_back(
    served: bytes, named: dict[str, Any], idle: int
) -> None:
    assert idle_after(served, **named) == idle


def test_only_what_is_newer_than_the_settlement_is_unsettled() -> None:
    assert idle_after(EVERY_DAY, to_ms(OPENED + 2 * DAY), all_unsettled=True) == 2


def test_the_days_of_admission_and_discharge_are_no_whole_days() -> None:
    assert idle_after(row(0, "a") + row(5, "b"), feedetl_sn="z") == 4
