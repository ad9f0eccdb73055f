"""L80, L90, L100: opened at the change that reaches the line, closed at the change that leaves it."""

from risk import facts
from tests.risk.credit_life import HOSPITAL, Life


def signed():
    life = Life().sign(level="C")  # limit 100,000 fen
    life.now_ms += 2 * 86_400_000  # a large first use on the day of signing is F03's
    return life


def test_one_fen_below_the_line_is_silent_and_the_line_itself_warns():
    life = signed()
    assert life.authorize(79_999).alerts == []
    assert life.increase(1).alerts == [("L80", "opened")]
    assert life.increase(9_999, request_id="R2").alerts == []
    assert life.increase(1, request_id="R3").alerts == [("L90", "opened")]


def test_an_exact_fit_is_not_over():
    assert signed().authorize(100_000).alerts == [("L80", "opened"), ("L90", "opened")]


def test_one_fen_more_is_over_and_says_how_much():
    life = signed()
    told = life.authorize(100_001)
    assert told.alerts == [("L80", "opened"), ("L90", "opened"), ("L100", "opened")]
    over = told.on("alerts")[-1]
    assert (over["observed"], over["allowed"], over["shortfall_fen"]) == (100_001, 100_000, 1)
    assert (over["kind"], over["sev_deg"], over["service"]) == ("over_limit", 3, "visit_first")
    assert over["vola_evid"][0] == f"auth:{HOSPITAL}:A1"
    assert life.uncovered == 1


def test_an_id_that_was_abandoned_and_is_decided_anew_crosses_anew_under_another_alert_id():
    def lines(told):
        return [each for each in told.on("alerts") if each["rule_id"] == "L80"]

    life = signed()
    (first,) = lines(life.authorize(85_000, attempt="one"))
    (closed,) = lines(life.abandon("one"))
    assert (closed["alert_id"], closed["episode"]) == (first["alert_id"], "closed")
    life.now_ms += 1_000
    (again,) = lines(life.authorize(85_000, attempt="two"))
    assert again["episode"] == "opened"
    assert again["alert_id"] != first["alert_id"]
    assert again["vola_evid"] == first["vola_evid"] == [f"auth:{HOSPITAL}:A1"]


def test_it_closes_below_the_re_arm_point_and_not_at_it():
    life = signed()
    opened = life.authorize(80_000).on("alerts")[0]
    assert life.capture(10_000, final=False).alerts == []
    life.now_ms += 1
    told = life.settle(59_999, "S2", authorization_id="A1")
    assert told.alerts == [("L80", "closed")]
    assert told.on("alerts")[0]["alert_id"] == opened["alert_id"]


def test_a_refused_amount_counts_for_a_day_and_then_ends_by_itself():
    life = signed()
    life.authorize(100_000, "A1", "M1")
    life.settle(100_000, authorization_id="A1")
    life.authorize(30_000, "A2", "M2")
    assert life.uncovered == 30_000
    life.pass_time(hours=23.9)
    assert life.uncovered == 30_000
    life.pass_time(hours=0.2)
    assert life.uncovered == 0


def test_its_end_is_told_where_its_opening_was_and_names_no_visit_elsewhere():
    life = signed()
    opened = life.authorize(80_000).on("alerts")[0]
    assert opened["fixmedins_code"] == HOSPITAL
    (by_time,) = life.pass_time(hours=1).on("alerts")
    assert (by_time["episode"], by_time["fixmedins_code"]) == ("closed", HOSPITAL)
    assert "mdtrt_id" not in by_time
    life.authorize(80_000, "A2")
    (by_itself,) = life.release(authorization_id="A2").on("alerts")
    assert (by_itself["fixmedins_code"], by_itself["authorization_id"]) == (HOSPITAL, "A2")


def test_it_ends_when_the_visit_settles_or_ends():
    for end in ("settle", "close"):
        life = signed()
        life.authorize(130_000)
        assert life.uncovered == 30_000
        if end == "settle":
            life.settle(130_000, authorization_id="A1")
        else:
            life.close()
        assert life.uncovered == 0


def test_a_top_up_covers():
    life = signed()
    life.authorize(130_000)
    told = life.tell(
        facts.TopupReceived, mdtrt_id="M1", amount_fen=30_000, channel="counter", ref="1", fixmedins_code=HOSPITAL
    )
    assert life.uncovered == 0
    assert told.alerts == []
    (decision,) = life.settle(130_000, authorization_id="A1").decisions
    assert decision["top_up_fen"] == 30_000
    (obligation,) = life.credit.obligations
    assert obligation.topped_up_fen == 30_000


def test_a_changed_limit_opens_and_closes_at_the_change_itself():
    life = Life().sign(level="B")
    life.authorize(100_000)
    told = life.tell(facts.CreditLevelSet, level="C", decided_by="医保局")
    assert told.alerts == [("L80", "opened"), ("L90", "opened")]
    life.now_ms += 1
    told = life.tell(facts.CreditLevelSet, level="B", decided_by="医保局")
    assert told.alerts == [("L80", "closed"), ("L90", "closed")]


def test_no_agreement_no_rule():
    life = signed()
    life.authorize(100_000)
    told = life.tell(facts.AgreementTerminated, agreement_no="card")
    assert told.alerts == [("L80", "closed"), ("L90", "closed")]


def test_who_may_not_use_credit_at_all_asks_for_nothing_of_it():
    life = Life("2024-06-03").sign(level="D")
    assert life.authorize(100).alerts == []
    assert life.credit.wants == ()


def test_a_stay_that_grows_beyond_its_line_warns_while_it_grows_and_settles_once():
    life = Life().sign(level="C")  # deposit_free 500,000
    life.visit("M1", med_type="21")
    life.authorize(300_000, service="deposit_free", scope="visit")
    estimate = {"mdtrt_id": "M1", "fixmedins_code": HOSPITAL, "medfee_sumamt_fen": 0, "fund_pay_sumamt_fen": 0,
                "psn_part_amt_fen": 0, "acct_pay_fen": 0}  # fmt: skip
    told = life.tell(facts.SettlementEstimated, psn_cash_pay_fen=450_000, **estimate)
    assert life.held == 450_000
    assert told.alerts == [("L80", "opened"), ("L90", "opened")]
    told = life.tell(facts.SettlementEstimated, psn_cash_pay_fen=520_000, **estimate)
    assert life.held == 500_000
    assert told.alerts == [("L100", "opened")]
    assert told.on("alerts")[0]["shortfall_fen"] == 20_000
    (decision,) = life.settle(520_000, med_type="21").decisions
    assert (decision["decision"], decision["captured_fen"], decision["top_up_fen"]) == ("split", 500_000, 20_000)
