"""What institutions tell of their goods: movements of stock, the boxes in them, and their prices."""

from connectors.codec import BadRecord
from connectors.state_codec import Contributed
from connectors.store import Address
from risk.facts import CodeMoved, Fact, PriceTold, StockMoved, StockUndone
from risk.moment import Moment
from streams.markets import Markets
from streams.shards import Effects, Values
from streams.stocks import Stocks
from streams.trace_buckets import TraceBuckets

GoodsFact = StockMoved | StockUndone | CodeMoved | PriceTold


class Goods:
    """Facts about goods folded into a shard's values. `boxes` hears of fee lines too."""

    def __init__(self, values: Values, partition: int, partitions: int) -> None:
        self.boxes = TraceBuckets(values)
        self._stocks = Stocks(values, partition, partitions)
        self._markets = Markets(values)

    def addresses(self, told: Contributed | Fact | BadRecord) -> list[Address]:
        """The values that a fact needs; none if it is not about goods."""
        match told:
            case StockMoved() | StockUndone():
                return self._stocks.addresses(told)
            case CodeMoved():
                return [self.boxes.address(told.drug_trac_codg)]
            case PriceTold():
                return [self._markets.address(told)]
        return []

    def fold(self, fact: GoodsFact, moment: Moment) -> Effects:
        """Apply one fact."""
        match fact:
            case StockMoved() | StockUndone():
                return self._stocks.fold(fact, moment)
            case CodeMoved():
                return self.boxes.moved(fact, moment)
            case PriceTold():
                return self._markets.told(fact, moment)
