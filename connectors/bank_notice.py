"""A bank's notice to us, as the bank sends it: signed with its own key. Here for the simulated bank and for tests."""

from collections.abc import Iterable, Mapping
from time import time_ns
from typing import Any

import httpx

from connectors.bank_signature import signed_headers
from connectors.bank_statement import NDJSON

NOTICES_PATH = "/v1/bank-notices"


def notify(client: httpx.Client, bank_code: str, secret: str, lines: Iterable[bytes]) -> httpx.Response:
    """Tell the API at the client's address, one canonical fact a line."""
    body = b"\n".join(lines)
    return client.post(NOTICES_PATH, content=body, headers=notice_headers(bank_code, secret, body))


def notice_headers(bank_code: str, secret: str, body: bytes, **over: Any) -> Mapping[str, str]:
    """What makes the body this bank's word, now."""
    now_ms = over.get("now_ms", time_ns() // 1_000_000)
    signed = signed_headers(secret, "POST", NOTICES_PATH, now_ms=now_ms, body=body, client_id=bank_code)
    return {"Content-Type": NDJSON, **signed}
