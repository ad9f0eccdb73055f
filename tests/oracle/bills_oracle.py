"""Rules about bills as naively as they can be written, P01 to H14: every measure anew over one person's whole log.

It shares no line with the engine's rules. Logs are small and seeded: bills late, undone and undone before they came, at
home and away, dates that turn, insurance that ends and is resumed, care that is excluded. P01 to P03, P13 and P17 are
rules.md's, with the exclusions of a city; rules_oracle.py knows them without.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from random import Random
from typing import Any, NamedTuple

from risk.facts import (
    Fact,
    IdentityChecked,
    InsuredStatusChanged,
    SettlementCompleted,
    SettlementReversed,
    TransferFiled,
    VisitClosed,
    VisitOpened,
    VisitUpdated,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, local_day, to_datetime, to_ms

START_MS = 1_772_000_000_000
LATE_MS = 48 * HOUR_MS
P15, P15_FEN, P15_MS = 3, 150_001, 20 * DAY_MS
P01, P01_MS = 5, 30 * DAY_MS
"""Lines that a dozen bills reach; `small` writes them into a policy."""

Said = tuple[int, str, str, str, int]  # fact, rule, subject, episode, observed


def small(rules: str, *names: str) -> str:
    """Of a city's rules these, with these lines; fewer are read faster."""
    entries = [f"[[{entry}" for entry in rules.split("\n[[")[1:]]
    rules = "\n".join(entry for entry in entries if entry.startswith(tuple(f"[[{name}]]" for name in names)))
    rules = rules.replace("theta = 15, window_days = 30", f"theta = {P01}, window_days = 30")
    rules = rules.replace("least = 5_000_001", f"least = {P15_FEN}")
    return rules.replace("theta = 5, window_days = 90", f"theta = {P15}, window_days = 20")


class Bill(NamedTuple):
    """A settlement that counts."""

    fact: SettlementCompleted
    at_ms: int
    left_out: bool  # as its visit told until it came
    left_out_away: bool  # and the transfers on file

    @property
    def day(self) -> int:
        return local_day(self.at_ms)

    @property
    def away(self) -> bool:
        home, here = self.fact.insuplc_admdvs or "", self.fact.mdtrtarea_admvs or ""
        return bool(home and here) and home[:4] != here[:4]

    @property
    def place(self) -> str:
        """A code of nines is no place."""
        return self.fact.fixmedins_code if self.fact.fixmedins_code.strip("9") else ""


class Episodic(NamedTuple):
    """A rule that stays open: what it counts, of whom, on a date or in a window, and how it measures it."""

    name: str
    counts: Callable[[Bill], bool]
    of_place: bool
    window_ms: int
    theta: int
    rearm: int
    measure: Callable[[list[Bill]], int]

    def key(self, bill: Bill) -> tuple[str, str, int]:
        return (self.name, bill.place if self.of_place else "", 0 if self.window_ms else bill.day)

    def value(self, bills: list[Bill], key: tuple[str, str, int], at_ms: int) -> int:
        counted = [bill for bill in bills if self.counts(bill) and self.key(bill) == key]
        if self.window_ms:
            counted = [bill for bill in counted if at_ms - self.window_ms < bill.at_ms <= at_ms]
        return self.measure(counted)


def _alike(bills: list[Bill]) -> int:
    sums = [bill.fact.medfee_sumamt_fen for bill in bills if bill.fact.medfee_sumamt_fen]
    return max([sums.count(each) for each in sums] + [sum(1 for each in sums if each % 10_000 == 0)])


def _away(bills: list[Bill]) -> int:
    return len(bills) if sum(bill.fact.medfee_sumamt_fen for bill in bills) >= P15_FEN else 0


def _bought(bill: Bill) -> bool:
    return bill.fact.med_type == "41"


def _clinic(bill: Bill) -> bool:
    return bill.fact.med_type in ("11", "14", "41") and not bill.left_out


def _hospital(bill: Bill) -> bool:
    return bill.fact.fixmedins_type == "1" and bill.place != "" and not bill.left_out_away


