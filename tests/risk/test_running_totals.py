"""The running totals of a subject's days are what adding up its days would give, whatever came in which order."""

import pytest

from connectors.state_codec import unpack_history, unpack_subject
from risk.contributions import INSTITUTION, STAFF
from risk.counters import COUNTERS
from risk.policy_counters import SPANS
from risk.subjects import History
from tests.oracle.logs import SMALL, seeded_log
from tests.oracle.production import Engine


@pytest.mark.parametrize("seed", range(12))
def test_totals_are_the_sums_of_the_days_within_their_span(seed: int) -> None:
    engine = Engine(SMALL)
    engine.fold(seeded_log(seed, moves=150))
    stored, _, _ = engine.stored()
    looked_at = 0
    for (key, field), value in stored.items():
        kind = key.split(":")[-2] if key.count(":") >= 2 else ""
        if field != "w" or kind not in (INSTITUTION, STAFF):
            continue
        subject, history = unpack_subject(value), History()
        if (key, "h") in stored:
            history = unpack_history(stored[key, "h"])
        sums = []
        for span in SPANS[kind]:
            within = [day.counters for day in history.days if day.date > subject.day.date - span]
            sums.append([sum(counters[place] for counters in within) for place in range(len(COUNTERS))])
        assert subject.totals == (sums if any(map(any, sums)) else [])
        looked_at += bool(subject.totals)
    assert looked_at >= 3
