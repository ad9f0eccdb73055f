"""Institutions and doctors as naively as their rules can be written: every bill is kept, every measure counted anew.

It shares no line with the engine's rules and reads the numbers from the policy's text (policy_numbers.py). What a bill
adds to a day is asked of its person's whole log when it comes: a stranger, a readmission, an unsigned prescription. How
a bill is counted, undone and counted again is `rules_oracle`'s, episodes are `judge`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from risk.facts import Fact, PeersPublished, StaffPointsDetermined, StaffStatusChanged, VisitOpened
from risk.local_time import DAY_MS, local_day, to_date, to_ms
from tests.oracle.days_person import Book, PersonDays, Uncoded
from tests.oracle.judge import Alert, Judge, Level, Measure, Row
from tests.oracle.policy_numbers import levels_of
from tests.oracle.rules_oracle import (
    Contribution,
    SubjectOracle,
    institution_measures,
    is_placeholder,
    staff_measures,
)

RULES = (
    *("D01", "D02", "D06", "D09", "D10", "D11", "D12"),
    *("H01", "H02", "H05", "H08", "H11", "H12", "H13", "H16", "H17"),
    *("M01", "M03", "M04", "M05", "M07", "M09", "P09", "Q01", "Q02"),
)
PEERS_STAND_DAYS = 6  # after the date on which they were published


@dataclass
class DaysJudge(Judge):
    """A subject with lines that have no code: D06 and H16 are told once a date."""

    without_code: dict[int, int] = field(default_factory=dict)
    told_of: dict[int, str] = field(default_factory=dict)
    heard: list[int] = field(default_factory=list)

    def _first_day(self, row: Row) -> int:
        """The first date of all that was heard of the subject, by a bill, a line or an admission."""
        return min([super()._first_day(row), *self.heard])

    def is_known(self, row: Row, days: int) -> bool:
        return row.day - self._first_day(row) >= days

    def line(self, rule: str, moved: Uncoded, event_id: str) -> list[Alert]:
        sign, _, at_ms = moved
        day = local_day(at_ms)
        self.heard.append(day)
        self.without_code[day] = self.without_code.get(day, 0) + sign
        if sign < 0 or self.is_silent(at_ms):
            return []
        said = self.earlier_end(rule, day)
        if day not in self.told_of and self.without_code[day] >= 1:
            self.told_of[day] = event_id
            said.append(self._said(rule, day, "opened"))
        return said

    def earlier_end(self, rule: str, day: int) -> list[Alert]:
        said = []
        for each in sorted(self.told_of):
            if each < day:
                said.append(self._said(rule, each, "closed"))
                del self.told_of[each]
        return said

    def _said(self, rule: str, day: int, word: str) -> Alert:
        named = {"rule_id": rule, "level": 1, "episode": word, "subject_kind": self.kind, "subject_id": self.name}
        return named | {"crossing": self.told_of[day], "observed": self.without_code[day]}


@dataclass
class Documents:
    """What was said of one doctor, by document: the word said last, in its own time."""

    absences: dict[str, StaffStatusChanged] = field(default_factory=dict)
    points: dict[str, StaffPointsDetermined] = field(default_factory=dict)
    open: dict[tuple[int, int], str] = field(default_factory=dict)  # (year, level): crossing

    def sum_of(self, year: int) -> int:
        return sum(each.points for each in self.points.values() if _year(each) == year)

    def points_told(self, fact: StaffPointsDetermined, levels: tuple[Level, ...]) -> list[Alert]:
        """M07: levels end below their own line, and at the first word about a later year."""
        known = self.points.get(fact.document_no)
        if known is not None and fact.occurred_at <= known.occurred_at:
            return []
        self.points[fact.document_no] = fact
        year, said = _year(fact), []
        for of_year, number in sorted(self.open):
            left = self.sum_of(of_year)
            if of_year < year or left < levels[number - 1].theta:
                crossing = self.open.pop((of_year, number))
                said.append(_of_staff("M07", number, fact.dr_code, "closed", crossing, left))
        for number, level in enumerate(levels, 1):
            if (year, number) not in self.open and self.sum_of(year) >= level.theta:
                self.open[year, number] = fact.event_id
                said.append(_of_staff("M07", number, fact.dr_code, "opened", fact.event_id, self.sum_of(year)))
        return said

    def status_told(self, fact: StaffStatusChanged) -> None:
        known = self.absences.get(fact.document_no)
        if known is None or fact.occurred_at > known.occurred_at:
            self.absences[fact.document_no] = fact

    def signed(self, row: Row, rule: dict[str, Any]) -> list[Alert]:
        """M04: signed on the n-th day of what is said of him; the graver status is the one that is told."""
        fact = row.fact
        if fact.fixmedins_type != "1" or not row.is_of(*rule["med_types"]) or fact.emergency:
            return []
        at = fact.occurred_at
        there = [e for e in self.absences.values() if e.since <= at and (e.until is None or at < e.until)]
        told = {e.status for e in there}
        graver = [number for number, level in enumerate(rule["levels"], 1) if told & {*level["statuses"]}]
        if not graver:
            return []
        of_level = [e for e in there if e.status in rule["levels"][max(graver) - 1]["statuses"]]
        days = (row.time_ms - min(to_ms(e.since) for e in of_level)) // DAY_MS + 1
        return [_of_staff("M04", max(graver), row.dr_code or "", "opened", fact.event_id, days)]


@dataclass
class SubjectDays(SubjectOracle):
    """Every institution and doctor under a city's book."""

    book: Book = field(kw_only=True)
    documents: dict[str, Documents] = field(default_factory=dict)
    peers: PeersPublished | None = None

    def apply(self, contribution: Contribution) -> list[Alert]:
        row, said = contribution.row, list[Alert]()
        rule = _line_rule(row.fact.fixmedins_code)
        judge = self._judge("institution", row.fact.fixmedins_code)
        assert isinstance(judge, DaysJudge)
        if contribution.kind == "counted":
            if not judge.is_silent(row.time_ms):
                said += judge.earlier_end(rule, row.day)
            doctor = self.judges.get(("staff", row.dr_code or ""))
            silent = doctor is not None and doctor.is_silent(row.time_ms)
            if row.dr_code in self.documents and not silent and judge.measures:
                said += self.documents[row.dr_code].signed(row, self.book.rules["M04"])
        return said + super().apply(contribution)

    def line(self, moved: Uncoded, event_id: str) -> list[Alert]:
        judge = self._judge("institution", moved[1])
        assert isinstance(judge, DaysJudge)
        return judge.line(_line_rule(moved[1]), moved, event_id)

    def heard_of(self, fact: VisitOpened) -> None:
        """A patient lies there: that a hospital exists is known from then on."""
        judge = self._judge("institution", fact.fixmedins_code)
        assert isinstance(judge, DaysJudge)
        judge.heard.append(_day(fact))

    def told_of_staff(self, fact: StaffPointsDetermined | StaffStatusChanged) -> list[Alert]:
        documents = self.documents.setdefault(fact.dr_code, Documents())
        if isinstance(fact, StaffPointsDetermined):
            return documents.points_told(fact, levels_of(self.book.rules["M07"]))
        documents.status_told(fact)
        return []

    def published(self, fact: PeersPublished) -> None:
        if self.peers is None or _day(fact) > _day(self.peers):
            self.peers = fact

    def _judge(self, kind: str, code: str) -> Judge:
        if (kind, code) not in self.judges:
            judge = DaysJudge(kind, code, [])
            self.judges[kind, code] = judge
            if not is_placeholder(code, self.parameters.placeholders):
                judge.measures = self._of_institution(judge) if kind == "institution" else self._of_staff()
        return self.judges[kind, code]

    def _of_staff(self) -> list[Measure]:
        rule = self.book.rules["M05"]
        share = _share("M05", rule, lambda row: row.too_long, lambda row: True)
        return [*(each for each in staff_measures(self.parameters) if each.rule_id in ("M01", "M09")), share]

    def _of_institution(self, judge: DaysJudge) -> list[Measure]:
        rules = self.book.rules
        named = ("D01", "D02", "H11", "H13")
        known = rules["D12"]["known_days"]
        strangers = _share("D12", rules["D12"], lambda row: row.stranger, _at_pharmacy)
        d12 = Measure(**{**vars(strangers), "opens": lambda row: row.stranger and judge.is_known(row, known)})
        unsigned = levels_of(rules["D09"])[0]
        d09 = Measure(
            rule_id="D09", number=1, level=unsigned, passes=lambda row: _at_pharmacy(row) and row.unsigned,
            counts=lambda row: _at_pharmacy(row) and row.unsigned, value=len, period=lambda row: row.day,
        )  # fmt: skip
        return [
            *(each for each in institution_measures(self.parameters) if each.rule_id in named),
            d09,
            d12,
            _growth("D10", rules["D10"], _at_pharmacy, _funds),
            _growth("D11", rules["D11"], _at_pharmacy, _funds),
            _growth("H12", rules["H12"], lambda row: _at_hospital(row) and row.is_of("11", "13", "14"), _fees),
            _growth("H05", rules["H05"], _in_bed, None),
            _share("H02", rules["H02"], lambda row: row.again, _in_bed),
            _share("H08", rules["H08"], lambda row: row.day_off, _in_bed),
            self._beside_peers(),
        ]

    def _beside_peers(self) -> Measure:
        """H17: the mean bill, in percent of the one that nine tenths of the peers do not exceed, as published last."""
        rule = self.book.rules["H17"]
        least, least_peers = rule["measure"]["least"], rule["measure"]["least_peers"]
        level = levels_of(rule)[0]

        def value(rows: list[Row], at_day: int) -> int:
            peers = self.peers
            if peers is None or at_day - _day(peers) > PEERS_STAND_DAYS or peers.members < least_peers:
                return 0
            if len(rows) < least:
                return 0
            return _fees(rows) * 10**6 * 100 // (len(rows) * peers.p90_x1000000)

        named = {"rule_id": "H17", "number": 1, "level": level}
        return BesidePeers(**named, passes=_in_bed, counts=_in_bed, value=len, beside=value)


