"""The rules of rules.md, by scanning everything at every event: the person's, and those of the second hop.

Written from the page alone, without a look at risk/rules: agreement of the two proves something. `judge` holds the
windows and the episodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from risk.facts import Fact, SettlementCompleted, SettlementReinstated, SettlementReversed, VisitOpened, VisitUpdated
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, SHANGHAI, to_ms
from tests.oracle.judge import LATE_SHORT_MS, Alert, Judge, Level, Measure, Row

TOMBSTONE_MS = 40 * DAY_MS
Cap = Callable[[str | None, str | None], int | None]


def no_cap(insuplc: str | None, insutype: str | None) -> int | None:
    """A place whose policy names no annual cap."""
    return None


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The numbers of rules.md, plain."""

    p01: tuple[Level, ...] = (Level(15, 12, 30 * DAY_MS), Level(30, 24, 90 * DAY_MS))
    p02: tuple[Level, ...] = (Level(3, 2),)
    p03_gap_ms: int = 30 * MINUTE_MS
    p12: tuple[Level, ...] = (Level(80, 64), Level(90, 72), Level(95, 76))
    p13_fen: int = 200_000
    p17: tuple[Level, ...] = (Level(3, 2),)
    d01: tuple[Level, ...] = (Level(10, 8, 300_000),)
    d02: tuple[Level, ...] = (Level(10, 8),)
    d02_share: tuple[Level, ...] = (Level(21, 16, days=30),)
    d02_least: int = 50
    d10: tuple[Level, ...] = (Level(200, 160, days=14),)
    d10_least_fen: int = 500_000
    m01: tuple[Level, ...] = (Level(101, 80),)
    m03_gap_ms: int = 30 * MINUTE_MS
    m09: tuple[Level, ...] = (Level(15, 12, 2 * HOUR_MS),)
    m09_persons: int = 30
    m09_gap_ms: int = MINUTE_MS
    h05: tuple[Level, ...] = (Level(150, 120, days=14),)
    h05_least: int = 30
    h11: tuple[Level, ...] = (Level(81, 64, days=30),)
    h11_least_fen: int = 10_000_000
    h13: tuple[Level, ...] = (Level(11, 8, days=30),)
    h13_least: int = 100
    placeholders: tuple[str, ...] = ("未知", "无", "0", "null", "none", "-")


class Contribution(NamedTuple):
    """What the second hop hears of one settlement: it counts, no longer counts, or counts again."""

    kind: Literal["counted", "reversed", "reinstated"]
    row: Row
    at_ms: int


@dataclass(eq=False)
class Tombstone:
    """A reversal whose original is not known."""

    fact: SettlementReversed

    def is_for(self, fact: SettlementCompleted) -> bool:
        return _names(self.fact, fact)

    def may_undo(self, fact: SettlementCompleted) -> bool:
        return _may_undo(self.fact, fact)


