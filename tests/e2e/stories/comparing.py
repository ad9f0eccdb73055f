"""What must be so after a step, against what is: a list of differences in plain words. Not a test."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tests.e2e.stories.acting import Done
from tests.e2e.stories.reading import Step
from tests.e2e.stories.vocabulary import CHECKOUTS, DECISION, MONEY, POOL, in_fen

Body = dict[str, Any]

OWN_KINDS = {  # of which kind the decision is that a deed itself brings about
    **dict.fromkeys(("asks for credit", "asks for more", "estimates the bill", "adds costs"), "authorization"),
    "sends the bill": "capture",
    "takes the bill back": "after_visit",
    "pays at the counter": "payment",
    "repays the bank": "payment",
}
UNSAID_IS_NOTHING = ("orders", "bank_books", "alerts")
"""Money that moves and warnings that go out are never left unsaid in a story."""

MILD = ("approve", "withhold", "nothing_due", "release")
"""What stands beside a decision and not against anybody."""


class Seen(NamedTuple):
    """What was seen after a step: what is new since the step before, and how things stand."""

    done: Done
    decisions: list[Body]
    orders: list[Body]
    alerts: list[Body]
    bank_results: list[Body]
    bookings: list[Body]
    calls: list[str]
    credit: Body
    leg_of: Callable[[str], Body]
    """Of a bill: its row in the credit query, or once nothing of it is open its row in its order."""
    own: Callable[[str], str]


def differences(step: Step, pool: str, seen: Seen) -> list[str]:
    """Everything expected that is not so."""
    then = {name: [] for name in UNSAID_IS_NOTHING} | dict(step.then)
    story_pool, pool = pool, then.pop("pool", pool)
    own, others = _own_decision(step, seen)
    found = [*_of_decision(then, own), *_of_pool(then, pool, seen.credit)]
    if step.does in CHECKOUTS:
        found += _of_answer(then, seen.done)
    elif "clerk_reads" in then:
        found.append(f"clerk_reads: expected {then['clerk_reads']}, but nobody asked at the counter")
    bills = [row | {"bill": seen.own(row["bill"])} for row in then.get("bills", ())]
    found += [text for row in bills for text in _of_bill(row, seen.leg_of(row["bill"]))]
    blocks = [each["code"] for each in seen.credit["blocks"] if each["service"] == pool]
    told: dict[str, list[Any]] = {
        "orders": [_order_row(body, seen.own) for body in seen.orders],
        "bank_books": [_order_row(body, seen.own) for body in seen.bookings],
        "alerts": [_alert(body, story_pool) for body in seen.alerts],
        "bank_answers": [body["result"] for body in seen.bank_results],
        "bank_hears": seen.calls,
        "blocked_by": blocks,
        "marks": [mark["kind"] for mark in seen.credit["marks"]],
        "also_decided": others,
    }
    return found + [text for name, got in told.items() if name in then for text in _rows(name, then[name], got)]


def _own_decision(step: Step, seen: Seen) -> tuple[Body | None, list[Body]]:
    kind = OWN_KINDS.get(step.does)
    own = next(
        (each for each in seen.decisions if (each["event_id"], each["kind"]) == (seen.done.event_id, kind)), None
    )
    return own, [each for each in seen.decisions if each is not own]


# --- the step's own decision, and what the counter heard -------------------------------------------------------------


def _of_decision(then: Mapping[str, Any], own: Body | None) -> list[str]:
    expected = {name: then[in_fen(name)] for name in DECISION if in_fen(name) in then}
    if own is None:
        if "entitlements" in then:
            expected["entitlements"] = then["entitlements"]
        asked = {name: value for name, value in expected.items() if value != "none"}
        return [f"{name}: expected {said(name, value)}, but nothing was decided" for name, value in asked.items()]
    found = [_differs(name, value, _of_body(name, own)) for name, value in expected.items()]
    if "entitlements" in then:
        found.append(_differs("entitlements", then["entitlements"], [each["code"] for each in own["entitlements"]]))
    return [each for each in found if each]


def _of_body(name: str, body: Body) -> Any:
    match name:
        case "reasons":
            return [each["code"] for each in body["reasons"] if each["outcome"] not in MILD]
        case "noted":
            return [each["code"] for each in body["reasons"] if each["outcome"] in MILD and each["code"] != "OK"]
        case "article":
            return next((each["clause"]["article"] for each in body["reasons"] if each["clause"]), "none")
        case "decision":
            return body["decision"]
    return body.get(MONEY[name])


def _of_answer(then: Mapping[str, Any], done: Done) -> list[str]:
    answer = done.answer or {}
    if done.status != 200:
        return [f"the counter was answered {done.status}: {answer.get('code')} {answer.get('detail_en')}"]
    found = [
        _differs(f"{name}, as the counter was told", then[in_fen(name)], answer.get(MONEY.get(name, name)))
        for name in ("decision", "approved_yuan", "top_up_yuan")
        if in_fen(name) in then
    ]
    if "clerk_reads" in then:
        sentence = answer["reasons"][0]["text_zh"] if answer.get("reasons") else ""
        found.append(_differs("clerk_reads", then["clerk_reads"], sentence))
    return [each for each in found if each]


# --- how things stand ------------------------------------------------------------------------------------------------


def _of_pool(then: Body, pool: str, credit: Body) -> list[str]:
    row: Body = next((each for each in credit["limits"] if each["service"] == pool), {})
    found = [
        _differs(f"{name} of {pool}", then[in_fen(name)], row.get(field))
        for name, field in POOL.items()
        if in_fen(name) in then
    ]
    return [each for each in found if each]


def _of_bill(row: Body, leg: Body) -> list[str]:
    fields = {"funding": "funding_state", "repayment": "repayment_state"}
    found = [
        _differs(f"{row['bill'].partition('.')[2]}, {name}", value, leg.get(fields.get(name, name)))
        for name, value in row.items()
        if name != "bill"
    ]
    return [each for each in found if each]


def _order_row(body: Body, own: Callable[[str], str]) -> Body:
    agreement = body["agreement_no"].removeprefix(own(""))
    return {"kind": body["kind"], "fen": body["amount_fen"], "attempt": body["attempt"], "agreement": agreement}


def _alert(body: Body, pool: str) -> str:
    """The rule and whether it opened or closed; the pool, where it is not the story's own."""
    other = body.get("service") not in (None, "", pool)
    return f"{body['rule_id']} {body['episode']}" + (f" ({body['service']})" if other else "")


