"""Random logs that go where windows break: edges, midnights, late news, news told twice, undone, undone before done.

A log is drawn as a list of moves (what a shrunk counterexample shows) and then built into facts. Hypothesis draws them
in `drawn_moves`; `seeded_log` draws them from a seed, for runs longer than Hypothesis likes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from risk.facts import Fact, SettlementCompleted, SettlementReinstated, SettlementReversed, VisitOpened, VisitUpdated
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, local_day, to_datetime, to_ms
from tests.oracle.judge import Level
from tests.oracle.rules_oracle import Parameters

SMALL = Parameters(
    p01=(Level(4, 3, 30 * DAY_MS), Level(7, 5, 90 * DAY_MS)),
    p02=(Level(3, 2), Level(4, 3)),
    d02=(Level(4, 3),),
    m01=(Level(3, 2),),
    m09=(Level(2, 1, 2 * HOUR_MS),),
    m09_persons=3,
    d02_share=(Level(50, 40, days=30),),
    d02_least=5,
    d10=(Level(60, 50, days=30), Level(110, 90, days=14)),
    d10_least_fen=1,
    h05=(Level(105, 95, days=30), Level(200, 150, days=14)),
    h05_least=1,
    h11=(Level(100, 80, days=30), Level(300, 240, days=7)),
    h11_least_fen=400_000,
    h13=(Level(250, 200, days=30), Level(400, 300, days=90)),
    h13_least=4,
)
"""Thresholds that a dozen settlements reach; whoever is judged by them is judged in every other way as by rules.md."""

CAP_FEN = 1_000_000
CAPS = (("4305", "310", CAP_FEN),)
START_MS = to_ms(datetime(2025, 12, 19, 1, tzinfo=UTC))
LAST_MS = START_MS + 330 * DAY_MS  # settlements are remembered 400 days: forgetting is tested elsewhere

STEPS_MS = (0, 0, 1, 10_000, 2 * MINUTE_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS, 3 * DAY_MS, 11 * DAY_MS)
LAGS_MS = (0, 0, 0, 0, 0, 20 * MINUTE_MS, 10 * HOUR_MS, 30 * HOUR_MS, 50 * HOUR_MS, 5 * DAY_MS)
EDGES_MS = (
    *(0, 300_000, 15 * MINUTE_MS, -15 * MINUTE_MS, 30 * MINUTE_MS, -30 * MINUTE_MS),
    *(48 * HOUR_MS, -48 * HOUR_MS, 30 * DAY_MS, 40 * DAY_MS, 90 * DAY_MS),
)
PLACES = (
    *(("H1", "1"), ("H2", "1"), ("H3", "1"), ("H4", "1"), ("P1", "2"), ("P2", "2")),
    *(("未知", "1"), ("999999", "2")),
)
MED_TYPES = ("11", "1101", "12", "13", "14", "140104", "21", "41", "41", "4101")
SENDERS = {10: "institution:H1/token", 11: "institution:H9/token"}  # by pick: of one place of all, of none
SENT = 9
DOCTORS = ("D1", "D1", "D2", None, "无", "9999", "")
INSURED = (("430500", "310"), ("430500", "310"), ("430500", "510"), ("110000", "310"), (None, "310"), ("430500", None))
BILLS_FEN = (1, 9_900, 60_000, 199_999, 200_000, 300_000, 800_000)
FUND_PERCENT = (0, 0, 0, 50, 100)
KINDS = (
    *["settle"] * 8,
    *("rush", "tour", "budget", "reverse", "reverse", "reverse", "reverse"),
    *("again", "conflict", "reverse_ahead", "reinstate"),
)


def cap_of(insuplc: str | None, insutype: str | None) -> int | None:
    """The annual cap as CAPS has it."""
    return CAP_FEN if (insuplc or "").startswith("4305") and insutype == "310" else None


class Move(NamedTuple):
    """One thing that happens. Numbers that choose among what is there (`pick`, `person`) wrap around."""

    kind: str = "settle"
    step_ms: int = 0  # the clock goes on
    lag_ms: int = 0  # the fact is this much older than the clock
    edge_ms: int | None = None  # instead: this much after an earlier fact's time, give or take `shift_ms`
    shift_ms: int = 0
    at_midnight: bool = False  # instead: at the nearest local midnight, give or take `shift_ms`
    pick: int = 0
    person: int = 0
    place: tuple[str, str] = ("H1", "1")
    med_type: str = "11"
    doctor: str | None = None
    insured: tuple[str | None, str | None] = ("430500", "310")
    bill_fen: int = 9_900
    fund_percent: int = 0
    own_percent: int = 0
    miss_fen: int = 0  # the amounts do not add up by this much
    times: int = 1  # a burst, a second apart
    diagnosis: str | None = None
    by_visit: bool = False  # the visit is registered first and tells the doctor and the insured place
    same_visit: bool = False
    by_message: bool = False  # undone by medins_setl_id instead of setl_id
    expected: bool = False  # a settlement whose reversal has come before it

    def __repr__(self) -> str:
        """Only what is not plain, to read a counterexample by."""
        said = [f"{n}={v!r}" for n, v in self._asdict().items() if v != self._field_defaults[n]]
        return f"Move({', '.join(said)})"


CHOICES: dict[str, Sequence[Any]] = {
    "kind": KINDS,
    "step_ms": STEPS_MS,
    "lag_ms": LAGS_MS,
    "edge_ms": (*[None] * 10, *EDGES_MS),
    "shift_ms": (-1, 0, 0, 1),
    "at_midnight": (False, False, False, False, True),
    "pick": range(12),
    "person": range(3),
    "place": PLACES,
    "med_type": MED_TYPES,
    "doctor": DOCTORS,
    "insured": INSURED,
    "bill_fen": BILLS_FEN,
    "fund_percent": FUND_PERCENT,
    "own_percent": (0, 0, 10, 60),
    "miss_fen": (0, 0, 0, 0, 1, -2),
    "times": (1, 1, 1, 1, 2, 3, 11),
    "diagnosis": (None, "J06"),
    "by_visit": (False, False, True),
    "same_visit": (False, False, False, True),
    "by_message": (False, False, True),
    "expected": (False, True),
}


@dataclass
class LogBuilder:
    """Moves become facts. The clock only goes forward; what the facts say of their own time does not."""

    persons: int
    clock_ms: int = START_MS
    facts: list[Fact] = field(default_factory=list)
    settled: list[SettlementCompleted] = field(default_factory=list)
    awaited: list[SettlementReversed] = field(default_factory=list)
    undiagnosed: set[str] = field(default_factory=set)  # registered without a diagnosis: one bill each

    def add(self, move: Move) -> None:
        """Append the facts of one move; a move without anything to act on appends none."""
        self.clock_ms = min(self.clock_ms + move.step_ms, LAST_MS)
        makers: dict[str, Callable[[Move, int], None]] = {
            "settle": self._settle,
            "rush": self._rush,
            "tour": self._tour,
            "budget": self._budget,
            "again": self._again,
            "conflict": self._conflict,
            "reverse": self._reverse,
            "reverse_ahead": self._reverse_ahead,
            "reinstate": self._reinstate,
        }
        makers[move.kind](move, self._time_ms(move))

    def _time_ms(self, move: Move) -> int:
        time_ms = self.clock_ms - move.lag_ms
        if move.edge_ms is not None and self.facts:
            time_ms = to_ms(self._picked(self.facts, move).occurred_at) + move.edge_ms + move.shift_ms
        elif move.at_midnight:
            time_ms = day_start_ms(local_day(time_ms + DAY_MS // 2)) + move.shift_ms
        time_ms = min(time_ms, LAST_MS)
        self.clock_ms = max(self.clock_ms, time_ms)
        return time_ms

    @staticmethod
    def _picked(among: Sequence[Any], move: Move) -> Any:
        """The newest few, so that moves touch each other."""
        return among[-1 - move.pick % len(among)]

    def _common(self, time_ms: int, psn_no: str) -> dict[str, Any]:
        return {"event_id": f"e{len(self.facts)}", "occurred_at": to_datetime(time_ms), "psn_no": psn_no}

    def _settle(self, move: Move, time_ms: int) -> None:
        for n in range(move.times):
            psn_no = f"psn-{(move.person + n) % self.persons}"
            setl_id = f"s{len(self.facts)}"
            if move.expected and self.awaited:
                reversal = self.awaited.pop()
                psn_no, setl_id = reversal.psn_no, (reversal.setl_id or f"s{(reversal.medins_setl_id or '')[1:]}")
            self._settle_one(move, time_ms + n * 1000, psn_no, setl_id)

    def _rush(self, move: Move, time_ms: int) -> None:
        """A crowd at one pharmacy."""
        for n in range(8 + move.pick % 4):
            sale = move._replace(place=("P1", "2"), med_type="41", same_visit=False, bill_fen=9_900)
            self._settle_one(sale, time_ms + n * 10_000, f"psn-{n % self.persons}", f"s{len(self.facts)}")

    def _tour(self, move: Move, time_ms: int) -> None:
        """One person in one hospital after another."""
        for n in range(3 + move.pick % 2):
            psn_no, place = f"psn-{move.person % self.persons}", (f"H{n + 1}", "1")
            self._settle_one(move._replace(place=place), time_ms + n * 1000, psn_no, f"s{len(self.facts)}")

    def _budget(self, move: Move, time_ms: int) -> None:
        """One person in hospital, near the cap: six bills of 15 percent of it."""
        for n in range(6):
            stay = move._replace(med_type="21", bill_fen=CAP_FEN * 15 // 100, fund_percent=100, times=1)
            psn_no = f"psn-{move.person % self.persons}"
            self._settle_one(stay, time_ms + n * MINUTE_MS, psn_no, f"s{len(self.facts)}")

    def _settle_one(self, move: Move, time_ms: int, psn_no: str, setl_id: str) -> None:
        near = [
            fact.mdtrt_id
            for fact in self.settled
            if fact.psn_no == psn_no
            and abs(to_ms(fact.occurred_at) - time_ms) <= HOUR_MS
            and fact.mdtrt_id not in self.undiagnosed
        ]  # a visit that ended long ago is forgotten: what it told is not told again
        mdtrt_id = near[-1] if move.same_visit and near else f"v{len(self.facts)}"
        place = {"fixmedins_code": move.place[0], "fixmedins_type": move.place[1], "mdtrt_id": mdtrt_id}
        insuplc, insutype = move.insured
        told = {"dr_code": move.doctor, "insuplc_admdvs": insuplc}
        if move.by_visit and mdtrt_id not in near and move.lag_ms < 2 * DAY_MS:
            doctor = move.doctor if move.doctor in ("D1", "D2") else None
            opened = VisitOpened(**self._common(time_ms - MINUTE_MS, psn_no), **place, insuplc_admdvs=insuplc)
            self.facts.append(opened)
            self.facts.append(
                VisitUpdated(
                    **self._common(time_ms, psn_no), mdtrt_id=mdtrt_id, dr_code=doctor, diag_group=move.diagnosis
                )
            )
            told = {"dr_code": None, "insuplc_admdvs": None}
            if move.diagnosis is None:
                self.undiagnosed.add(mdtrt_id)
        fact = SettlementCompleted(
            **self._common(time_ms, psn_no) | ({"event_id": f"2207:n{setl_id[1:]}:0"} if move.pick % 2 else {}),
            **place,
            **told,
            **_amounts(move),
            setl_id=setl_id,
            medins_setl_id=f"m{setl_id[1:]}",
            med_type=move.med_type,
            insutype=insutype,
        )
        self.facts.append(fact)
        self.settled.append(fact)

    def _again(self, move: Move, time_ms: int) -> None:
        if self.settled:
            self._repeat(self._picked(self.settled, move), more_fen=0)

    def _conflict(self, move: Move, time_ms: int) -> None:
        if self.settled:
            self._repeat(self._picked(self.settled, move), more_fen=100)

    def _repeat(self, fact: SettlementCompleted, more_fen: int) -> None:
        more = {
            "medfee_sumamt_fen": fact.medfee_sumamt_fen + more_fen,
            "psn_part_amt_fen": fact.psn_part_amt_fen + more_fen,
            "psn_cash_pay_fen": fact.psn_cash_pay_fen + more_fen,
        }
        self.facts.append(replace(fact, event_id=f"e{len(self.facts)}", **more))

    def _remembered(self) -> list[SettlementCompleted]:
        """Those of which the engine still holds more than money and date: 92 days behind the person's newest."""
        newest: dict[str, int] = {}
        for fact in self.settled:
            newest[fact.psn_no] = max(newest.get(fact.psn_no, 0), to_ms(fact.occurred_at))
        return [fact for fact in self.settled if newest[fact.psn_no] - to_ms(fact.occurred_at) <= 91 * DAY_MS]

    def _reverse(self, move: Move, time_ms: int) -> None:
        if self._remembered():
            original = self._picked(self._remembered(), move)
            self._undo(move, time_ms, original.psn_no, original.setl_id)

    def _reverse_ahead(self, move: Move, time_ms: int) -> None:
        self._undo(move, time_ms, f"psn-{move.person % self.persons}", f"s{len(self.facts)}")
        self.awaited.append(self.facts[-1])  # type: ignore[arg-type]

    def _undo(self, move: Move, time_ms: int, psn_no: str, setl_id: str) -> None:
        sent = "n" if move.pick == SENT else "m"  # 2601 names the message, which its bill need not be called by
        names = {"medins_setl_id": f"{sent}{setl_id[1:]}"} if move.by_message else {"setl_id": setl_id}
        source = SENDERS.get(move.pick, "")
        self.facts.append(SettlementReversed(**self._common(time_ms, psn_no), **names, source=source))

    def _reinstate(self, move: Move, time_ms: int) -> None:
        undone = {fact.setl_id or f"s{(fact.medins_setl_id or '')[1:]}" for fact in self.facts if _undoes(fact)}
        originals = [fact for fact in self._remembered() if fact.setl_id in undone]
        if originals:
            original = self._picked(originals, move)
            common = self._common(time_ms, original.psn_no)
            self.facts.append(SettlementReinstated(**common, setl_id=original.setl_id))


