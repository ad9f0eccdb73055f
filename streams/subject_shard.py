"""One shard of institutions and staff: folds contributions from `subjects.v1`. The rules are risk/second_hop.py's."""

from collections.abc import Sequence

from connectors.codec import BadRecord, decode_fact
from connectors.state_codec import (
    Contributed,
    ShardState,
    decode_contributed,
    pack,
    unpack_history,
    unpack_subject,
)
from connectors.store import Address
from connectors.topology import partition_of
from risk.contributions import REGULAR, STAFF
from risk.facts import (
    CodeMoved,
    Fact,
    FoldActivated,
    PeersPublished,
    PolicyActivated,
    QueryLogged,
    StaffFact,
    SubjectFact,
    TimerDue,
)
from risk.local_time import local_day, to_ms
from risk.moment import Moment
from risk.outputs import Output
from risk.policy import Policy
from risk.second_hop import Heard, contribute, needs_history
from risk.staff_standing import Standing, told
from risk.subjects import History, Subject
from risk.trace_codes import code_shard_key
from streams.askers import Askers
from streams.companies import Companies
from streams.goods import GOODS, Goods, GoodsFact
from streams.peers_heard import PeersHeard
from streams.shards import (
    FIRST_FOLD,
    FUTURE_MS_MAX,
    IN_THE_FUTURE,
    Ahead,
    Effects,
    Hashes,
    Record,
    Rerouted,
    Values,
    activated,
    dead_letter,
    in_force,
    position_of,
    restored_policy,
    switched_fold,
)

_Name = tuple[str, str]
"""A subject: its kind, its code."""


