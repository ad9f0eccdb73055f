"""Facts about the person: what replaces what, what stands, what ends by itself."""

from itertools import permutations

import pytest

from risk import facts
from risk.limits import level_in_force
from risk.local_time import to_datetime
from risk.standing import AHEAD_MOST, SUSPENSIONS_MOST, active_list, authority_order
from tests.risk.credit_life import Life

DAY = 86_400_000


def test_an_older_fact_never_replaces_a_newer_one_of_its_kind():
    life = Life().sign(level="B")
    life.now_ms -= DAY
    life.tell(facts.CreditLevelSet, level="D", decided_by="医保局")
    life.tell(facts.InsuredStatusChanged, status="suspended")
    life.now_ms += DAY
    assert level_in_force(life.credit, life.now_ms).code == "B"
    assert life.credit.standing.status == "normal"


def test_a_level_with_a_first_day_waits_for_it_and_ends_after_its_last():
    life = Life().sign(level="B")
    life.tell(
        facts.CreditLevelSet,
        level="A",
        decided_by="医保局",
        valid_from=to_datetime(life.now_ms + DAY),
        valid_to=to_datetime(life.now_ms + 2 * DAY),
    )
    assert level_in_force(life.credit, life.now_ms).code == "B"
    assert level_in_force(life.credit, life.now_ms + DAY).code == "A"
    assert level_in_force(life.credit, life.now_ms + 2 * DAY + 1) == ("UNRATED", "no_record", 0, 0, 0)


def test_signing_again_restores_an_ended_agreement_and_an_old_signature_does_not():
    life = Life().sign()
    life.now_ms += DAY
    life.tell(facts.AgreementTerminated, agreement_no="card")
    life.now_ms -= DAY // 2
    life.sign(level="", commitment=False, status="")
    assert life.credit.agreements[0].ended_ms
    life.now_ms += DAY
    life.sign(level="", commitment=False, status="")
    assert not life.credit.agreements[0].ended_ms
    assert len(life.credit.agreements) == 1


def test_the_same_fact_twice_changes_no_byte():
    life = Life().sign(agreements=("card", "line"))
    before, now_ms = life.credit, life.now_ms
    life.now_ms = before.agreements[0].signed_ms
    life.tell(
        facts.AgreementSigned,
        agreement_no="card",
        bank_code="BOCOM",
        funding_mode="card_withhold",
        services=("visit_first", "deposit_free"),
    )
    life.now_ms = now_ms
    assert life.credit == before


def test_delisting_ends_a_list():
    life = Life().sign()
    listed = {"list": "严重失信", "document_no": "1", "authority": "省医保局"}
    life.tell(facts.CreditListed, clause="32", since=to_datetime(life.now_ms), **listed)
    assert active_list(life.credit, life.now_ms).document_no == "1"
    life.now_ms += 1
    life.tell(facts.CreditDelisted, **listed)
    assert active_list(life.credit, life.now_ms) is None


def test_an_order_without_number_or_end_stops_nobody():
    life = Life().sign()
    stop = {"scope": "credit_payment", "by": "authority", "reason": "调查"}
    life.tell(facts.CreditServiceSuspended, **stop, document_no="7")
    assert authority_order(life.credit, life.now_ms) is None
    life.tell(facts.CreditServiceSuspended, **stop, until=to_datetime(life.now_ms + DAY))
    assert authority_order(life.credit, life.now_ms) is None
    life.tell(facts.CreditServiceSuspended, **stop, document_no="7", until=to_datetime(life.now_ms + DAY))
    assert authority_order(life.credit, life.now_ms).document_no == "7"
    life.tell(facts.CreditServiceResumed, scope="credit_payment", by="authority", reason="结案", document_no="8")
    assert authority_order(life.credit, life.now_ms) is None


ORDER = {"scope": "credit_payment", "by": "authority", "reason": "调查"}


def ordered(life, number, days):
    life.tell(
        facts.CreditServiceSuspended, **ORDER, document_no=number, until=to_datetime(life.now_ms + round(days * DAY))
    )


def stopped_by(life):
    order = authority_order(life.credit, life.now_ms)
    return order and order.document_no


def test_each_order_stops_credit_till_its_own_end():
    life = Life().sign()
    ordered(life, "7", 90)
    ordered(life, "8", 2)
    life.now_ms += 3 * DAY
    assert stopped_by(life) == "7"
    life.now_ms += 88 * DAY
    assert stopped_by(life) is None