def _rows(name: str, expected: list[Any], got: list[Any]) -> Iterable[str]:
    """Two lists must be the same; of a table only what the story says."""
    same = len(expected) == len(got) and all(map(_fits, expected, got))
    if not same:
        shown = [_told(row) for row in got]
        yield f"{name}: expected {_list([_told(row) for row in expected])}, got {_list(shown)}"


def _fits(expected: Any, got: Any) -> bool:
    if not isinstance(expected, dict):
        return bool(expected == got)
    if "decision" in expected:
        names = {in_fen(name): name for name in DECISION}
        return all(
            value == (got["kind"] if name == "kind" else _of_body(names[name], got)) for name, value in expected.items()
        )
    return all(got[name] == value for name, value in expected.items())


# --- words -----------------------------------------------------------------------------------------------------------


def _differs(name: str, expected: Any, got: Any) -> str:
    return "" if expected == got else f"{name}: expected {said(name, expected)}, got {said(name, got)}"


def said(name: str, value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, int) and not isinstance(value, bool) and ("yuan" in name or "fen" in name):
        return f"{value // 100}.{value % 100:02d} yuan"
    return _list(list(map(str, value))) if isinstance(value, list | tuple) else str(value)


def _told(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)
    if "decision_id" in row:
        text = f"{row['kind']} {row['decision']}"
        reasons = _of_body("reasons", row)
        return f"{text} because of {', '.join(reasons)}" if reasons else text
    return " ".join(f"{name} {said(name, value)}" if name != "kind" else value for name, value in row.items())


def _list(texts: list[str]) -> str:
    return "; ".join(texts) if texts else "nothing"
