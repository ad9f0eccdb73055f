"""What the rules cost: the same records folded under the whole book and under the book without a group, in turns.

A group is the rules of one kind of measure: what they share (a row, a running total) is paid once, by whichever is
there, so that a single rule costs its author less than its group. Records are decoded before the clock starts: what is
measured is judging and remembering, both hops, in processor time. Beside each lesser book goes a whole one, slice by
slice in turns; cities follow each other until the time is up, and the error is that of their mean. A difference within
two standard errors of nothing is not told as a figure but as what it stays below.
"""

import gc
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from statistics import fmean, stdev
from typing import Any

from benchmarks.both_hops import BothHops, city_facts, policy_texts
from benchmarks.report import Report
from risk.facts import Fact
from risk.local_time import day_of
from risk.policy import PolicyError, parse_policy
from risk.policy_counters import CounterRule
from risk.policy_measures import MeasuredRule
from streams.city.plan import CityPlan

WHOLE, EMPTY = "whole book", "no rule"
FIRST_DAY = date(2026, 3, 1)
SLICE = 100
FEWEST_CITIES = 3
BUDGET_S, QUICK_S = 100, 20
_HEAD = re.compile(r"^\[\[([A-Z]\d+)\]\]")
_ANY_HEAD = re.compile(r"^\[")
MEASURES = {
    "WindowRule": "windows", "GapRule": "gap", "ShareRule": "share of the cap", "AmountRule": "one amount",
    "CompanyRule": "companies", "QualityRule": "boxes", "StockRule": "stock", "ShelfRule": "shelf",
    "PriceRule": "prices", "QueryRule": "queries", "StandingRule": "standing", "PointsRule": "points",
    "PaceRule": "pace", "DemandRule": "limit", "UseRule": "use of credit",
}  # fmt: skip
"""What the rules of a shape measure, as DETECTION.md calls it; those of the two grammars name their measure."""


def run(quick: bool) -> Report:
    """Ordinary months of small counties, nobody guilty: registrations, records, fee lines, estimates, settlements."""
    files = policy_texts("shaoyang")
    rules = rule_ids(files)
    books = {WHOLE: files, EMPTY: without(files, frozenset(rules))}
    alone = []
    for name, members in groups_of(files).items():
        less = without(files, frozenset(members))
        try:
            parse_policy(less)
        except PolicyError:  # others rest on it: it cannot be taken out alone
            alone.append(name)
        else:
            books[name] = less
    measured = Measured(books)
    report = Report({"policy": "shaoyang", "rules": len(rules), "not to be taken out alone": alone})
    began_s, seed = time.monotonic(), 0
    while seed < FEWEST_CITIES or time.monotonic() - began_s < (QUICK_S if quick else BUDGET_S):
        seed += 1
        plan = CityPlan(
            people=300 if quick else 800, institutions=12, first_day=day_of(FIRST_DAY), days=30, seed=seed, plants=0,
            signed_percent=10,
        )  # fmt: skip
        measured.go_on(list(city_facts(plan)), until_s=began_s + (QUICK_S if quick else BUDGET_S))
    report.settings |= {"cities": seed, "people": plan.people, "days": 30}
    _tell(report, measured)
    return report


def groups_of(files: dict[str, str]) -> dict[str, list[str]]:
    """The rules of a book by the kind of what they measure; of those about records each stands for itself."""
    terms = parse_policy(files).on(day_of(FIRST_DAY))
    groups: dict[str, list[str]] = defaultdict(list)
    for name in (each for each in rule_ids(files) if each in terms):
        rule = terms[name].value
        match rule:
            case MeasuredRule():
                kind = f"a person's {rule.counts}s"
            case CounterRule():
                kind = f"days of {rule.subject}, {rule.measures[0].kind}"
            case _:
                shape = type(rule).__name__
                kind = MEASURES.get(shape, shape) if name[0] != "Q" else "records (Q)"
        groups[kind].append(name)
    return {f"{' '.join(members)} ({kind})": members for kind, members in groups.items()}


def rule_ids(files: dict[str, str]) -> list[str]:
    """The rules of a book, in its own order."""
    heads = (_HEAD.match(line) for text in files.values() for line in text.splitlines())
    return list(dict.fromkeys(head[1] for head in heads if head))


def without(files: dict[str, str], rules: frozenset[str]) -> dict[str, str]:
    """The book without the entries of these rules: a rule without an entry in force is off."""
    return {name: "\n".join(_kept(text, rules)) for name, text in files.items()}


def _kept(text: str, rules: frozenset[str]) -> Iterator[str]:
    keeps = True
    for line in text.splitlines():
        if _ANY_HEAD.match(line):
            head = _HEAD.match(line)
            keeps = head is None or head[1] not in rules
        if keeps:
            yield line


