"""Planted misconduct (违规样例): people who break one rule each, with labels that say which and where.

The persons are numbered beyond the honest ones, so that no honest visit blurs a label. Every plant keeps clear of the
other rules.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from risk.local_time import HOUR_MS, MINUTE_MS, local_day, to_date
from streams.city.canonical import signed_up
from streams.city.happenings import PAPER, Bill, Happening, Script, Visit, event_id, happening
from streams.city.visits import bill_of, lines_of, settled
from streams.city.world import DEPARTMENTS, Person, World

SPENDER_LINE_FEN = 100_000
_CODES = {"11": ("2206", "2207"), "41": ("2101", "2102"), "21": ("2303", "2304")}
_NUMBERS = 9 * 10**14


class Label(NamedTuple):
    """What must be found. `event_ids`: the one that crosses the threshold first, then the rest of the evidence."""

    rule: str
    level: int
    subject: str
    day: str
    event_ids: tuple[str, ...]


class Plant(NamedTuple):
    """One act of misconduct: its scripts and its labels."""

    scripts: list[tuple[int, Script]]
    labels: list[Label]


class _Stage:
    """Where one plant happens: its own people, its own numbers, and the hours of the day it may use."""

    def __init__(self, world: World, rule: int, ordinal: int) -> None:
        self.world = world
        plan = world.plan
        self.first_person = plan.people + (rule * 1_000 + ordinal) * 1_000
        self.number = (
            _NUMBERS + (rule * 1_000 + ordinal) * 10_007
        )  # message ids keep its last four digits: no two plants alike
        self.place = ordinal % world.hospitals
        self.day_ms = plan.start_ms + (ordinal * 7 % plan.days) * 24 * HOUR_MS
        self.scripts: list[tuple[int, Script]] = []

    def person(self, offset: int = 0) -> Person:
        return self.world.person(self.first_person + offset)

    def visit(self, person: Person, med_type: str, place: int, doctor: str | None = None) -> Visit:
        self.number += 1
        pharmacy = med_type == "41"
        return Visit(
            mdtrt_id=f"{person.psn_no[4:7]}{self.number:015d}",
            psn_no=person.psn_no,
            fixmedins_code=self.world.pharmacy(place) if pharmacy else self.world.hospital(place),
            fixmedins_type="2" if pharmacy else "1",
            med_type=med_type,
            insutype="390",
            insuplc_admdvs="430502",
            dr_code="" if pharmacy else doctor or self.world.doctor(place, self.number % self.world.doctors),
            dept_code="" if pharmacy else DEPARTMENTS[place % len(DEPARTMENTS)],
            number=self.number,
        )

    def settle(self, visit: Visit, at_ms: int, medfee_fen: int, fund_percent: int = 50, *, credit: bool = False) -> str:
        """Script one visit whose settlement happens at `at_ms`; the settlement's event id."""
        ask = credit and self.world.plan.checkout
        bill = bill_of(visit, 1, medfee_fen, fund_percent, credit=credit and not ask)
        codes = _CODES[visit.med_type]
        self.scripts.append((at_ms, _short_visit(visit, at_ms, codes, bill, ask=ask)))
        return event_id(codes[1], happening(visit, at_ms, codes[1]).msgid)

    def label(self, rule: str, level: int, subject: str, *, at_ms: int, events: list[str]) -> Label:
        evidence = (events[-1], *events[:-1])
        return Label(rule, level, subject, to_date(local_day(at_ms)).isoformat(), evidence)


def _short_visit(visit: Visit, at_ms: int, codes: tuple[str, str], bill: Bill, *, ask: bool) -> Script:
    if visit.med_type == "11":
        yield happening(visit, at_ms - 12 * MINUTE_MS, "2201")
        yield happening(visit, at_ms - 6 * MINUTE_MS, "2203")
        yield happening(visit, at_ms - 3 * MINUTE_MS, "2204", lines=lines_of(visit, bill.medfee_fen, 1, 0.6))
    if visit.med_type == "21":
        yield happening(visit, at_ms - 20 * HOUR_MS, "2401")
        yield happening(visit, at_ms - 10 * HOUR_MS, "2301", lines=lines_of(visit, bill.medfee_fen, 1, 0.9))
        yield happening(visit, at_ms - HOUR_MS, "2402")
    yield from settled(visit, at_ms - 30_000, codes, bill, ask=ask)