def built(moves: Sequence[Move], persons: int = 3) -> list[Fact]:
    """The facts of these moves, in log order."""
    builder = LogBuilder(persons)
    for move in moves:
        builder.add(move)
    return builder.facts


def drawn_moves(most: int = 30) -> st.SearchStrategy[list[Move]]:
    """Moves as Hypothesis draws and shrinks them, towards one plain settlement; `built` makes them a log."""
    one = st.fixed_dictionaries({name: st.sampled_from(list(choices)) for name, choices in CHOICES.items()})
    return st.lists(one.map(lambda drawn: Move(**drawn)), max_size=most)


def seeded_log(seed: int, moves: int = 60, persons: int = 3) -> list[Fact]:
    """The same kind of log from a seed."""
    draw = Random(seed)
    return built(
        [Move(**{name: draw.choice(choices) for name, choices in CHOICES.items()}) for _ in range(moves)], persons
    )


def _undoes(fact: Fact) -> bool:
    return isinstance(fact, SettlementReversed)


def _amounts(move: Move) -> dict[str, int]:
    fund_fen = min(move.bill_fen, CAP_FEN // 5) * move.fund_percent // 100 // (1 if move.times < 4 else 11)
    person_fen = move.bill_fen - fund_fen
    wrong = 0 if move.expected else move.miss_fen  # whether a bill that was undone before it came raises Q03 is open
    return {
        "medfee_sumamt_fen": move.bill_fen + wrong if wrong > 0 else move.bill_fen,
        "fund_pay_sumamt_fen": fund_fen,
        "fulamt_ownpay_amt_fen": move.bill_fen * move.own_percent // 100,
        "psn_part_amt_fen": person_fen,
        "acct_pay_fen": person_fen // 3,
        "psn_cash_pay_fen": person_fen - person_fen // 3 + (-wrong if wrong < 0 else 0),
    }
