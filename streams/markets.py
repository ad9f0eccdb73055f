"""The markets of a shard's drugs: what institutions tell of their prices, folded into one value a drug, prefecture and
kind of movement (W01, E01).
"""

from connectors.state_codec import pack, unpack_market
from connectors.store import Address
from risk.facts import PriceTold
from risk.market import NO_MARKET, told
from risk.market_rules import judged
from risk.moment import Moment
from risk.prices import region_of
from streams.shards import Effects, Values


class Markets:
    """Prices folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def address(self, fact: PriceTold) -> Address:
        """Where the market lies."""
        return self._values.address("m", fact.med_list_codg, f"{region_of(fact.fixmedins_code)}/{fact.movement}")

    def told(self, fact: PriceTold, moment: Moment) -> Effects:
        """One institution's price."""
        address = self.address(fact)
        value = self._values.get(address)
        before = unpack_market(value) if value else NO_MARKET
        after = told(before, fact)
        if after is None:
            return Effects(fact.event_type, "duplicate")
        market, said = judged(before, after, fact, moment)
        self._values.set(address, pack(market))
        return Effects(fact.event_type, "applied", said)
