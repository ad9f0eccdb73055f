"""The lines that a shard's hospitals billed of items they may not have had, one value a hospital (H06)."""

from connectors.state_codec import pack, unpack_billed, unpack_item
from connectors.store import Address
from risk.billed import HOSPITAL, NO_BILLED, Billed, billed, moved
from risk.contributions import Contribution
from risk.facts import StockMoved
from risk.moment import Moment
from risk.outputs import Output
from risk.second_hop import Heard
from risk.stock import NO_ITEM
from streams.shards import Values


class BilledLines:
    """Lines and movements folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def addresses(self, told: StockMoved | Contribution) -> list[Address]:
        """The hospital's value, and of a line the item that it names."""
        if isinstance(told, StockMoved):
            return [self._hospital(told.fixmedins_code)] if told.fixmedins_code[:1] == HOSPITAL else []
        of_item = [self._item(told)] if told.sign > 0 else []
        return [self._hospital(told.subject_id), *of_item]

    def _hospital(self, code: str) -> Address:
        return self._values.address("g", code, "billed")

    def _item(self, given: Contribution) -> Address:
        return self._values.address("g", f"{given.subject_id}/{given.original_id}", "left")

    def contributed(self, given: Contribution, heard: Heard, changed: dict[Address, bytes]) -> list[Output]:
        """A line, or its taking back; the changed value waits in `changed` until its whole record is folded."""
        address, item = self._hospital(given.subject_id), self._values.get(self._item(given)) if given.sign > 0 else b""
        known = _unpacked(changed[address] if address in changed else self._values.get(address))
        after, said = billed(known, unpack_item(item) if item else NO_ITEM, given, heard.moment(given))
        if after is not known:
            changed[address] = pack(after)
        return said

    def moved(self, fact: StockMoved, moment: Moment, values: dict[Address, bytes]) -> list[Output]:
        """A movement; the changed value joins `values`."""
        said: list[Output] = []
        for address in self.addresses(fact):
            known = _unpacked(self._values.get(address))
            after, said = moved(known, fact, moment)
            if after is not known:
                values[address] = pack(after)
        return said


def _unpacked(value: bytes) -> Billed:
    return unpack_billed(value) if value else NO_BILLED
