"""What is said twice keeps its id, and two things never share one: consumers dedupe by id."""

import pytest

from risk import facts
from tests.risk.credit_life import HOSPITAL, Life

OTHER = "p1_BBBBBBBBBBBBBBBBBBBBBB"


def differing_capture(life):
    """A capture at the counter of a bill that was booked with another amount."""
    life.sign()
    life.authorize(100_000, scope="visit")
    life.settle(50_000, "S1")
    (alert,) = [each for each in life.capture(50_001, "S1").on("alerts") if each["rule_id"] == "Q06"]
    return alert


def test_two_people_with_the_same_ids_at_one_institution_raise_two_alerts():
    one, other = Life(), Life(psn_no=OTHER)
    other.visit("M9").authorize(1, "A9", "M9")  # no two records stand at one place of the log
    first, second = differing_capture(one), differing_capture(other)
    assert first["alert_id"] != second["alert_id"]
    assert first["vola_evid"] == second["vola_evid"] == [f"auth:{HOSPITAL}:A1:R1"]
    assert differing_capture(Life())["alert_id"] == first["alert_id"], "the same log says the same"


def over_the_limit(told):
    return [each for each in told.on("alerts") if each["rule_id"] == "L100" and each["episode"] == "opened"]


def test_a_denied_id_that_is_forgotten_and_asked_again_crosses_under_another_id():
    def use_it_up(name):
        life.authorize(100_000, f"A{name}", f"M{name}")
        life.settle(100_000, f"S{name}", f"M{name}", authorization_id=f"A{name}")

    life = Life("2024-03-01").sign(level="C")  # limit 100,000 fen
    use_it_up("8")
    (first,) = over_the_limit(life.authorize(1, "A1", "M1", attempt="one"))
    assert over_the_limit(life.authorize(1, "A1", "M1", attempt="two")) == []
    (order,) = life.pass_time(hours=25).orders
    assert life.bank(order, "settled").alerts[-1] == ("L100", "closed")
    use_it_up("9")
    (again,) = over_the_limit(life.authorize(1, "A1", "M1", attempt="three"))
    assert again["alert_id"] != first["alert_id"]
    assert again["vola_evid"][0] == first["vola_evid"][0] == f"auth:{HOSPITAL}:A1"


def test_a_sign_at_an_id_that_is_asked_again_has_an_id_of_its_own():
    def velocity(told):
        return [each for each in told.on("alerts") if (each["rule_id"], each["episode"]) == ("F01", "opened")]

    life = Life("2024-03-01").sign(level="C")
    life.authorize(100_000, "A0", "M0")
    life.settle(100_000, "S0", "M0", authorization_id="A0")
    life.pass_time(hours=40)
    told = []
    for _ in range(2):
        for name in ("A1", "A2", "A3"):  # all denied, and forgotten a day later
            told += velocity(life.authorize(1, name, "M1"))
        life.pass_time(hours=40)
    assert len(told) > 1
    assert len({(each["alert_id"], each["level"]) for each in told}) == len(told)
    assert {each["vola_evid"][0] for each in told} == {f"auth:{HOSPITAL}:A3"}


def test_every_bundle_that_one_record_holds_back_is_a_decision_of_its_own():
    life = Life("2024-03-01").sign(agreements=("card1", "card2"))
    for number in (1, 2):
        life.authorize(50_000, f"A{number}", "M1", agreement_no=f"card{number}")
        life.settle(50_000, f"S{number}", "M1", authorization_id=f"A{number}")
    life.tell(facts.InsuredStatusChanged, status="deceased")
    held = [each for each in life.pass_time(hours=40).decisions if each["decision"] == "hold"]
    assert {each["agreement_no"] for each in held} == {"card1", "card2"}
    assert len({each["decision_id"] for each in held}) == 2


@pytest.mark.parametrize("name", ["decision_id", "event_id"])
def test_what_the_checkout_was_told_of_a_capture_may_be_objected_to_after_its_event_came(name):
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    (decision,) = life.capture(80_000).decisions
    life.settle(80_000, authorization_id="A1")
    life.tell(facts.CreditDisputeOpened, dispute_id="d1", about=decision[name])
    told = life.pass_time(until=("2024-03-02", 12))
    assert [each["decision"] for each in told.decisions] == ["hold"]
    assert told.orders == []


def test_an_alert_that_the_checkout_raised_may_be_objected_to_after_its_event_came():
    life = Life("2024-03-01").sign(level="C")
    (alarm,) = life.authorize(80_000).on("alerts")
    life.capture(80_000)
    life.settle(80_000, authorization_id="A1")
    life.tell(facts.CreditDisputeOpened, dispute_id="d1", about=alarm["alert_id"])
    assert life.pass_time(until=("2024-03-02", 12)).orders == []
