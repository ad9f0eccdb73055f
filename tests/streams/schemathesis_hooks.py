"""What schemathesis is told of this API beside its description: how lines are written, and what every refusal is."""

import json

import schemathesis

PROBLEM = {"type", "title", "status", "code", "detail_zh", "detail_en"}


@schemathesis.serializer("application/x-ndjson", "application/x-ndjson; profile=national")
def lines(ctx, value):
    """Generated text as it is; anything else as one line of JSON."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.check
def a_refusal_is_a_problem_document(ctx, response, case):
    """Every answer from 400 is RFC 9457 in two languages; a probe's 503 is its own report."""
    if response.status_code < 400 or case.path == "/readyz" or not response.content:
        return
    assert response.headers["content-type"] == ["application/problem+json"], response.headers
    document = response.json()
    assert document.keys() >= PROBLEM, document
    assert document["status"] == response.status_code
    if response.status_code in (429, 503):
        assert int(response.headers["retry-after"][0]) >= 1
