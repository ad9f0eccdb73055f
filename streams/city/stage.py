"""Where one act of misconduct (or its innocent twin) is played: its own people, places, numbers and days.

Persons, institutions and doctors are numbered beyond the honest ones, so that no honest visit blurs a label.
"""

from collections.abc import Sequence

from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, local_day, to_date
from streams.city.canonical import signed_up
from streams.city.happenings import PAPER, Bill, Happening, Line, Script, Visit, event_id, happening
from streams.city.labels import Label
from streams.city.visits import bill_of, lines_of, settled
from streams.city.world import DEPARTMENTS, Person, World, mix

NO_VISIT = Visit("", "", "", "", "", "", "", "", "", 0)
_CODES = {"1": ("2206", "2207"), "4": ("2101", "2102"), "2": ("2303", "2304")}
_NUMBERS = 9 * 10**14
_REPEATS, _PLACES = 40, 5  # own institutions: five for each play, until the act is repeated too often
EXCESSES = (0, 1, 0, 3, 0, 8)
"""How far beyond the threshold the misconduct of each repetition goes: half of it meets it exactly."""


class Stage:
    """One play of one act. `excess` is how far beyond the threshold it goes; -1 stays one step below."""

    def __init__(self, world: World, act: int, ordinal: int, *, span_days: int = 1, below: bool = False) -> None:
        self.world = world
        plan = world.plan
        key = 2 * act + below
        self.ordinal = ordinal
        self.serial = key * 1_000 + ordinal
        self.first_person = plan.people + self.serial * 1_000
        self.number = _NUMBERS + self.serial * 10_007  # message ids keep its last four digits: no two plants alike
        self.place = ordinal % world.hospitals
        self.own_place = (key * _REPEATS + ordinal % _REPEATS) * _PLACES
        self.excess = -1 if below else EXCESSES[ordinal % len(EXCESSES)]
        self.span_days = min(span_days, plan.days)
        self.day = first_day_of(world, key, ordinal, span_days)
        self.day_ms = plan.start_ms + self.day * DAY_MS
        self.scripts: list[Script] = []
        self.labels: list[Label] = []
        self.times: dict[str, int] = {}

    # --- who and where -----------------------------------------------------------------------------------------------

    def person(self, offset: int = 0) -> Person:
        """One of the act's own people; a resident of the city, so that the annual cap is the residents'."""
        return self.world.person(self.first_person + offset)._replace(insutype="390", insuplc_admdvs="430502")

    def hospital(self, offset: int = 0) -> str:
        """One of the act's own hospitals."""
        return self.world.hospital(self.world.hospitals + self.own_place + offset)

    def pharmacy(self, offset: int = 0) -> str:
        """One of the act's own pharmacies."""
        return self.world.pharmacy(self.world.pharmacies + self.own_place + offset)

    def doctor(self, offset: int = 0) -> str:
        """One of the act's own doctors."""
        return f"D4305{90 + offset % 10}{self.serial % 1_000_000:06d}"

    def at(self, hour: float, day: int = 0) -> int:
        """An instant of the act's `day`-th day, by the hour, to the whole second."""
        return self.day_ms + day * DAY_MS + round(hour * 3600) * 1000

    def visit(self, person: Person, med_type: str, code: str = "", *, doctor: str | None = None) -> Visit:
        """A visit of the act, at one of the city's own places where none is named."""
        self.number += 1
        pharmacy = med_type == "41"
        at = code or (self.world.pharmacy(0) if pharmacy else self.world.hospital(self.place))
        some = self.world.doctor(self.place, self.number % self.world.doctors)
        some = f"D{code[1:7]}{code[-5:]}{self.number % 10}" if code else some  # nobody works at two places unnoticed
        return Visit(
            mdtrt_id=f"{person.psn_no[4:7]}{self.number:015d}",
            psn_no=person.psn_no,
            fixmedins_code=at,
            fixmedins_type="2" if pharmacy else "1",
            med_type=med_type,
            insutype=person.insutype,
            insuplc_admdvs=person.insuplc_admdvs,
            dr_code="" if pharmacy else some if doctor is None else doctor,
            dept_code="" if pharmacy else DEPARTMENTS[self.place % len(DEPARTMENTS)],
            number=self.number,
            gend=person.gend,
            age=person.age,
        )

    def drug(self, offset: int = 0) -> str:
        """One of the act's own drugs."""
        return f"XA{self.serial:08d}{offset:03d}"

    def line(self, visit: Visit, drug: str, amount_fen: int, *, days: int = 7, count: int = 1, serial: int = 1) -> Line:
        """A fee line of a drug: so many boxes for so many days, each box with its code."""
        codes = tuple(f"7{visit.number * 1_000 + serial * 100 + box:019d}" for box in range(min(count, 90)))
        return Line(f"{visit.mdtrt_id}{serial:04d}", drug, count * 10_000, amount_fen, days, codes)

    # --- what happens ------------------------------------------------------------------------------------------------

    def settle(
        self,
        visit: Visit,
        at_ms: int,
        medfee_fen: int,
        fund_percent: int = 50,
        *,
        credit: bool = False,
        own_fen: int = 0,
        lines: Sequence[Line] | None = None,
        stay_ms: int = 20 * HOUR_MS,
        idle_days: Sequence[int] = (),
    ) -> str:  # fmt: skip
        """Script one visit whose settlement happens at `at_ms`; the settlement's event id.

        A stay begins `stay_ms` before and has a fee line each day but on its `idle_days`.
        """
        ask = credit and self.world.plan.checkout
        bill = bill_of(visit, 1, medfee_fen, fund_percent, credit=credit and not ask)._replace(own_fen=own_fen)
        codes = _CODES[visit.med_type[0]]
        made = lines_of(visit, medfee_fen, 1, 0.6) if lines is None else tuple(lines)
        before = (
            _stay(visit, at_ms, made, stay_ms, idle_days=idle_days)
            if codes[0] == "2303"
            else _before(visit, at_ms, made)
        )
        self.add(_visit(before, visit, at_ms, bill=bill, ask=ask, codes=codes))
        event = event_id(codes[1], happening(visit, at_ms, codes[1]).msgid)
        self.times[event] = at_ms
        return event

    def undo(self, visit: Visit, at_ms: int, medfee_fen: int, fund_percent: int = 50) -> None:
        """Take back the first settlement of a visit."""
        bill = bill_of(visit, 1, medfee_fen, fund_percent)
        infno = {"1": "2208", "4": "2103", "2": "2305"}[visit.med_type[0]]
        self.add(iter([happening(visit, at_ms, infno, original_setl_id=bill.setl_id, bill=bill)]))

    def add(self, script: Script) -> None:
        """Something else that happens, in order of time."""
        self.scripts.append(script)

    def papers(self, person: Person, at_ms: int) -> None:
        """What bank and authority say of a person who may pay on credit."""
        self.add(paper(fact, at_ms) for fact in signed_up(person, at_ms))

    # --- what must come of it ----------------------------------------------------------------------------------------

    def label(
        self, rule: str, subject: str, events: Sequence[str], *, level: int = 1, crossing: int | None = None
    ) -> None:
        """The rule must find the subject at the `crossing`-th of `events` (from 0), the last where none is named."""
        events = sorted(events, key=lambda each: self.times[each])
        found = events if self.excess < 0 or crossing is None else events[: crossing + 1]
        verdict = "below" if self.excess < 0 else "planted"
        self._note(Label(rule, level, subject, "", (found[-1], *found[:-1]), verdict), events)  # type: ignore[arg-type]

    def must(self, rule: str, subject: str, events: Sequence[str], *, level: int = 1) -> None:
        """What another rule must find in any case, whichever side of the threshold this play is on."""
        self._note(Label(rule, level, subject, "", (events[-1], *events[:-1])), events)

    def innocent(self, rule: str, subject: str, why: str, events: Sequence[str]) -> None:
        """The rule must not accuse the subject of these events."""
        self._note(Label(rule, 0, subject, "", (events[-1], *events[:-1]), "innocent", why), events)

    def _note(self, label: Label, events: Sequence[str]) -> None:
        at_ms, ends_ms = self.times[label.event_ids[0]], max(self.times[each] for each in events)
        self.labels.append(label._replace(day=to_date(local_day(at_ms)).isoformat(), ends_ms=ends_ms))


