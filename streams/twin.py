"""One partition folded twice: as its log says, and as if the log named another policy wherever it names one.

What-if (replay.py) and shadow (shadow.py) are this over a stretch of the log, and over one that has no end.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from msgspec import structs

from connectors.policy_files import read_policy_dir
from risk.contributions import Contribution
from risk.facts import PolicyActivated
from risk.policy import Policy, PolicyError, credit_questions_dropped, parse_policy
from streams.policy_commands import not_usable
from streams.replay_report import Differences, Found, alike, difference, identity_of
from streams.shards import Effects, Record, refuse_before_switch
from streams.stop import Stop
from streams.verify import Log, begun

_COMPARED = ("alerts", "decisions", "withholding")


@dataclass(slots=True)
class Said:
    """What one fold said: bodies by identity, and what it counted for institutions and doctors."""

    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    contributions: Counter[Contribution] = field(default_factory=Counter)

    def note(self, effects: Effects) -> None:
        """Remember what a record said; said twice is said once."""
        for output in effects.outputs:
            if output.topic in _COMPARED:
                self.bodies[output.topic, identity_of(output.topic, output.body)] = orjson.dumps(output.body)
        self.contributions.update(each.contribution for each in effects.numbered)


@dataclass(slots=True)
class Both:
    """What the two folds said: as recorded, and under the other policy."""

    before: Said = field(default_factory=Said)
    after: Said = field(default_factory=Said)

    def settle(self, found: Differences) -> list[Found]:
        """Count what both folds have said alike so far, and let go of it; what is not alike stays, and is returned.

        It may become alike: an order that the other policy sends later is said later.
        """
        before, after = self.before.bodies, self.after.bodies
        for key in [key for key, body in before.items() if key in after and alike(body, after[key])]:
            found.note(*key, before.pop(key), after.pop(key))
        common = self.before.contributions & self.after.contributions
        self.before.contributions -= common
        self.after.contributions -= common
        keys = dict.fromkeys((*before, *after))
        return [difference(*key, before.get(key), after.get(key)) for key in keys]

    def finish(self, found: Differences) -> None:
        """Count all that both folds have said, at the end."""
        before, after = self.before, self.after
        for key in dict.fromkeys((*before.bodies, *after.bodies)):
            found.note(*key, before.bodies.get(key), after.bodies.get(key))
        unequal = (before.contributions - after.contributions) + (after.contributions - before.contributions)
        found.contributions += unequal.total()


@dataclass(frozen=True, slots=True)
class Given:
    """The other policy: its texts and what they mean."""

    files: dict[str, str]
    parsed: Policy
    may_follow: set[str] = field(default_factory=set)  # digests of policies it can stand in for

    def may_replace(self, fact: PolicyActivated) -> None:
        """Refuse to fold on where holds and debts of the log would find no answer."""
        if fact.digest in self.may_follow:
            return
        if dropped := credit_questions_dropped(parse_policy(fact.files), self.parsed):
            names = ", ".join(dropped)
            raise Stop(
                f"政策 {self.parsed.version} 缺少 {names}，日志中的信用支付无法据以重新判定；请补上这些条目",
                f"{self.parsed.version} does not answer {names} on every day on which {fact.version} of the log does, "
                "so its credit cannot be decided again. Add those entries.",
            )
        self.may_follow.add(fact.digest)

    def instead_of(self, fact: PolicyActivated) -> PolicyActivated:
        """The same switch, to this policy."""
        return structs.replace(fact, version=self.parsed.version, digest=self.parsed.digest, files=self.files)


class Twin:
    """One partition, folded as its log says and, beside it, as if the log named the other policy wherever it names one.

    Timers that only the other policy wants are not in the log; they come when the clock has passed them.
    """

    def __init__(self, log: Log, given: Given, clock: str) -> None:
        self._recorded, self._otherwise = log.make(), log.make()
        self._given = given
        self._clock = clock
        self._timers: set[str] = set()
        self.policies: set[str] = set()
        self.said = Both()
        begun(self._recorded, None)
        begun(self._otherwise, None)

    def fold(self, records: list[Record]) -> None:
        """Fold these records twice."""
        decoded = [self._recorded.decode(record) for record in records]
        refuse_before_switch(self._recorded.state, records[0], decoded[0], self._recorded.values.tag)
        for shard in (self._recorded, self._otherwise):
            for address in shard.values.missing(shard.addresses(decoded)):
                shard.values.load(address, None)
        for record, meaning in zip(records, decoded, strict=True):
            now_ms = record.timestamp_ms if self._clock == "wall" else self._recorded.event_ms(meaning)
            self._timers.update(timer.event_id for timer in self._recorded.due_timers(now_ms))
            self.said.before.note(self._recorded.apply(record, meaning))
            self._fold_unrecorded_timers(record.offset, now_ms)
            self.said.after.note(self._otherwise.apply(record, self._as_given(meaning)))
        for shard in (self._recorded, self._otherwise):
            shard.take_changes()

    def _fold_unrecorded_timers(self, offset: int, now_ms: int) -> None:
        while timers := self._otherwise.due_timers(now_ms):
            for timer in timers:
                if timer.event_id not in self._timers:  # else it is in the log, or would be, had its lane run
                    self.said.after.note(self._otherwise.apply(Record(offset, timer.due_ms, b""), timer))

    def _as_given(self, meaning: Any) -> Any:
        if not isinstance(meaning, PolicyActivated):
            return meaning
        self._given.may_replace(meaning)
        self.policies.add(meaning.version)
        return self._given.instead_of(meaning)


def given_policy(directory: Path) -> Given:
    """The policy of a folder, or why it cannot be folded by."""
    try:
        files = dict(read_policy_dir(directory))
        return Given(files, parse_policy(files))
    except PolicyError as error:
        raise not_usable(directory, error, exit_code=2) from error
