"""The care of a shard's people (kind `d`) in memory: loaded, folded and packed apart from conduct and credit."""

from connectors.state_codec import pack, unpack_care
from risk.activity import Activity
from risk.care import NO_CARE, Care
from risk.care_rules import cared
from risk.facts import Fact
from risk.moment import Moment
from risk.outputs import Output
from streams.shards import Values


class Cares:
    """What was dispensed to whom and who was admitted: read only for facts about visits and lines."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._known: dict[str, Care] = {}
        self._changed: set[str] = set()

    def unknown(self, people: set[str]) -> list[str]:
        """Whose care has to be read, in one order for all runs."""
        return sorted(people - self._known.keys())

    def fold(self, fact: Fact, conduct: tuple[Activity, Activity], moment: Moment) -> tuple[Care, list[Output]]:
        """The care after one applied fact, and what it says; `conduct` is the activity before and after it. Nothing is
        kept yet: a rule that raises leaves everything as it was.
        """
        before = self._known.get(fact.psn_no)
        if before is None:
            stored = self._values.get(self._values.address("d", fact.psn_no))
            before = unpack_care(stored) if stored else NO_CARE
        self._known[fact.psn_no] = before
        return cared(before, conduct, fact, moment)

    def keep(self, psn_no: str, care: Care) -> None:
        """Put a folded care in its place."""
        if care is not self._known[psn_no]:
            self._known[psn_no] = care
            self._changed.add(psn_no)

    @property
    def changed_count(self) -> int:
        """How many values a commit would write."""
        return len(self._changed)

    def pack_changes(self) -> None:
        """Put what changed since the last cut among the shard's values."""
        for psn_no in sorted(self._changed):
            self._values.set(self._values.address("d", psn_no), pack(self._known[psn_no]))
        self._changed.clear()

    def forget(self) -> None:
        """Keep nothing in memory; only between commits."""
        self._known.clear()
