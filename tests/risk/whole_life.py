"""A life whose records go through the whole fold of a person: conduct, visits and money. It proves nothing."""

from risk import facts
from risk.lifecycle import next_due
from risk.local_time import HOUR_MS, local_day
from risk.moment import Moment
from risk.person_fold import Person, apply
from tests.risk.credit_life import HOSPITAL, Life, Told, at


class WholeLife(Life):
    """The same builders; the activity remembers what a `Life` is told of it."""

    def __init__(self, now="2024-03-01", policy=None):
        super().__init__(now, policy)
        self.person, self.result = Person(), ""

    def take(self, fact, _step=None):
        """Fold one record."""
        number, day = next(self._numbers), local_day(self.now_ms)
        terms = self.policy.on(day)
        place = Moment(f"p00@{number}", fact.event_id, *(self.now_ms,) * 3, self.policy, terms, day)
        done = apply(self.person, fact, place)
        self.person, self.result, self.credit = done.person, done.result, done.person.credit
        self.all += done.said
        return Told(done.said)

    def visit(self, mdtrt_id="M1", med_type="11", insuplc="430502", **fields):
        """Registered, once; further events of it are told by themselves."""
        if mdtrt_id not in self.visits:
            super().visit(mdtrt_id, med_type, insuplc, **fields)
            self.tell(
                facts.VisitOpened, mdtrt_id=mdtrt_id, fixmedins_code=HOSPITAL, fixmedins_type="1", med_type=med_type,
                insutype="310", insuplc_admdvs=insuplc,
            )  # fmt: skip
        return self

    def pass_time(self, *, hours=0, until=None):
        """Let the clock run; every timer rings when it is due."""
        end_ms = at(*until) if until else self.now_ms + int(hours * HOUR_MS)
        said = Told()
        while (due_ms := next_due(self.credit)) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            said += self.tell(facts.TimerDue, event_id=f"timer:{self.psn_no}:{due_ms}", due_ms=due_ms)
            left_ms = next_due(self.credit)
            assert left_ms is None or left_ms > due_ms, "time must pass"
        self.now_ms = max(self.now_ms, end_ms)
        return said
