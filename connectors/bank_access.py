"""The file that says where each bank listens and which key both sides sign with: TOML, one [[banks]] entry a bank."""

import tomllib
from pathlib import Path
from typing import Any

from connectors.bank import BankAccess

_KEYS = {"bank_code", "url", "secret", "client_id"}


def read_banks(path: Path) -> dict[str, BankAccess]:
    """By bank code. ValueError with what to mend when an entry is not whole."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if document.keys() != {"banks"}:
        raise ValueError(f"{path} must hold [[banks]] entries and nothing else; it has {sorted(document)}")
    banks: dict[str, BankAccess] = {}
    for entry in document["banks"]:
        code, access = _access(entry)
        if code in banks:
            raise ValueError(f"bank {code} stands twice in {path}")
        banks[code] = access
    return banks


def _access(entry: dict[str, Any]) -> tuple[str, BankAccess]:
    name = entry.get("bank_code", "?")
    if unknown := entry.keys() - _KEYS:
        raise ValueError(f"bank {name} has unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}")
    if missing := [key for key in ("bank_code", "url", "secret") if not entry.get(key)]:
        raise ValueError(f"bank {name} needs {', '.join(missing)}: every call to a bank is signed")
    words = {key: str(value) for key, value in entry.items() if key != "bank_code"}
    return str(name), BankAccess(**words)
