"""The description of the API, generated from the typed bodies. A test holds `config/schemas/openapi.json` to it."""

from typing import Any

import msgspec
from msgspec import Struct

from connectors.http.alert_bodies import (
    AcknowledgementBody,
    HandlingAnswer,
    LiftBody,
    NoticeAnswer,
    SuppressionBody,
    VerdictBody,
)
from connectors.http.bodies import (
    AuthorizationAnswer,
    AuthorizationBody,
    CaptureAnswer,
    CaptureBody,
    CreditAnswer,
    CreditQueryBody,
    EventsAnswer,
    IncreaseBody,
    OrderAnswer,
    ProblemAnswer,
    ReleaseBody,
)

Node = dict[str, Any]
BODIES: tuple[type[Struct], ...] = (
    AuthorizationBody,
    IncreaseBody,
    CaptureBody,
    ReleaseBody,
    CreditQueryBody,
    SuppressionBody,
    LiftBody,
    AcknowledgementBody,
    VerdictBody,
    AuthorizationAnswer,
    CaptureAnswer,
    OrderAnswer,
    CreditAnswer,
    EventsAnswer,
    HandlingAnswer,
    NoticeAnswer,
    ProblemAnswer,
)
ASKED = BODIES[:9]
REFUSALS = {
    "400": "Malformed; `field` names what",
    "401": "No token, or not one we know",
    "403": "Not this role, institution, event type or purpose",
    "408": "The body did not come in time",
    "413": "The body is too large",
    "429": "Too fast for this token",
    "503": "Overload, or something behind us is away; see Retry-After",
}
ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-9;-~]+$"},
}


def document() -> Node:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(BODIES, ref_template="#/components/schemas/{name}")
    for body in ASKED:
        # A caller's own fields pass; they are not read.
        components[body.__name__]["patternProperties"] = {"^x_": {}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Xinmai 信脉",
            "version": "1",
            "description": "Credit payment at checkout, events in, alerts out. Money is integer fen, without a decimal "
            "point (5000, not 5000.0); time is RFC 3339.",
        },
        "security": [{"bearer": []}],
        "paths": _checkout_paths() | _read_paths() | _act_paths() | _stream_paths() | _open_paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "bankSignature": {"type": "apiKey", "in": "header", "name": "X-Xinmai-Signature"},
            },
        },
    }


def _checkout_paths() -> Node:
    one = "/v1/authorizations/{id}"
    held = "AuthorizationAnswer"
    return {
        "/v1/authorizations": {
            "post": _call("authorize", "Ask to pay on credit", body="AuthorizationBody", answer=held, more=("409",)),
        },
        one: {
            "get": _call(
                "getAuthorization",
                "What did you decide?",
                answer=held,
                parameters=[ID, _query("psn_no"), _query("fixmedins_code")],
                more=("404",),
            )
        },
        f"{one}/increase": _on_one("increase", "Ask to hold more", "IncreaseBody", held),
        f"{one}/capture": _on_one("capture", "Take a settlement out of the hold", "CaptureBody", "CaptureAnswer"),
        f"{one}/release": _on_one("release", "Give the hold back", "ReleaseBody", held),
    }


def _read_paths() -> Node:
    return {
        "/v1/orders/{id}": {
            "get": _call(
                "getOrder",
                "Where is the money?",
                answer="OrderAnswer",
                parameters=[ID, _query("psn_no")],
                more=("404",),
            )
        },
        "/v1/credit-queries": {
            "post": _call("queryCredit", "How does this person stand?", body="CreditQueryBody", answer="CreditAnswer")
        },
    }


