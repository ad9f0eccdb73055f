"""Institutions and doctors as naively as their rules can be written: every bill is kept, every measure counted anew.

It shares no line with the engine's rules and reads the numbers from the policy's text (policy_numbers.py). What a bill
adds to a day is asked of its person's whole log when it comes: a stranger, a readmission, an unsigned prescription. How
a bill is counted, undone and counted again is `rules_oracle`'s, episodes are `judge`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from risk.facts import Fact, PeersPublished, StaffPointsDetermined, StaffStatusChanged
from risk.local_time import DAY_MS, day_of, local_day, to_date, to_ms
from tests.oracle.days_judge import DaysJudge, TallyMeasure
from tests.oracle.days_person import Book, PersonDays, Tally
from tests.oracle.judge import Alert, Level, Measure, Row
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
    *("H01", "H02", "H05", "H08", "H10", "H11", "H12", "H13", "H16", "H17"),
    *("M01", "M02", "M03", "M04", "M05", "M07", "M08", "M09", "P09", "Q01", "Q02"),
)
PEERS_STAND_DAYS = 6  # after the date on which they were published


@dataclass
class Documents:
    """What was said of one doctor, by document: the word said last, in its own time."""

    absences: dict[str, StaffStatusChanged] = field(default_factory=dict)
    points: dict[str, StaffPointsDetermined] = field(default_factory=dict)
    open: dict[tuple[int, int], str] = field(default_factory=dict)  # (year, level): crossing

    def sum_of(self, year: int) -> int:
        return sum(each.points for each in self.points.values() if _year(each) == year)

    def points_told(self, fact: StaffPointsDetermined, levels: tuple[Level, ...]) -> list[Alert]:
        """M07: levels end below their own line, and at the first word about a later year. A word opens none if its
        year has not more points by it.
        """
        known = self.points.get(fact.document_no)
        if known is not None and fact.occurred_at <= known.occurred_at:
            return []
        year, said = _year(fact), []
        had = self.sum_of(year)
        self.points[fact.document_no] = fact
        for of_year, number in sorted(self.open):
            left = self.sum_of(of_year)
            if of_year < year or left < levels[number - 1].theta:
                crossing = self.open.pop((of_year, number))
                said.append(_of_staff("M07", number, fact.dr_code, "closed", crossing, left))
        for number, level in enumerate(levels, 1):
            if (year, number) not in self.open and self.sum_of(year) >= level.theta and self.sum_of(year) > had:
                self.open[year, number] = fact.event_id
                said.append(_of_staff("M07", number, fact.dr_code, "opened", fact.event_id, self.sum_of(year)))
        return said

    def status_told(self, fact: StaffStatusChanged) -> None:
        known = self.absences.get(fact.document_no)
        if known is None or fact.occurred_at > known.occurred_at:
            self.absences[fact.document_no] = fact

    def signed(self, row: Row, rule: dict[str, Any], *, somewhere: bool) -> list[Alert]:
        """M04: signed on the n-th day of what is said of him; the graver status is the one that is told.

        Away (level 1), he signs no consultation at a hospital that is one; without his qualification (level 2) no bill
        is paid, wherever.
        """
        fact = row.fact
        if row.emergency or row.is_of("13"):
            return []
        at = fact.occurred_at
        there = [e for e in self.absences.values() if e.since <= at and (e.until is None or at < e.until)]
        told = {e.status for e in there}
        if not somewhere or fact.fixmedins_type != "1" or not row.is_of("11", "14"):
            told -= {"on_leave", "admitted"}
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
    peers: dict[tuple[str, ...], PeersPublished] = field(default_factory=dict)

    def apply(self, contribution: Contribution) -> list[Alert]:
        row, said = contribution.row, list[Alert]()
        judge = self._judge("institution", row.fact.fixmedins_code)
        if contribution.kind == "counted":
            doctor = self.judges.get(("staff", row.dr_code or ""))
            silent = doctor is not None and doctor.is_silent(row.time_ms)
            if row.dr_code in self.documents and not silent:
                rule, somewhere = self.book.rules["M04"], bool(judge.measures)
                said += self.documents[row.dr_code].signed(row, rule, somewhere=somewhere)
        return said + super().apply(contribution)

    def moved(self, sign: int, tally: Tally, fact: Fact) -> list[Alert]:
        judge = self._judge(tally.kind, tally.code)
        return judge.moved(sign, tally, event_id=fact.event_id, moved_ms=to_ms(fact.occurred_at))

    def told_of_staff(self, fact: StaffPointsDetermined | StaffStatusChanged) -> list[Alert]:
        documents = self.documents.setdefault(fact.dr_code, Documents())
        if isinstance(fact, StaffPointsDetermined):
            return documents.points_told(fact, levels_of(self.book.rules["M07"]))
        documents.status_told(fact)
        return []

    def published(self, fact: PeersPublished) -> None:
        key = (fact.subject, *fact.counters)
        if key not in self.peers or _day(fact) > _day(self.peers[key]):
            self.peers[key] = fact

    def beside(self, total: int, number: int, last: int, **asked: Any) -> int:
        """`total` for each of `number`, in percent of what was published last of those peers; 0: there is nothing."""
        measure, peers = asked["measure"], self.peers.get(asked["key"])
        if peers is None or last - _day(peers) > PEERS_STAND_DAYS or peers.members < measure["least_peers"]:
            return 0
        rank = {"p50": peers.p50_x1000000, "p90": peers.p90_x1000000}[measure["rank"]]
        return total * 10**6 * 100 // (number * rank)

    def _judge(self, kind: str, code: str) -> DaysJudge:
        if (kind, code) not in self.judges:
            judge = DaysJudge(kind, code, [])
            self.judges[kind, code] = judge
            if not is_placeholder(code, self.parameters.placeholders):
                judge.measures = self._of_institution(judge) if kind == "institution" else self._of_staff()
                judge.of_tallies = self._tallies_of(code) if kind == "institution" else self._tallies_of_staff()
        found = self.judges[kind, code]
        assert isinstance(found, DaysJudge)
        return found

    def _tallies_of(self, code: str) -> list[TallyMeasure]:
        """D06 or H16; H10 where somebody stated what the house has room for."""
        line_rule, rules, found = "D06" if code.startswith("P") else "H16", self.book.rules, list[TallyMeasure]()
        uncoded = levels_of(rules[line_rule])[0]
        found.append(TallyMeasure(rule_id=line_rule, number=1, level=uncoded, of=("uncoded_lines",)))
        stated: Any = rules["capacities"]
        row = next((each for each in stated if each["code"] == code), None)
        if row is not None:
            beds, in_house = row["beds"], levels_of(rules["H10"])
            places = row["dialysis_machines"] * row["dialysis_shifts"]
            for number, counter, most in ((1, "in_house", beds), (2, "dialysis_lines", places)):
                found.append(
                    TallyMeasure(
                        rule_id="H10", number=number, level=in_house[number - 1], of=(counter,),
                        value=lambda sums, last, most=most: 100 * sums[0] // most,  # type: ignore[misc]
                    )
                )  # fmt: skip
        return found

    def _tallies_of_staff(self) -> list[TallyMeasure]:
        """M02 and M08."""
        rules = self.book.rules
        measure = rules["M02"]["measure"]

        def drug(sums: list[int], last: int) -> int:
            asked = {"measure": measure, "key": ("staff", "key_drug_fen")}
            return self.beside(sums[0], 1, last, **asked) if sums[0] >= measure["least"] else 0

        m02, m08 = levels_of(rules["M02"])[0], levels_of(rules["M08"])[0]
        return [
            TallyMeasure(rule_id="M02", number=1, level=m02, of=("key_drug_fen",), value=drug),
            TallyMeasure(rule_id="M08", number=1, level=m08, of=("executed_minutes",)),
        ]

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
            self._growth_beside_peers(),
            _growth("D11", rules["D11"], _at_pharmacy, _funds),
            _december(rules["D11"], judge),
            _growth("H12", rules["H12"], _outpatient, _fees),
            _year_on_year(rules["H12"], judge),
            _growth("H05", rules["H05"], _in_bed, None),
            _share("H02", rules["H02"], lambda row: row.again, _of_a_stay),
            _share("H08", rules["H08"], lambda row: row.day_off, _of_a_stay),
            self._beside_peers(),
        ]

    def _beside_peers(self) -> Measure:
        """H17: the mean fee of a stay, in percent of the one that nine tenths of the peers do not exceed."""
        rule = self.book.rules["H17"]
        asked = {"measure": rule["measure"], "key": ("institution", "inpatient_fee_fen", "inpatient_bills")}

        def value(rows: list[Row], last: int) -> int:
            stays = sum(map(_of_a_stay, rows))
            return self.beside(_fees(rows), stays, last, **asked) if stays >= rule["measure"]["least"] else 0

        named = {"rule_id": "H17", "number": 1, "level": levels_of(rule)[0]}
        return BesidePeers(**named, passes=_in_bed, counts=_in_bed, value=len, beside=value)

    def _growth_beside_peers(self) -> Measure:
        """D10's second level: the growth of thirty days, in percent of that of the pharmacy in the middle."""
        rule = self.book.rules["D10"]
        measure, level = rule["levels"][1]["measure"], levels_of(rule)[1]
        asked = {"measure": measure, "key": ("institution", "fund_fen", "fund_fen")}

        def value(rows: list[Row], last: int) -> int:
            now = [row for row in rows if row.day > last - level.days]
            before_fen = _funds(rows) - _funds(now)
            return self.beside(_funds(now), before_fen, last, **asked) if before_fen >= measure["least"] else 0

        named = {"rule_id": "D10", "number": 2, "level": level, "spans": 2, "grown": lambda now, before: 0}
        return BesidePeers(**named, passes=_at_pharmacy, counts=_at_pharmacy, value=len, beside=value)


