"""When the debit of an outpatient bill may leave at the earliest: by a calendar and the facts alone. Not a test.

contract.md: "one that is no admission ends at the first local midnight after its newest event + grace". The engine's
sums of instants are not used; what is said of a visit whose end was told, or of a stay, is left to others.
"""

from datetime import datetime, time, timedelta, timezone

from risk import facts

LOCAL = timezone(timedelta(hours=8))
OF_A_VISIT = (
    facts.VisitOpened,
    facts.FeeAdded,
    facts.FeeReversed,
    facts.SettlementEstimated,
    facts.SettlementCompleted,
)
OF_A_BILL = (facts.SettlementReversed, facts.SettlementReinstated)
TOLD = (facts.VisitClosed, facts.VisitCancelled)


def end_after(event):
    """Two in the morning after the midnight that follows."""
    return datetime.combine(event.astimezone(LOCAL).date() + timedelta(days=1), time(2), LOCAL)


class VisitBook:
    """By bill, when its visit ends as far as is known. An event after that end is of another day's visit."""

    def __init__(self):
        self.ends = {}
        self.visits = {}  # bill -> visit
        self.checked = 0

    def note(self, fact, *, is_booked, is_silent):
        """A fact that was applied.

        `is_booked`: the counter told of this bill before; `is_silent`: no midnight ends the visit.
        """
        if isinstance(fact, TOLD) or is_silent:
            self.ends = {bill: end for bill, end in self.ends.items() if self.visits[bill] != fact.mdtrt_id}
        elif isinstance(fact, OF_A_VISIT):
            self._happened(fact.mdtrt_id, fact.occurred_at)
        elif isinstance(fact, OF_A_BILL) and fact.setl_id in self.visits:
            self._happened(self.visits[fact.setl_id], fact.occurred_at)
        if isinstance(fact, facts.SettlementCompleted) and not is_booked and not is_silent:
            self.visits[fact.setl_id] = fact.mdtrt_id
            self.ends[fact.setl_id] = end_after(fact.occurred_at)

    def _happened(self, mdtrt_id, at):
        for bill, end in self.ends.items():
            if self.visits[bill] == mdtrt_id and at < end:
                self.ends[bill] = max(end, end_after(at))

    def check(self, order, services):
        """No first attempt of a debit leaves before every visit in it has ended. `services`: the pool of each bill."""
        if (order["kind"], order["attempt"]) != ("debit", 1):
            return
        stays = [bill for bill, pool in services.items() if pool == "deposit_free"]
        if any(item["setl_id"] in stays for item in order["items"]):
            return  # the last bill of a stay that nobody registered ends it
        ended = {self.visits.get(bill) for bill in stays}
        for item in order["items"]:
            if item["setl_id"] in self.ends and self.visits[item["setl_id"]] not in ended:
                self.checked += 1
                end, leaves = self.ends[item["setl_id"]], datetime.fromisoformat(order["not_before"])
                assert leaves >= end, f"{item['setl_id']} is debited at {leaves}; its visit ends at {end}"