def _act_paths() -> Node:
    def call(operation: str, summary: str, body: str, parameters: list[Node] | None = None) -> Node:
        more = ("404",) if parameters else ()
        described = _call(operation, summary, body=body, answer="HandlingAnswer", parameters=parameters, more=more)
        return {"post": described}

    alert = "/v1/alerts/{id}"
    return {
        "/v1/suppressions": call("suppressAlerts", "Wake nobody by some alerts for a while", "SuppressionBody"),
        "/v1/suppressions/{id}/lift": call("liftSuppression", "End a suppression before its time", "LiftBody", [ID]),
        f"{alert}/acknowledgement": call("acknowledgeAlert", "Look after an alert", "AcknowledgementBody", [ID]),
        "/v1/notices/{id}": {
            "get": _call("getNotice", "Whom a message is about", answer="NoticeAnswer", parameters=[ID], more=("404",))
        },
        f"{alert}/verdict": call("judgeAlert", "Say what an alert was found to be", "VerdictBody", [ID]),
    }


def _stream_paths() -> Node:
    lines = {"schema": {"type": "string", "description": "One JSON object per line"}}
    post = _call("postEvents", "Facts in, one JSON object per line", answer="EventsAnswer")
    post["description"] = (
        "A token of several institutions says with each line whose it is: by the event's own fixmedins_code, that of a "
        "national envelope, or x_fixmedins_code."
    )
    post["requestBody"] = {
        "required": False,  # nothing in, no results out
        "content": {"application/x-ndjson": lines, "application/x-ndjson; profile=national": lines},
    }
    stream = _call(
        "streamAlerts",
        "Alerts as they happen (server-sent events)",
        parameters=[
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
            {"name": "recent", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 1000}},
        ],
    )
    stream["responses"]["200"] = {"description": "A stream", "content": {"text/event-stream": {}}}
    notices = _call("postBankNotices", "What a bank tells, signed with its key", answer="EventsAnswer")
    notices["requestBody"] = {"required": False, "content": {"application/x-ndjson": lines}}
    notices["security"] = [{"bankSignature": []}]
    return {"/v1/events": {"post": post}, "/v1/bank-notices": {"post": notices}, "/v1/alerts/stream": {"get": stream}}


def _open_paths() -> Node:
    calls = {
        "/livez": ("live", "This process answers", "application/json"),
        "/readyz": ("ready", "Log, Redis and lanes are there", "application/json"),
        "/metrics": ("metrics", "Prometheus", "text/plain"),
        "/openapi.json": ("openapi", "This document", "application/json"),
        "/": ("console", "The console", "text/html"),
    }
    paths: Node = {}
    for path, (operation, summary, content) in calls.items():
        answers: Node = {"200": {"description": "OK", "content": {content: {}}}}
        if path == "/readyz":
            answers["503"] = {"description": "Not ready", "content": {content: {}}}
        paths[path] = {"get": {"operationId": operation, "summary": summary, "security": [], "responses": answers}}
    return paths


def _on_one(operation: str, summary: str, body: str, answer: str) -> Node:
    return {"post": _call(operation, summary, body=body, answer=answer, parameters=[ID], more=("404", "409"))}


def _call(
    operation: str,
    summary: str,
    *,
    body: str | None = None,
    answer: str | None = None,
    parameters: list[Node] | None = None,
    more: tuple[str, ...] = (),
) -> Node:
    refusals = REFUSALS | {status: {"404": "Unknown", "409": "Contradicts what is recorded"}[status] for status in more}
    call: Node = {
        "operationId": operation,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer"},
            **{status: _refusal(text) for status, text in sorted(refusals.items())},
        },
    }
    if answer is not None:
        call["responses"]["200"]["content"] = _json(answer)
    if body is not None:
        call["requestBody"] = {"required": True, "content": _json(body)}
    if parameters:
        call["parameters"] = parameters
    return call


def _query(name: str) -> Node:
    schema = {"type": "string", "minLength": 1, "maxLength": 64}
    return {"name": name, "in": "query", "required": True, "schema": schema}


def _json(schema: str) -> Node:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _refusal(text: str) -> Node:
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


if __name__ == "__main__":
    import sys

    import orjson

    sys.stdout.buffer.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2) + b"\n")
