"""However old it is: a payment sent again is one, and a bill that money stands behind can be undone.

contract.md: remembered 400 days, and 400 days after the obligation ends for money.
"""

import pytest

from risk import facts
from risk.receipts import SEEN
from tests.risk.credit_life import HOSPITAL
from tests.risk.test_visit_end import Patient

PAID = {"mdtrt_id": "M1", "amount_fen": 30_000, "channel": "counter", "ref": "r1", "fixmedins_code": HOSPITAL}


class Debtor(Patient):
    """He owes 800.00, and pays 300.00 of it at the counter, told once or more."""

    def owes(self, when, arrives=None):
        self.registers(("2024-03-01", 9))
        self.asks(("2024-03-01", 10))
        self.is_billed(when, arrives=arrives)
        return self

    def pays(self, when, arrives):
        return self.tell(facts.TopupReceived, when=when, arrives=arrives, event_id="pay", **PAID)

    def lives_on(self, *days):
        """Something is heard on those days: what is old is forgotten when a day turns."""
        for day in days:
            visit = {"mdtrt_id": f"M{day}", "fixmedins_code": HOSPITAL, "fixmedins_type": "1", "med_type": "11"}
            self.tell(facts.VisitOpened, when=(day, 9), **visit)

    @property
    def owed_fen(self):
        (bill,) = self.person.credit.obligations
        return bill.claim_fen - bill.paid_fen


@pytest.mark.parametrize("again", ["2025-04-06", "2025-04-10", "2026-12-31"])
def test_a_payment_sent_again_after_years_on_an_open_debt_is_booked_once(again):
    debtor = Debtor().owes(("2024-03-01", 11))
    debtor.pays(("2024-03-01", 12), ("2024-03-01", 12))
    debtor.lives_on("2024-03-02", "2025-04-05", again)
    debtor.pays(("2024-03-01", 12), (again, 10))
    assert debtor.owed_fen == 50_000


def test_a_payment_of_last_year_told_today_is_a_repetition_tomorrow():
    debtor = Debtor().owes(("2024-03-01", 11))
    for day in ("2024-03-02", "2024-03-03", "2024-03-04"):
        debtor.lives_on(day)
        debtor.pays(("2023-01-20", 12), (day, 10))
    assert debtor.owed_fen == 50_000


def test_a_bill_of_last_year_told_today_is_undone_tomorrow():
    debtor = Debtor().owes(("2023-01-16", 11), ("2024-03-01", 11))
    debtor.lives_on("2024-03-03", "2024-03-04")
    debtor.is_reversed(("2024-03-04", 12))
    assert debtor.person.credit.obligations[0].claim_fen == 0
    assert [kind for kind, _, _ in debtor.left] == ["debit", "cancel"]


@pytest.mark.parametrize("bills", [1, 2, 0])
def test_a_payment_that_came_before_the_authorization_of_its_bill_is_booked_once(bills):
    debtor, stay = Debtor(), {"service": "deposit_free", "med_type": "21"}
    debtor.registers(("2024-03-01", 9), "21")
    debtor.asks(("2024-03-01", 10), name="A0", **stay)
    debtor.pays(("2024-03-01", 12), ("2024-03-01", 12))
    if bills:
        names = {"authorization_id": "A0", "fixmedins_code": HOSPITAL, "attempt": "r", "reply_to": "api"}
        debtor.tell(facts.AuthorizationReleaseRequested, when=("2024-03-03", 9), request_id="r", **names)
    for number in range(1, bills + 1):  # of two bills the first one takes the half of it
        debtor.asks(("2024-03-04", 9 + number), name=f"A{number}", scope="visit", **stay)
        cash_fen = 15_000 if number < bills else 80_000
        debtor.is_billed(("2024-03-04", 9 + number, 30), cash_fen, f"S{number}", f"A{number}", mid_setl_flag="1")
    before = debtor.person.credit
    assert sum(each.paid_fen for each in before.obligations) == (30_000 if bills else 0)
    for day in ("2024-03-05", "2025-04-09"):
        debtor.lives_on(day)
    booked = [(each.setl_id, each.paid_fen, each.topped_up_fen) for each in debtor.person.credit.obligations]
    waits = [each.topped_up_fen for each in debtor.person.credit.wants]
    debtor.pays(("2024-03-01", 12), ("2025-04-10", 10))
    after = debtor.person.credit
    assert [(each.setl_id, each.paid_fen, each.topped_up_fen) for each in after.obligations] == booked
    assert [each.topped_up_fen for each in after.wants] == waits == ([] if bills else [30_000])


def test_what_is_owed_no_more_is_forgotten_after_four_hundred_days_and_its_keys_with_it():
    debtor = Debtor().owes(("2024-03-01", 11))
    debtor.pays(("2024-03-01", 12), ("2024-03-01", 12))
    debtor.is_reversed(("2024-03-01", 13))
    keys = len(debtor.person.activity.seen) // SEEN.size
    assert keys > 4
    debtor.lives_on("2025-04-04", "2025-04-05", "2025-04-08", "2025-04-09")
    assert debtor.person.credit.obligations == ()
    assert debtor.person.activity.seen == debtor.person.activity.receipts == b""