RULES = (
    Episodic("P01", _clinic, False, P01_MS, P01, P01 - 1, lambda bills: len({bill.fact.mdtrt_id for bill in bills})),
    Episodic("P02", _hospital, False, 0, 3, 2, lambda bills: len({bill.place for bill in bills})),
    Episodic("P17", lambda bill: _bought(bill) and not bill.left_out, False, 0, 3, 2, len),
    Episodic("P15", lambda bill: bill.away and not bill.left_out_away, False, P15_MS, P15, 2, _away),
    Episodic("P19", _bought, False, 0, 3, 2, _alike),
    Episodic("D04", lambda b: _bought(b) and b.fact.fixmedins_type == "2" and b.place != "", True, 0, 3, 2, len),
)


@dataclass
class BillsOracle:
    """One person's bills, all kept."""

    known: dict[str, Bill] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    statuses: list[InsuredStatusChanged] = field(default_factory=list)
    faces: list[IdentityChecked] = field(default_factory=list)
    filed: list[TransferFiled] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    diag: dict[str, str] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    open: dict[tuple[str, str, int], int] = field(default_factory=dict)
    newest_ms: int = 0

    def apply(self, index: int, fact: Fact) -> list[Said]:
        at_ms = to_ms(fact.occurred_at)
        match fact:
            case InsuredStatusChanged():
                self.statuses.append(fact)
            case IdentityChecked():
                self.faces.append(fact)
            case TransferFiled():
                self.filed.append(fact)
            case VisitOpened():
                self.opened[fact.mdtrt_id] = at_ms
                self.urgent |= {fact.mdtrt_id} if fact.emergency else set()
                self.diag[fact.mdtrt_id] = self.diag.get(fact.mdtrt_id) or fact.diag_group or ""
            case VisitUpdated():
                self.diag[fact.mdtrt_id] = fact.diag_group or self.diag.get(fact.mdtrt_id) or ""
            case SettlementReversed():
                return self._reversed(index, fact.setl_id or "", at_ms)
            case SettlementCompleted():
                ill = self.diag.get(fact.mdtrt_id, "").startswith(("N18", "C", "O"))
                sent_here = any(
                    (each.to_fixmedins_code or fact.fixmedins_code) == fact.fixmedins_code
                    and each.valid_from <= fact.occurred_at
                    and (each.valid_to is None or fact.occurred_at < each.valid_to)
                    for each in self.filed
                )
                left_out = fact.emergency or fact.mdtrt_id in self.urgent or fact.med_type == "13" or ill
                return self._settled(index, Bill(fact, at_ms, left_out, left_out or sent_here))
        return []

    def _counted(self) -> list[Bill]:
        return [bill for setl_id, bill in self.known.items() if setl_id not in self.undone]

    def _settled(self, index: int, bill: Bill) -> list[Said]:
        self.known[bill.fact.setl_id] = bill
        if bill.fact.setl_id in self.undone:
            return []
        late = bill.at_ms < self.newest_ms - LATE_MS
        self.newest_ms = max(self.newest_ms, bill.at_ms)
        return [] if late else [*self._ended(index, bill), *self._risen(index, bill), *self._alone(index, bill)]

    def _ended(self, index: int, bill: Bill) -> list[Said]:
        """A date is over at the first bill of a later one, whatever that bill is."""
        said: list[Said] = []
        others = [each for each in self._counted() if each is not bill]
        for rule in RULES:
            for key in [each for each in self.open if each[0] == rule.name]:
                over = key[2] and key[2] < bill.day
                fallen = rule.counts(bill) and rule.key(bill) == key
                left = rule.value(others, key, bill.at_ms)
                if over or (fallen and left < rule.rearm):
                    del self.open[key]
                    said.append((index, rule.name, key[1], "closed", left))
        return said

    def _risen(self, index: int, bill: Bill) -> list[Said]:
        said: list[Said] = []
        for rule in RULES:
            key = rule.key(bill)
            observed = rule.value(self._counted(), key, bill.at_ms)
            if rule.counts(bill) and key not in self.open and observed >= rule.theta:
                self.open[key] = index
                said.append((index, rule.name, key[1], "opened", observed))
        return said

    def _alone(self, index: int, bill: Bill) -> list[Said]:
        said: list[Said] = []
        fact, place = bill.fact, bill.place
        if _clinic(bill) and not bill.left_out_away and fact.medfee_sumamt_fen >= 200_000:
            said.append((index, "P13", "", "opened", fact.medfee_sumamt_fen))
        gaps = [
            abs(each.at_ms - bill.at_ms)
            for each in self._counted()
            if each.place not in ("", place) and each.fact.fixmedins_type == fact.fixmedins_type
            and not each.left_out_away
        ]  # fmt: skip
        if place and not bill.left_out_away and min(gaps, default=2**60) < 30 * MINUTE_MS:
            said.append((index, "P03", "", "opened", min(gaps) // 1000))
        if _bought(bill) and fact.fixmedins_type == "2" and place and fact.medfee_sumamt_fen > 100_000:
            said.append((index, "D03", place, "opened", fact.medfee_sumamt_fen))
        alike = [
            each
            for each in self._counted()
            if (each.fact.fixmedins_code, each.fact.medfee_sumamt_fen) == (fact.fixmedins_code, fact.medfee_sumamt_fen)
            and each.at_ms // MINUTE_MS == bill.at_ms // MINUTE_MS
        ]
        if fact.fixmedins_type == "1" and place and len(alike) >= 2 and fact.medfee_sumamt_fen:
            said.append((index, "H14", place, "opened", len(alike)))
        told = sorted(
            (each for each in self.statuses if to_ms(each.occurred_at) <= bill.at_ms),
            key=lambda each: each.occurred_at,
        )
        passed = [each.occurred_at for each in self.faces if each.result == "passed"]
        faces = [
            each
            for each in self.faces
            if each.result == "failed"
            and all(mended_at < each.occurred_at for mended_at in passed)
            and fact.occurred_at - timedelta(days=1) < each.occurred_at <= fact.occurred_at
            and (each.fixmedins_code or fact.fixmedins_code) == fact.fixmedins_code
        ]
        if faces:
            said.append((index, "P14", "", "opened", len(faces)))
        uninsured = list(takewhile(lambda each: each.status != "normal", reversed(told)))
        if uninsured and self.opened.get(fact.mdtrt_id, 2**60) >= to_ms(uninsured[-1].occurred_at):
            said.append((index, "P16", "", "opened", 1))
        return said

    def _reversed(self, index: int, setl_id: str, at_ms: int) -> list[Said]:
        known = setl_id in self.known and setl_id not in self.undone
        self.undone.add(setl_id)
        if not known or at_ms < self.newest_ms - LATE_MS:
            return []
        bill, said = self.known[setl_id], []
        for rule in RULES:
            key = rule.key(bill)
            if key in self.open and rule.counts(bill):
                left = rule.value(self._counted(), key, at_ms)
                if left < rule.rearm:
                    del self.open[key]
                    said.append((index, rule.name, key[1], "closed", left))
        return said


PLACES = (
    ("H1", "1", "11"),
    ("H2", "1", "21"),
    ("H2", "1", "11"),
    ("H3", "1", "14"),
    ("H4", "1", "13"),
    ("P1", "2", "41"),
    ("P1", "2", "41"),
    ("P2", "2", "41"),
    ("99", "2", "41"),
)


MOVES = ("bill",) * 8 + ("undo", "undo", "status", "ahead", "face", "transfer", "admit", "leave", "settle")
STATUSES = ("normal", "normal", "suspended", "suspended", "terminated", "deceased")
STAY = {"fixmedins_code": "H5", "fixmedins_type": "1", "med_type": "21"}


def bills_log(seed: int, moves: int = 20) -> list[Fact]:
    """A small log of one person."""
    life = _Life(Random(seed))
    for n in range(moves):
        life.moves(n)
    return life.facts


@dataclass
class _Life:
    """`lies`, `left`: stays that have not ended, and those that have and are not settled."""

    draw: Random
    clock_ms: int = START_MS
    facts: list[Fact] = field(default_factory=list)
    bills: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    last: tuple[tuple[str, str, str], int] = (PLACES[0], 9_900)

    def said(self, kind: type[Any], at_ms: int, **more: Any) -> None:
        self.facts.append(kind(event_id=f"e{len(self.facts)}", occurred_at=to_datetime(at_ms), psn_no="p", **more))

    def moves(self, n: int) -> None:
        draw = self.draw
        waits_ms = (0, 20_000, HOUR_MS, HOUR_MS, HOUR_MS, 7 * HOUR_MS, 7 * HOUR_MS, DAY_MS, 6 * DAY_MS)
        self.clock_ms += draw.choice(waits_ms)
        at_ms = self.clock_ms - draw.choice((0, 0, 0, 30_000, 10 * HOUR_MS, LATE_MS, LATE_MS + 1))
        match draw.choice(MOVES):
            case "face":
                where = {"fixmedins_code": draw.choice((None, "H1", "P1"))}
                self.said(IdentityChecked, at_ms, **where, result=draw.choice(("passed", "failed", "failed")))
            case "transfer":
                until = draw.choice((None, to_datetime(at_ms + 3 * DAY_MS)))
                there = {"fixmedins_code": "H9", "to_fixmedins_code": draw.choice((None, "H1", "P1", "P2"))}
                since = to_datetime(at_ms - HOUR_MS)
                self.said(TransferFiled, at_ms, **there, valid_from=since, valid_to=until)
            case "status":
                self.said(InsuredStatusChanged, at_ms, status=draw.choice(STATUSES))
            case "undo":
                if self.bills:
                    self.said(SettlementReversed, at_ms, setl_id=draw.choice(self.bills[-5:]))
            case "admit":
                self.lies.append(f"v{n}")
                told = {"diag_group": draw.choice((None, None, "C34", "J06")), "emergency": draw.random() < 0.2}
                self.said(VisitOpened, self.clock_ms, mdtrt_id=f"v{n}", **STAY, **told)
            case "leave":
                if self.lies:
                    self.left.append(self.lies.pop())
                    self.said(VisitClosed, self.clock_ms, mdtrt_id=self.left[-1])
            case "settle" if self.left:  # a stay, however long after its discharge
                self.billed(n, at_ms, self.left.pop())
            case move:
                if move == "ahead":
                    self.said(SettlementReversed, at_ms, setl_id=f"s{n}")
                self.billed(n, at_ms)

    def billed(self, n: int, at_ms: int, stay: str = "") -> None:
        draw = self.draw
        if draw.random() < 0.8:  # else one like the last
            fens = (0, 9_900, 9_900, 10_000, 50_000, 100_000, 100_001, 200_000, 300_000)
            self.last = draw.choice(PLACES), draw.choice(fens)
        (code, kind, med_type), fen = self.last
        amounts = {"fund_pay_sumamt_fen": 0, "acct_pay_fen": 0, "psn_cash_pay_fen": fen, "psn_part_amt_fen": fen}
        areas = draw.choice((("430500", "430502"), ("440100", "430502"), ("440100", "430502"), (None, "430502")))
        place = {"mdtrt_id": f"v{n}", "fixmedins_code": code, "fixmedins_type": kind, "med_type": med_type}
        if stay:
            place = {"mdtrt_id": stay, **STAY}
        elif kind == "1" and draw.random() < 0.5:
            told = (None, None, None, "C34")[n % 4]
            self.said(VisitOpened, at_ms - draw.choice((0, MINUTE_MS, 5 * HOUR_MS)), **place, diag_group=told)
            if draw.random() < 0.5:
                group = draw.choice(("N18", "C34", "J06", "O80", None))
                self.said(VisitUpdated, at_ms, mdtrt_id=f"v{n}", diag_group=group)
        self.said(
            SettlementCompleted, at_ms, **place, **amounts, setl_id=f"s{n}", medfee_sumamt_fen=fen,
            insuplc_admdvs=areas[0], mdtrtarea_admvs=areas[1], emergency=draw.random() < 0.1,
        )  # fmt: skip
        self.bills.append(f"s{n}")
