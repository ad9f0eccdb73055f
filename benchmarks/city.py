"""How fast the simulator makes facts, messages and bytes: it must never be what a bench measures."""

import time
from collections.abc import Iterable

from benchmarks.report import Report
from streams.city import settlements
from streams.city.plan import CityPlan
from streams.city.stream import facts, national_lines, preencoded


def run(quick: bool) -> Report:
    """Each form over the same plan."""
    people = 5_000 if quick else 100_000
    plan = CityPlan(people=people, institutions=200, first_day=20_500, days=7, seed=1, signed_percent=5)
    report = Report({"people": people, "days": plan.days})
    forms: dict[str, Iterable[object]] = {
        "facts": facts(plan),
        "canonical JSON": preencoded(plan),
        "national JSON": national_lines(plan),
        "settlements, facts": settlements.settlements_only(people, people, 1),
        "settlements, JSON": settlements.preencoded(people, people, 1),
    }
    for name, made in forms.items():
        began = time.perf_counter()
        count = sum(1 for _ in made)
        report.add("city", name, "generation", count / (time.perf_counter() - began), "records/s")
    return report
