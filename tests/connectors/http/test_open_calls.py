"""Probes, metrics, the description and the console; tokens as they stand in a file."""

import asyncio
from pathlib import Path

import orjson
import pytest

from connectors.http.openapi import document
from connectors.http.tokens import digest_of, parse_tokens
from tests.connectors.http.fakes import Api, authorization

ROOT = Path(__file__).parents[3]


def test_the_api_is_ready_while_log_redis_and_a_lane_are_there() -> None:
    async def scenario() -> None:
        api = Api()
        ready = await api.call("GET", "/readyz", token=None)
        assert (ready.status_code, ready.json()["shards_live"], ready.json()["shards"]) == (200, 4, 4)
        api.log.stuck = True
        assert (await api.call("GET", "/readyz", token=None)).status_code == 503
        api.log.stuck = False
        api.replies.lost()
        assert (await api.call("GET", "/readyz", token=None)).json()["redis"] is False
        assert (await api.call("GET", "/livez", token=None)).status_code == 200

    asyncio.run(scenario())


def test_metrics_count_calls_waits_and_fallbacks_and_name_no_person() -> None:
    async def scenario() -> None:
        api = Api()
        await api.call("POST", "/v1/authorizations", authorization())
        api.replies.lost()
        await api.call("POST", "/v1/authorizations", authorization())
        text = (await api.call("GET", "/metrics", token=None)).text
        assert 'xinmai_http_fallbacks_total{cause="no_lane"} 1.0' in text
        assert 'xinmai_http_duration_seconds_count{route="/v1/authorizations",status="200"} 2.0' in text
        assert "xinmai_reply_wait_seconds_count 1.0" in text
        assert authorization()["psn_no"] not in text

    asyncio.run(scenario())


def test_the_description_beside_the_code_is_the_one_that_is_served() -> None:
    async def scenario() -> None:
        served = (await Api().call("GET", "/openapi.json", token=None)).json()
        assert served == document()
        stored = orjson.loads((ROOT / "config/schemas/openapi.json").read_bytes())
        assert stored == served, "run: python -m connectors.http.openapi > config/schemas/openapi.json"

    asyncio.run(scenario())


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    api = asyncio.run(_routes())
    assert described == api


async def _routes() -> set[tuple[str, str]]:
    table = Api().app._routes
    return {(method, route.path) for methods in table.values() for method, route in methods.items()}


def test_the_console_is_one_page_that_loads_nothing_from_elsewhere() -> None:
    async def scenario() -> None:
        page = await Api().call("GET", "/", token=None)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "http://" not in page.text
        assert "https://" not in page.text

    asyncio.run(scenario())


def test_a_token_file_keeps_digests_and_roles_decide_what_may_be_posted() -> None:
    table = parse_tokens([{"name": "b", "sha256": digest_of("s"), "roles": ["bank"], "bank_code": "301"}])
    token = table.of(b"Bearer s")
    assert "agreement.signed" in token.event_types
    assert "credit.level_set" not in token.event_types


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "x", "secret": "s", "roles": ["king"]},
        {"name": "x", "secret": "s", "roles": []},
        {"name": "x", "roles": ["bank"]},
        {"name": "x", "secret": "s", "sha256": "00", "roles": ["bank"]},
        {"name": "x", "secret": "s", "roles": ["bank"], "event_types": ["timer.due"]},
        {"name": "x", "secret": "s", "roles": ["bank"], "institution": "H1"},
    ],
)
def test_a_token_that_says_something_else_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="token x"):
        parse_tokens([entry])
