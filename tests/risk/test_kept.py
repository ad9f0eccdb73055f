"""Hold or withhold: what keeps captured money from being ordered, what it may be about, and what its end does."""

from itertools import product

import pytest

from risk import facts
from tests.risk.credit_life import HOSPITAL, Life


def captured(mode="card"):
    """80,000 fen on credit; the checkout raised L80 against the level's limit of 100,000."""
    life = Life("2024-03-01").sign(level="C", agreements=(mode,))
    told = life.authorize(80_000)
    (alarm,) = told.on("alerts")
    decision = life.settle(80_000, authorization_id="A1", event_id="E1").decisions[0]
    names = {
        "the settlement": "S1",
        "the visit": "M1",
        "the event": "E1",
        "the authorization": "A1",
        "the checkout": f"auth:{HOSPITAL}:A1",
        "the capture": decision["capture_id"],
        "the decision": decision["decision_id"],
        "the alert": alarm["alert_id"],
    }
    return life, names


ABOUT = list(captured()[1])


def dispute(life, about, opened=True):
    kind = facts.CreditDisputeOpened if opened else facts.CreditDisputeClosed
    return life.tell(kind, dispute_id="d1", about=about)


def case(life, about, opened=True, gravity="grave"):
    life.now_ms += 1
    if opened:
        return life.tell(facts.CaseConfirmed, case_id="c1", about=about, gravity=gravity, decided_by="稽核科 李某")
    return life.tell(facts.CaseClosed, case_id="c1", decided_by="稽核科 李某", outcome="dismissed")


@pytest.mark.parametrize(("reason", "about"), list(product([dispute, case], ABOUT)))
def test_a_dispute_or_a_confirmed_case_about_any_of_its_names_holds_and_its_end_decides_anew(reason, about):
    life, names = captured()
    reason(life, names[about])
    told = life.pass_time(until=("2024-03-02", 12))
    code = "DISPUTED" if reason is dispute else "RISK_HOLD"
    assert [(each["decision"], each["reasons"][0]["code"]) for each in told.decisions] == [("hold", code)]
    assert told.orders == []
    told = reason(life, names[about], opened=False)
    assert [each["decision"] for each in told.decisions] == ["withhold"]
    assert [each["amount_fen"] for each in told.orders] == [80_000]


def raised_by_an_increase():
    """To 80,000 fen of 100,000, of which 50,000 are billed: the alert's episode ends with the bill."""
    life = Life("2024-03-01").sign(level="C")
    life.authorize(50_000)
    (alarm,) = life.increase(30_000).on("alerts")
    told = life.settle(50_000, authorization_id="A1")
    assert told.alerts == [("L80", "closed")]
    return life, alarm


def raised_by_a_capture_that_came_late():
    """The bill's own event says another amount (Q06)."""
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    life.settle(50_000, authorization_id="A1")
    (alarm,) = life.capture(50_001).on("alerts")
    return life, alarm


@pytest.mark.parametrize("raised", [raised_by_an_increase, raised_by_a_capture_that_came_late])
def test_an_objection_to_what_a_later_call_of_the_checkout_raised_holds_its_bills(raised):
    life, alarm = raised()
    dispute(life, alarm["alert_id"])
    told = life.pass_time(until=("2024-03-02", 12))
    assert [each["reasons"][0]["code"] for each in told.decisions] == ["DISPUTED"]
    assert told.orders == []
    assert len(dispute(life, alarm["alert_id"], opened=False).orders) == 1


def test_a_call_that_raised_nothing_of_its_own_keeps_no_name_for_it():
    life = Life("2024-03-01").sign(level="C")
    life.authorize(50_000, scope="visit")
    life.increase(10_000)
    told = life.capture(60_000, request_id="R2", final=False)
    told += life.increase(20_000, request_id="R3")  # opens L80, and is not beyond it (F03)
    told += life.release(request_id="R4")  # closes it
    assert told.alerts == [("L80", "opened"), ("L80", "closed")]
    (ended,) = life.credit.ended
    assert [bool(each.alarm) for each in ended.promise.requests] == [False, False, True, False]


@pytest.mark.parametrize("about", ["S2", "M2", "al_" + "0" * 32, "record-7"])
@pytest.mark.parametrize("reason", [dispute, case])
def test_what_is_about_something_else_holds_nothing(reason, about):
    life, _ = captured()
    reason(life, about)
    assert len(life.pass_time(until=("2024-03-02", 12)).orders) == 1