@dataclass(frozen=True, kw_only=True)
class BesidePeers(Measure):
    """A measure that is also asked on which date it is asked, over its days or (growth) over twice as many."""

    beside: Callable[[list[Row], int], int]
    spans: int = 1

    def observed(self, rows: Any, row: Row, at_ms: int) -> int:
        last, days = local_day(at_ms), self.spans * self.level.days
        return self.beside([r for r in rows if self.counts(r) and last - days < r.day <= last], last)


@dataclass(frozen=True, kw_only=True)
class OfTheCalendar(Measure):
    """A measure of a bill's whole month, as applied so far, beside other months: of (month, amount) pairs."""

    compared: Callable[[list[tuple[int, Row]], int], int]

    def observed(self, rows: Any, row: Row, at_ms: int) -> int:
        return self.compared([(_month(r), r) for r in rows if self.counts(r)], _month(row))


def _year_on_year(rule: dict[str, Any], judge: DaysJudge) -> Measure:
    """H12's second level: outpatient fees of a month, in percent of the whole of that month a year ago."""
    least = rule["measure"]["least"]

    def compared(rows: list[tuple[int, Row]], month: int) -> int:
        now, ago = (_fees([row for of, row in rows if of == each]) for each in (month, month - 12))
        return 100 * now // ago if ago >= least else 0

    def known(row: Row) -> bool:
        return judge.knows(row, day_of(date(row.year - 1, _month(row) % 12 + 1, 1)))

    return OfTheCalendar(
        rule_id="H12", number=2, level=levels_of(rule)[1], passes=_outpatient, counts=_outpatient, value=len,
        period=_month, opens=known, compared=compared,
    )  # fmt: skip


