"""Cases that a person who knows the law can read and write: tests/cases/credit/*.toml."""

import tomllib
from datetime import date, datetime, time
from pathlib import Path

import pytest

from risk import facts
from risk.local_time import SHANGHAI, to_datetime
from tests.risk.credit_life import HOSPITAL, Life, shaoyang

CASES = Path(__file__).parents[1] / "cases" / "credit"


def cases(name):
    return [pytest.param(each, id=each["name"]) for each in tomllib.loads((CASES / name).read_text())["case"]]


def end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), SHANGHAI)


def _cap(name, fen):
    """One line of limits.toml, and what a case puts in its place."""
    note = (
        '\nnote = "No document asks for a ceiling per day; the limit is one already."' if name.startswith("day") else ""
    )
    head = f'[[{name}]]\neffective_from = 2023-01-01\ndocument = "ours [proposal] 本平台提议"\n'
    head += f'article = "默认额度 (default limits)"{note}\nvalue = '
    return head + ('"none"' if fen == "none" else str(fen))


def prepared(case):
    caps = {
        name: (_cap(name, "none"), _cap(name, case.pop(name)))
        for name in ("day_cap_fen", "month_cap_fen")
        if name in case
    }
    life = Life(case.pop("day").isoformat(), policy=shaoyang(**caps))
    life.sign(
        level=case.pop("level", "B"),
        agreements=case.pop("agreements", ["card"]),
        line_fen=case.pop("line_fen", 0),
        commitment=case.pop("commitment", True),
        status=case.pop("status", "normal"),
    )
    if "entitled" in case:
        life.tell(facts.InsuredStatusChanged, status="normal", entitlements=("poverty_alleviated",))
        life.now_ms += 1
        life.tell(facts.InsuredStatusChanged, status="normal", entitlements=tuple(case.pop("entitled")))
    if case.pop("investigated", False):
        life.tell(facts.CreditLevelSet, level="UNRATED", unrated_reason="under_investigation", decided_by="医保局")
    if case.pop("listed", False):
        until = case.pop("listed_until", None)
        life.tell(
            facts.CreditListed,
            list="严重失信",
            document_no="湘医保〔2024〕1号",
            clause="32",
            since=to_datetime(life.now_ms - 86_400_000 * 30),
            until=end_of(until) if until else None,
            authority="省医保局",
        )
    order_until = case.pop("authority_order_until", None)
    if order_until:
        life.tell(
            facts.CreditServiceSuspended,
            scope="credit_payment",
            by="authority",
            reason="立案调查",
            document_no="邵医保〔2024〕7号",
            until=end_of(order_until),
        )
    life.visit("M1", med_type=case.get("med_type", "11"), insuplc=case.pop("insuplc", "430502"))
    return life


@pytest.mark.parametrize("case", cases("authorize.toml"))
def test_a_request_is_decided_as_the_law_case_says(case):
    case = dict(case)
    life = prepared(case)
    held_before = case.pop("held_before_fen", 0)
    if held_before:
        assert life.authorize(held_before, "A0", "M0").reply["decision"] == "approve"
    asked = {name: case.pop(name) for name in ("service", "med_type", "emergency", "agreement_no") if name in case}
    told = life.authorize(case["amount_fen"], fixmedins_code=case.pop("institution", HOSPITAL), **asked).reply
    assert told["decision"] == case["decision"]
    assert told["approved_fen"] == case["approved_fen"] == told["held_fen"]
    assert told["top_up_fen"] == case.get("top_up_fen", 0)
    codes = [reason["code"] for reason in told["reasons"] if reason["code"] != "OK"]
    assert codes == case.get("reasons", [])
    assert told["passes_at"] == case.get("passes_at")
    assert [each["code"] for each in told["entitlements"]] == case.get("entitlements", [])
    for reason in told["reasons"]:
        assert reason["text_zh"]
        assert reason["text_en"]


@pytest.mark.parametrize("case", cases("settlement.toml"))
def test_a_settlement_is_captured_as_the_law_case_says(case):
    life = Life("2024-06-03").sign()
    if case["approved_fen"]:
        life.authorize(case["approved_fen"], scope=case.get("scope", "settlement"))
    if case.get("expired"):
        life.pass_time(hours=1)
        assert life.held == 0
    if case.get("released"):
        life.release()
    fields = {"authorization_id": "A1"} if case["named"] else {}
    fields |= {name: case[name] for name in ("credit_fen", "med_type") if name in case}
    if "checkout_fen" in case:
        life.capture(case["checkout_fen"])
    told = life.settle(case["cash_fen"], add_up=case.get("amounts_add_up", True), **fields)
    decisions = [each for each in told.decisions if each["kind"] == "capture"]
    assert life.used == case["captured_fen"]
    assert life.held == case.get("held_after_fen", 0)
    if "decision" not in case:
        assert decisions == []
        return
    (decision,) = decisions
    assert decision["decision"] == case["decision"]
    assert decision["captured_fen"] == case["captured_fen"]
    assert decision["top_up_fen"] == case["top_up_fen"]
    assert case.get("service") in (None, decision.get("service"))
    assert [each["code"] for each in decision["reasons"] if each["code"] != "OK"] == case.get("reasons", [])
    assert sum(order["amount_fen"] for order in life.pass_time(hours=60).orders) == case.get(
        "debited_fen", case["captured_fen"]
    )
