"""`POST /v1/bank-notices`: what a bank tells unasked, signed with its own key instead of a token (bank_signature.py).

The body is that of `/v1/events`, one canonical fact a line, of the types a bank may post: a line that changed, a
repayment, arrears, the result of an order. Who signed is in X-Xinmai-Client and is the only bank it can speak for.
"""

from collections.abc import Callable

from connectors.bank_notice import NOTICES_PATH
from connectors.bank_signature import SignatureGuard
from connectors.http.asgi import Answer, Call
from connectors.http.events import Events
from connectors.http.problem import Problem
from connectors.http.tokens import Token, event_types_of

KeyOf = Callable[[str], str]


class BankNotices:
    """The call. A notice that another process of this API heard before is a duplicate by its event_id."""

    def __init__(self, events: Events, key_of: KeyOf, wall_ms: Callable[[], int]) -> None:
        self._events = events
        self._key_of = key_of
        self._wall_ms = wall_ms
        self._guard = SignatureGuard()
        self._may_post = event_types_of({"bank"})

    async def post(self, call: Call) -> Answer:
        """Take the lines as the bank's that signed them."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers.items()}
        bank_code = headers.get("x-xinmai-client", "")
        refusal = self._guard.refuses(
            self._key_of(bank_code), "POST", NOTICES_PATH, headers=headers, body=call.body, now_ms=self._wall_ms()
        )
        if refusal is not None or not bank_code:
            raise Problem("UNSIGNED", why=refusal or "X-Xinmai-Client is missing")
        token = Token(name="notice", roles=frozenset({"bank"}), event_types=self._may_post, bank_code=bank_code)
        return await self._events.post(call._replace(token=token))
