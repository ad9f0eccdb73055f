"""The only bridge to the engine under test: a log goes through its fold, alerts come back in the oracle's words."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from risk.contributions import Contribution
from risk.facts import Fact
from risk.local_time import local_day, to_ms
from risk.moment import Moment
from risk.outputs import Output, alert_id
from risk.person_fold import Person, apply
from risk.policy import Policy, parse_policy
from risk.second_hop import Day, Subject, contribute
from tests.oracle.judge import Alert
from tests.oracle.policy_text import CapRow, policy_files
from tests.oracle.reference import Told
from tests.oracle.rules_oracle import Parameters


class Engine:
    """Persons and subjects in plain dictionaries: the fold of both hops without shards, Kafka or Redis."""

    def __init__(self, parameters: Parameters, caps: Iterable[CapRow] = ()) -> None:
        self.policy: Policy = parse_policy(policy_files(parameters, caps))
        self.persons: dict[str, Person] = {}
        self.subjects: dict[tuple[str, str], Subject] = {}
        self.days: dict[tuple[str, str, int], Day] = {}
        self.crossings: dict[str, str] = {}
        self.now_ms = 0

    def fold(self, facts: Sequence[Fact], cuts: Iterable[int] = ()) -> list[Told]:
        """Every rule's alert, with the place of the fact that raised it: first hop, then institutions, then doctors.

        After each fact whose place is in `cuts` a batch ends.
        """
        told, ends = [], set(cuts)
        for index, fact in enumerate(facts):
            told += [Told(index, self._in_words(output)) for output in self._fold_one(index, fact)]
            if index in ends:
                self.reload()
        return told

    def stored(self) -> dict[str, bytes]:
        """All state as bytes, by owner."""
        people = {f"p {psn_no}": msgspec.msgpack.encode(person) for psn_no, person in self.persons.items()}
        subjects = {f"q {key}": msgspec.msgpack.encode(subject) for key, subject in self.subjects.items()}
        return people | subjects | {f"d {key}": msgspec.msgpack.encode(day) for key, day in self.days.items()}

    def reload(self) -> None:
        """Between two batches nothing is left but the stored bytes."""
        stored, read = self.stored(), msgspec.msgpack.decode
        self.persons = {psn_no: read(stored[f"p {psn_no}"], type=Person) for psn_no in self.persons}
        self.subjects = {key: read(stored[f"q {key}"], type=Subject) for key in self.subjects}
        self.days = {key: read(stored[f"d {key}"], type=Day) for key in self.days}

    def _fold_one(self, index: int, fact: Fact) -> list[Output]:
        moment = self._moment(index, fact)
        applied = apply(self.persons.get(fact.psn_no, Person()), fact, moment)
        self.persons[fact.psn_no] = applied.person
        said = [output for output in applied.said if isinstance(output, Output)]
        for given in applied.contributions:
            said += self._contribute(given, moment)
        return [output for output in said if output.topic == "alerts"]

    def _contribute(self, given: Contribution, moment: Moment) -> list[Output]:
        subject = (given.subject_kind, given.subject_id)
        date = (*subject, local_day(given.at_ms))
        terms = self.policy.on(local_day(given.at_ms))
        moment = moment._replace(event_id=given.event_id, occurred_ms=given.moved_ms, terms=terms)
        moved = contribute(self.subjects.get(subject, Subject()), self.days.get(date, Day()), given, moment)
        self.subjects[subject], self.days[date] = moved.subject, moved.day
        return moved.outputs

    def _moment(self, index: int, fact: Fact) -> Moment:
        at_ms = to_ms(fact.occurred_at)
        self.now_ms = max(self.now_ms, at_ms)
        terms = self.policy.on(local_day(at_ms))
        return Moment(f"p0@{index}", fact.event_id, at_ms, self.now_ms, self.now_ms, self.policy, terms)

    def _in_words(self, output: Output) -> Alert:
        """An alert as the oracle says it; `closed` names its crossing by the alert_id it repeats."""
        body: dict[str, Any] = output.body
        if body["episode"] == "opened":
            self.crossings[body["alert_id"]] = body["vola_evid"][0]
        crossing = self.crossings[body["alert_id"]]
        named = {key: body[key] for key in ("rule_id", "level", "episode", "subject_kind", "subject_id")}
        subject = (body["subject_kind"], body["subject_id"])
        assert body["alert_id"] == alert_id(body["rule_id"], body["level"], *subject, "", crossing)
        alert = named | {"crossing": crossing}
        if not body["rule_id"].startswith("Q"):
            alert |= {"observed": body["observed"], "allowed": body["allowed"]}
        if body["rule_id"] == "P03":
            alert |= {"evidence": set(body["vola_evid"][1:])}
        return alert
