"""When a visit ends: the first local midnight after its newest event, and grace; whatever kind of event that was.

Under the whole fold, with its timers. The times stand in the tests as they stand on a calendar.
"""

from itertools import count

import pytest

from connectors.policy_files import read_policy_dir
from risk import facts
from risk.lifecycle import next_due
from risk.local_time import local_day, to_datetime
from risk.moment import Moment
from risk.person_fold import Person, apply
from risk.policy import parse_policy
from tests.risk.credit_life import HOSPITAL, PERSON, POLICIES, Life, Told, at, shaoyang

LATER = ["another bill", "a bill paid otherwise", "its reversal", "that undone", "a reversal", "an estimate"]
PLAIN = ("policy.toml", "rules.toml")
VISIT = {"mdtrt_id": "M1", "fixmedins_code": HOSPITAL}


class Patient:
    """Somebody with a card; every step says when it happens, and the timers before it ring in their time."""

    def __init__(self, mode="card_withhold"):
        self.person, self.now_ms, self._numbers, self.left = Person(), 0, count(1), []
        signing = {"when": ("2024-02-28",)}
        self.tell(facts.InsuredStatusChanged, status="normal", **signing)
        self.tell(facts.CommitmentSigned, commitment_no="C1", version="1", channel="app", **signing)
        self.tell(facts.CreditLevelSet, level="B", decided_by="医保局", **signing)
        lent = {"bank_line_fen": 400_000} if mode == "credit_line" else {}
        self.tell(
            facts.AgreementSigned, agreement_no="A", bank_code="BOCOM", funding_mode=mode,
            services=("visit_first", "deposit_free"), **lent, **signing,
        )  # fmt: skip

    def tell(self, kind, *, when, arrives=None, event_id="", **fields):
        """A record that happened `when`, and reached the log then or later."""
        self.wait(arrives or when)
        return self._fold(kind, at(*when), event_id, fields)

    def wait(self, until):
        while (due_ms := next_due(self.person.credit)) is not None and due_ms <= at(*until):
            self.now_ms = max(self.now_ms, due_ms)
            self._fold(facts.TimerDue, due_ms, f"timer:{PERSON}:{due_ms}", {"due_ms": due_ms})
        self.now_ms = max(self.now_ms, at(*until))

    def _fold(self, kind, occurred_ms, event_id, fields):
        number, policy, day = next(self._numbers), shaoyang(), local_day(occurred_ms)
        fact = kind(
            event_id=event_id or f"e{number}", occurred_at=to_datetime(occurred_ms), psn_no=PERSON, source="operator",
            **fields,
        )  # fmt: skip
        place = Moment(
            f"p0@{number}", fact.event_id, occurred_ms, self.now_ms, self.now_ms, policy, policy.on(day), day
        )
        done = apply(self.person, fact, place)
        self.person, told = done.person, Told(done.said)
        self.left += [(each["kind"], each["not_before"][:16], each["amount_fen"]) for each in told.orders]
        return told

    def registers(self, when, med_type="11"):
        more = {"fixmedins_type": "1", "med_type": med_type, "insutype": "310", "insuplc_admdvs": "430502"}
        return self.tell(facts.VisitOpened, when=when, **more, **VISIT)

    def asks(self, when, amount_fen=80_000, name="A1", service="visit_first", med_type="11", **more):
        return self.tell(
            facts.AuthorizationRequested, when=when, authorization_id=name, service=service, med_type=med_type,
            amount_fen=amount_fen, attempt=name, reply_to="api", event_id=f"auth:{HOSPITAL}:{name}", **VISIT, **more,
        )  # fmt: skip

    def captures(self, when, cash_fen=80_000, setl_id="S1", name="A1"):
        return self.tell(
            facts.AuthorizationCaptureRequested, when=when, authorization_id=name, request_id="R1", attempt="R1",
            reply_to="api", setl_id=setl_id, psn_cash_pay_fen=cash_fen, fixmedins_code=HOSPITAL,
            event_id=f"auth:{HOSPITAL}:{name}:R1",
        )  # fmt: skip

    def is_billed(self, when, cash_fen=80_000, setl_id="S1", name: str | None = "A1", arrives=None, **more):
        return self.tell(
            facts.SettlementCompleted, when=when, arrives=arrives, setl_id=setl_id, fixmedins_type="1", med_type="11",
            medfee_sumamt_fen=cash_fen, fund_pay_sumamt_fen=0, psn_part_amt_fen=cash_fen, acct_pay_fen=0,
            psn_cash_pay_fen=cash_fen, authorization_id=name, **VISIT, **more,
        )  # fmt: skip

    def is_reversed(self, when, setl_id="S1"):
        return self.tell(facts.SettlementReversed, when=when, setl_id=setl_id)

    def is_reinstated(self, when, setl_id="S1"):
        return self.tell(facts.SettlementReinstated, when=when, setl_id=setl_id)

    @property
    def held_fen(self):
        return sum(each.held_fen for each in self.person.credit.authorizations)


