"""The stock of a shard's institutions: each movement once, counted where it belongs; a deletion finds what it deletes.

A 3507 names a batch, and stock is kept by item: its lines are found in the batch's bucket and appended, named in full
(`stock.undone`), to this same partition, where they are applied like any other record. The boxes of a deleted sale come
back on their own shards (`code.moved`); what was last paid or asked for an item is told on the item's (`price.told`).
"""

from typing import Any

from connectors.codec import encode_fact
from connectors.state_codec import pack, unpack_batches, unpack_item, unpack_prices
from connectors.store import Address
from connectors.topology import partition_of
from risk.facts import CodeMoved, StockMoved, StockUndone
from risk.local_time import local_day, to_datetime, to_ms
from risk.moment import Moment
from risk.outputs import Output
from risk.prices import NO_PRICES, Prices, moved
from risk.refused import AMBIGUOUS_BATCH, CONFLICT, NOTHING_TO_DELETE, TOO_LATE, dead_letter
from risk.stock import NO_ITEM, Change, changed, slot_of
from risk.stock_ledger import (
    LINES_OF_A_BATCH,
    NO_BATCHES,
    Batches,
    BatchLine,
    bucket_of,
    named_by,
    repeated,
    with_key,
    with_line,
    without,
)
from risk.stock_rules import judged
from risk.trace_codes import code_shard_key
from streams.billed_lines import BilledLines
from streams.shards import Effects, Rerouted, Values

StockFact = StockMoved | StockUndone
Done = tuple[Effects, dict[Address, bytes]]
"""What one movement says, and the values it changes."""


