"""What institutions are told of bills on credit: each once, and taken back exactly, whatever becomes of the money."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from risk import facts
from risk.counters import place_of
from risk.credit_visits import credit_told
from risk.exposure import Repayment, repayment_of
from risk.local_time import local_day
from risk.moment import Moment
from tests.risk.credit_life import HOSPITAL, Life

ON_CREDIT, OVERDUE = place_of("credit_visits"), place_of("overdue_credit_visits")


class Watched(Life):
    """A life whose institution counts by day what it is told."""

    def __init__(self, *args, **fields):
        super().__init__(*args, **fields)
        self.told = Counter()

    def keep(self, step):
        """Count before the record is taken on."""
        now_ms, day = self.now_ms, local_day(self.now_ms)
        moment = Moment("p00@1", "E", now_ms, now_ms, now_ms, self.policy, self.policy.on(day), day)
        for each in credit_told(self.credit, step[0], moment):
            assert (each.subject_id, each.fixmedins_type, each.moved_ms) == (HOSPITAL, "1", now_ms)
            ((place, one),) = each.beside
            self.told[place, local_day(each.at_ms)] += each.sign * one
        return super().keep(step)

    def numbers(self):
        """By counter and day, without what came to nothing."""
        return {key: count for key, count in self.told.items() if count}


def on(day):
    return local_day(Life(day).now_ms)


def owing():
    """Two bills of 800 yuan on a bank's line, captured on the first of March."""
    life = Watched("2024-03-01").sign(agreements=["line"])
    life.settle(80_000, credit_fen=80_000)
    life.settle(80_000, "S2", "M2", credit_fen=80_000)
    return life


def test_a_bill_on_credit_counts_on_its_day_until_it_is_undone():
    life = owing()
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 2}
    life.pass_time(until=("2024-03-05", 9))
    life.reverse("S1")
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 1}
    life.reinstate("S1")
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 2}


def test_overdue_counts_on_the_day_it_began_and_ends_when_cured():
    life = owing()
    life.pass_time(until=("2024-04-10", 9))
    life.tell(facts.BankOverdue, agreement_no="line", bank_ref="B1")
    overdue = {(ON_CREDIT, on("2024-03-01")): 2, (OVERDUE, on("2024-04-10")): 2}
    assert life.numbers() == overdue
    life.pass_time(until=("2024-04-12", 9))
    life.tell(facts.InsuredStatusChanged, status="normal")
    assert life.numbers() == overdue, "nothing is told twice"
    life.tell(facts.BankCured, agreement_no="line", bank_ref="B2")
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 2}


def test_what_is_paid_is_overdue_no_longer_and_the_rest_is():
    life = owing()
    life.tell(facts.BankOverdue, agreement_no="line", bank_ref="B1")
    life.repaid(80_000)
    assert life.told[OVERDUE, on("2024-03-01")] == 1
    life.reverse("S2")
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 1}


def test_a_card_that_refuses_is_overdue_by_our_clock():
    life = Watched("2024-03-01").sign()
    life.settle(80_000, credit_fen=80_000)
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")
    life.pass_time(until=("2024-03-04", 1))
    assert life.told[OVERDUE, on("2024-03-04")] == 0
    life.pass_time(until=("2024-03-04", 3))
    assert life.told[OVERDUE, on("2024-03-04")] == 1
    life.top_up(80_000)
    assert life.numbers() == {(ON_CREDIT, on("2024-03-01")): 1}


bills = st.sampled_from(["S1", "S2", "S3"])
acts = st.one_of(
    st.tuples(st.sampled_from(["settle", "reverse", "reinstate"]), bills),
    st.tuples(st.sampled_from(["BankOverdue", "BankCured", "top_up", "repaid", "wait"]), st.integers(1, 40)),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([("card",), ("line",), ("card", "line")]), st.lists(acts, max_size=25))
def test_whatever_happens_the_sums_are_what_the_record_stands_for(agreements, acted):
    life = Watched("2024-03-01").sign(agreements=agreements)
    for number, (act, what) in enumerate(acted):
        if act == "settle" and what not in life.bills:
            life.settle(50_000, what, f"M{what}", credit_fen=50_000)
        elif act in ("reverse", "reinstate") and what in life.bills:
            getattr(life, act)(what)
        elif act in ("BankOverdue", "BankCured"):
            life.tell(getattr(facts, act), agreement_no="line", bank_ref=f"B{number}")
        elif act == "top_up":
            life.top_up(what * 1_000, mdtrt_id="MS1")
        elif act == "repaid":
            life.repaid(what * 1_000)
        elif act == "wait":
            for order in life.pass_time(hours=what).orders:
                life.bank(order, "rejected", code="ACCOUNT_CLOSED", cause="person")
        stands = Counter()
        for each in life.credit.obligations:
            if each.claim_fen:
                stands[ON_CREDIT, local_day(each.captured_ms)] += 1
            if each.overdue_ms:
                stands[OVERDUE, local_day(each.overdue_ms)] += 1
        assert life.numbers() == stands
        life.tell(facts.InsuredStatusChanged, status="normal")
        for each in life.credit.obligations:
            is_late = repayment_of(life.credit, each, life.now_ms) is Repayment.OVERDUE
            assert is_late == bool(each.overdue_ms)
