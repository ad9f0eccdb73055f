"""Who calls: a token carries roles, the institutions or the bank it acts for, and the event types it may post."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from connectors.http.problem import Problem
from risk.facts import ENGINE_ONLY, FACTS

Role = Literal["hospital", "pharmacy", "bank", "authority", "audit", "person"]
ROLES: frozenset[str] = frozenset(get_args(Role))
COUNTERS = frozenset({"hospital", "pharmacy"})

_MAY_POST: dict[str, tuple[str, ...]] = {
    "hospital": ("visit.", "fee.", "settlement.", "topup.", "notice.", "stock.", "identity.", "transfer."),
    "pharmacy": ("visit.", "fee.", "settlement.", "topup.", "notice.", "stock.", "identity."),
    "bank": ("agreement.", "bank."),
    "authority": ("credit.", "insured.", "commitment.", "case.", "notice.", "bed.", "identity.", "transfer.", "staff."),
    "audit": (),
    "person": (),
}

PURPOSES: dict[str, frozenset[str]] = {
    "hospital": frozenset({"checkout"}),
    "pharmacy": frozenset({"checkout"}),
    "bank": frozenset(),
    "authority": frozenset({"supervision", "dispute"}),
    "audit": frozenset({"audit"}),
    "person": frozenset({"self", "dispute"}),
}


def event_types_of(roles: Iterable[str]) -> frozenset[str]:
    """What these roles may post; what only the engine appends, nobody may."""
    prefixes = tuple(prefix for role in roles for prefix in _MAY_POST[role])
    return frozenset(name for name in FACTS if name.startswith(prefixes) and name not in ENGINE_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One caller. `institutions`, `bank_code`, `persons` None: not bound to any (the operator's own, an authority)."""

    name: str
    roles: frozenset[str]
    event_types: frozenset[str]
    institutions: frozenset[str] | None = None
    bank_code: str | None = None
    persons: frozenset[str] | None = None
    rate_per_s: float | None = None

    @property
    def is_masked(self) -> bool:
        """Hospitals, pharmacies and banks never see why (contract.md, Decisions; domain.md L13)."""
        return not self.roles & {"authority", "audit", "person"}

    @property
    def purposes(self) -> frozenset[str]:
        """For what it may query a person's credit."""
        return frozenset().union(*(PURPOSES[role] for role in self.roles))

    def require_institution(self, fixmedins_code: str) -> None:
        """Refuse a call for an institution that is not the token's."""
        if self.institutions is not None and fixmedins_code not in self.institutions:
            raise Problem("FORBIDDEN_INSTITUTION", "fixmedins_code")

    def require_person(self, psn_no: str) -> None:
        """Refuse a person's own token for somebody else."""
        if self.persons is not None and psn_no not in self.persons:
            raise Problem("FORBIDDEN_ROLE")


class TokenTable:
    """Every token, known by the digest of its secret only."""

    def __init__(self, entries: Iterable[tuple[str, Token]]) -> None:
        self._by_digest = {bytes.fromhex(digest): token for digest, token in entries}

    def of(self, authorization: bytes) -> Token:
        """The token of an `Authorization` header; a lookup by digest, so timing tells nothing of the secret."""
        scheme, _, secret = authorization.partition(b" ")
        token = self._by_digest.get(sha256(secret.strip()).digest()) if scheme.lower() == b"bearer" else None
        if token is None:
            raise Problem("UNAUTHENTICATED")
        return token


def digest_of(secret: str) -> str:
    """How a secret stands in the token file."""
    return sha256(secret.encode()).hexdigest()


_KEYS = {
    "name", "secret", "sha256", "roles", "institutions", "bank_code", "persons", "event_types", "rate_per_s",
}  # fmt: skip


def parse_tokens(entries: Iterable[Mapping[str, Any]]) -> TokenTable:
    """The table from entries with the keys above; `name`, `roles` and one of `secret` and `sha256` are required."""
    return TokenTable(_entry(entry) for entry in entries)


def read_tokens(path: Path) -> TokenTable:
    """The table in a TOML file of `[[tokens]]` entries."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if document.keys() != {"tokens"}:
        raise ValueError(f"{path} must hold [[tokens]] entries and nothing else; it has {sorted(document)}")
    return parse_tokens(document["tokens"])


def _entry(entry: Mapping[str, Any]) -> tuple[str, Token]:
    name = entry.get("name", "?")
    roles = frozenset(entry.get("roles", ()))
    if unknown := entry.keys() - _KEYS:
        raise ValueError(f"token {name} has unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}")
    if not roles or roles - ROLES:
        raise ValueError(f"token {name} has roles {sorted(roles)}; give one or more of {sorted(ROLES)}")
    if ("secret" in entry) == ("sha256" in entry):
        raise ValueError(f"token {name} needs exactly one of secret and sha256")
    allowed = event_types_of(roles)
    event_types = frozenset(entry.get("event_types", allowed))
    if excess := event_types - allowed:
        raise ValueError(f"token {name} may not post {sorted(excess)} with roles {sorted(roles)}")
    token = Token(
        name=str(name),
        roles=roles,
        event_types=event_types,
        institutions=_names(entry, "institutions"),
        bank_code=entry.get("bank_code"),
        persons=_names(entry, "persons"),
        rate_per_s=entry.get("rate_per_s"),
    )
    return str(entry["sha256"]) if "sha256" in entry else digest_of(str(entry["secret"])), token


def _names(entry: Mapping[str, Any], key: str) -> frozenset[str] | None:
    return frozenset(entry[key]) if key in entry else None
