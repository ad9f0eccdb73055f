"""One order of delivery: honest visits, plants, papers, late and repeated messages, merged lazily by time of arrival.

Memory holds the visits that are under way and one slice of an hour, never a day: a province streams like a clinic.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import Any

import numpy as np

from connectors.codec import encode_fact
from risk.facts import Fact, SubjectFact
from risk.local_time import HOUR_MS
from streams.city.canonical import facts_of, signed_up
from streams.city.happenings import CALLS, PAPER, Happening, Script
from streams.city.labels import Label
from streams.city.misconduct import stages
from streams.city.national import line_of
from streams.city.plan import CityPlan
from streams.city.stage import paper
from streams.city.visits import DAY, DRAWS, SCRIPTS, stay_days, visit_of
from streams.city.world import World, mix

SLICE_VISITS = 2_000
KINDS = ("11", "14", "13", "41", "21")
KIND_SHARES = (0.55, 0.12, 0.03, 0.27, 0.03)
HOUR_SHARES = np.array([1, 1, 1, 1, 1, 2, 6, 30, 90, 110, 100, 70, 35, 45, 80, 90, 75, 50, 40, 35, 25, 12, 5, 2])
_HOURS = HOUR_SHARES / HOUR_SHARES.sum()
_LATE, _DUPLICATE = 0x1A7E, 0xD0B1


class Deliveries:
    """An iterator of (arrival_ms, happening) over one plan."""

    def __init__(self, plan: CityPlan) -> None:
        self._plan = plan
        self._world = World(plan)
        self._order = count()
        self._in_bed: dict[int, int] = {}  # who is in hospital, and until when: he goes nowhere else
        self._heap: list[tuple[int, int, Happening, Script | None, int]] = []

    def __iter__(self) -> Iterator[tuple[int, Happening]]:
        yield from self._papers()
        self._stage(0)
        for until_ms, starts in self._slices():
            for script, late_ms in starts:
                self._next_of(script, late_ms)
            yield from self._arrived(until_ms)
        yield from self._arrived(None)

    def _stage(self, day: int) -> None:
        """Let the acts of one day begin; their papers may be signed the evening before."""
        for stage in stages(self._world, day):
            for script in stage.scripts:
                self._next_of(script, 0)

    def _papers(self) -> Iterator[tuple[int, Happening]]:
        at_ms = self._plan.start_ms - 24 * HOUR_MS
        for index in range(self._plan.people if self._plan.signed_percent else 0):
            person = self._world.person(index)
            if person.signed:
                for fact in signed_up(person, at_ms + index * HOUR_MS // self._plan.people):
                    yield at_ms, paper(fact, at_ms)

    def _slices(self) -> Iterator[tuple[int, list[tuple[Script, int]]]]:
        plan = self._plan
        for day in range(plan.days):
            weekend = plan.date_of(plan.first_day + day).weekday() >= 5
            mean = plan.visits_per_day * (0.75 if weekend else 1.1)
            counts = np.random.default_rng((plan.seed, day)).poisson(mean * _HOURS)
            number = day * 10**8
            self._stage(day + 1)
            begin_ms = plan.start_ms + day * DAY
            self._in_bed = {index: until_ms for index, until_ms in self._in_bed.items() if until_ms > begin_ms}
            for hour, visits in enumerate(counts.tolist()):
                begin_ms = plan.start_ms + (day * 24 + hour) * HOUR_MS
                parts = max(1, ceil(visits / SLICE_VISITS))
                for part in range(parts):
                    size = visits // parts + (part < visits % parts)
                    rng = np.random.default_rng((plan.seed, day, hour, part))
                    width_ms = HOUR_MS // parts
                    yield (
                        begin_ms + (part + 1) * width_ms,
                        self._starts(rng, begin_ms + part * width_ms, width_ms, number=number, size=size),
                    )
                    number += size

    def _starts(
        self, rng: np.random.Generator, begin_ms: int, width_ms: int, *, number: int, size: int
    ) -> list[tuple[Script, int]]:
        plan, world = self._plan, self._world
        times = (begin_ms + np.sort(rng.integers(0, width_ms, size))).tolist()
        kinds = rng.choice(len(KINDS), size, p=KIND_SHARES).tolist()
        chronic = rng.random(size) < 0.2  # a fifth of the visits belongs to a twentieth of the people
        people = (rng.random(size) * np.where(chronic, max(1, plan.people // 20), plan.people)).astype(np.int64)
        draws = rng.random((size, DRAWS)).tolist()
        starts = []
        for n, (at_ms, kind, index) in enumerate(zip(times, kinds, people.tolist(), strict=True)):
            med_type = KINDS[kind]
            if med_type == "41" and not world.pharmacies:
                med_type = "11"
            if self._in_bed.get(index, 0) > at_ms:
                continue
            if med_type == "21":
                self._in_bed[index] = at_ms + stay_days(draws[n]) * DAY
            person = world.person(index)
            visit = visit_of(world, person, number + n, med_type=med_type, at_ms=at_ms, draws=draws[n])
            late_ms = self._late_ms(number + n)
            on_credit = person.signed and draws[n][11] < 0.5
            ask = on_credit and plan.checkout and not late_ms
            booked = on_credit and not plan.checkout
            script = SCRIPTS[med_type](visit, at_ms, draws[n], credit=booked, ask=ask)
            starts.append((script, late_ms))
        return starts

    def _late_ms(self, number: int) -> int:
        bits = mix(number ^ (_LATE << 32))
        return HOUR_MS + (bits >> 20) % (19 * HOUR_MS) if bits % 10_000 < self._plan.late_percent * 100 else 0

    def _next_of(self, script: Script, late_ms: int) -> None:
        following = next(script, None)
        if following is not None:
            heappush(self._heap, (following.at_ms + late_ms, next(self._order), following, script, late_ms))

    def _arrived(self, until_ms: int | None) -> Iterator[tuple[int, Happening]]:
        heap, share = self._heap, self._plan.duplicate_percent * 100
        while heap and (until_ms is None or heap[0][0] < until_ms):
            arrival_ms, _, happening, script, late_ms = heappop(heap)
            yield arrival_ms, happening
            if script is None:
                continue
            if happening.infno not in (*CALLS, PAPER):
                bits = mix(happening.visit.number ^ happening.at_ms ^ (_DUPLICATE << 32))
                if bits % 10_000 < share:
                    again_ms = arrival_ms + 1_000 + (bits >> 20) % 120_000
                    heappush(heap, (again_ms, next(self._order), happening, None, 0))
            self._next_of(script, late_ms)


def facts(plan: CityPlan) -> Iterator[Fact]:
    """The city's canonical facts in the order of their arrival."""
    for _, happening in Deliveries(plan):
        yield from facts_of(happening)


def labels(plan: CityPlan) -> list[Label]:
    """What was planted, and must be found."""
    return [label for label in expectations(plan) if label.verdict == "planted"]


def expectations(plan: CityPlan) -> list[Label]:
    """Every label: what must be found, what stays below the threshold, and who is innocent."""
    return [label for stage in stages(World(plan)) for label in stage.labels]


def label_record(label: Label) -> dict[str, Any]:
    """A label as one JSON object."""
    return label._asdict()


def national_lines(plan: CityPlan) -> Iterator[bytes]:
    """The city as national messages in the order of their arrival; papers and checkouts are not among them."""
    for _, happening in Deliveries(plan):
        line = line_of(happening)
        if line is not None:
            yield line


def preencoded(plan: CityPlan) -> Iterator[tuple[str, bytes]]:
    """The persons' log of the city as (partition key, canonical JSON); doctors and shelves stand in the other."""
    for fact in facts(plan):
        if not isinstance(fact, SubjectFact):
            yield fact.psn_no, encode_fact(fact)
