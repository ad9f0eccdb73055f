"""One person's log as naively as it can be kept: what each of his bills, lines and stays makes a day count.

It shares no line with the engine's rules. H01 and P09 are judged here: one person's log is all that they look at. What
institutions and doctors make of it is `days_oracle`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

from risk.facts import (
    BedChecked,
    Fact,
    FeeAdded,
    FeeReversed,
    SettlementCompleted,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.local_time import DAY_MS, MINUTE_MS, local_day, to_date, to_ms
from tests.oracle.judge import Alert, Row
from tests.oracle.policy_numbers import days_off, in_force, levels_of
from tests.oracle.rules_oracle import Parameters, PersonOracle, is_placeholder

READMITTED_MS = 15 * DAY_MS


@dataclass(frozen=True)
class Book:
    """The rules of one city and its days off."""

    rules: dict[str, dict[str, Any]]
    holidays: frozenset[date]
    worked: frozenset[date]

    @staticmethod
    def of(files: dict[str, str], day: date) -> "Book":
        return Book(in_force(files, day), *days_off(files))

    def is_day_off(self, at_ms: int) -> bool:
        day = to_date(local_day(at_ms))
        return day in self.holidays or (day.weekday() >= 5 and day not in self.worked)

    def excluded(self, rule: str, care: "Care") -> bool:
        """Is it care that the rule holds against nobody?"""
        named = self.rules[rule].get("except", ())
        for each in self.rules["exclusions"]:
            groups = [group.upper() for group in each.get("diag_groups", ())]
            of_kind = care.med_type.startswith(tuple(each.get("med_types", ()))) or (
                care.diagnosis and care.diagnosis.startswith(tuple(groups))
            )
            if each["name"] in named and (of_kind or (each.get("emergency") and care.emergency)):
                return True
        return False

    @property
    def line_counts(self) -> list[dict[str, Any]]:
        rows: Any = self.rules["line_counts"]
        return list(rows)

    @property
    def parameters(self) -> Parameters:
        rules = self.rules
        night = levels_of(rules["D02"])
        return Parameters(
            d01=levels_of(rules["D01"]),
            d02=night[:1],
            d02_share=night[1:],
            d02_least=rules["D02"]["levels"][1]["measure"]["least"],
            h11=levels_of(rules["H11"]),
            h11_least_fen=rules["H11"]["measure"]["least"],
            h13=levels_of(rules["H13"]),
            h13_least=rules["H13"]["measure"]["least"],
            m01=levels_of(rules["M01"]),
            m03_gap_ms=rules["M03"]["gap_minutes"] * MINUTE_MS,
            m09=levels_of(rules["M09"]),
            m09_persons=rules["M09"]["persons"],
            m09_gap_ms=rules["M09"]["gap_seconds"] * 1000,
            placeholders=tuple(rules["placeholder_codes"]["codes"]),
        )


@dataclass(eq=False)
class Bill(Row):
    """A settlement with what its person's log made of it when it came."""

    stranger: bool = False
    day_off: bool = False
    again: bool = False
    unsigned: bool = False
    too_long: bool = False


class Tally(NamedTuple):
    """What a line, or a patient who lies there, counts for beside any bill as long as it stands, and with whom."""

    counter: str
    kind: str
    code: str
    at_ms: int
    amount: int = 1


@dataclass(eq=False)
class Line:
    """A fee line that was not taken back."""

    fact: FeeAdded
    left: int
    left_fen: int
    unsigned: bool
    too_long: bool
    tallies: list[Tally]
    bill: Bill | None = None  # the last one that it was on

    @property
    def at_ms(self) -> int:
        return to_ms(self.fact.occurred_at)

    @property
    def is_open(self) -> bool:
        return self.bill is None or not self.bill.counted


@dataclass(eq=False)
class Care:
    """A visit as its person's log tells it so far."""

    mdtrt_id: str
    code: str
    med_type: str
    emergency: bool
    opened_ms: int
    doctor: str | None = None
    diagnosis: str = ""
    ended_ms: int | None = None
    cancelled: bool = False
    told: bool = False  # H01 speaks once of a stay
    known_ms: int | None = None  # when it was told as an admission: the newest instant told of it, or of an unknown bed

    @property
    def is_stay(self) -> bool:
        return self.med_type.startswith(("2", "52"))


