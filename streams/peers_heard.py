"""What a shard has heard of what peers have in common: one value, read once and kept as its lane works on."""

from connectors.state_codec import pack, unpack_baselines
from risk.facts import PeersPublished
from risk.peers import Baselines, heard
from streams.shards import Effects, Values


class PeersHeard:
    """The baselines folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self.address = values.address("peers")
        self._baselines: Baselines | None = None  # as the value says, once it was read

    def restore(self) -> None:
        """Read it again: the store stands elsewhere."""
        self._baselines = None

    def published(self, fact: PeersPublished) -> Effects:
        """What the peers had in common stands in every partition; the same day's, said again, changes nothing."""
        baselines = heard(self.known(), fact)
        if baselines is None:
            return Effects(fact.event_type, "duplicate")
        self._values.set(self.address, pack(baselines))
        self._baselines = baselines
        return Effects(fact.event_type, "applied")

    def known(self) -> Baselines:
        """As of now."""
        if self._baselines is None:
            value = self._values.get(self.address)
            self._baselines = unpack_baselines(value) if value else {}
        return self._baselines
