"""What each rule costs: the same records folded under the whole book and under the book without it, in turns.

Records are decoded before the clock starts: what is measured is judging and remembering, both hops, in processor time.
A difference within two standard errors of nothing is noise, and the note says so.
"""

import gc
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from statistics import fmean, stdev
from typing import Any, NamedTuple

from benchmarks.both_hops import BothHops, city_facts, policy_texts
from benchmarks.report import Report
from risk.facts import Fact
from risk.local_time import day_of
from risk.policy import PolicyError
from streams.city.plan import CityPlan

WHOLE, EMPTY = "whole book", "no rule"
SLICE = 250
_HEAD = re.compile(r"^\[\[([A-Z]\d+)\]\]")
_ANY_HEAD = re.compile(r"^\[")


def run(quick: bool) -> Report:
    """A county's ordinary month: registrations, records, fee lines, estimates, settlements, reversals."""
    plan = CityPlan(
        people=1_500 if quick else 6_000,
        institutions=30,
        first_day=day_of(date(2026, 3, 1)),
        days=30,
        seed=1,
        plants=1,
        signed_percent=10,
    )
    rounds = 1 if quick else 2
    facts = list(city_facts(plan))
    files = policy_texts("shaoyang")
    rules = rule_ids(files)
    report = Report({"policy": "shaoyang", "records": len(facts), "people": plan.people, "days": 30, "rounds": rounds})
    whole = _compared(files, files, facts, 1)
    empty = _compared(files, without(files, frozenset(rules)), facts, rounds)
    each = {}
    for rule in rules:
        with suppress(PolicyError):  # others rest on it: it cannot be taken out alone
            each[rule] = _compared(files, without(files, frozenset({rule})), facts, rounds)
    _tell(report, whole, empty, each)
    return report


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


class Compared(NamedTuple):
    """Two books over the same records: processor time of each, and of the difference a mean and its error (µs)."""

    whole_us: float
    other_us: float
    cost_us: float
    error_us: float
    sizes: dict[str, float]


def _compared(whole: dict[str, str], other: dict[str, str], facts: list[Fact], rounds: int) -> Compared:
    """Slice by slice in turns, so that what else the machine does meets both; the tenth at each end is left out."""
    differences, spent = [], [0.0, 0.0]
    for turn in range(rounds):
        hops = (BothHops(whole), BothHops(other))
        for number, begin in enumerate(range(0, len(facts), SLICE)):
            part = facts[begin : begin + SLICE]
            took = [0.0, 0.0]
            for side in (0, 1) if (number + turn) % 2 else (1, 0):
                took[side] = _fold(hops[side], part)
                spent[side] += took[side]
            differences.append(1e6 * (took[0] - took[1]) / len(part))
    differences.sort()
    cut = len(differences) // 10
    kept = differences[cut : len(differences) - cut]
    each_us = [1e6 * seconds / len(facts) / rounds for seconds in spent]
    return Compared(each_us[0], each_us[1], fmean(kept), stdev(kept) / len(kept) ** 0.5, _bytes_of(hops[1]))


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


def _tell(report: Report, whole: Compared, empty: Compared, each: dict[str, Compared]) -> None:
    for name, spent_us, sizes in ((WHOLE, empty.whole_us, whole.sizes), (EMPTY, empty.other_us, empty.sizes)):
        report.add("rules", name, "fold", spent_us, "µs/record", "both hops, in memory, one core")
        report.add("rules", name, "throughput", 1e6 / spent_us, "records/s")
        report.add("rules", name, "bytes per person", sizes["person"], "bytes", "values only")
        report.add("rules", name, "bytes per subject", sizes["subject"], "bytes", "values only")
    report.add("rules", WHOLE, "against itself", whole.cost_us, "µs/record", f"± {whole.error_us:.2f}")
    for name, found in each.items():
        note = "within noise" if abs(found.cost_us) <= 2 * found.error_us else ""
        report.add("rules", name, "cost", found.cost_us, "µs/record", f"± {found.error_us:.2f} {note}".strip())
        for family in ("person", "subject"):
            grown = whole.sizes[family] - found.sizes[family]
            report.add("rules", name, f"bytes per {family}", grown, "bytes", "more with the rule")


def table(report: Report) -> str:
    """One line a rule, the dearest first."""
    told: dict[str, dict[str, Any]] = defaultdict(dict)
    for result in report.results:
        told[result.system][result.metric] = result
    lines = ["| rule | µs per record | bytes per person | bytes per subject | |", "|---|---:|---:|---:|---|"]
    for name in (WHOLE, EMPTY):
        row = told.pop(name)
        rate = f"{row['throughput'].value:,.0f} records/s"
        if itself := row.get("against itself"):  # how far a difference may be nothing at all
            rate += f"; against itself {itself.value:+,.2f} {itself.note}"
        lines.append(
            f"| {name} | {row['fold'].value:,.2f} | {row['bytes per person'].value:,.0f} |"
            f" {row['bytes per subject'].value:,.0f} | {rate} |"
        )
    for name, row in sorted(told.items(), key=lambda each: -each[1]["cost"].value):
        lines.append(
            f"| {name} | {row['cost'].value:+,.2f} | {row['bytes per person'].value:+,.1f} |"
            f" {row['bytes per subject'].value:+,.1f} | {row['cost'].note} |"
        )
    return "\n".join(lines)