@pytest.mark.parametrize(
    ("named", "left"), [("7", "8"), ("8", "7"), ("9", None), (None, None)], ids=["one", "the other", "its own", "none"]
)
def test_who_ends_an_order_by_its_number_ends_that_one_else_all(named, left):
    life = Life().sign()
    ordered(life, "7", 90)
    ordered(life, "8", 90)
    life.now_ms += 1
    life.tell(facts.CreditServiceResumed, **ORDER, document_no=named)
    assert stopped_by(life) == left
    life.now_ms -= 1
    ordered(life, "7", 100)
    assert stopped_by(life) == left, "what was told before the end starts nothing again"
    life.now_ms += 2
    ordered(life, "10", 1)
    assert stopped_by(life)


def test_of_too_many_orders_the_longest_stay():
    life = Life().sign()
    for number in range(3 * SUSPENSIONS_MOST):
        ordered(life, f"order {number}", 90 - number)
    assert len(life.credit.standing.suspensions) == SUSPENSIONS_MOST
    life.now_ms += 89 * DAY
    assert stopped_by(life) == "order 0"


def test_money_facts_about_a_person_nobody_knows_begin_no_record():
    life = Life()
    life.tell(facts.TopupReceived, mdtrt_id="M1", amount_fen=5, channel="counter", ref="1", fixmedins_code="H")
    life.tell(facts.BankRepaid, agreement_no="x", bank_ref="1", amount_fen=5)
    assert life.credit is None


SIGNED = {"bank_code": "BOCOM", "funding_mode": "credit_line", "services": ("visit_first",), "bank_line_fen": 400_000}
OF_AN_AGREEMENT = {
    "signed": (0, facts.AgreementSigned, SIGNED),
    "lowered": (1, facts.AgreementLineChanged, {"bank_line_fen": 100_000}),
    "raised": (2, facts.AgreementLineChanged, {"bank_line_fen": 200_000}),
    "ended": (3, facts.AgreementTerminated, {}),
    "wished": (3, facts.AgreementTerminated, {"requested_by": "person"}),
    "again": (4, facts.AgreementSigned, SIGNED),
}


@pytest.mark.parametrize(
    "names", [("signed", "lowered", "raised"), ("signed", "raised", "ended"), ("lowered", "ended", "again")]
)
def test_what_an_agreement_comes_to_does_not_depend_on_the_order_in_which_it_was_told(names):
    ends = set()
    for order in permutations(names):
        life, began_ms = Life(), Life().now_ms
        for name in order:
            hours, kind, fields = OF_AN_AGREEMENT[name]
            life.now_ms = began_ms + hours * DAY
            life.tell(kind, agreement_no="line", source="bank:BOCOM/token", **fields)
        (agreement,) = life.credit.agreements
        ends.add((agreement.line_fen, agreement.line_ms, agreement.ended_ms))
        assert life.credit.standing.ahead == ()
    assert len(ends) == 1


def test_a_wish_told_before_the_signing_ends_the_agreement_when_it_is_signed():
    life, began_ms = Life(), Life().now_ms
    for name in ("wished", "signed"):
        days, kind, fields = OF_AN_AGREEMENT[name]
        life.now_ms = began_ms + days * DAY
        life.tell(kind, agreement_no="line", **fields)
    assert life.credit.agreements[0].ended_ms


def test_another_bank_ends_no_agreement_in_advance_and_only_the_newest_few_are_remembered():
    life = Life()
    life.tell(facts.AgreementTerminated, agreement_no="line", source="bank:CCB/token", event_id="E1")
    life.tell(facts.AgreementLineChanged, agreement_no="line", source="bank:BOCOM/token", bank_line_fen=1)
    told = life.tell(facts.AgreementSigned, agreement_no="line", source="bank:BOCOM/token", **SIGNED)
    assert not life.credit.agreements[0].ended_ms
    assert [(each["reason"], each["source"], each["event_id"]) for each in told.on("deadletter")] == [
        ("SENDER_FORBIDDEN", "bank:CCB/token", "E1")
    ]
    for number in range(2 * AHEAD_MOST):
        life.tell(facts.AgreementTerminated, agreement_no=f"other {number}")
    assert len(life.credit.standing.ahead) == AHEAD_MOST