class SubjectShard:
    """State and fold of one partition of `subjects.v1`.

    `clock` is `wall` (what an institution tells is checked against the record's own log time) or `log` (it is not).
    """

    family = "q"

    def __init__(self, tag: str, partition: int, *, partitions: int, subject_partitions: int, clock: str) -> None:
        self.values = Values(tag)
        self.partition = partition
        self.state = ShardState(FIRST_FOLD, heard=(0,) * partitions)
        self.policy: Policy | None = None
        self._subject_partitions = subject_partitions
        self._clock = clock
        self._goods = Goods(self.values, partition, subject_partitions)
        self._askers = Askers(self.values)
        self._elsewhere = dict.fromkeys(GOODS, self._goods) | {REGULAR: Companies(self.values)}
        self._subjects: dict[_Name, Subject] = {}
        self._histories: dict[_Name, History] = {}
        self._changed: set[_Name] = set()
        self._changed_histories: set[_Name] = set()
        self._peers = PeersHeard(self.values)

    def restore(self, state: ShardState, policy: bytes, _hashes: Hashes, digest: str) -> None:
        """Stand where the store stands."""
        self.state = state
        self.values.digest = int(digest or "0", 16)
        self.policy = restored_policy(self.values, policy)
        self._peers.restore()

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
        """The values these records need: each subject, and its history where a contribution is of another date."""
        wanted: dict[Address, None] = {self._peers.address: None}
        for each in decoded:
            if not isinstance(each, Contributed):
                wanted |= dict.fromkeys(self._goods.addresses(each))
                if isinstance(each, StaffFact) and (STAFF, each.dr_code) not in self._subjects:
                    wanted[self._address((STAFF, each.dr_code), "w")] = None
                if isinstance(each, QueryLogged):
                    wanted[self._askers.address(each)] = None
                continue
            for given in each.contributions:
                if given.subject_kind in self._elsewhere:
                    wanted |= dict.fromkeys(self._elsewhere[given.subject_kind].addresses_of(given))
                    continue
                name = given.subject_kind, given.subject_id
                known = self._subjects.get(name)
                if known is None:
                    wanted[self._address(name, "w")] = None
                if (known is None or needs_history(known.day.date, given)) and name not in self._histories:
                    wanted[self._address(name, "h")] = None
        return self.values.missing(list(wanted))

    def _address(self, name: _Name, field_name: str) -> Address:
        return self.values.address(*name, field_name)

    def room_for(self, decoded: Contributed | Fact | BadRecord) -> int:
        """Each contribution changes its subject and at another date its history; a movement its id, batch, item, day,
        price and its hospital's billed lines; a switch, the policy.
        """
        return 2 * len(decoded.contributions) if isinstance(decoded, Contributed) else 6

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
            case PeersPublished():
                return self._peers.published(decoded)
            case SubjectFact():
                return self._told(record, decoded, position)
            case BadRecord():
                return Effects("unknown", "refused", [dead_letter(record, position, decoded)])
        unknown = BadRecord("NO_SUBJECT_EVENT", f"{decoded.event_type} is a person's record")
        return Effects(decoded.event_type, "refused", [dead_letter(record, position, unknown)])

    def _contributed(self, record: Record, given: Contributed, position: str) -> Effects:
        """Exactly the next number is applied; less is a duplicate; more is a gap, and its source sends again."""
        policy = in_force(self.policy, position)
        last = self.state.heard[given.source]
        if given.first > last + 1:
            self.state = self.state._replace(gaps=self.state.gaps + 1)
            return Effects("subject.contributed", "gap")
        fresh = given.contributions[last + 1 - given.first :]
        if not fresh:
            return Effects("subject.contributed", "duplicate")
        heard_now = Heard(position, record.timestamp_ms, policy, self._peers.known())
        subjects, histories, outputs = dict[_Name, Subject](), dict[_Name, History](), list[Output]()
        values: dict[Address, bytes] = {}
        for contribution in fresh:
            elsewhere = self._elsewhere.get(contribution.subject_kind)
            if elsewhere is not None:
                outputs += elsewhere.contributed(contribution, heard_now, values)
                continue
            name = contribution.subject_kind, contribution.subject_id
            subject = subjects.get(name)
            if subject is None:
                known = self._subjects.get(name)
                subject = subjects[name] = known.copied() if known is not None else self._subject_at(name)
            history = None
            if needs_history(subject.day.date, contribution):
                history = histories.get(name)
                if history is None:
                    history = histories[name] = self._history_at(name).copied()
            outputs += contribute(subject, history, contribution, heard_now)
        self._subjects.update(subjects)
        self._changed.update(subjects)
        if histories:
            self._histories.update(histories)
            self._changed_histories.update(histories)
        for address, value in values.items():
            self.values.set(address, value)
        heard = list(self.state.heard)
        heard[given.source] = last + len(fresh)
        self.state = self.state._replace(heard=tuple(heard), clock_ms=max(self.state.clock_ms, record.timestamp_ms))
        return Effects("subject.contributed", "applied", outputs)

    def _told(self, record: Record, fact: SubjectFact, position: str) -> Effects:
        """What is told of an institution or a doctor, each on its own shard; a box stands on the shard of its code."""
        key = code_shard_key(fact.drug_trac_codg) if isinstance(fact, CodeMoved) else fact.shard_key
        home = partition_of(key, self._subject_partitions)
        if home != self.partition:
            return Effects(fact.event_type, "rerouted", rerouted=[Rerouted("subjects", home, key, record.value)])
        at_ms, stamp_ms = to_ms(fact.occurred_at), record.timestamp_ms
        if self._clock == "wall" and at_ms > stamp_ms + FUTURE_MS_MAX:
            return Effects(fact.event_type, "refused", [dead_letter(record, position, IN_THE_FUTURE)])
        policy, day = in_force(self.policy, position), local_day(at_ms)
        moment = Moment(position, fact.event_id, at_ms, stamp_ms, stamp_ms, policy, policy.on(day), day)
        if isinstance(fact, StaffFact):
            effects = self._staff_told(record, fact, moment)
        elif isinstance(fact, GoodsFact):
            effects = self._goods.fold(fact, moment)
        elif isinstance(fact, QueryLogged):
            effects = self._askers.asked(fact, moment)
        else:
            raise AssertionError(f"nothing folds a {fact.event_type}")
        if effects.result == "applied":
            self.state = self.state._replace(clock_ms=max(self.state.clock_ms, stamp_ms))
        return effects

    def _staff_told(self, record: Record, fact: StaffFact, moment: Moment) -> Effects:
        """M07, and what M04 judges later bills by. A placeholder is nobody, so nothing is known of him."""
        codes = moment.terms.get("placeholder_codes")
        if codes is not None and codes.value.matches(fact.dr_code):
            error = BadRecord("PLACEHOLDER_CODE", "dr_code stands for nobody: nothing can be said of him")
            return Effects(fact.event_type, "refused", [dead_letter(record, moment.position, error)])
        name = STAFF, fact.dr_code
        subject = self._subjects.get(name) or self._subject_at(name)
        after = told(subject.standing or Standing(), fact, moment, subject.newest_ms)
        if after.result == "conflict":
            error = BadRecord("CONFLICT", "this document said something else at the same instant")
            return Effects(fact.event_type, "conflict", [dead_letter(record, moment.position, error)])
        if after.result == "applied":
            subject = self._subjects[name] = subject.copied()
            subject.standing = after.standing
            self._changed.add(name)
        return Effects(fact.event_type, after.result, after.outputs)

    def _subject_at(self, name: _Name) -> Subject:
        value = self.values.get(self._address(name, "w"))
        return unpack_subject(value) if value else Subject()

    def _history_at(self, name: _Name) -> History:
        known = self._histories.get(name)
        if known is None:
            value = self.values.get(self._address(name, "h"))
            known = unpack_history(value) if value else History()
        return known

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""
        return len(self._changed) + len(self._changed_histories) + self.values.changed_count

    def take_changes(self) -> dict[Address, bytes]:
        """Pack what changed since the last cut: a busy hospital is packed once, however many records touched it."""
        for name in sorted(self._changed):
            self.values.set(self._address(name, "w"), pack(self._subjects[name]))
        for name in sorted(self._changed_histories):
            history = self._histories[name]
            self.values.set(self._address(name, "h"), pack(history) if history.days or history.months else b"")
        self._changed.clear()
        self._changed_histories.clear()
        return self.values.take_changes()

    def forget_beyond(self, values_max: int, ahead: Ahead = ()) -> None:
        """Forget what was used longest ago."""
        always = self.values.address("policy"), self._peers.address
        for address in self.values.beyond(values_max):
            if address not in always and not any(address in changes for changes in ahead):
                self.values.forget(address)
                unpacked = self._histories if address[1] == "h" else self._subjects
                unpacked.pop(self.values.kind_and_name(address), None)

    def due_timers(self, _now_ms: int) -> list[TimerDue]:
        """Subjects have no timers yet."""
        return []