def test_only_a_grave_suspicion_holds():
    life, _ = captured()
    case(life, "S1", gravity="ordinary")
    assert len(life.pass_time(until=("2024-03-02", 12)).orders) == 1


@pytest.mark.parametrize("ends", ["closed", "undone", "paid"])
def test_however_what_kept_it_ends_a_debit_is_due_as_much_later_as_its_clock_stood_still(ends):
    life = Life("2024-03-01").sign()
    life.authorize(200_000, scope="visit")
    life.settle(80_000, authorization_id="A1")
    life.settle(50_000, "S2", authorization_id="A1")
    dispute(life, "S2")
    assert life.pass_time(until=("2024-03-07", 10)).orders == []  # closed at 02:00 on the 2nd
    if ends == "closed":
        told = dispute(life, "S2", opened=False)
    else:
        told = life.reverse("S2") if ends == "undone" else life.top_up(50_000, setl_id="S2")
    (order,) = told.orders
    assert order["amount_fen"] == (130_000 if ends == "closed" else 80_000)
    assert order["due_at"] == "2024-03-09T10:00:00.000+08:00"
    told = life.bank(order, "rejected", cause="person")
    assert told.decisions == []
    assert life.authorize(1, "A2", "M2").reply["decision"] == "approve"


@pytest.mark.parametrize("asks", ["refund", "cancel"])
def test_what_goes_back_has_a_clock_of_its_own(asks):
    life, _ = captured()
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    dispute(life, "S1")
    life.pass_time(hours=24 * 9)
    dispute(life, "S1", opened=False)
    if asks == "refund":
        life.bank(order, "settled")
    (back,) = life.reverse().orders
    assert (back["kind"], life.credit.orders[-1].late_ms) == (asks, life.now_ms + 1)
    if asks == "refund":
        life.bank(back, "rejected", code="DOWN", cause="bank")
        (again,) = life.pass_time(hours=48).orders
        assert (again["attempt"], again["due_at"]) == (2, back["due_at"])


def test_a_draw_is_held_before_it_leaves():
    life = Life("2024-03-01").sign(agreements=("line",))
    life.authorize(80_000)
    dispute(life, "M1")
    told = life.settle(80_000, authorization_id="A1")
    assert told.orders == []
    assert told.decisions[0]["decision"] == "hold"
    (draw,) = dispute(life, "M1", opened=False).orders
    assert draw["kind"] == "draw"


def test_a_retry_is_held_with_its_reason_and_leaves_when_that_ends():
    life, _ = captured()
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    life.bank(order, "rejected", code="X", cause="person")
    dispute(life, "S1")
    told = life.pass_time(until=("2024-03-02", 16))
    assert [each["reasons"][0]["code"] for each in told.decisions] == ["DISPUTED"]
    (again,) = dispute(life, "S1", opened=False).orders
    assert again["attempt"] == 2


@pytest.mark.parametrize("ends", ["undone", "paid"])
def test_a_bill_that_nothing_is_due_for_keeps_no_other_bill_of_its_debit_however_disputed(ends):
    life, order = two_in_one_debit()  # at 08:00 on the 2nd, and due at 02:00 on the 4th
    life.bank(order, "rejected", cause="person")
    dispute(life, "S2")
    assert life.pass_time(until=("2024-03-07", 8)).orders == []
    told = life.reverse("S2") if ends == "undone" else life.top_up(50_000, setl_id="S2")
    (again,) = told.orders
    assert (again["attempt"], [item["setl_id"] for item in again["items"]]) == (2, ["S1"])
    assert again["due_at"] == "2024-03-09T02:00:00.000+08:00"
    assert life.bank(again, "rejected", cause="person").decisions == []
    assert [each["decision"] for each in life.pass_time(until=("2024-03-09", 3)).decisions] == ["suspend"]


def test_the_gravest_standing_reason_is_told_and_when_it_ends_the_next_one():
    life, _ = captured()
    dispute(life, "S1")
    case(life, "S1")
    told = life.pass_time(until=("2024-03-02", 12))
    assert [each["reasons"][0]["code"] for each in told.decisions] == ["RISK_HOLD"]
    told = case(life, "S1", opened=False)
    assert [each["reasons"][0]["code"] for each in told.decisions] == ["DISPUTED"]


def test_who_was_told_dead_by_mistake_is_debited_after_all():
    life, _ = captured()
    life.tell(facts.InsuredStatusChanged, status="deceased")
    assert life.pass_time(until=("2024-03-02", 12)).orders == []
    assert len(life.tell(facts.InsuredStatusChanged, status="normal").orders) == 1


