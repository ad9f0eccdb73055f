"""The trace codes of a shard: what stock movements and fee lines tell of each box, in buckets (D05)."""

from connectors.store import Address
from risk.contributions import Contribution
from risk.facts import CodeMoved
from risk.moment import Moment
from risk.outputs import Output
from risk.second_hop import Heard
from risk.trace_codes import BoxMoved, box_of, bucket_of, second_sale, seen
from streams.shards import Effects, Values


class TraceBuckets:
    """Boxes folded into a shard's values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def address(self, code: str) -> Address:
        """Where a code lies."""
        return self._values.address("t", bucket_of(code))

    def moved(self, fact: CodeMoved, moment: Moment) -> Effects:
        """A stock movement's box."""
        address, box = self.address(fact.drug_trac_codg), box_of(fact)
        after = seen(self._values.get(address), box)
        if after.result != "applied":
            return Effects(fact.event_type, after.result)
        said = second_sale(box, after.before, moment) if after.before is not None else []
        self._values.set(address, after.bucket)
        return Effects(fact.event_type, "applied", said)

    def contributed(self, given: Contribution, heard: Heard, buckets: dict[Address, bytes]) -> list[Output]:
        """A fee line's box; the changed bucket waits in `buckets` until its whole record is folded."""
        address, code, at_ms = self.address(given.subject_id), given.fixmedins_code, given.moved_ms
        box = BoxMoved(given.subject_id, code, given.sign > 0, at_ms, given.event_id, by_line=True)
        bucket = buckets.get(address)
        after = seen(self._values.get(address) if bucket is None else bucket, box)
        buckets[address] = after.bucket
        return second_sale(box, after.before, heard.moment(given)) if after.before is not None else []