@dataclass(frozen=True, kw_only=True)
class BesidePeers(Measure):
    """A measure that is also asked on which date it is asked."""

    beside: Callable[[list[Row], int], int]

    def observed(self, rows: Any, row: Row, at_ms: int) -> int:
        last = local_day(at_ms)
        return self.beside([r for r in rows if self.counts(r) and last - self.level.days < r.day <= last], last)


def _share(rule_id: str, rule: dict[str, Any], some: Callable[[Any], bool], every: Callable[[Row], bool]) -> Measure:
    """Of every bill, some; asked again at every one, opened only by one of the some."""
    measure, level = rule["measure"], levels_of(rule)[0]
    scale = {"percent": 100, "per_mille": 1000}[measure["unit"]]

    def value(rows: list[Row]) -> int:
        return scale * sum(map(some, rows)) // len(rows) if len(rows) >= measure["least"] else 0

    period = None if level.days else (lambda row: row.day)
    return Measure(
        rule_id=rule_id, number=1, level=level, passes=every, counts=every, value=value, opens=some, period=period
    )


def _growth(
    rule_id: str, rule: dict[str, Any], counts: Callable[[Row], bool], amount: Callable[[list[Row]], int] | None
) -> Measure:
    """Of the days before, percent: of an amount, or (None) of the mean bill. A rule's first level alone."""
    least = rule["levels"][0].get("measure", rule["measure"])["least"]

    def grown(now: list[Row], before: list[Row]) -> int:
        if amount is not None:
            return 100 * amount(now) // amount(before) if amount(before) >= least else 0
        if min(len(now), len(before)) < least or not _fees(before):
            return 0
        return 100 * _fees(now) * len(before) // (_fees(before) * len(now))

    return Measure(
        rule_id=rule_id, number=1, level=levels_of(rule)[0], passes=counts, counts=counts, value=len, grown=grown
    )


