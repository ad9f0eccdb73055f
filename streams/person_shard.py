"""One shard of people: folds records of `events.v1` over its working set.

The decisions are risk/'s; this keeps the values.
"""

import heapq
from collections.abc import Sequence
from functools import lru_cache

from connectors.codec import BadRecord, decode_fact
from connectors.state_codec import ShardState, pack, unpack_activity, unpack_credit
from connectors.store import Address
from connectors.topology import partition_of, partitions_of
from risk.activity import NOTHING
from risk.boxes import shard_key
from risk.contributions import Contribution
from risk.credit import Credit
from risk.facts import Fact, FoldActivated, PolicyActivated, SettlementCompleted, TimerDue
from risk.lifecycle import next_due
from risk.local_time import local_day, to_datetime, to_ms
from risk.moment import Moment
from risk.ordinary import ordinary
from risk.outputs import Reply
from risk.person_fold import Person, apply
from risk.policy import Policy
from streams.shards import (
    FIRST_FOLD,
    FUTURE_MS_MAX,
    IN_THE_FUTURE,
    Ahead,
    Effects,
    Hashes,
    Numbered,
    Record,
    Rerouted,
    Values,
    activated,
    beyond,
    dead_letter,
    in_force,
    position_of,
    restored_policy,
    switched_fold,
)


@lru_cache(maxsize=65_536)
def _subject_shard(key: str, subject_partitions: int) -> int:
    return partition_of(key, subject_partitions)


