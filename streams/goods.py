"""What institutions tell of their goods: movements of stock, the boxes in them, and their prices."""

from connectors.codec import BadRecord
from connectors.state_codec import Contributed
from connectors.store import Address
from risk.contributions import CODE, SHELF, Contribution
from risk.facts import CodeMoved, Fact, PriceTold, StockMoved, StockUndone
from risk.moment import Moment
from risk.outputs import Output
from risk.second_hop import Heard
from streams.billed_lines import BilledLines
from streams.markets import Markets
from streams.shards import Effects, Values
from streams.stocks import Stocks
from streams.trace_buckets import TraceBuckets

GoodsFact = StockMoved | StockUndone | CodeMoved | PriceTold
GOODS = (CODE, SHELF)
"""The kinds of contributions that tell of goods."""


class Goods:
    """Facts about goods, and what fee lines tell of them, folded into a shard's values."""

    def __init__(self, values: Values, partition: int, partitions: int) -> None:
        self._boxes, self._billed = TraceBuckets(values), BilledLines(values)
        self._stocks = Stocks(values, self._billed, partition, partitions)
        self._markets = Markets(values)

    def addresses_of(self, given: Contribution) -> list[Address]:
        """The values that a fee line's contribution needs."""
        return [self._boxes.address(given.subject_id)] if given.subject_kind == CODE else self._billed.addresses(given)

    def contributed(self, given: Contribution, heard: Heard, changed: dict[Address, bytes]) -> list[Output]:
        """What a fee line tells; what it changes waits in `changed` until its whole record is folded."""
        lines = self._boxes if given.subject_kind == CODE else self._billed
        return lines.contributed(given, heard, changed)

    def addresses(self, told: Contributed | Fact | BadRecord) -> list[Address]:
        """The values that a fact needs; none if it is not about goods."""
        match told:
            case StockMoved() | StockUndone():
                return self._stocks.addresses(told)
            case CodeMoved():
                return [self._boxes.address(told.drug_trac_codg)]
            case PriceTold():
                return [self._markets.address(told)]
        return []

    def fold(self, fact: GoodsFact, moment: Moment) -> Effects:
        """Apply one fact."""
        match fact:
            case StockMoved() | StockUndone():
                return self._stocks.fold(fact, moment)
            case CodeMoved():
                return self._boxes.moved(fact, moment)
            case PriceTold():
                return self._markets.told(fact, moment)