class Stocks:
    """Movements folded into a shard's values."""

    def __init__(self, values: Values, billed: BilledLines, partition: int, partitions: int) -> None:
        self._values = values
        self._billed = billed
        self._partition = partition
        self._partitions = partitions

    def addresses(self, fact: StockFact) -> list[Address]:
        """Ids, the batch, the item and its day."""
        wanted = [self._keys(fact)]
        if isinstance(fact, StockMoved) and fact.fixmedins_bchno:
            wanted.append(self._batch(fact))
        if isinstance(fact, StockMoved):
            wanted += self._billed.addresses(fact)
        if fact.med_list_codg is not None:
            wanted += [*self._item(fact, fact.med_list_codg), self._prices(fact)]
        return wanted

    def _keys(self, fact: StockFact) -> Address:
        return self._values.address("k", fact.fixmedins_code, bucket_of(fact.event_id))

    def _batch(self, fact: StockMoved) -> Address:
        return self._values.address("b", fact.fixmedins_code, bucket_of(fact.fixmedins_bchno or ""))

    def _item(self, fact: StockFact, item: str) -> tuple[Address, Address]:
        name, slot = f"{fact.fixmedins_code}/{item}", slot_of(local_day(_moved_ms(fact)))
        return self._values.address("g", name, "left"), self._values.address("g", name, str(slot))

    def _prices(self, fact: StockFact) -> Address:
        return self._values.address("g", f"{fact.fixmedins_code}/{fact.med_list_codg}", "prices")

    def fold(self, fact: StockFact, moment: Moment) -> Effects:
        """Apply one movement, once."""
        keys = self._values.get(self._keys(fact))
        match repeated(keys, fact):
            case "duplicate":
                return Effects(fact.event_type, "duplicate")
            case "conflict":
                said = moment.quality_alert("Q04", fact.fixmedins_code)
                return Effects(fact.event_type, "conflict", [*said, dead_letter(fact, moment, CONFLICT)])
            case "late":
                return _refused(fact, moment, TOO_LATE)
        if isinstance(fact, StockMoved) and fact.movement == "deleted":
            effects, values = self._deleted(fact, moment)
        else:
            effects, values = self._changed(fact, moment)
        if effects.result == "applied":
            values[self._keys(fact)] = with_key(keys, fact)
        for address, value in values.items():  # nothing changes before all that may raise has been computed
            self._values.set(address, value)
        return effects

    def _changed(self, fact: StockFact, moment: Moment) -> Done:
        """The item and its day, and the batch by which the movement is found again."""
        assert fact.med_list_codg is not None, "the edge refuses a movement without its item"
        head, day = self._item(fact, fact.med_list_codg)
        sign = -1 if isinstance(fact, StockUndone) else 1
        known = self._values.get(head)
        change = Change(fact.movement, fact.cnt_x10000 or 0, _moved_ms(fact), sign, bool(fact.trdn_flag))
        after = changed(unpack_item(known) if known else NO_ITEM, self._values.get(day), change)
        if after is None:
            return _refused(fact, moment, TOO_LATE), {}
        prices, rerouted = self._priced(fact, moment)
        item, said = judged(after[0], fact, moment, prices)
        values = {head: pack(item), day: after[1], self._prices(fact): b"" if prices == NO_PRICES else pack(prices)}
        if isinstance(fact, StockMoved) and fact.fixmedins_bchno:
            values[self._batch(fact)] = pack(with_line(self._batches(fact), fact))
        if isinstance(fact, StockMoved):
            said += self._billed.moved(fact, moment, values)
        return Effects(fact.event_type, "applied", said, rerouted=rerouted), values

    def _priced(self, fact: StockFact, moment: Moment) -> tuple[Prices, list[Rerouted]]:
        """What was last paid and asked here, after the movement, and what it tells the shard of its item."""
        known = self._values.get(self._prices(fact))
        before = unpack_prices(known) if known else NO_PRICES
        prices, told = moved(before, fact, moment.terms) or (before, None)
        if told is None:
            return prices, []
        key = told.shard_key
        return prices, [Rerouted("subjects", partition_of(key, self._partitions), key, encode_fact(told))]

    def _batches(self, fact: StockMoved) -> Batches:
        known = self._values.get(self._batch(fact))
        return unpack_batches(known) if known else NO_BATCHES

    def _deleted(self, fact: StockMoved, moment: Moment) -> Done:
        batches = self._batches(fact)
        lines = named_by(batches, fact)
        if not lines:
            return _refused(fact, moment, NOTHING_TO_DELETE), {}
        if len(lines) > LINES_OF_A_BATCH:
            return _refused(fact, moment, AMBIGUOUS_BATCH), {}
        rerouted = [each for n, line in enumerate(lines) for each in self._undone(fact, f"{fact.event_id}/{n}", line)]
        after = without(batches, lines)
        values = {self._batch(fact): pack(after) if after.lines else b""}
        return Effects(fact.event_type, "applied", rerouted=rerouted), values

    def _undone(self, fact: StockMoved, event_id: str, line: BatchLine) -> list[Rerouted]:
        common: dict[str, Any] = {"event_id": event_id, "occurred_at": fact.occurred_at, "source": fact.source}
        code = fact.fixmedins_code
        undone = StockUndone(
            **common,
            fixmedins_code=code,
            movement=line.movement,
            med_list_codg=line.med_list_codg,
            cnt_x10000=line.cnt_x10000,
            moved_at=to_datetime(line.at_ms),
            trdn_flag=line.by_unit or None,
        )
        rerouted = [Rerouted("subjects", self._partition, code, encode_fact(undone))]
        for box in line.codes if line.movement == "sold" else ():
            back = CodeMoved(**common, fixmedins_code=code, movement="sale_returned", drug_trac_codg=box)
            key = code_shard_key(box)
            rerouted.append(Rerouted("subjects", partition_of(key, self._partitions), key, encode_fact(back)))
        return rerouted


def _moved_ms(fact: StockFact) -> int:
    return to_ms(fact.moved_at if isinstance(fact, StockUndone) else fact.occurred_at)


def _refused(fact: StockFact, moment: Moment, reason: str) -> Effects:
    said: list[Output] = [dead_letter(fact, moment, reason)]
    return Effects(fact.event_type, "refused", said)