def test_amounts_that_did_not_add_are_decided_again_with_the_settlement_that_corrects_them():
    life = Life("2024-03-01").sign()
    life.authorize(80_000)
    told = life.settle(80_000, add_up=False, authorization_id="A1")
    assert told.decisions[0]["reasons"][0]["code"] == "DATA_QUALITY"
    life.reverse("S1")
    assert life.settle(80_000, "S2", authorization_id="A1").decisions[0]["decision"] == "withhold"


def doubted(mode="card", refused=False):
    """800 yuan captured at a checkout, if asked a first debit of it refused; then its event, which does not add up."""
    life = Life("2024-03-01").sign(agreements=(mode,))
    life.authorize(80_000, scope="visit")
    orders = life.capture(80_000, final=False).orders
    if refused:
        (order,) = life.pass_time(until=("2024-03-02", 8)).orders
        life.bank(order, "rejected", cause="person")
    return life, orders, life.settle(30_000, authorization_id="A1", add_up=False)


@pytest.mark.parametrize("refused", [False, True], ids=["before its debit", "between two attempts"])
def test_the_event_of_a_capture_that_does_not_add_up_stops_the_debit_until_it_is_reversed(refused):
    life, _, told = doubted(refused=refused)
    (decision,) = told.decisions
    assert (decision["decision"], decision["captured_fen"]) == ("hold", 80_000)
    assert decision["reasons"][0]["code"] == "DATA_QUALITY"
    assert life.pass_time(hours=24 * 9).orders == []
    assert life.reverse().orders == []
    assert life.used == 0
    assert life.reinstate().decisions[0]["decision"] == "hold"
    assert life.pass_time(hours=24 * 9).orders == []


def test_it_stops_no_other_bill_of_its_visit():
    life, _, _ = doubted()
    life.settle(10_000, "S2", authorization_id="A1")
    (order,) = life.pass_time(hours=24).orders
    assert [item["setl_id"] for item in order["items"]] == ["S2"]


def two_in_one_debit():
    """Of 800 and 500 yuan, one captured at a checkout; the person's card refuses it."""
    life = Life("2024-03-01").sign()
    life.authorize(200_000, scope="visit")
    life.capture(80_000, final=False)
    life.settle(50_000, "S2", authorization_id="A1")
    (order,) = life.pass_time(until=("2024-03-02", 8)).orders
    assert order["amount_fen"] == 130_000
    return life, order


@pytest.mark.parametrize("ends", ["settled", "given up", "overdue"])
def test_it_stops_no_other_bill_of_a_debit_that_was_refused(ends):
    life, order = two_in_one_debit()
    life.bank(order, "rejected", cause="person")
    life.settle(80_000, authorization_id="A1", add_up=False)
    told = life.pass_time(until=("2024-03-02", 23))
    (again,) = told.orders
    assert [(item["setl_id"], item["amount_fen"]) for item in again["items"]] == [("S2", 50_000)]
    if ends == "settled":
        assert life.bank(again, "settled").orders == []
        assert (life.used, life.pass_time(hours=24 * 60).orders) == (80_000, [])
        return
    told = life.bank(again, "rejected", code="ACCOUNT_CLOSED" if ends == "given up" else "", cause="person")
    if ends == "given up":
        assert [(each["reasons"][0]["code"], each["captured_fen"]) for each in told.decisions] == [
            ("BANK_REFUSED", 50_000)
        ]
    told = life.pass_time(until=("2024-03-04", 3))
    late = [(each["decision"], each["overdue_fen"]) for each in told.decisions if each["kind"] == "arrears"]
    assert late == [("suspend", 50_000)]


def test_what_the_bank_gave_back_by_itself_stops_no_other_bill_of_its_debit():
    life, order = two_in_one_debit()
    life.bank(order, "partial", 80_000)
    life.repaid(80_000, "card", kind=facts.BankRefunded)
    (again,) = life.pass_time(until=("2024-03-02", 23)).orders
    assert [(item["setl_id"], item["amount_fen"]) for item in again["items"]] == [("S2", 50_000)]


def test_a_draw_has_left_before_its_event_comes_and_that_the_event_does_not_add_up_is_told():
    _, orders, told = doubted("line")
    assert [order["kind"] for order in orders] == ["draw"]
    assert [each["decision"] for each in told.decisions] == ["hold"]
    assert told.orders == []