class Measured:
    """Pairs of a whole book and a lesser one (of WHOLE: the same again), by city: µs a record under each."""

    def __init__(self, books: dict[str, dict[str, str]]) -> None:
        self.books = books
        self.cities: dict[str, list[tuple[float, float]]] = {name: [] for name in books}
        self.sizes: dict[str, dict[str, float]] = {}

    def go_on(self, facts: list[Fact], until_s: float) -> None:
        """One city more, pair after pair: only so many policies live at once as caches of the fold are made for. The
        first three are folded to their end whatever the time, for bytes and for an error.
        """
        for number, (name, files) in enumerate(self.books.items()):
            known = len(self.cities[name])
            if known >= FEWEST_CITIES and time.monotonic() > until_s:
                return
            both = [_new(self.books[WHOLE], f"{number}.{known}"), _new(files, f"{number}.{known} less")]
            if (number + known) % 2:  # which stands first in memory
                less, whole = (BothHops(each) for each in reversed(both))
            else:
                whole, less = (BothHops(each) for each in both)
            self.cities[name].append(_in_turns(whole, less, facts))
            self.sizes.setdefault(name, _bytes_of(less))

    def mean_us(self, name: str) -> float:
        """What a record takes under this book."""
        return fmean(less for _, less in self.cities[name])

    def cost_us(self, name: str) -> tuple[float, float]:
        """What the whole book takes more than this one, and its standard error over the cities: two folds of one city
        lie otherwise in memory, which is as much as some rules cost.
        """
        more = [whole - less for whole, less in self.cities[name]]
        return fmean(more), stdev(more) / len(more) ** 0.5


def _new(files: dict[str, str], name: str) -> dict[str, str]:
    """The same book under a digest of its own: nothing of it is known already from another fold."""
    return files | {"rules.toml": f"{files['rules.toml']}\n# {name}\n"}


def _in_turns(whole: BothHops, less: BothHops, facts: list[Fact]) -> tuple[float, float]:
    """µs a record under each, without the slices that took longest: something else ran then."""
    took: list[tuple[float, float]] = []
    for number, begin in enumerate(range(0, len(facts) - SLICE + 1, SLICE)):  # the rest would weigh as much as a slice
        part = facts[begin : begin + SLICE]
        if number % 2:
            took.append((_fold(whole, part), _fold(less, part)))
        else:
            less_s = _fold(less, part)
            took.append((_fold(whole, part), less_s))
    took.sort(key=sum)
    kept = took[: max(1, len(took) * 9 // 10)]
    each_us = 1e6 / SLICE / len(kept)
    return sum(w for w, _ in kept) * each_us, sum(n for _, n in kept) * each_us


def _fold(hops: BothHops, facts: list[Fact]) -> float:
    gc.collect(0)
    gc.disable()  # a lane freezes what lives and collects between batches
    began_s = time.process_time()
    for _ in hops.fold(facts):
        pass
    spent_s = time.process_time() - began_s
    gc.enable()
    return spent_s


def _bytes_of(hops: BothHops) -> dict[str, float]:
    """Bytes of values in Redis per person and per institution or doctor, keys not counted."""
    found: dict[str, float] = {}
    for family, shard, kinds in (("person", hops.people, "acd"), ("subject", hops.subjects, "is")):
        shard.take_changes()
        values, names = 0, set()
        for (key, _), value in shard.values.everything():
            kind, _, name = key.split("}:", 1)[1].partition(":")
            if kind in kinds and name and value:
                values += len(value)
                names.add((kind, name) if family == "subject" else name)
        found[family] = values / max(1, len(names))
    return found


def _tell(report: Report, measured: "Measured") -> None:
    whole = measured.sizes[WHOLE]
    for name in (WHOLE, EMPTY):
        report.add("rules", name, "fold", measured.mean_us(name), "µs/record", "both hops, in memory, one core")
        report.add("rules", name, "throughput", 1e6 / measured.mean_us(name), "records/s")
        for family in ("person", "subject"):
            report.add("rules", name, f"bytes per {family}", measured.sizes[name][family], "bytes", "values only")
    for name in measured.books:
        cost_us, error_us = measured.cost_us(name)
        told = cost_us > 2 * error_us
        note = f"± {error_us:.2f}" if told else f"below: {cost_us:+.2f} ± {error_us:.2f}"
        value = cost_us if told else max(0.0, cost_us) + 2 * error_us
        report.add("rules", name, "cost", value, "µs/record", note)
        for family in ("person", "subject") if name not in (WHOLE, EMPTY) else ():
            grown = whole[family] - measured.sizes[name][family]
            report.add("rules", name, f"bytes per {family}", grown, "bytes", "more with them")


def table(report: Report) -> str:
    """One line a group, the dearest first."""
    told: dict[str, dict[str, Any]] = defaultdict(dict)
    for result in report.results:
        told[result.system][result.metric] = result
    lines = ["| rules | µs per record | bytes per person | bytes per subject | |", "|---|---:|---:|---:|---|"]
    for name in (WHOLE, EMPTY):
        row, rest = told[name], told[name]["cost"].note
        rate = f"{row['throughput'].value:,.0f} records/s"
        if name == WHOLE:  # how far a difference may be nothing at all
            rate += f"; against itself {rest.removeprefix('below: ')}"
        lines.append(
            f"| {name} | {row['fold'].value:,.2f} | {row['bytes per person'].value:,.0f} |"
            f" {row['bytes per subject'].value:,.0f} | {rate} |"
        )
    groups = {name: row for name, row in told.items() if name not in (WHOLE, EMPTY)}
    for name, row in sorted(groups.items(), key=lambda each: -each[1]["cost"].value):
        cost = row["cost"]
        below = "below " if cost.note.startswith("below") else ""
        lines.append(
            f"| {name} | {below}{cost.value:,.2f} | {row['bytes per person'].value:+,.1f} |"
            f" {row['bytes per subject'].value:+,.1f} | {cost.note.removeprefix('below: ')} |"
        )
    return "\n".join(lines)
