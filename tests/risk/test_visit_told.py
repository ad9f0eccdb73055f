"""What institutions and staff are told of visits: who lies there and which lines stand, once each, in any order."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from risk.counters import COUNTERS
from risk.facts import (
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    SettlementReinstated,
    SettlementReversed,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
)
from risk.local_time import SHANGHAI, local_day, to_ms
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

FIRST = datetime(2026, 3, 1, 9, tzinfo=SHANGHAI)
HOUSE = "H43059900001"
MASSAGE, DIALYSIS, DRUG = "004500000010000", "003110000060000", "XA10BJ0001"
COUNTS = {"in_house", "dialysis_lines", "key_drug_fen", "executed_minutes"}
FILES = shaoyang_files()

visits = st.sampled_from(["V1", "V2"])
minutes = st.integers(0, 26 * 60)
acts = st.one_of(
    st.tuples(st.sampled_from(["admit", "close", "reopen", "cancel"]), visits, minutes),
    st.tuples(st.sampled_from(["bill", "bill", "interim", "undo", "redo"]), visits, minutes),
    st.tuples(st.sampled_from([MASSAGE, DIALYSIS, DRUG]), visits, minutes),
    st.tuples(st.sampled_from(["back_line", "back_part", "back_part", "back_batch", "back_all"]), visits, minutes),
)


def told(engine: Engine) -> dict[Any, int]:
    """By subject, counter and day, without what came to nothing; bills left aside."""
    sums = Counter[Any]()
    for each in engine.contributed:
        for place, amount in each.beside:
            if COUNTERS[place] in COUNTS:
                sums[each.subject_id, COUNTERS[place], local_day(each.at_ms)] += each.sign * amount
    return {key: amount for key, amount in sums.items() if amount}


class Ward:
    """A naive book of the same: visits as they were last spoken of, and every line that stands."""

    def __init__(self) -> None:
        self.since: dict[str, datetime] = {}
        self.admitted: set[str] = set()
        self.left: set[str] = set()
        self.cancelled: set[str] = set()
        self.lines: dict[str, tuple[str, str, str, datetime]] = {}
        self.bills: dict[str, tuple[str, datetime, bool]] = {}
        self.undone: set[str] = set()
        self.parts: dict[str, int] = {}  # how many of seven are left

    def happened(self, number: int, act: tuple[str, str, int]) -> Fact:
        """The next fact, noted."""
        what, visit, more = act
        at = FIRST + timedelta(minutes=more)
        common: dict[str, Any] = {"event_id": f"E{number}", "occurred_at": at, "psn_no": "P1", "mdtrt_id": visit}
        if what.startswith("back"):
            return self._taken_back(common, what, visit, more)
        if what in ("bill", "interim"):
            return self._billed(common, f"S{number}", is_final=what == "bill")
        if what in ("undo", "redo"):
            return self._undone(common, is_undone=what == "undo")
        if what == "reopen":
            if visit in self.since:
                self.left.discard(visit)
            return VisitReopened(**common)
        self.since.setdefault(visit, at)
        if what == "admit":
            self.since[visit] = min(at, self.since[visit])
            self.admitted.add(visit)
            return VisitOpened(**common, fixmedins_code=HOUSE, fixmedins_type="1", med_type="21")
        if what == "close":
            self.left.add(visit)
            return VisitClosed(**common)
        if what == "cancel":
            if visit not in self.cancelled:
                self.cancelled.add(visit)
                self.left.add(visit)
                self.lines = {name: line for name, line in self.lines.items() if line[0] != visit}
            return VisitCancelled(**common)
        name, batch = f"L{number}", f"B{number % 2}"
        if visit not in self.cancelled:  # nor does a line of it count that comes later
            self.lines[name], self.parts[name] = (visit, batch, what, at), 7
        said: dict[str, Any] = {"feedetl_sn": name, "chrg_bchno": batch, "med_list_codg": what, "fixmedins_code": HOUSE}
        return FeeAdded(**common, **said, cnt_x10000=70_000, amount_fen=5_000, dr_code="D1", orders_dr_code="N1")

    def _billed(self, common: dict[str, Any], name: str, *, is_final: bool) -> Fact:
        self.bills[name] = common["mdtrt_id"], common["occurred_at"], is_final
        said = {
            "fixmedins_code": HOUSE,
            "fixmedins_type": "1",
            "med_type": "21",
            "mid_setl_flag": str(int(not is_final)),
        }
        amounts = {"medfee_sumamt_fen": 9, "fund_pay_sumamt_fen": 9, "psn_part_amt_fen": 0, "acct_pay_fen": 0}
        return SettlementCompleted(**common, **said, **amounts, setl_id=name, psn_cash_pay_fen=0)

    def _undone(self, common: dict[str, Any], *, is_undone: bool) -> Fact:
        """The visit's newest bill, or one that is still to come."""
        of = common.pop("mdtrt_id")
        own = [name for name, bill in self.bills.items() if bill[0] == of]
        name = own[-1] if own else "S3"
        if is_undone:
            self.undone.add(name)
            return SettlementReversed(**common, setl_id=name)
        if name in self.bills:
            self.undone.discard(name)
        return SettlementReinstated(**common, setl_id=name)

    def _taken_back(self, common: dict[str, Any], what: str, visit: str, more: int) -> Fact:
        own = [name for name, line in self.lines.items() if line[0] == visit]
        named: dict[str, Any] = {"all_unsettled": True}
        billed = [at for name, (of, at, _) in self.bills.items() if of == visit and name not in self.undone]
        gone = [name for name in own if not billed or self.lines[name][3] > max(billed)]
        if what == "back_part":
            name, part = (own[more % len(own)] if own else "L0"), 1 + more % 4
            self.parts[name] = self.parts.get(name, 0) - part
            gone = [name for name in own if self.parts[name] <= 0]
            named = {"feedetl_sn": name, "cnt_x10000": part * 10_000}
        if what == "back_line":
            gone = own[more % len(own) :][:1] if own else []
            named = {"feedetl_sn": gone[0] if gone else "L0"}
        elif what == "back_batch":
            named = {"chrg_bchno": f"B{more % 2}"}
            gone = [name for name in own if self.lines[name][1] == named["chrg_bchno"]]
        for name in gone:
            del self.lines[name]
        return FeeReversed(**common, **named)

    def stands(self) -> dict[Any, int]:
        """What institutions and staff must have been told, all in all."""
        sums = Counter[Any]()
        settled = {visit for name, (visit, _, is_final) in self.bills.items() if is_final and name not in self.undone}
        for visit in self.admitted - self.left - settled:
            sums[HOUSE, "in_house", day_of(self.since[visit])] += 1
        for name, (_, _, item, at) in self.lines.items():
            if item == DIALYSIS:
                sums[HOUSE, "dialysis_lines", day_of(at)] += 1
            elif item == DRUG:
                sums["D1", "key_drug_fen", day_of(at)] += 5_000 * self.parts[name] // 7
            else:
                sums["N1", "executed_minutes", day_of(at)] += 10
        return dict(sums)


def day_of(at: datetime) -> int:
    return local_day(to_ms(at))


@settings(max_examples=60, deadline=None)
@given(st.lists(acts, max_size=25), st.sets(st.integers(0, 24)))
def test_whatever_is_told_of_a_visit_the_sums_are_what_stands(
    acted: list[tuple[str, str, int]], cuts: set[int]
) -> None:
    ward, engine = Ward(), Engine(Parameters(), files=FILES)
    engine.fold([ward.happened(number, act) for number, act in enumerate(acted, 1)], cuts)
    assert told(engine) == ward.stands()


def test_every_record_told_again_tells_nothing() -> None:
    ward, engine = Ward(), Engine(Parameters(), files=FILES)
    acted = [("admit", "V1", 0), (DIALYSIS, "V1", 60), (MASSAGE, "V1", 90), ("cancel", "V2", 100), ("close", "V1", 900)]
    facts = [ward.happened(number, act) for number, act in enumerate(acted, 1)]
    engine.fold([each for fact in facts for each in (fact, fact)])
    assert told(engine) == ward.stands()
    assert ward.stands() == {
        (HOUSE, "dialysis_lines", day_of(FIRST)): 1,
        ("N1", "executed_minutes", day_of(FIRST)): 10,
    }
