"""One shard of institutions and staff: folds contributions from `subjects.v1`. The rules are risk/second_hop.py's."""

from collections.abc import Sequence

from connectors.codec import BadRecord, decode_fact
from connectors.state_codec import (
    Contributed,
    ShardState,
    decode_contributed,
    pack,
    unpack_day,
    unpack_subject,
)
from connectors.store import Address
from risk.contributions import Contribution
from risk.facts import Fact, FoldActivated, PolicyActivated, TimerDue
from risk.local_time import local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy import Policy
from risk.second_hop import NO_DAY, Day, Subject, contribute, slot_of
from streams.shards import (
    FIRST_FOLD,
    Effects,
    Hashes,
    Record,
    Values,
    activated,
    dead_letter,
    in_force,
    position_of,
    restored_policy,
    switched_fold,
)


class SubjectShard:
    """State and fold of one partition of `subjects.v1`."""

    family = "q"

    def __init__(self, tag: str, partition: int, *, partitions: int) -> None:
        self.values = Values(tag)
        self.partition = partition
        self.state = ShardState(FIRST_FOLD, heard=(0,) * partitions)
        self.policy: Policy | None = None
        self._subjects: dict[Address, Subject] = {}
        self._days: dict[Address, Day] = {}
        self._changed: set[Address] = set()

    def restore(self, state: ShardState, policy: bytes, _hashes: Hashes, digest: str) -> None:
        """Stand where the store stands."""
        self.state = state
        self.values.digest = int(digest or "0", 16)
        self.policy = restored_policy(self.values, policy)

    def decode(self, record: Record) -> Contributed | Fact | BadRecord:
        """The contributions, or a switch, or why it is neither."""
        try:
            return decode_contributed(record.value) or decode_fact(record.value)
        except BadRecord as error:
            return error
        except ValueError as error:
            return BadRecord("BAD_CONTRIBUTION", str(error))

    def event_ms(self, _meaning: Contributed | Fact | BadRecord) -> int:
        """Contributions come in the order their sources were paced in: nothing to pace here."""
        return 0

    def addresses(self, decoded: Sequence[Contributed | Fact | BadRecord]) -> list[Address]:
        """The values these records need: what is short-lived of each subject, and the local day each contribution falls
        on.
        """
        wanted: dict[Address, None] = {}
        for each in decoded:
            if isinstance(each, Contributed):
                for given in each.contributions:
                    current = self._current(given)
                    known, date = self._subjects.get(current), local_day(given.at_ms)
                    if known is None:
                        wanted[current] = None
                    if known is None or known.day.date != date:
                        wanted[self._earlier(given, date)] = None
        return self.values.missing(list(wanted))

    def _current(self, given: Contribution) -> Address:
        return self.values.address(given.subject_kind, given.subject_id, "w")

    def _earlier(self, given: Contribution, date: int) -> Address:
        return self.values.address(given.subject_kind, given.subject_id, f"d{slot_of(given.subject_kind, date)}")

    def room_for(self, decoded: Contributed | Fact | BadRecord) -> int:
        """Each contribution changes its subject and at a new day two places of the ring; a switch, the policy."""
        return 3 * len(decoded.contributions) if isinstance(decoded, Contributed) else 1

    def apply(self, record: Record, decoded: Contributed | Fact | BadRecord) -> Effects:
        """Fold one record. An exception leaves everything as it was before the record."""
        position = position_of(self.values.tag, record.offset)
        match decoded:
            case Contributed():
                return self._contributed(record, decoded, position)
            case PolicyActivated():
                self.policy = activated(self.values, decoded)
                self.state = self.state._replace(policy_version=self.policy.version)
                return Effects(decoded.event_type, "applied")
            case FoldActivated():
                self.state = switched_fold(self.state, decoded, position)
                return Effects(decoded.event_type, "applied")
            case BadRecord():
                return Effects("unknown", "refused", [dead_letter(record, position, decoded)])
        unknown = BadRecord("NO_SUBJECT_EVENT", f"{decoded.event_type} is a person's record")
        return Effects(decoded.event_type, "refused", [dead_letter(record, position, unknown)])

    def _contributed(self, record: Record, given: Contributed, position: str) -> Effects:
        """Exactly the next number is applied; less is a duplicate; more is a gap, which its source heals by sending
        again.
        """
        policy = in_force(self.policy, position)
        last = self.state.heard[given.source]
        if given.first > last + 1:
            self.state = self.state._replace(gaps=self.state.gaps + 1)
            return Effects("subject.contributed", "gap")
        fresh = given.contributions[last + 1 - given.first :]
        if not fresh:
            return Effects("subject.contributed", "duplicate")
        subjects, days, outputs = dict[Address, Subject](), dict[Address, Day](), list[Output]()
        for contribution in fresh:
            current, date = self._current(contribution), local_day(contribution.at_ms)
            subject, earlier = subjects.get(current) or self._subject_at(current), NO_DAY
            if date != subject.day.date:
                place = self._earlier(contribution, date)
                earlier = days.get(place) or self._day_at(place)
                if date > subject.day.date and earlier.date:
                    days[place] = NO_DAY  # the place of the newest day is empty until a newer one comes
            moved = contribute(subject, earlier, contribution, self._moment(record, contribution, position, policy))
            subjects[current] = moved.subject
            if moved.earlier is not None:
                days[self._earlier(contribution, moved.earlier.date)] = moved.earlier
            outputs += moved.outputs
        self._subjects |= subjects
        self._days |= days
        self._changed.update(subjects, days)
        heard = list(self.state.heard)
        heard[given.source] = last + len(fresh)
        self.state = self.state._replace(heard=tuple(heard), clock_ms=max(self.state.clock_ms, record.timestamp_ms))
        return Effects("subject.contributed", "applied", outputs)

    def _moment(self, record: Record, given: Contribution, position: str, policy: Policy) -> Moment:
        at_ms = given.at_ms if given.sign > 0 else given.moved_ms
        day = local_day(given.at_ms)
        stamp_ms = record.timestamp_ms
        return Moment(position, given.event_id, at_ms, stamp_ms, stamp_ms, policy, policy.on(day), day)

    def _subject_at(self, address: Address) -> Subject:
        known = self._subjects.get(address)
        if known is None:
            value = self.values.get(address)
            known = unpack_subject(value) if value else Subject()
        return known

    def _day_at(self, address: Address) -> Day:
        known = self._days.get(address)
        if known is None:
            value = self.values.get(address)
            known = unpack_day(value) if value else NO_DAY
        return known

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""
        return len(self._changed) + self.values.changed_count

    def take_changes(self) -> dict[Address, bytes]:
        """Pack what changed since the last cut: a busy hospital is packed once, however many records touched it."""
        for address in sorted(self._changed):
            content = self._subjects.get(address) or self._days[address]
            self.values.set(address, b"" if content is NO_DAY else pack(content))
        self._changed.clear()
        return self.values.take_changes()

    def forget_beyond(self, values_max: int) -> None:
        """Keep the working set small; only between commits."""
        if len(self._subjects) + len(self._days) > values_max:
            self._subjects.clear()
            self._days.clear()
            self.values.forget_all_but([self.values.address("policy")])

    def due_timers(self, _now_ms: int) -> list[TimerDue]:
        """Subjects have no timers yet."""
        return []
