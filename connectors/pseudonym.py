"""The keyed pseudonym that replaces a person's number before anything is logged, stored or sent (domain.md 6 L01)."""

from base64 import urlsafe_b64encode
from hmac import digest
from re import compile as pattern

KEY_LENGTH_MIN = 16
_FORM = pattern(r"p1_[A-Za-z0-9_-]{22}")
_DIGEST_BYTES = 16  # 22 characters of base64url


def is_pseudonym(psn_no: str) -> bool:
    """Whether the number already is one of ours: such input passes unchanged."""
    return _FORM.fullmatch(psn_no) is not None


class Pseudonyms:
    """psn_no → `p1_` + 22 characters of HMAC-SHA256 under the city's key. Without a key (sandbox) numbers stay."""

    def __init__(self, key: str | None) -> None:
        """`key` is XINMAI_PSEUDONYM_KEY. A short one is refused: psn_no are few enough to be tried one by one."""
        if key is not None and len(key.encode()) < KEY_LENGTH_MIN:
            raise ValueError(
                f"XINMAI_PSEUDONYM_KEY is shorter than {KEY_LENGTH_MIN} bytes, so pseudonyms could be guessed; "
                "set a random one (openssl rand -base64 32), keep it: another key makes everybody somebody else."
            )
        self._key = None if key is None else key.encode()

    @property
    def sandbox(self) -> bool:
        """True when no key is set."""
        return self._key is None

    def of(self, psn_no: str) -> str:
        """The person's number as the bus knows it."""
        if self._key is None or is_pseudonym(psn_no):
            return psn_no
        code = digest(self._key, psn_no.encode(), "sha256")[:_DIGEST_BYTES]
        return "p1_" + urlsafe_b64encode(code).decode().rstrip("=")
