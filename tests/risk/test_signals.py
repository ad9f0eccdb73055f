"""F01-F07 (tests/cases/credit/signs.toml) and Q05-Q07 (records.toml) as cases anybody can read; signs observe only."""

import tomllib
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from risk import facts
from tests.risk.credit_life import HOSPITAL, Life

CREDIT = Path(__file__).parents[1] / "cases" / "credit"
CASES, RECORDS = (tomllib.loads((CREDIT / name).read_text())["case"] for name in ("signs.toml", "records.toml"))


class Story:
    """A life told by steps; each request is a new authorization, and a visit of its own unless it says `of` which."""

    def __init__(self, case):
        shared = case.get("shared_lines", 0)
        self.heard = "Q" if case in RECORDS else "F"
        self.life = Life(case.get("begins", date(2024, 3, 1)).isoformat()).sign(agreements=() if shared else ("card",))
        for number in range(1, shared + 1):
            self.life.tell(
                facts.AgreementSigned, agreement_no=f"L{number}", bank_code="BOCOM", funding_mode="credit_line",
                services=("visit_first",), bank_line_fen=100_000, line_kind=case.get("line_kind", "shared"),
            )  # fmt: skip
        self.asked = self.settled = 0
        self.order = None
        self.told = []
        self.places = {}

    def hear(self, told):
        self.order = (told.orders or [self.order])[-1]
        for each in told.on("alerts"):  # an end is told where its opening was
            place = self.places.setdefault(each["alert_id"], each.get("fixmedins_code"))
            assert each.get("fixmedins_code") == place
        self.told += [
            f"{each['rule_id']} {each['level']} {each['episode']}"
            for each in told.on("alerts")
            if each["rule_id"].startswith(self.heard)
        ]

    def step(self, step):
        hours = step.pop("after", 0) + step.pop("after_minutes", 0) / 60
        self.hear(self.life.pass_time(hours=hours))
        match step:
            case {"ask": amount_fen, **fields}:
                self.ask(amount_fen, **fields)
            case {"admit": amount_fen}:
                self.life.visit("M1", med_type="21")
                self.asked = 1
                more = {"service": "deposit_free", "scope": "visit", "med_type": "21"}
                self.hear(self.life.authorize(amount_fen, "A1", "M1", **more))
            case {"settle": cash_fen, **more}:
                self.settle(cash_fen, **more)
            case {"cash": cash_fen, **more}:
                self.settled += 1
                more = {"med_type": "21", "credit_fen": 0} | more
                self.hear(self.life.settle(cash_fen, f"S{self.settled}", "M1", **more))
            case {"more": amount_fen, **more}:
                hold = {"authorization_id": f"A{self.asked}", "request_id": f"R{len(self.life.all)}"}
                self.hear(self.life.increase(amount_fen, **hold, **more))
            case {"capture": cash_fen, **more}:
                self.capture(cash_fen, **more)
            case {"undo": number}:
                self.hear(self.life.reverse(f"S{number}"))
            case {"redo": number}:
                self.hear(self.life.reinstate(f"S{number}"))
            case {"back": number}:
                self.hear(self.life.release(authorization_id=f"A{number}", request_id=f"B{number}"))
            case {"pay": amount_fen}:
                self.hear(self.life.top_up(amount_fen, mdtrt_id="M1"))
            case {"bank": code}:
                cause = "bank" if code == "DOWN" else "person"
                self.hear(self.life.bank(self.order, "rejected", code=code, cause=cause))
            case {"discharge": True}:
                self.hear(self.life.close("M1"))
            case {"readmit": True}:
                self.life.visits["M1"] = replace(self.life.visits["M1"], ended_ms=0)
                self.hear(self.life.tell(facts.VisitReopened, mdtrt_id="M1"))
            case rest:
                assert rest == {}

    def ask(self, amount_fen, of=0, **fields):
        self.asked += 1
        names = {"at": "fixmedins_code", "on": "agreement_no"}
        told = {names.get(name, name): value for name, value in fields.items()}
        self.hear(self.life.authorize(amount_fen, f"A{self.asked}", f"M{of or self.asked}", **told))

    def settle(self, cash_fen, of=0, by=0, named=True):
        self.settled += 1
        hold = {"authorization_id": f"A{by or self.asked}"} if named else {}
        self.hear(self.life.settle(cash_fen, f"S{self.settled}", mdtrt_id=f"M{of or self.asked}", **hold))

    def capture(self, cash_fen, after_settled=False):
        setl_id = f"S{self.settled if after_settled else self.settled + 1}"
        hold = {"authorization_id": f"A{self.asked}", "request_id": f"C{setl_id}"}
        self.hear(self.life.capture(cash_fen, setl_id, **hold))


@pytest.mark.parametrize("case", [*CASES, *RECORDS], ids=lambda case: case["name"])
def test_a_sign_is_told_as_the_case_says(case):
    story = Story(case)
    for step in case["steps"]:
        story.step(dict(step))
    assert story.told == case["told"]


@pytest.mark.parametrize("rule_id", [f"F0{number}" for number in range(1, 8)])
def test_every_sign_is_shown_below_at_beside_its_twin_and_undone(rule_id):
    mine = [case for case in CASES if case["name"].startswith(rule_id)]
    assert {case["shows"] for case in mine} == {"below", "at", "innocent", "reversed"}
    for case in mine:
        tells = any(each.startswith(rule_id) for each in case["told"])
        assert tells == (case["shows"] == "at") or case["shows"] == "reversed"


@pytest.mark.parametrize("rule_id", ["Q05", "Q06", "Q07"])
def test_every_record_is_shown_below_at_beside_its_twin_and_undone(rule_id):
    mine = [case for case in RECORDS if case["name"].startswith(rule_id)]
    assert {case["shows"] for case in mine} == {"below", "at", "innocent", "reversed"}
    for case in mine:
        told = {rule_id} if case["shows"] in ("at", "reversed") else set()
        assert {each.split()[0] for each in case["told"]} == told


def test_a_sign_refuses_nothing_and_says_what_it_saw():
    life = Life("2024-03-01").sign()
    for number in range(1, 4):
        told = life.authorize(100, f"A{number}", f"M{number}")
        assert told.reply["decision"] == "approve"
        assert told.reply["reasons"][0]["code"] == "OK"
    (seen,) = [each for each in told.on("alerts") if each["rule_id"] == "F01"]
    assert (seen["kind"], seen["observed"], seen["allowed"], seen["window_s"]) == ("suspicion", 3, 3, 600)
    assert (seen["fixmedins_code"], seen["authorization_id"]) == (HOSPITAL, "A3")
    assert "3" in seen["vola_cont_zh"]


def test_two_stays_that_one_timer_finds_unsettled_are_two_alerts():
    life = Life("2024-06-03").sign()
    for name, stay in (("A1", "M1"), ("A2", "M2")):
        life.visit(stay, med_type="21").authorize(100_000, name, stay, service="deposit_free", med_type="21")
    life.close("M1")
    life.close("M2")
    told = [each for each in life.pass_time(hours=48).on("alerts") if each["rule_id"] == "F07"]
    assert [each["mdtrt_id"] for each in told] == ["M1", "M2"]
    assert len({each["alert_id"] for each in told}) == 2
    assert {tuple(each["vola_evid"]) for each in told} == {(f"timer:{life.psn_no}:{life.now_ms - 24 * 3_600_000}",)}