def told_by_oracle(facts: list[Fact], files: dict[str, str], day: date) -> list[tuple[int, Alert]]:
    """Every alert of RULES, with the place of the fact that raised it."""
    return folded_by_oracle(facts, files, day)[0]


def folded_by_oracle(
    facts: list[Fact], files: dict[str, str], day: date
) -> tuple[list[tuple[int, Alert]], SubjectDays]:
    """The same, and every institution and doctor with all their bills."""
    book = Book.of(files, day)
    persons: dict[str, PersonDays] = {}
    subjects, told = SubjectDays(book.parameters, book=book), list[tuple[int, Alert]]()
    for index, fact in enumerate(facts):
        if isinstance(fact, PeersPublished):
            subjects.published(fact)
        elif isinstance(fact, StaffPointsDetermined | StaffStatusChanged):
            told += [(index, alert) for alert in subjects.told_of_staff(fact)]
        else:
            person = persons.setdefault(fact.psn_no, PersonDays(fact.psn_no, book.parameters, book=book))
            said = person.apply(fact)
            if isinstance(fact, VisitOpened) and person.visits[fact.mdtrt_id].is_stay:
                subjects.heard_of(fact)
            for contribution in person.contributions:
                said += subjects.apply(contribution)
            for moved in person.uncoded:
                said += subjects.line(moved, fact.event_id)
            told += [(index, alert) for alert in said if alert["rule_id"] in RULES]
    return told, subjects


def _of_staff(rule_id: str, level: int, dr_code: str, word: str, crossing: str, observed: int) -> Alert:
    named = {"rule_id": rule_id, "level": level, "episode": word, "crossing": crossing, "observed": observed}
    return named | {"subject_kind": "staff", "subject_id": dr_code}


def _line_rule(code: str) -> str:
    return "D06" if code.startswith("P") else "H16"


def _year(fact: StaffPointsDetermined) -> int:
    return to_date(local_day(to_ms(fact.determined_at))).year


def _day(fact: Fact) -> int:
    return local_day(to_ms(fact.occurred_at))


def _at_pharmacy(row: Row) -> bool:
    return row.fact.fixmedins_type == "2"


def _at_hospital(row: Row) -> bool:
    return row.fact.fixmedins_type == "1"


def _in_bed(row: Row) -> bool:
    return _at_hospital(row) and row.is_of("2")


def _fees(rows: list[Row]) -> int:
    return sum(row.fact.medfee_sumamt_fen for row in rows)


def _funds(rows: list[Row]) -> int:
    return sum(row.fact.fund_pay_sumamt_fen for row in rows)