@dataclass
class PersonDays(PersonOracle):
    """One person's log: his bills, lines and stays. `moved`: what the last fact added (+1) or took away (-1)."""

    book: Book = field(kw_only=True)
    visits: dict[str, Care] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    beds: list[BedChecked] = field(default_factory=list)
    moved: list[tuple[int, Tally]] = field(default_factory=list)
    lying: dict[str, Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.judge.measures = []
        self.line_keys: set[tuple[str, str]] = set()
        self.newest_ms, self.newest_day = 0, 0
        self.told_ms: dict[str, int] = {}  # a visit's newest record, from the first that makes it known
        self.found_ms = 0  # when he was last found in a bed whose stay was not known
        self.late = False

    def apply(self, fact: Fact) -> list[Alert]:
        self.moved = []
        self.newest_ms = max(self.newest_ms, to_ms(fact.occurred_at))
        self.newest_day = local_day(self.newest_ms)
        self.late = self.judge.is_silent(to_ms(fact.occurred_at))
        super().apply(fact)  # its own alerts are those of other numbers
        self._told_of_visit(fact)
        said = self._happened(fact)
        for each in self.visits.values():
            if each.is_stay and each.known_ms is None:
                each.known_ms = max(self.told_ms.get(each.mdtrt_id, 0), self.found_ms)
        there = {
            each.mdtrt_id: Tally("in_house", "institution", each.code, each.opened_ms)
            for each in self.visits.values()
            if each.is_stay and not self._ends(each) and not each.cancelled
        }
        self.moved += [(-1, tally) for visit, tally in self.lying.items() if visit not in there]
        self.moved += [(1, tally) for visit, tally in there.items() if visit not in self.lying]
        self.lying = there
        return said

    def _told_of_visit(self, fact: Fact) -> None:
        mdtrt_id, at_ms = getattr(fact, "mdtrt_id", None) or "", to_ms(fact.occurred_at)
        if isinstance(fact, BedChecked):
            stay = self.visits.get(mdtrt_id)
            if fact.result == "present" and not (stay is not None and stay.is_stay):
                self.found_ms = max(self.found_ms, at_ms)
        elif mdtrt_id in self.told_ms or isinstance(fact, VisitOpened | FeeAdded):
            self.told_ms[mdtrt_id] = max(self.told_ms.get(mdtrt_id, 0), at_ms)

    def _happened(self, fact: Fact) -> list[Alert]:
        match fact:
            case VisitOpened():
                opened = (fact.fixmedins_code, fact.med_type or "", fact.emergency, to_ms(fact.occurred_at))
                told = (fact.diag_group or "").upper()
                self.visits.setdefault(fact.mdtrt_id, Care(fact.mdtrt_id, *opened, fact.dr_code, told))
            case VisitUpdated() if fact.mdtrt_id in self.visits:
                visit = self.visits[fact.mdtrt_id]
                visit.diagnosis = (fact.diag_group or "").upper() or visit.diagnosis
                visit.med_type = fact.med_type or visit.med_type
            case VisitCancelled():
                self.visits[fact.mdtrt_id or ""].cancelled = True
                self._take_back(lambda line: line.fact.mdtrt_id == fact.mdtrt_id)
            case VisitClosed():
                return self._discharged(fact)
            case VisitReopened():
                self.visits[fact.mdtrt_id or ""].ended_ms = None
            case BedChecked():
                self.beds.append(fact)
            case FeeAdded():
                self._served(fact)
            case FeeReversed():
                self._returned(fact)
            case SettlementCompleted():
                return self._billed(fact)
        return []

    # bills

    def _billed(self, fact: SettlementCompleted) -> list[Alert]:
        if not self.contributions:
            return []
        row = self.contributions[0].row
        assert isinstance(row, Bill)
        if not self._nowhere(fact.fixmedins_code):
            for line in self.lines:
                if line.fact.mdtrt_id == fact.mdtrt_id and line.is_open:
                    line.bill = row
        if self.late:
            return []
        return [*self._idle(fact, self.visits.get(fact.mdtrt_id)), *self._admitted_elsewhere(row)]

    def _row(self, fact: SettlementCompleted) -> Bill:
        plain = super()._row(fact)
        row = Bill(fact, plain.med_type, plain.dr_code, plain.insuplc, diagnosis=plain.diagnosis)
        row.emergency = plain.emergency
        if self._nowhere(fact.fixmedins_code):
            return row
        if fact.fixmedins_type == "2" and row.is_of("41"):
            seen = {each.fact.fixmedins_code for each in self.known if each.counted}
            row.stranger = fact.fixmedins_code not in seen
        stay = self.visits.get(fact.mdtrt_id)
        if row.is_of("2") and fact.mid_setl_flag != "1" and stay is not None and not stay.cancelled:
            row.day_off = self.book.is_day_off(stay.opened_ms)
            row.again = any(self._comes_back(stay, each) for each in self.visits.values())
        open_lines = [line for line in self.lines if line.fact.mdtrt_id == fact.mdtrt_id and line.is_open]
        row.unsigned = any(line.unsigned for line in open_lines)
        row.too_long = any(line.too_long for line in open_lines)
        return row

    def _nowhere(self, code: str) -> bool:
        return is_placeholder(code, self.parameters.placeholders)

    def _comes_back(self, stay: Care, earlier: Care) -> bool:
        """H02: discharged from the same hospital within fifteen days before; neither is what P11 leaves out."""
        if earlier is stay or not earlier.is_stay or earlier.cancelled or earlier.ended_ms is None:
            return False
        near = 0 <= stay.opened_ms - earlier.ended_ms <= READMITTED_MS and stay.code == earlier.code
        return near and not any(self.book.excluded("P11", each) for each in (stay, earlier))

    def _admitted_elsewhere(self, row: Bill) -> list[Alert]:
        """P09: a clinic or pharmacy bill while he is in bed somewhere else."""
        visit = self.visits.get(row.fact.mdtrt_id)
        excluded = row.emergency or (visit is not None and self.book.excluded("P09", replace(visit, med_type="11")))
        if not row.is_of("11", "14", "41") or excluded or self._nowhere(row.fact.fixmedins_code):
            return []
        open_ones = [
            each
            for each in self.visits.values()
            if each.is_stay
            and not each.cancelled
            and each.code != row.fact.fixmedins_code
            and not self._nowhere(each.code)
            and each.opened_ms <= row.time_ms
            and all(row.time_ms < end_ms for end_ms in self._ends(each))
            and not self._is_forgotten(each)
        ]
        return [self.judge.alert("P09", 1, row) | {"observed": len(open_ones)}] if open_ones else []

    def _ends(self, stay: Care) -> list[int]:
        """Its discharge, and the bills that settle it for good, as far as they are told of and stand."""
        ends = [] if stay.ended_ms is None else [stay.ended_ms]
        finals = [row for row in self.known if row.counted and row.fact.mid_setl_flag != "1"]
        of_stay = [row for row in finals if row.fact.mdtrt_id == stay.mdtrt_id]
        return ends + [row.time_ms for row in of_stay if row.fact.fixmedins_code == stay.code]

    def _is_forgotten(self, visit: Care) -> bool:
        """A visit is remembered until the second local midnight after the 48 hours that follow its end."""
        return visit.ended_ms is not None and self.newest_day > local_day(visit.ended_ms + 2 * DAY_MS) + 1

    # stays

    def _discharged(self, fact: VisitClosed) -> list[Alert]:
        stay = self.visits[fact.mdtrt_id or ""]
        stay.ended_ms = to_ms(fact.occurred_at)
        finals = [row for row in self.known if row.counted and row.fact.mid_setl_flag != "1"]
        billed = any(row.fact.mdtrt_id == stay.mdtrt_id for row in finals)
        return self._idle(fact, stay) if billed else []

    def _idle(self, fact: Fact, stay: Care | None) -> list[Alert]:
        """H01: whole days between admission and discharge without a line or a found patient, once it is settled."""
        rule = self.book.rules["H01"]
        kinds = tuple(rule["med_types"])
        of_kind = not isinstance(fact, SettlementCompleted) or (
            fact.med_type.startswith(kinds) and fact.mid_setl_flag != "1"
        )
        if stay is None or stay.told or stay.cancelled or stay.ended_ms is None or not of_kind:
            return []
        since_ms = max(stay.opened_ms, stay.known_ms or 0)
        if self._nowhere(stay.code) or stay.ended_ms - since_ms < rule["stay_days"] * DAY_MS:
            return []
        served = {local_day(line.at_ms) for line in self.lines if line.fact.mdtrt_id == stay.mdtrt_id}
        found = (each for each in self.beds if each.mdtrt_id == stay.mdtrt_id and each.result == "present")
        served |= {local_day(to_ms(each.occurred_at)) for each in found}
        idle = set(range(local_day(since_ms) + 1, local_day(stay.ended_ms))) - served
        if len(idle) < rule["levels"][0]["theta"]:
            return []
        stay.told = True
        subject = {"subject_kind": "institution", "subject_id": stay.code}
        named = {"rule_id": "H01", "level": 1, "episode": "opened", "crossing": fact.event_id}
        return [named | subject | {"observed": len(idle)}]

    # lines

    def _served(self, fact: FeeAdded) -> None:
        key, visit = (fact.mdtrt_id, fact.feedetl_sn), self.visits.get(fact.mdtrt_id)
        if key in self.line_keys or (visit is not None and visit.cancelled):
            return
        self.line_keys.add(key)
        coded, codes = self.book.rules["coded_items"], fact.drug_trac_codg or ()
        should = fact.med_list_codg.startswith(tuple(coded["items"])) and fact.fixmedins_code[:1] in ("H", "P")
        has = bool(codes) and all(len(code) == 20 and code.isdigit() and code != code[0] * 20 for code in codes)
        pharmacist, number = (code or "" for code in (fact.phar_code, fact.rxno))
        signed = not any(self._nowhere(code) and not code.strip().isdigit() for code in (pharmacist, number))
        tallies = self._counts_for(fact)
        if should and not has:
            tallies.append(Tally("uncoded_lines", "institution", fact.fixmedins_code, to_ms(fact.occurred_at)))
        line = Line(
            fact, fact.cnt_x10000, fact.amount_fen, bool(fact.rx_flag) and not signed, self._too_long(fact), tallies
        )
        self.lines.append(line)
        self.moved += [(1, tally) for tally in tallies]

    def _counts_for(self, fact: FeeAdded) -> list[Tally]:
        """By line_counts: a dialysis of its house, a key drug of who ordered it, minutes of who else executed it."""
        visit, at_ms, found = self.visits.get(fact.mdtrt_id), to_ms(fact.occurred_at), dict[str, Tally]()
        ordered_by = fact.dr_code if fact.dr_code is not None or visit is None else visit.doctor
        for row in self.book.line_counts:
            if row["counter"] in found or not fact.med_list_codg.startswith(tuple(row["items"])):
                continue
            tally = Tally(row["counter"], "institution", fact.fixmedins_code, at_ms)
            if row["counter"] == "key_drug_fen":
                tally = tally._replace(kind="staff", code=ordered_by or "", amount=fact.amount_fen)
            elif row["counter"] == "executed_minutes":
                executed_by = "" if fact.orders_dr_code == ordered_by else fact.orders_dr_code or ""
                tally = tally._replace(kind="staff", code=executed_by, amount=row["minutes"])
            found[row["counter"]] = tally
        return [each for each in found.values() if not self._nowhere(each.code)]

    def _too_long(self, fact: FeeAdded) -> bool:
        """By the lines that P05 draws for this kind of treatment."""
        rule, visit = self.book.rules["P05"], self.visits.get(fact.mdtrt_id)
        if visit is None or not fact.med_list_codg.startswith(tuple(rule["items"])):
            return False
        of_kind = [level for level in rule["levels"] if visit.med_type.startswith(tuple(level["med_types"]))]
        reached = any((fact.prd_days or 0) >= level["theta"] for level in of_kind)
        return reached and not self.book.excluded("P05", visit)

    def _returned(self, fact: FeeReversed) -> None:
        of_visit = [line for line in self.lines if line.fact.mdtrt_id == fact.mdtrt_id]
        if fact.feedetl_sn is not None:
            named = [line for line in of_visit if line.fact.feedetl_sn == fact.feedetl_sn]
        elif fact.chrg_bchno is not None:
            named = [line for line in of_visit if line.fact.chrg_bchno == fact.chrg_bchno]
        else:
            bills = [row.time_ms for row in self.known if row.counted and row.fact.mdtrt_id == fact.mdtrt_id]
            named = [line for line in of_visit if line.at_ms > max(bills, default=-1)]  # since the newest bill
            for line in of_visit:  # a bill that stands keeps what was wrong with its lines
                if line.is_open:
                    line.unsigned = line.too_long = False
        for line in named:
            self._less(line, fact)
        self._take_back(lambda line: line in named and line.left <= 0)

    def _less(self, line: Line, fact: FeeReversed) -> None:
        """A part of a line takes its money with it; the line stands until nothing is left of it."""
        part, before = fact.cnt_x10000, line.left
        line.left = before - part if fact.feedetl_sn is not None and part is not None else 0
        if line.left <= 0:
            return
        fen, count = line.fact.amount_fen, line.fact.cnt_x10000
        share_fen = fen * before // count - fen * line.left // count
        less_fen = min(share_fen if fact.amount_fen is None else fact.amount_fen, line.left_fen)
        line.left_fen -= less_fen
        kept = []
        for tally in line.tallies:
            if tally.counter == "key_drug_fen" and less_fen:
                self.moved.append((-1, tally._replace(amount=less_fen)))
                tally = tally._replace(amount=line.left_fen)
            if tally.counter == "uncoded_lines":  # perhaps what came back had none: in doubt
                self.moved.append((-1, tally))
            else:
                kept.append(tally)
        line.tallies = kept

    def _take_back(self, gone: Callable[[Line], bool]) -> None:
        for line in self.lines:
            if gone(line):
                self._counts_no_longer(line)
        self.lines = [line for line in self.lines if not gone(line)]

    def _counts_no_longer(self, line: Line) -> None:
        self.moved += [(-1, tally) for tally in line.tallies]
        line.tallies = []
