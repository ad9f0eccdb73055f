"""The end of an agreement: at once at zero exposure, wound down above it, at once when the bank says so."""

import pytest

from risk import facts
from tests.risk.credit_life import Life, shaoyang


def unsign(life, by="person", agreement_no="card"):
    return life.tell(facts.AgreementTerminated, agreement_no=agreement_no, requested_by=by)


def agreement(life):
    return life.credit.agreements[0]


def test_a_person_without_anything_held_or_owed_un_signs_at_once():
    life = Life().sign()
    (decision,) = unsign(life).decisions
    assert (decision["kind"], decision["decision"]) == ("agreement", "release")
    assert agreement(life).ended_ms
    assert life.authorize(1).reply["reasons"][0]["code"] == "MANDATE_INVALID"


def test_with_something_held_the_wish_is_kept_with_its_reason_and_nothing_new_is_lent():
    life = Life().sign()
    life.authorize(80_000)
    (decision,) = unsign(life).decisions
    assert (decision["decision"], decision["exposure_fen"]) == ("hold", 80_000)
    assert decision["reasons"][0]["code"] == "EXPOSURE_OPEN"
    assert life.increase(1).reply["reasons"][0]["code"] == "MANDATE_INVALID"
    assert life.authorize(1, "A2", "M2").reply["reasons"][0]["code"] == "MANDATE_INVALID"
    assert life.held == 80_000
    (ended,) = [each for each in life.release(request_id="R2").decisions if each["kind"] == "agreement"]
    assert ended["decision"] == "release"


def test_what_is_owed_is_still_debited_as_signed_and_then_it_ends_by_itself():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    unsign(life)
    life.settle(90_000, authorization_id="A1")
    assert life.used == 80_000  # what was held, and not a fen more
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    assert not agreement(life).ended_ms
    told = life.bank(order, "settled")
    assert [each["decision"] for each in told.decisions if each["kind"] == "agreement"] == ["release"]
    assert agreement(life).ended_ms


def test_a_refund_on_its_way_keeps_it_until_it_arrived():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "settled")
    (refund,) = life.reverse().orders
    unsign(life)
    assert not agreement(life).ended_ms
    life.bank(refund, "settled")
    assert agreement(life).ended_ms


@pytest.mark.parametrize("by", ["bank", None])
def test_the_banks_word_ends_it_at_once_and_debits_are_held(by):
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    assert unsign(life, by).decisions == []
    told = life.pass_time(hours=40)
    assert told.orders == []
    assert told.decisions[-1]["reasons"][0]["code"] == "MANDATE_INVALID"


def test_signing_again_takes_the_wish_back_and_an_older_signature_does_not():
    life = Life().sign()
    life.authorize(80_000)
    unsign(life)
    life.now_ms -= 60_000
    life.sign(level="", commitment=False, status="")
    assert agreement(life).ending_ms
    life.now_ms += 120_000
    life.sign(level="", commitment=False, status="")
    assert not agreement(life).ending_ms
    assert life.increase(1).reply["decision"] == "approve"


def test_a_service_closed_under_a_hold_grows_no_more_and_is_debited_to_its_end():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    signed = {"agreement_no": "card", "bank_code": "BOCOM", "funding_mode": "card_withhold"}
    life.tell(facts.AgreementSigned, services=("deposit_free",), **signed)
    assert life.increase(1).reply["reasons"][0]["code"] == "MANDATE_INVALID"
    life.settle(90_000, authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    assert order["amount_fen"] == 80_000


def test_a_policy_that_offers_nothing_any_more_leaves_what_is_owed_to_be_debited():
    life = Life("2029-04-30", policy=shaoyang()).sign()
    life.authorize(80_000)
    life.settle(80_000, authorization_id="A1")
    told = life.pass_time(until=("2029-05-01", 8))
    assert [each["amount_fen"] for each in told.orders] == [80_000]
