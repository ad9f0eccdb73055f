"""Whose prescriptions a pharmacy filled on one date: whatever comes and goes, what stands is what is compared."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from risk.prescribers import dearest, with_bill

bills = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 500)), max_size=30)


def naive(stands: list[tuple[int, int, int]], *, persons: int, least: int) -> int:
    of = defaultdict(list)
    for doctor, person, fen in stands:
        of[doctor].append((person, fen))
    found = [0]
    for doctor, own in of.items():
        others = [fen for other, _, fen in stands if other != doctor]
        if len({person for person, _ in own}) >= persons and len(others) >= least:
            found.append(sum(fen for _, fen in own) * len(others) * 100 // (sum(others) * len(own)))
    return max(found)


@settings(deadline=None)
@given(bills, st.data())
def test_bills_that_were_undone_were_never_there(told: list[tuple[int, int, int]], data: st.DataObject) -> None:
    stands, kept = list[tuple[int, int, int]](), b""
    for bill in told:
        stands.append(bill)
        kept = with_bill(kept, bill[0], bill[1], sign=1, fen=bill[2])
        if data.draw(st.booleans()):
            gone = stands.pop(data.draw(st.integers(0, len(stands) - 1)))
            kept = with_bill(kept, gone[0], gone[1], sign=-1, fen=gone[2])
        assert dearest(kept, persons=2, least=2, scale=100) == naive(stands, persons=2, least=2)
    for doctor, person, fen in stands:
        kept = with_bill(kept, doctor, person, sign=-1, fen=fen)
    assert kept == b"", "nothing is left of a date on which all was undone"


def test_a_bill_that_was_never_counted_takes_nothing_away() -> None:
    kept = with_bill(b"", 7, 8, sign=1, fen=100)
    assert with_bill(kept, 7, 9, sign=-1, fen=100) == kept
