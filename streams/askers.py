"""The askers of a shard: the queries that the API logged in their names, folded into one value each (T01)."""

from connectors.state_codec import pack, unpack_asker
from connectors.store import Address
from risk.facts import QueryLogged
from risk.moment import Moment
from risk.queries import NEVER_ASKED, judged
from streams.shards import Effects, Values


class Askers:
    """Queries folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def address(self, fact: QueryLogged) -> Address:
        """Where its asker lies."""
        return self._values.address("u", fact.asked_by)

    def asked(self, fact: QueryLogged, moment: Moment) -> Effects:
        """One query."""
        address = self.address(fact)
        value = self._values.get(address)
        before = unpack_asker(value) if value else NEVER_ASKED
        after, said = judged(before, fact, moment)
        if after is not before:
            self._values.set(address, pack(after))
        return Effects(fact.event_type, "applied", said)