def frequent_visits(stage: _Stage) -> Plant:
    """P01: fifteen visits within thirty days, one hospital."""
    person, plan = stage.person(), stage.world.plan
    step_ms = min(24 * HOUR_MS, plan.days * 24 * HOUR_MS // 18)
    first_ms = plan.start_ms + (9 * HOUR_MS if step_ms >= 12 * HOUR_MS else HOUR_MS)
    times = [first_ms + n * step_ms for n in range(15)]
    events = [stage.settle(stage.visit(person, "11", stage.place), at_ms, 12_000 + n) for n, at_ms in enumerate(times)]
    return Plant(stage.scripts, [stage.label("P01", 1, person.psn_no, at_ms=times[-1], events=events)])


def many_hospitals(stage: _Stage) -> Plant:
    """P02: three hospitals on one local date, two hours apart."""
    person = stage.person()
    times = [stage.day_ms + (9 + 2 * n) * HOUR_MS for n in range(3)]
    places = [stage.world.hospitals + n for n in range(3)]  # beyond the city's own: a clinic's world has only one
    events = [
        stage.settle(stage.visit(person, "11", place), at, 15_000) for place, at in zip(places, times, strict=True)
    ]
    return Plant(stage.scripts, [stage.label("P02", 1, person.psn_no, at_ms=times[-1], events=events)])


def two_places_at_once(stage: _Stage) -> Plant:
    """P03: two hospitals within ten minutes."""
    person = stage.person()
    times = [stage.day_ms + 10 * HOUR_MS, stage.day_ms + 10 * HOUR_MS + 10 * MINUTE_MS]
    places = [stage.world.hospitals, stage.world.hospitals + 1]
    events = [
        stage.settle(stage.visit(person, "11", place), at, 15_000) for place, at in zip(places, times, strict=True)
    ]
    return Plant(stage.scripts, [stage.label("P03", 1, person.psn_no, at_ms=times[-1], events=events)])


def near_the_cap(stage: _Stage) -> Plant:
    """P12: three admissions of which the fund pays 81, 10 and 5 percent of the annual cap."""
    person, cap_fen = stage.person(), stage.world.plan.annual_cap_fen
    events, labels = [], []
    for level, percent in enumerate((81, 10, 5), 1):
        at_ms = stage.day_ms + (20 + level) * HOUR_MS
        medfee_fen = -(-cap_fen * percent // 70)
        events.append(stage.settle(stage.visit(person, "21", stage.place), at_ms, medfee_fen, 70))
        labels.append(stage.label("P12", level, person.psn_no, at_ms=at_ms, events=events))
    return Plant(stage.scripts, labels)


def large_bill(stage: _Stage) -> Plant:
    """P13: one outpatient bill of 2,350 yuan."""
    person, at_ms = stage.person(), stage.day_ms + 15 * HOUR_MS
    event = stage.settle(stage.visit(person, "11", stage.place), at_ms, 235_000)
    return Plant(stage.scripts, [stage.label("P13", 1, person.psn_no, at_ms=at_ms, events=[event])])


def many_pharmacy_bills(stage: _Stage) -> Plant:
    """P17: three purchases on one local date, an hour apart."""
    person, place = stage.person(), stage.world.pharmacies
    times = [stage.day_ms + (10 + n) * HOUR_MS for n in range(3)]
    events = [stage.settle(stage.visit(person, "41", place), at_ms, 6_000, 20) for at_ms in times]
    return Plant(stage.scripts, [stage.label("P17", 1, person.psn_no, at_ms=times[-1], events=events)])


def burst_at_a_pharmacy(stage: _Stage) -> Plant:
    """D01: twelve cards at one pharmacy within four minutes."""
    place = stage.world.pharmacies + 1 + stage.first_person // 1_000 % 1_000
    times = [stage.day_ms + 14 * HOUR_MS + n * 20_000 for n in range(12)]
    events = [stage.settle(stage.visit(stage.person(n), "41", place), at, 9_000, 20) for n, at in enumerate(times)]
    return Plant(
        stage.scripts, [stage.label("D01", 1, stage.world.pharmacy(place), at_ms=times[9], events=events[:10])]
    )


def beyond_human_capacity(stage: _Stage) -> Plant:
    """M01: one doctor's code under the bills of 104 persons on one date."""
    doctor = f"D430599{stage.first_person // 1_000 % 1_000_000:06d}"
    times = [stage.day_ms + 8 * HOUR_MS + n * 4 * MINUTE_MS for n in range(104)]
    events = [
        stage.settle(stage.visit(stage.person(n), "11", stage.place, doctor), at, 11_000) for n, at in enumerate(times)
    ]
    return Plant(stage.scripts, [stage.label("M01", 1, doctor, at_ms=times[100], events=events[:101])])


def over_the_limit(stage: _Stage) -> Plant:
    """L80, L90, and at a live counter L100: a line of 1,000 yuan used up within a morning."""
    person = stage.person()._replace(
        level="A", funding_mode="credit_line", bank_line_fen=SPENDER_LINE_FEN, insutype="390", signed=True
    )
    stage.scripts.append((stage.world.plan.start_ms - HOUR_MS, _papers(person, stage.world.plan.start_ms - HOUR_MS)))
    events, labels, spent_fen = [], [], 0
    for rule, cash_fen, hour in (("L80", 82_000, 9), ("L90", 10_000, 10), ("L100", 50_000, 11)):
        at_ms = stage.day_ms + hour * HOUR_MS
        spent_fen += cash_fen
        events.append(stage.settle(stage.visit(person, "11", 0), at_ms, 2 * cash_fen, credit=True))
        if rule != "L100" or stage.world.plan.checkout:
            labels.append(stage.label(rule, 1, person.psn_no, at_ms=at_ms, events=events))
    return Plant(stage.scripts, labels)


def _papers(person: Person, at_ms: int) -> Script:
    for fact in signed_up(person, at_ms):
        yield paper(fact, at_ms)


def paper(fact: object, at_ms: int) -> Happening:
    """A bank's or an authority's fact as a happening."""
    return Happening(at_ms, PAPER, NO_VISIT, "", fact=fact)  # type: ignore[arg-type]


NO_VISIT = Visit("", "", "", "", "", "", "", "", "", 0)

PLANTS: tuple[Callable[[_Stage], Plant], ...] = (
    frequent_visits,
    many_hospitals,
    two_places_at_once,
    near_the_cap,
    large_bill,
    many_pharmacy_bills,
    burst_at_a_pharmacy,
    beyond_human_capacity,
    over_the_limit,
)


def plants(world: World) -> Iterator[Plant]:
    """Every plant of the plan, in a fixed order."""
    for ordinal in range(world.plan.plants):
        for rule, plant in enumerate(PLANTS, 1):
            yield plant(_Stage(world, rule, ordinal))