class PersonShard:
    """State and fold of one partition of `events.v1`.

    `clock` is `wall` (a record's own log time) or `log` (newest business time).
    """

    family = "p"

    def __init__(self, tag: str, partition: int, *, partitions: int, subject_partitions: int, clock: str) -> None:
        self.values = Values(tag)
        self.partition = partition
        self.state = ShardState(FIRST_FOLD, sent=(0,) * subject_partitions)
        self._clock_ms = 0
        self._sent = [0] * subject_partitions
        self.policy: Policy | None = None
        self._partitions = partitions
        self._subject_partitions = subject_partitions
        self._clock = clock
        self._people: dict[str, Person] = {}
        self._homes: dict[str, int] = {}
        self._changed_activities: set[str] = set()
        self._changed_credits: set[str] = set()
        self._schedule: dict[str, int] = {}
        self._with_orders: set[str] = set()
        self._due: list[tuple[int, str]] = []
        self._emptied: set[Address] = set()

    # --- what the store gives ----------------------------------------------------------------------------------------

    def restore(self, state: ShardState, policy: bytes, hashes: Hashes, digest: str) -> None:
        """Stand where the store stands."""
        self.state = state
        self._clock_ms, self._sent = state.clock_ms, list(state.sent)
        self.values.digest = int(digest or "0", 16)
        self.policy = restored_policy(self.values, policy)
        for psn_no, due in hashes("schedule"):
            self.values.load(self.values.address("schedule", "", psn_no), due)
            self._plan(psn_no, int(due))
        for psn_no, mark in hashes("orders"):
            self.values.load(self.values.address("orders", "", psn_no), mark)
            self._with_orders.add(psn_no)

    def decode(self, record: Record) -> Fact | BadRecord:
        """The fact, or why there is none: a poison record is refused alone and stops nobody."""
        try:
            return decode_fact(record.value)
        except BadRecord as error:
            return error

    def event_ms(self, meaning: Fact | BadRecord) -> int:
        """The fact's own time; a switch and a poison record have none."""
        if isinstance(meaning, BadRecord) or not meaning.psn_no:
            return 0
        return to_ms(meaning.occurred_at)

    def addresses(self, facts: Sequence[Fact | BadRecord]) -> list[Address]:
        """The values these facts need."""
        strangers = {fact.psn_no for fact in facts if isinstance(fact, Fact) and fact.psn_no not in self._people}
        people = sorted(strangers)  # one order for all runs, so that reads compare
        homes = partitions_of([psn_no.encode() for psn_no in people], self._partitions)
        self._homes |= zip(people, homes, strict=True)
        return [self.values.address(kind, psn_no) for psn_no in people for kind in "ac"]

    def room_for(self, _meaning: Fact | BadRecord) -> int:
        """Activity, credit, schedule, open orders."""
        return 4

    # --- the fold ----------------------------------------------------------------------------------------------------

    def apply(self, record: Record, fact: Fact | BadRecord) -> Effects:
        """Fold one record. An exception leaves everything as it was before the record."""
        position = position_of(self.values.tag, record.offset)
        if isinstance(fact, BadRecord):
            return Effects("unknown", "refused", [dead_letter(record, position, fact)])
        match fact:
            case PolicyActivated():
                self.policy = activated(self.values, fact)
                self.state = self.state._replace(policy_version=self.policy.version)
                return Effects(fact.event_type, "applied")
            case FoldActivated():
                self.state = switched_fold(self.state, fact, position)
                return Effects(fact.event_type, "applied")
        if not fact.psn_no:
            error = BadRecord("NO_PERSON", "an institution's fact belongs on the log of subjects")
            return Effects(fact.event_type, "refused", [dead_letter(record, position, error)])
        home = self._home(fact.psn_no)
        if home != self.partition:
            moved = Rerouted("events", home, fact.psn_no, record.value)
            return Effects(fact.event_type, "rerouted", rerouted=[moved])
        return self._fold(record, fact, position, in_force(self.policy, position))

    def _home(self, psn_no: str) -> int:
        """The partition this person lives on; who is in the working set lives here."""
        return self.partition if psn_no in self._people else self._homes[psn_no]

    def _fold(self, record: Record, fact: Fact, position: str, policy: Policy) -> Effects:
        occurred_ms = to_ms(fact.occurred_at)
        if self._clock == "wall" and occurred_ms > record.timestamp_ms + FUTURE_MS_MAX:
            return Effects(fact.event_type, "refused", [dead_letter(record, position, IN_THE_FUTURE)])
        clock_ms = max(self._clock_ms, occurred_ms if self._clock == "log" else record.timestamp_ms)
        day, psn_no = local_day(occurred_ms), fact.psn_no
        person = self._person(psn_no)
        stamp_ms, terms = record.timestamp_ms, policy.on(day)
        moment = Moment(position, fact.event_id, occurred_ms, stamp_ms, clock_ms, policy, terms, day)
        if type(fact) is SettlementCompleted and person.credit is None:
            plain = ordinary(person.activity, fact, moment)
            if plain is not None:
                activity, alerts, told = plain
                self._people.pop(psn_no)
                self._people[psn_no] = Person(activity)
                self._changed_activities.add(psn_no)
                self._clock_ms = clock_ms
                return Effects("settlement.completed", "applied", alerts, numbered=self._number(told))
        # whatever may raise stands before the first change: a record that raises is applied again, alone
        applied = apply(person, fact, moment)
        credit = applied.person.credit
        due_ms = next_due(credit) if credit is not None and credit is not person.credit else None
        self._keep(psn_no, person, applied.person, due_ms)
        self._clock_ms = clock_ms
        effects = Effects(fact.event_type, applied.result, numbered=self._number(applied.contributions))
        for said in applied.said:
            if isinstance(said, Reply):
                effects.replies.append(said)
            else:
                effects.outputs.append(said)
        return effects

    # --- people ------------------------------------------------------------------------------------------------------

    def _person(self, psn_no: str) -> Person:
        person = self._people.get(psn_no)
        if person is None:
            activity = self.values.get(self.values.address("a", psn_no))
            credit = self.values.get(self.values.address("c", psn_no))
            person = Person(
                unpack_activity(activity) if activity else NOTHING, unpack_credit(credit) if credit else None
            )
            self._people[psn_no] = person
        return person

    def _keep(self, psn_no: str, before: Person, after: Person, due_ms: int | None) -> None:
        del self._people[psn_no]  # he goes to the end: who comes often is forgotten last
        self._people[psn_no] = after
        if after.activity is not before.activity:
            self._changed_activities.add(psn_no)
        if after.credit is not before.credit:
            self._changed_credits.add(psn_no)
            self._reschedule(psn_no, due_ms)
            self._index_orders(psn_no, after.credit)

    def _index_orders(self, psn_no: str, credit: Credit | None) -> None:
        """Who has an order at the bank: what the redrive goes by, without looking at everybody."""
        is_open = credit is not None and any(order.in_flight for order in credit.orders)
        if is_open != (psn_no in self._with_orders):
            self._with_orders.symmetric_difference_update((psn_no,))
            self._index(self.values.address("orders", "", psn_no), b"1" if is_open else b"")

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""
        return len(self._changed_activities) + len(self._changed_credits) + self.values.changed_count

    def take_changes(self) -> dict[Address, bytes]:
        """Pack what changed since the last cut: a person whom many records of one range touched is packed once."""
        self.state = self.state._replace(clock_ms=self._clock_ms, sent=tuple(self._sent))
        for psn_no in sorted(self._changed_activities):
            self.values.set(self.values.address("a", psn_no), pack(self._people[psn_no].activity))
        for psn_no in sorted(self._changed_credits):
            credit = self._people[psn_no].credit
            self.values.set(self.values.address("c", psn_no), b"" if credit is None else pack(credit))
        self._changed_activities.clear()
        self._changed_credits.clear()
        return self.values.take_changes()

    def forget_beyond(self, people_max: int, ahead: Ahead = ()) -> None:
        """Forget those who came longest ago, and what left the two indexes; the rest of these is read from memory."""
        strangers = [psn_no for psn_no in self._homes if psn_no not in self._people]  # read, and of another shard
        for psn_no in (*strangers, *beyond(self._people, people_max)):
            addresses = [self.values.address(kind, psn_no) for kind in "ac"]
            if any(address in changes for changes in ahead for address in addresses):
                continue
            self._people.pop(psn_no, None)
            for address in addresses:
                self.values.forget(address)
        self._homes.clear()
        for address in self._emptied:
            self.values.forget(address)
        self._emptied.clear()

    # --- the schedule ------------------------------------------------------------------------------------------------

    def _reschedule(self, psn_no: str, due_ms: int | None) -> None:
        """One entry a person: the earliest instant that anything of his waits for."""
        if self._schedule.get(psn_no) == due_ms:
            return
        address = self.values.address("schedule", "", psn_no)
        if due_ms is None:
            del self._schedule[psn_no]
            self._index(address, b"")
        else:
            self._index(address, str(due_ms).encode())
            self._plan(psn_no, due_ms)

    def _index(self, address: Address, value: bytes) -> None:
        """Set an entry of an index. All there are were read at the claim: one that is not in memory is not there."""
        self.values.set(address, value)
        if value:
            self._emptied.discard(address)
        else:
            self._emptied.add(address)

    def _plan(self, psn_no: str, due_ms: int) -> None:
        self._schedule[psn_no] = due_ms
        heapq.heappush(self._due, (due_ms, psn_no))

    def due_timers(self, now_ms: int) -> list[TimerDue]:
        """The timers to append now, each once as long as this object lives; the entry leaves the schedule when it is
        applied.
        """
        timers = []
        while self._due and self._due[0][0] <= now_ms:
            due_ms, psn_no = heapq.heappop(self._due)
            if self._schedule.get(psn_no) == due_ms:
                timers.append(
                    TimerDue(
                        event_id=f"timer:{psn_no}:{due_ms}",
                        occurred_at=to_datetime(due_ms),
                        psn_no=psn_no,
                        source="engine",
                        due_ms=due_ms,
                    )
                )
        return timers

    # --- the second hop ----------------------------------------------------------------------------------------------

    def _number(self, contributions: list[Contribution]) -> list[Numbered]:
        """One gapless counter for each subject shard: what the target applies exactly once."""
        if not contributions:
            return []
        numbered = []
        for contribution in contributions:
            target = _subject_shard(shard_key(contribution), self._subject_partitions)
            self._sent[target] += 1
            numbered.append(Numbered(target, self._sent[target], contribution))
        return numbered
