"""A bank's notices: heard when signed with the bank's own key, now, once; and only as that bank's word."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import httpx

from connectors.bank_notice import NOTICES_PATH, notice_headers
from tests.connectors.http.fakes import Api

NOW_MS = 1_000_000
LINE = b'{"event_type":"agreement.line_changed"}'


def scenario(play: Callable[[Api], Awaitable[None]]) -> None:
    async def run() -> None:
        await play(Api())

    asyncio.run(run())


async def told(
    api: Api, body: bytes = LINE, headers: Mapping[str, str] | None = None, **over: object
) -> httpx.Response:
    words = {"bank_code": "BCM", "secret": "key of BCM", "now_ms": NOW_MS} | over
    signed = headers or notice_headers(str(words["bank_code"]), str(words["secret"]), body, now_ms=words["now_ms"])
    return await api.call("POST", NOTICES_PATH, body, token=None, **dict(signed))


def test_a_signed_notice_is_taken_as_its_banks_word() -> None:
    async def play(api: Api) -> None:
        answer = await told(api)
        assert (answer.status_code, answer.json()["results"][0]["result"]) == (200, "accepted")
        ((sender, form),) = api.intake.senders
        assert (sender.bank_code, form) == ("BCM", "canonical")
        assert "agreement.line_changed" in sender.allowed_types
        assert "settlement.completed" not in sender.allowed_types

    scenario(play)


def test_a_notice_that_is_unsigned_old_altered_or_heard_before_is_refused() -> None:
    async def play(api: Api) -> None:
        signed = notice_headers("BCM", "key of BCM", LINE, now_ms=NOW_MS)
        assert (await told(api, headers=signed)).status_code == 200
        refused = {
            "REPLAYED": await told(api, headers=signed),
            "BAD_SIGNATURE": await told(api, b"{}", headers=notice_headers("BCM", "key of BCM", LINE, now_ms=NOW_MS)),
            "STALE_SIGNATURE": await told(api, now_ms=NOW_MS - 300_001),
        }
        for why, answer in refused.items():
            assert (answer.status_code, answer.json()["code"]) == (401, "UNSIGNED")
            assert why in answer.json()["detail_en"]
        assert (await told(api, secret="guessed")).status_code == 401
        assert (await told(api, headers={"content-type": "application/x-ndjson"})).status_code == 401
        assert len(api.intake.senders) == 1

    scenario(play)


def test_a_bank_without_a_key_here_and_another_banks_key_are_not_heard() -> None:
    async def play(api: Api) -> None:
        assert (await told(api, bank_code="ABC")).status_code == 401
        assert (await told(api, bank_code="ABC", secret="")).status_code == 401
        assert api.intake.senders == []

    scenario(play)
