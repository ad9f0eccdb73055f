"""The signature that a bank's calls and ours carry: who speaks, when, once. It knows nothing of orders.

    X-Xinmai-Client      who signs                     X-Xinmai-Timestamp   ms since 1970, within five minutes
    X-Xinmai-Nonce       another one for every call    X-Xinmai-Signature   HMAC-SHA256, hex, with the bank's own key

Signed are method, path with its query, instant, nonce and the digest of the body, one a line. A call heard before is
refused: whoever repeats a deed signs it anew, and its idempotency key makes it one deed.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

SKEW_MS = 300_000
REMEMBERED_MAX = 100_000


def signature(secret: str, method: str, path: str, *, timestamp_ms: str, nonce: str, body: bytes) -> str:
    """What stands in X-Xinmai-Signature."""
    text = "\n".join((method, path, timestamp_ms, nonce, hashlib.sha256(body).hexdigest()))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed_headers(secret: str, method: str, path: str, *, now_ms: int, body: bytes, client_id: str) -> dict[str, str]:
    """The four headers of one call."""
    timestamp_ms, nonce = str(now_ms), secrets.token_hex(12)
    return {
        "X-Xinmai-Client": client_id,
        "X-Xinmai-Timestamp": timestamp_ms,
        "X-Xinmai-Nonce": nonce,
        "X-Xinmai-Signature": signature(secret, method, path, timestamp_ms=timestamp_ms, nonce=nonce, body=body),
    }


class SignatureGuard:
    """Who checks signatures: it remembers the nonces of the window, so that no call is heard twice by this process."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def refuses(
        self, secret: str, method: str, path: str, *, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> str | None:
        """Why the call is not heard, None when it is. `headers` by lower-case name."""
        timestamp_ms, nonce = headers.get("x-xinmai-timestamp", ""), headers.get("x-xinmai-nonce", "")
        given = headers.get("x-xinmai-signature", "")
        expected = signature(secret, method, path, timestamp_ms=timestamp_ms, nonce=nonce, body=body)
        if not nonce or not secret or not hmac.compare_digest(given.encode(), expected.encode()):
            return "BAD_SIGNATURE"
        if not timestamp_ms.isascii() or not timestamp_ms.isdigit() or abs(now_ms - int(timestamp_ms)) > SKEW_MS:
            return "STALE_SIGNATURE"
        return None if self._is_new((headers.get("x-xinmai-client", ""), nonce), now_ms) else "REPLAYED"

    def _is_new(self, key: tuple[str, str], now_ms: int) -> bool:
        with self._lock:
            while self._heard and (
                next(iter(self._heard.values())) < now_ms - 2 * SKEW_MS or len(self._heard) >= REMEMBERED_MAX
            ):
                self._heard.popitem(last=False)
            if key in self._heard:
                return False
            self._heard[key] = now_ms
            return True
