"""The regulars of a shard's places: what their settlements tell, a value for each place and date (P18)."""

from connectors.state_codec import pack, unpack_gathered
from connectors.store import Address
from risk.companies import NOBODY, Gathered, company_of, company_told, heard, slot_of
from risk.contributions import SILENT, Contribution
from risk.local_time import local_day
from risk.outputs import Output
from risk.second_hop import Heard
from streams.shards import Values


class Companies:
    """Regulars folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def addresses_of(self, given: Contribution) -> list[Address]:
        """The value of its own date, and of the others on which he was there."""
        return [self._address(given, date) for date in {local_day(given.at_ms): None} | dict.fromkeys(given.dates)]

    def _address(self, given: Contribution, date: int) -> Address:
        return self._values.address("r", given.subject_id, str(slot_of(date)))

    def contributed(self, given: Contribution, told: Heard, changed: dict[Address, bytes]) -> list[Output]:
        """A regular's settlement; the dates it needs wait in `changed` until their whole record is folded."""
        date = local_day(given.at_ms)
        clause = told.on(date).terms.get("P18")
        if clause is None:
            return []
        rule = clause.value
        kept = self._gathered(given, date, changed)
        after = heard(kept, given, rule.crowd)
        if after is kept:
            return []
        outputs = []
        if given.sign > 0 and not given.marks & SILENT:
            others = [self._gathered(given, each, changed) for each in given.dates if each != date]
            company = company_of([*others, after], given, rule)
            if company is not None:
                after = company.today
                outputs.append(company_told(company, given, clause, told.moment(given)))
        changed[self._address(given, date)] = pack(after) if after.met or after.crowded else b""
        return outputs

    def _gathered(self, given: Contribution, date: int, changed: dict[Address, bytes]) -> Gathered:
        address = self._address(given, date)
        value = changed.setdefault(address, self._values.get(address))
        return unpack_gathered(value) if value else NOBODY