def _december(rule: dict[str, Any], judge: DaysJudge) -> Measure:
    """D11's second level: what the funds paid in December, in percent of the year, if it was there in January."""
    measure = rule["measure"]
    asked = measure["month"] - 1

    def compared(rows: list[tuple[int, Row]], month: int) -> int:
        year = [(of, row) for of, row in rows if of // 12 == month // 12]
        now, all_fen = _funds([row for of, row in year if of == month]), _funds([row for _, row in year])
        return 100 * now // all_fen if all_fen >= measure["least"] else 0

    def known(row: Row) -> bool:
        return _month(row) % 12 == asked and judge.knows(row, day_of(date(row.year, 1, 31)))

    return OfTheCalendar(
        rule_id="D11", number=2, level=levels_of(rule)[1], passes=_at_pharmacy, counts=_at_pharmacy, value=len,
        period=_month, opens=known, compared=compared,
    )  # fmt: skip


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
    """Of the days before, percent: of an amount, or (None) of the mean fee of a stay. A rule's first level alone."""
    least = rule["levels"][0].get("measure", rule["measure"])["least"]

    def grown(now: list[Row], before: list[Row]) -> int:
        if amount is not None:
            return 100 * amount(now) // amount(before) if amount(before) >= least else 0
        stays, stays_before = (sum(map(_of_a_stay, rows)) for rows in (now, before))
        if min(stays, stays_before) < least or not _fees(before):
            return 0
        return 100 * _fees(now) * stays_before // (_fees(before) * stays)

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
            for contribution in person.contributions:
                said += subjects.apply(contribution)
            for sign, tally in person.moved:
                said += subjects.moved(sign, tally, fact)
            told += [(index, alert) for alert in said if alert["rule_id"] in RULES]
    return told, subjects


def _of_staff(rule_id: str, level: int, dr_code: str, word: str, crossing: str, observed: int) -> Alert:
    named = {"rule_id": rule_id, "level": level, "episode": word, "crossing": crossing, "observed": observed}
    return named | {"subject_kind": "staff", "subject_id": dr_code}


def _year(fact: StaffPointsDetermined) -> int:
    return to_date(local_day(to_ms(fact.determined_at))).year


def _day(fact: Fact) -> int:
    return local_day(to_ms(fact.occurred_at))


def _at_pharmacy(row: Row) -> bool:
    return row.fact.fixmedins_type == "2"


def _at_hospital(row: Row) -> bool:
    return row.fact.fixmedins_type == "1"


def _month(row: Row) -> int:
    return row.year * 12 + to_date(row.day).month - 1


def _outpatient(row: Row) -> bool:
    return _at_hospital(row) and row.is_of("11", "13", "14")


def _in_bed(row: Row) -> bool:
    return _at_hospital(row) and row.is_of("2")


def _of_a_stay(row: Row) -> bool:
    """A stay has one bill that is not in the middle of it; what those come to is its fee all the same."""
    return _in_bed(row) and row.fact.mid_setl_flag != "1"


def _fees(rows: list[Row]) -> int:
    return sum(row.fact.medfee_sumamt_fen for row in rows)


def _funds(rows: list[Row]) -> int:
    return sum(row.fact.fund_pay_sumamt_fen for row in rows)
