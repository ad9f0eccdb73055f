"""What each token sees of a person of whom everything bad is known, as tests/cases/visibility/who_sees_what.toml says.

The answers are the engine's own, so a field that is added there stays hidden until the table names it.
"""

import asyncio
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from connectors.http.tokens import parse_tokens
from risk import facts
from risk.lifecycle import authorization_view, order_view, view
from risk.local_time import to_datetime
from tests.connectors.http.fakes import TOKENS, Api, authorization
from tests.risk.credit_life import HOSPITAL, PERSON, Life

TABLE = tomllib.loads((Path(__file__).parents[2] / "cases" / "visibility" / "who_sees_what.toml").read_text("utf-8"))
AS_OF = {"shard": "p0", "offset": 7, "time": "2024-03-09T10:00:00.000+08:00"}
CALLERS = [
    {"name": "h", "secret": "hospital", "roles": ["hospital"], "institutions": [HOSPITAL]},
    {"name": "b", "secret": "bank", "roles": ["bank"], "bank_code": "BOCOM"},
    {"name": "b2", "secret": "other_bank", "roles": ["bank"], "bank_code": "ICBC"},
    {"name": "me", "secret": "person", "roles": ["person"], "persons": [PERSON]},
    {"name": "you", "secret": "somebody", "roles": ["person"], "persons": ["p1_BBBBBBBBBBBBBBBBBBBBBB"]},
    *(each for each in TOKENS if each["secret"] in ("pharmacy", "authority", "audit", "all")),
]
PURPOSES = {"authority": "supervision", "audit": "audit", "person": "self", "somebody": "self", "all": "supervision"}
NEVER = ("level", "list", "investigation", "overdue", "suspicion", "LEVEL", "LISTED", "SHIXIN", "失信", "逾期", "等级")


class Known(NamedTuple):
    """What the engine answers about this person, whole."""

    approved: Mapping[str, Any]
    denied: Mapping[str, Any]
    captured: Mapping[str, Any]
    authorization: Mapping[str, Any]
    order: Mapping[str, Any]
    credit: Mapping[str, Any]


def all_that_is_known() -> Known:
    """A capture on a bank's line that is not repaid; then a list, a dispute, an investigation, and another request."""
    life = Life("2024-03-01").sign(level="C", agreements=("line", "card")).visit("M1")
    approved = life.authorize(10_000).reply
    captured = life.capture(8_000)
    (order,) = captured.orders
    life.bank(order, "settled")
    life.pass_time(hours=24 * 8)
    life.tell(facts.BankOverdue, agreement_no="line", order_id=order["order_id"], amount_fen=8_000, bank_ref="R1")
    life.tell(
        facts.CreditListed,
        list="医保失信名单", document_no="D1", clause="31", since=to_datetime(life.now_ms), authority="医保局",
    )  # fmt: skip
    life.tell(facts.CreditDisputeOpened, dispute_id="DI1", about="S1")
    denied = life.authorize(5_000, authorization_id="A2", mdtrt_id="M2").reply
    context = life.context()
    seen = authorization_view(life.credit, HOSPITAL, "A1", context)
    money = order_view(life.credit, order["order_id"], context)
    assert seen is not None
    assert money is not None
    return Known(
        approved,
        denied,
        captured.reply,
        {**seen, "as_of": AS_OF},
        {**money, "funding_state": money["state"], "as_of": AS_OF},
        {**view(life.credit, context), "as_of": AS_OF},
    )