@dataclass
class PersonOracle:
    """One person's facts, in log order, all kept. `contributions` are those of the fact applied last."""

    psn_no: str
    parameters: Parameters = field(default_factory=Parameters)
    cap: Cap = no_cap
    facts: list[Fact] = field(default_factory=list)
    tombstones: list[Tombstone] = field(default_factory=list)
    contributions: list[Contribution] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known: list[Row] = []
        self.judge = Judge("person", self.psn_no, person_measures(self.parameters, self.cap))

    def apply(self, fact: Fact) -> list[Alert]:
        """The alerts of this fact: closed before opened, rules in order, lowest level first; Q03 and Q04 last."""
        assert fact.psn_no == self.psn_no
        self.contributions = []
        self.facts.append(fact)
        if isinstance(fact, SettlementCompleted):
            return self._settled(fact)
        if isinstance(fact, SettlementReversed):
            return self._reversed(fact)
        if isinstance(fact, SettlementReinstated):
            self._reinstated(fact)
        return []

    def _settled(self, fact: SettlementCompleted) -> list[Alert]:
        row = self._row(fact)
        for known in self.known:
            if known.fact.setl_id == fact.setl_id:
                return [] if known.amounts == row.amounts else [_data_quality("Q04", row)]
        self.known.append(row)
        if self._is_buried(fact):
            row.counted = False
            return []
        single = [] if self.judge.is_silent(row.time_ms) else [*self._two_places(row), *self._large_bill(row)]
        closed, opened = self.judge.settled(row)
        self.contributions = [Contribution("counted", row, row.time_ms)]
        wrong = [] if amounts_add_up(fact) else [_data_quality("Q03", row)]
        return [*closed, *sorted([*opened, *single], key=lambda alert: str(alert["rule_id"])), *wrong]

    def _is_buried(self, fact: SettlementCompleted) -> bool:
        """Does a reversal wait for it? One that waited more than 40 days, by the newest counted event, is forgotten."""
        newest_ms = self.judge.newest_ms
        waiting = [t for t in self.tombstones if t.is_for(fact)]
        self.tombstones = [t for t in self.tombstones if t not in waiting]
        own = [t for t in waiting if t.may_undo(fact)]
        return any(newest_ms is None or newest_ms - to_ms(t.fact.occurred_at) <= TOMBSTONE_MS for t in own)

    def _reversed(self, fact: SettlementReversed) -> list[Alert]:
        originals = [row for row in self.known if _names(fact, row.fact)]
        if not originals:
            self.tombstones.append(Tombstone(fact))
            return []
        row = originals[0]
        if not row.counted or not _may_undo(fact, row.fact):
            return []
        row.counted = False
        self.contributions = [Contribution("reversed", row, to_ms(fact.occurred_at))]
        return self.judge.reversed(row, to_ms(fact.occurred_at))

    def _reinstated(self, fact: SettlementReinstated) -> None:
        waiting = [t for t in self.tombstones if t.fact.setl_id == fact.setl_id]
        own = [t for t in waiting if _may_take_back(fact, t.fact)]
        if all(_bound_to(t.fact) for t in waiting if t not in own):
            self.tombstones = [t for t in self.tombstones if t not in own]
        for row in self.known:
            if row.fact.setl_id == fact.setl_id and not row.counted and _may_undo(fact, row.fact):
                row.counted = True
                self.judge.count(row)
                self.contributions = [Contribution("reinstated", row, to_ms(fact.occurred_at))]

    def _row(self, fact: SettlementCompleted) -> Row:
        """Doctor, insured place and kind of treatment: from the settlement, else from the visit as it stands."""
        med_type: str | None = None
        dr_code: str | None = None
        insuplc: str | None = None
        diagnosis: str | None = None
        emergency = fact.emergency
        for earlier in self.facts:
            if isinstance(earlier, VisitOpened | VisitUpdated) and earlier.mdtrt_id == fact.mdtrt_id:
                med_type = earlier.med_type or med_type
                dr_code = earlier.dr_code or dr_code
                insuplc = (earlier.insuplc_admdvs if isinstance(earlier, VisitOpened) else None) or insuplc
                diagnosis = getattr(earlier, "diag_group", None) or diagnosis or ""
                emergency |= isinstance(earlier, VisitOpened) and earlier.emergency
        own_doctor = dr_code if fact.dr_code is None else fact.dr_code
        row = Row(fact, fact.med_type or med_type or "", own_doctor, fact.insuplc_admdvs or insuplc)
        row.diagnosis, row.emergency = diagnosis, emergency
        return row

    def _two_places(self, row: Row) -> list[Alert]:
        """P03: a settlement elsewhere, in a place of the same type, less than half an hour away in time."""
        here = row.fact
        partners = [
            other
            for other in self.judge.counted()
            if other.fact.fixmedins_code != here.fixmedins_code
            and self._somewhere(other)
            and self._somewhere(row)
            and other.fact.fixmedins_type == here.fixmedins_type
            and abs(other.time_ms - row.time_ms) < self.parameters.p03_gap_ms
        ]
        if not partners:
            return []
        gap_ms = min(abs(other.time_ms - row.time_ms) for other in partners)
        seen = {"observed": gap_ms // 1000, "allowed": self.parameters.p03_gap_ms // 1000}
        evidence = {other.fact.event_id for other in partners}
        return [self.judge.alert("P03", 1, row) | seen | {"evidence": evidence}]

    def _somewhere(self, row: Row) -> bool:
        """A placeholder is no place: no rule but Q01 looks at it."""
        return not is_placeholder(row.fact.fixmedins_code, self.parameters.placeholders)

    def _large_bill(self, row: Row) -> list[Alert]:
        """P13: a single outpatient, chronic or pharmacy bill of 2,000 yuan or more."""
        bill_fen = row.fact.medfee_sumamt_fen
        if not row.is_of("11", "14", "41") or bill_fen < self.parameters.p13_fen:
            return []
        return [self.judge.alert("P13", 1, row) | {"observed": bill_fen, "allowed": self.parameters.p13_fen}]


@dataclass
class SubjectOracle:
    """Every institution and every doctor, fed by the contributions of all persons in log order."""

    parameters: Parameters = field(default_factory=Parameters)
    judges: dict[tuple[str, str], Judge] = field(default_factory=dict)
    told: set[tuple[str, str, int]] = field(default_factory=set)

    def apply(self, contribution: Contribution) -> list[Alert]:
        """The alerts of one contribution: the institution's (Q01, Q02, D01), then the doctor's."""
        row = contribution.row
        judges = [self._judge("institution", row.fact.fixmedins_code)]
        alerts = self._placeholders(judges[0], row) if contribution.kind == "counted" else []
        if row.dr_code is not None:
            judges.append(self._judge("staff", row.dr_code))
        for judge in judges:
            if contribution.kind == "counted":
                elsewhere = self._elsewhere(judge, row) if judge.kind == "staff" else []
                closed, opened = judge.settled(row)
                alerts += [*closed, *sorted([*opened, *elsewhere], key=lambda alert: str(alert["rule_id"]))]
            elif contribution.kind == "reversed":
                alerts += judge.reversed(row, contribution.at_ms)
            else:
                judge.count(row)
        return alerts

    def _elsewhere(self, doctor: Judge, row: Row) -> list[Alert]:
        """M03: a consultation the same doctor signed at another hospital, less than half an hour away in time."""
        gap_ms, words = self.parameters.m03_gap_ms, self.parameters.placeholders
        partners = [
            other
            for other in doctor.counted()
            if other.fact.fixmedins_code != row.fact.fixmedins_code
            and all(
                _is_at_hospital(each) and not is_placeholder(each.fact.fixmedins_code, words) for each in (row, other)
            )
            and abs(other.time_ms - row.time_ms) < gap_ms
        ]
        if not partners or doctor.is_silent(row.time_ms, LATE_SHORT_MS) or is_placeholder(doctor.name, words):
            return []
        observed = min(abs(other.time_ms - row.time_ms) for other in partners) // 1000
        evidence = {other.fact.event_id for other in partners}
        return [doctor.alert("M03", 1, row) | {"observed": observed, "allowed": gap_ms // 1000, "evidence": evidence}]

    def _placeholders(self, institution: Judge, row: Row) -> list[Alert]:
        """Q01, Q02: once per rule, institution as sent, and local date. A date 48 h behind its newest is silent."""
        if institution.is_silent(row.time_ms):
            return []
        alerts = []
        for rule_id, code in (("Q01", row.fact.fixmedins_code), ("Q02", row.dr_code)):
            once = (rule_id, institution.name, row.day)
            if code is not None and is_placeholder(code, self.parameters.placeholders) and once not in self.told:
                self.told.add(once)
                alerts.append(institution.alert(rule_id, 1, row))
        return alerts

    def _judge(self, kind: str, code: str) -> Judge:
        """A placeholder is nobody: no other rule aggregates it."""
        if (kind, code) not in self.judges:
            measures_of = institution_measures if kind == "institution" else staff_measures
            nobody = is_placeholder(code, self.parameters.placeholders)
            self.judges[kind, code] = Judge(kind, code, [] if nobody else measures_of(self.parameters))
        return self.judges[kind, code]


def person_measures(parameters: Parameters, cap: Cap) -> list[Measure]:
    """P01, P02, P12 and P17, in order, lowest level first."""

    def cap_of(row: Row) -> int | None:
        return cap(row.insuplc, row.fact.insutype)

    def in_hospital(row: Row) -> bool:
        nobody = is_placeholder(row.fact.fixmedins_code, parameters.placeholders)
        return row.fact.fixmedins_type == "1" and not nobody

    def at_pharmacy_desk(row: Row) -> bool:
        return row.is_of("41")

    def ambulatory(row: Row) -> bool:
        return row.is_of("11", "14", "41")

    visits, places = _distinct("mdtrt_id"), _distinct("fixmedins_code")
    return [
        *_each("P01", parameters.p01, passes=ambulatory, counts=ambulatory, value=visits),
        *_each("P02", parameters.p02, passes=in_hospital, counts=in_hospital, value=places, period=_day),
        *_each(
            "P12",
            parameters.p12,
            passes=lambda row: cap_of(row) is not None,
            counts=lambda row: True,
            value=lambda rows: sum(row.fact.fund_pay_sumamt_fen for row in rows),
            period=lambda row: row.year,
            cap=cap_of,
        ),
        *_each("P17", parameters.p17, passes=at_pharmacy_desk, counts=at_pharmacy_desk, value=len, period=_day),
    ]


def institution_measures(parameters: Parameters) -> list[Measure]:
    """Those of pharmacies and of hospitals."""
    return [*_pharmacy_measures(parameters), *_hospital_measures(parameters)]


def _pharmacy_measures(parameters: Parameters) -> list[Measure]:
    """D01: a burst. D02: by night. D10: growth, here of all fees."""

    def at_pharmacy(row: Row) -> bool:
        return row.fact.fixmedins_type == "2" and row.is_of("41")

    def at_night(row: Row) -> bool:
        return at_pharmacy(row) and row.fact.occurred_at.astimezone(SHANGHAI).hour < 5

    def late_or_early(row: Row) -> bool:
        hour = row.fact.occurred_at.astimezone(SHANGHAI).hour
        return at_pharmacy(row) and (hour < 6 or hour >= 22)

    def in_a_pharmacy(row: Row) -> bool:
        return row.fact.fixmedins_type == "2"

    def share_by_night(rows: list[Row]) -> int:
        return 100 * sum(map(late_or_early, rows)) // len(rows) if len(rows) >= parameters.d02_least else 0

    return [
        *_each("D01", parameters.d01, passes=at_pharmacy, counts=at_pharmacy, value=len, late_ms=LATE_SHORT_MS),
        *_each("D02", parameters.d02, passes=at_night, counts=at_night, value=len, period=_day),
        Measure(
            rule_id="D02",
            number=2,
            level=parameters.d02_share[0],
            passes=in_a_pharmacy,
            counts=in_a_pharmacy,
            value=share_by_night,
            opens=late_or_early,
        ),
        *_each(
            "D10",
            parameters.d10,
            passes=in_a_pharmacy,
            counts=in_a_pharmacy,
            value=len,
            grown=lambda now, before: _ratio(_fees(now), _fees(before), parameters.d10_least_fen),
        ),
    ]


def _hospital_measures(parameters: Parameters) -> list[Measure]:
    """H05: growth of the mean, here of any bill. H11, H13: shares of days."""

    def at_hospital(row: Row) -> bool:
        return row.fact.fixmedins_type == "1"

    def in_a_bed(row: Row) -> bool:
        return at_hospital(row) and row.is_of("2")

    def own_fen(row: Row) -> int:
        return row.fact.fulamt_ownpay_amt_fen or 0

    def is_blank(row: Row) -> bool:
        nobody = row.dr_code is not None and is_placeholder(row.dr_code, parameters.placeholders)
        return nobody or (row.diagnosis is not None and is_placeholder(row.diagnosis, parameters.placeholders))

    def share_of_own(rows: list[Row]) -> int:
        fees = sum(row.fact.medfee_sumamt_fen for row in rows)
        return 1000 * sum(map(own_fen, rows)) // fees if fees >= parameters.h11_least_fen else 0

    def share_of_blanks(rows: list[Row]) -> int:
        return 1000 * sum(map(is_blank, rows)) // len(rows) if len(rows) >= parameters.h13_least else 0

    return [
        *_each(
            "H05",
            parameters.h05,
            passes=at_hospital,
            counts=at_hospital,
            value=len,
            grown=lambda now, before: _mean_growth(now, before, parameters.h05_least),
        ),
        *_each("H11", parameters.h11, passes=in_a_bed, counts=in_a_bed, value=share_of_own, opens=own_fen),
        *_each("H13", parameters.h13, passes=at_hospital, counts=at_hospital, value=share_of_blanks, opens=is_blank),
    ]


def _fees(rows: list[Row]) -> int:
    return sum(row.fact.medfee_sumamt_fen for row in rows)


def _ratio(now: int, before: int, least: int) -> int:
    """In percent; nothing is growth that began below its floor."""
    return 100 * now // before if before >= least else 0


def _mean_growth(now: list[Row], before: list[Row], least: int) -> int:
    """The mean bill against the mean bill before, in percent; of too few bills none."""
    fees, fees_before = _fees(now), _fees(before)
    if len(now) < least or len(before) < least or not fees_before:
        return 0
    return 100 * fees * len(before) // (fees_before * len(now))


def staff_measures(parameters: Parameters) -> list[Measure]:
    """M01: more patients on one date than a doctor can see. M09: more patients one after another."""

    def consultation(row: Row) -> bool:
        return row.is_of("11", "13", "14")

    patients = _distinct("psn_no")

    def short_gaps(rows: list[Row]) -> int:
        """Between the latest patients, each at the first bill; with fewer patients nothing is measured."""
        firsts = sorted(
            min(row.time_ms for row in rows if row.fact.psn_no == who) for who in {r.fact.psn_no for r in rows}
        )
        latest = firsts[-parameters.m09_persons :]
        gaps = [later - earlier for earlier, later in pairwise(latest)]
        return sum(gap < parameters.m09_gap_ms for gap in gaps) if len(firsts) >= parameters.m09_persons else 0

    return [
        *_each("M01", parameters.m01, passes=consultation, counts=consultation, value=patients, period=_day),
        *_each(
            *("M09", parameters.m09),
            passes=consultation,
            counts=consultation,
            value=short_gaps,
            late_ms=LATE_SHORT_MS,
        ),
    ]


def _is_at_hospital(row: Row) -> bool:
    """A consultation: a pharmacy's bill names who prescribed, not who is there."""
    return row.fact.fixmedins_type == "1" and row.is_of("11", "13", "14")


def amounts_add_up(fact: SettlementCompleted) -> bool:
    """Both identities of contract.md, within one fen."""
    shares = fact.fund_pay_sumamt_fen + fact.psn_part_amt_fen + (fact.hosp_part_amt_fen or 0)
    return (
        abs(fact.medfee_sumamt_fen - shares) <= 1
        and abs(fact.psn_part_amt_fen - fact.acct_pay_fen - fact.psn_cash_pay_fen) <= 1
    )


def is_placeholder(code: str, placeholders: tuple[str, ...]) -> bool:
    """A word for "no code", nothing but nines, or nothing at all."""
    word = code.strip().lower()
    return word == "" or set(word) == {"9"} or word in {placeholder.lower() for placeholder in placeholders}


def _names(reversal: SettlementReversed, original: SettlementCompleted) -> bool:
    if reversal.setl_id is not None:
        return reversal.setl_id == original.setl_id
    message = original.event_id.split(":")[1] if original.event_id.startswith("2207:") else None
    return reversal.medins_setl_id is not None and reversal.medins_setl_id in (original.medins_setl_id, message)


def _bound_to(fact: Fact) -> str:
    """The institution whose token sent it; none: who may speak of anybody's."""
    kind, _, whose = fact.source.partition(":")
    return whose.split("/")[0] if kind == "institution" else ""


def _may_undo(fact: SettlementReversed | SettlementReinstated, original: SettlementCompleted) -> bool:
    """An institution's own token undoes that institution's bills; who has no such token, anybody's."""
    return _bound_to(fact) in ("", original.fixmedins_code)


def _may_take_back(fact: SettlementReinstated, waiting: SettlementReversed) -> bool:
    """Of a bill that nobody knows yet an institution takes back its own reversal only."""
    return _bound_to(fact) in ("", _bound_to(waiting))


def _data_quality(rule_id: str, row: Row) -> Alert:
    return Judge("institution", row.fact.fixmedins_code, []).alert(rule_id, 1, row)


def _distinct(name: str) -> Callable[[list[Row]], int]:
    return lambda rows: len({getattr(row.fact, name) for row in rows})


def _day(row: Row) -> int:
    return row.day


def _each(rule_id: str, levels: tuple[Level, ...], **what: object) -> list[Measure]:
    return [Measure(rule_id=rule_id, number=n, level=level, **what) for n, level in enumerate(levels, 1)]  # type: ignore[arg-type]