def test_a_bill_after_midnight_moves_the_end_of_its_visit():
    patient = Patient()
    patient.registers(("2024-03-01", 23, 55))
    patient.asks(("2024-03-01", 23, 56))
    patient.is_billed(("2024-03-02", 0, 10))
    patient.wait(("2024-03-09",))
    assert patient.left == [("debit", "2024-03-03T08:00", 80_000)]


@pytest.mark.parametrize("registered", [True, False])
def test_the_minute_before_midnight_belongs_to_the_day(registered):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 10))
    patient.asks(("2024-03-01", 23, 50))
    patient.is_billed(("2024-03-01", 23, 59))
    patient.wait(("2024-03-09",))
    assert patient.left == [("debit", "2024-03-02T08:00", 80_000)]


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("event", LATER)
def test_any_later_event_of_the_visit_moves_the_debit_of_its_first_bill(registered, event):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 23))
    for number, name in ((1, "A1"), (2, "A2")):
        patient.asks(("2024-03-01", 23, number), 40_000, name)
        patient.is_billed(("2024-03-01", 23, 30 + number), 40_000, f"S{number}", name)
    when, left_fen = ("2024-03-02", 0, 30), 80_000
    match event:
        case "another bill":
            patient.asks(("2024-03-02", 0, 29), 10_000, "A3")
            patient.is_billed(when, 10_000, "S3", "A3")
            left_fen = 90_000
        case "a bill paid otherwise":
            patient.is_billed(when, 10_000, "S3", None)
        case "its reversal":
            patient.is_billed(("2024-03-01", 23, 59), 10_000, "S3", None)
            patient.is_reversed(when, "S3")
        case "that undone":
            patient.is_billed(("2024-03-01", 23, 50), 10_000, "S3", None)
            patient.is_reversed(("2024-03-01", 23, 59), "S3")
            patient.is_reinstated(when, "S3")
        case "a reversal":
            patient.is_reversed(when, "S2")
            left_fen = 40_000
        case "an estimate":
            amounts = {"medfee_sumamt_fen": 10, "psn_part_amt_fen": 10, "psn_cash_pay_fen": 10}
            amounts |= {"fund_pay_sumamt_fen": 0, "acct_pay_fen": 0}
            patient.tell(facts.SettlementEstimated, when=when, **amounts, **VISIT)
    patient.wait(("2024-03-09",))
    assert patient.left == [("debit", "2024-03-03T08:00", left_fen)]


def test_where_no_credit_is_offered_a_bill_is_undone_and_a_stay_ends_all_the_same():
    files = {name: text for name, text in read_policy_dir(POLICIES / "shaoyang").items() if name in PLAIN}
    life = Life(policy=parse_policy(files))
    life.tell(facts.InsuredStatusChanged, status="normal")
    life.settle(10_000)
    assert life.reverse() + life.reinstate() == []
    life.visit("M2", med_type="21")
    assert life.close("M2") == []
    life.visit("M2", ended_ms=0)
    assert life.tell(facts.VisitReopened, mdtrt_id="M2") == []


def test_a_capture_at_the_counter_tells_of_the_bill_before_its_event_comes():
    patient = Patient()
    patient.registers(("2024-03-01", 23, 55))
    patient.asks(("2024-03-01", 23, 56))
    patient.captures(("2024-03-02", 0, 10))
    patient.is_billed(("2024-03-02", 0, 10), arrives=("2024-03-02", 9))
    patient.wait(("2024-03-09",))
    assert patient.left == [("debit", "2024-03-03T08:00", 80_000)]