def first_day_of(world: World, key: int, ordinal: int, span_days: int) -> int:
    """The day of the plan on which an act begins: spread by the seed, with room for all of it where there is room."""
    return mix(world.plan.seed * 1_000_003 + key * 1_009 + ordinal) % max(1, world.plan.days - span_days + 1)


def _before(visit: Visit, at_ms: int, lines: tuple[Line, ...]) -> Script:
    if visit.med_type.startswith("1"):
        yield happening(visit, at_ms - 12 * MINUTE_MS, "2201")
        yield happening(visit, at_ms - 6 * MINUTE_MS, "2203")
        yield happening(visit, at_ms - 3 * MINUTE_MS, "2204", lines=lines)


def _stay(visit: Visit, at_ms: int, lines: tuple[Line, ...], stay_ms: int, *, idle_days: Sequence[int]) -> Script:
    opened_ms, left_ms = at_ms - stay_ms, at_ms - HOUR_MS
    yield happening(visit, opened_ms, "2401")
    yield happening(visit, opened_ms + 10 * MINUTE_MS, "2403")
    days = [day for day in range(1 + stay_ms // DAY_MS) if day not in idle_days]
    for turn, day in enumerate(days):
        todays = lines if turn == 0 else lines_of(visit, 5_000, 1_000 + 10 * day, 0.1)
        if opened_ms + day * DAY_MS + HOUR_MS < left_ms:
            yield happening(visit, opened_ms + day * DAY_MS + HOUR_MS, "2301", lines=todays)
    yield happening(visit, left_ms, "2402")


def _visit(before: Script, visit: Visit, at_ms: int, *, bill: Bill, ask: bool, codes: tuple[str, str]) -> Script:
    yield from before
    yield from settled(visit, at_ms - 30_000, codes, bill, ask=ask)


def paper(fact: object, at_ms: int) -> Happening:
    """A bank's or an authority's fact as a happening."""
    return Happening(at_ms, PAPER, NO_VISIT, "", fact=fact)  # type: ignore[arg-type]
