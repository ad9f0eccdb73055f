"""A whole log of several persons through the oracle, both hops: what the engine must say."""

from collections.abc import Iterable, Iterator
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