@pytest.mark.parametrize("registered", [True, False])
def test_a_bill_that_reaches_us_days_later_is_debited_at_once(registered):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 10))
    patient.asks(("2024-03-01", 10, 1))
    patient.is_billed(("2024-03-01", 10, 30), arrives=("2024-03-03", 9, 15))
    assert patient.left == [("debit", "2024-03-03T09:15", 80_000)]


@pytest.mark.parametrize("registered", [True, False])
def test_what_a_reversal_after_midnight_opens_lasts_its_day(registered):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 23))
    patient.asks(("2024-03-01", 23, 1))
    patient.is_billed(("2024-03-01", 23, 30))
    patient.is_reversed(("2024-03-02", 0, 20))
    patient.wait(("2024-03-03", 0, 19))
    assert patient.held_fen == 80_000
    patient.wait(("2024-03-03", 0, 20))
    assert patient.held_fen == 0


@pytest.mark.parametrize("registered", [True, False])
def test_not_beyond_the_midnight_after_it_and_grace(registered):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 9))
    patient.asks(("2024-03-01", 9, 1))
    patient.is_billed(("2024-03-01", 9, 30))
    patient.is_reversed(("2024-03-01", 11))
    patient.wait(("2024-03-02", 1, 59))
    assert patient.held_fen == 80_000
    patient.wait(("2024-03-02", 2))
    assert patient.held_fen == 0


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("when", [("2024-03-02", 2), ("2024-03-02", 10), ("2024-03-03", 9)])
def test_a_visit_that_ended_is_not_opened_again_by_taking_its_bill_back(registered, when):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 9))
    for number, name in ((1, "A1"), (2, "A2")):
        patient.asks(("2024-03-01", 9, number), 40_000, name)
        patient.is_billed(("2024-03-01", 9, 30 + number), 40_000, f"S{number}", name)
    for setl_id in ("S1", "S2"):  # nor does the first make the second one early
        patient.is_reversed(when, setl_id)
        assert patient.held_fen == 0


@pytest.mark.parametrize("registered", [True, False])
def test_a_bill_that_stands_again_after_its_visit_is_debited_at_once(registered):
    patient = Patient()
    if registered:
        patient.registers(("2024-03-01", 9))
    patient.asks(("2024-03-01", 9, 1))
    patient.is_billed(("2024-03-01", 9, 30))
    patient.is_reversed(("2024-03-01", 9, 40))
    patient.is_reinstated(("2024-03-02", 10))
    patient.wait(("2024-03-09",))
    assert patient.left == [("debit", "2024-03-02T10:00", 80_000)]


def test_a_told_discharge_ends_the_visit_whatever_comes_after_it():
    patient = Patient()
    patient.registers(("2024-03-01", 9))
    patient.asks(("2024-03-01", 9, 1))
    patient.tell(facts.VisitClosed, mdtrt_id="M1", when=("2024-03-01", 9, 20))
    patient.is_billed(("2024-03-01", 9, 30))
    assert patient.left == [("debit", "2024-03-01T09:30", 80_000)]


def test_midnight_ends_no_stay():
    patient = Patient()
    patient.registers(("2024-03-01", 9), med_type="21")
    patient.asks(("2024-03-01", 9, 1), service="deposit_free", med_type="21")
    patient.is_billed(("2024-03-04", 10))
    patient.is_reversed(("2024-03-04", 11))
    patient.wait(("2024-03-05", 10, 59))
    assert patient.held_fen == 80_000
    patient.wait(("2024-03-05", 11))
    assert (patient.held_fen, patient.left) == (0, [])


@pytest.mark.parametrize("undone", [False, True])
def test_who_paid_in_cash_before_the_discharge_did_not_leave_without_settling(undone):
    patient = Patient()
    patient.registers(("2024-03-04", 9), med_type="21")
    patient.asks(("2024-03-04", 9, 1), service="deposit_free", med_type="21")
    patient.is_billed(("2024-03-05", 10), name=None)
    if undone:
        patient.is_reversed(("2024-03-05", 10, 30))
    patient.tell(facts.VisitClosed, when=("2024-03-05", 11), mdtrt_id="M1")
    assert [each.mdtrt_id for each in patient.person.credit.signals.left] == (["M1"] if undone else [])