def leaves(body: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no container, under its names; numbers of lists are left out."""
    match body:
        case dict():
            for name, value in body.items():
                yield from leaves(value, f"{path}.{name}" if path else name)
        case list():
            for value in body:
                yield from leaves(value, path)
        case _:
            yield path, body


async def ask(known: Known, call: str, caller: str) -> httpx.Response:
    """Make the call with this caller's token."""
    answer = known._asdict()[call]
    api = Api(lambda fact: (200, {name: value for name, value in answer.items() if name != "status"}))
    api.app._tokens = parse_tokens(CALLERS)
    order_id = known.order["order_id"]
    api.people.authorizations[PERSON, HOSPITAL, "A1"] = dict(known.authorization)
    api.people.orders[PERSON, order_id] = dict(known.order)
    api.people.credits[PERSON] = dict(known.credit)
    where = f"psn_no={PERSON}&fixmedins_code={HOSPITAL}"
    match call:
        case "approved" | "denied":
            body = authorization(psn_no=PERSON, fixmedins_code=HOSPITAL)
            return await api.call("POST", "/v1/authorizations", body, token=caller)
        case "captured":
            body = {"request_id": "R1", "psn_no": PERSON, "fixmedins_code": HOSPITAL}
            body |= {"setl_id": "S1", "psn_cash_pay_fen": 8_000}
            return await api.call("POST", "/v1/authorizations/A1/capture", body, token=caller)
        case "authorization":
            return await api.call("GET", f"/v1/authorizations/A1?{where}", token=caller)
        case "order":
            return await api.call("GET", f"/v1/orders/{order_id}?psn_no={PERSON}", token=caller)
    body = {"psn_no": PERSON, "purpose": PURPOSES.get(caller, "checkout")}
    return await api.call("POST", "/v1/credit-queries", body, token=caller)


def answer_to(call: str, caller: str) -> httpx.Response:
    return asyncio.run(ask(KNOWN, call, caller))


KNOWN = all_that_is_known()
MASKED = [(call, caller) for call, row in TABLE.items() for caller in row["by"]]
WHOLE = [(call, caller) for call, row in TABLE.items() for caller in row["whole"]]
OTHER = [(call, caller, status) for call, row in TABLE.items() for caller, status in row["other"].items()]


@pytest.mark.parametrize(("call", "caller"), MASKED)
def test_a_counter_or_bank_sees_exactly_the_fields_of_the_table(call: str, caller: str) -> None:
    answer = answer_to(call, caller)
    assert answer.status_code == 200
    assert {path for path, _ in leaves(answer.json())} == set(TABLE[call]["sees"])


@pytest.mark.parametrize(("call", "caller"), MASKED)
def test_no_word_or_figure_of_a_hidden_field_slips_through_another(call: str, caller: str) -> None:
    answer = answer_to(call, caller)
    shown = {value for _, value in leaves(answer.json())}
    visible = set(TABLE[call]["sees"])
    hidden = {
        value
        for path, value in leaves(KNOWN._asdict()[call])
        if path not in visible and value not in shown and isinstance(value, str) and len(value) > 3
    }
    assert [value for value in hidden if value in answer.text] == []
    told = answer.text.replace("available", "")
    assert [word for word in NEVER if word in told] == []


@pytest.mark.parametrize(("call", "caller"), WHOLE)
def test_supervision_audit_and_the_person_see_all_that_is_known(call: str, caller: str) -> None:
    answer = answer_to(call, caller)
    assert answer.status_code == 200
    known = {name: value for name, value in KNOWN._asdict()[call].items() if name != "status"}
    assert answer.json() == known
    # an approval whose only reason is OK tells a counter no reason
    assert {path for path, _ in leaves(known)} >= set(TABLE[call]["more"]) | set(TABLE[call]["sees"]) - _MASKS


_MASKS = {"limits.reasons.code", "limits.reasons.text_zh", "limits.reasons.text_en"}


@pytest.mark.parametrize(("call", "caller", "status"), OTHER)
def test_whoever_may_not_ask_learns_nothing(call: str, caller: str, status: int) -> None:
    answer = answer_to(call, caller)
    assert answer.status_code == status
    assert PERSON not in answer.text
    assert [word for word in NEVER if word in answer.text] == []


def test_every_caller_stands_in_every_row_of_the_table() -> None:
    everybody = {str(each["secret"]) for each in CALLERS} - {"other_bank", "somebody"}
    for call, row in TABLE.items():
        assert everybody == ({*row["by"], *row["whole"], *row["other"]} - {"other_bank", "somebody"}), call


def test_a_token_of_several_institutions_acts_for_each_of_them_and_for_no_other() -> None:
    async def scenario() -> None:
        api = Api()
        chain = {"name": "chain", "secret": "chain", "roles": ["pharmacy"], "institutions": ["P1", "P2"]}
        api.app._tokens = parse_tokens([chain])
        more = {"request_id": "R1", "psn_no": PERSON}
        for code, status in (("P1", 200), ("P2", 200), ("P3", 403), ("P1 ", 400), ("p1", 403)):
            asked = authorization(fixmedins_code=code)
            assert (await api.call("POST", "/v1/authorizations", asked, token="chain")).status_code == status, code
            release = await api.call(
                "POST", "/v1/authorizations/A-1/release", {**more, "fixmedins_code": code}, token="chain"
            )
            assert release.status_code == status, code
        api.people.authorizations[PERSON, "P1", "A-1"] = {"state": "held"}
        for code, status in (("P1", 200), ("P2", 404), ("P3", 403)):
            path = f"/v1/authorizations/A-1?psn_no={PERSON}&fixmedins_code={code}"
            assert (await api.call("GET", path, token="chain")).status_code == status, code
        for payee, status in (("P1", 200), ("P2", 200), ("P3", 404)):
            api.people.orders[PERSON, "O"] = {"order_id": "O", "payee_fixmedins_code": payee}
            assert (await api.call("GET", f"/v1/orders/O?psn_no={PERSON}", token="chain")).status_code == status

    asyncio.run(scenario())
