"""A whole log of several persons through the oracle, both hops: what the engine must say."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from risk.facts import Fact
from tests.oracle.judge import Alert
from tests.oracle.rules_oracle import Cap, Parameters, PersonOracle, SubjectOracle, no_cap


class Told(NamedTuple):
    """One alert and the place in the log (from 0) of the fact that raised it."""

    index: int
    alert: Alert


def told_by_oracle(facts: Iterable[Fact], parameters: Parameters, cap: Cap = no_cap) -> Iterator[Told]:
    """Every alert of the log: per fact the person's, then the institution's, then the doctor's."""
    persons: dict[str, PersonOracle] = {}
    subjects = SubjectOracle(parameters)
    for index, fact in enumerate(facts):
        person = persons.setdefault(fact.psn_no, PersonOracle(fact.psn_no, parameters, cap))
        yield from (Told(index, alert) for alert in person.apply(fact))
        for contribution in person.contributions:
            yield from (Told(index, alert) for alert in subjects.apply(contribution))


def by_subject(told: Iterable[Told]) -> dict[tuple[str, str, bool], list[Told]]:
    """Each subject's own sequence; data quality apart, because an institution hears of it from both hops."""
    sequences: dict[tuple[str, str, bool], list[Told]] = defaultdict(list)
    for one in told:
        is_quality = one.alert["rule_id"].startswith("Q")
        sequences[one.alert["subject_kind"], one.alert["subject_id"], is_quality].append(one)
    return dict(sequences)


def first_difference(expected: Iterable[Told], got: Iterable[Told]) -> str:
    """Where the two part, subject by subject; empty if nowhere."""
    ours, theirs = by_subject(expected), by_subject(got)
    for subject in sorted({*ours, *theirs}):
        for said in zip_longest(ours.get(subject, []), theirs.get(subject, [])):
            if said[0] != said[1]:
                return f"{subject}\n  oracle {said[0]}\n  engine {said[1]}"
    return ""
