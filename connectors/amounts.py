"""National yuan as whole fen, exactly, and the ways in which sources add up. No float ever touches money."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from re import compile as pattern
from typing import NamedTuple

from connectors.refusals import Refused
from risk.facts.base import FEN_MAX, WHOLE_MAX

_PLAIN_DECIMAL = pattern(r"[+-]?\d{1,20}(\.\d{0,20})?")
_DIGITS_MAX = 40


class NotFinite:
    """NaN or Infinity as JavaScript and Python write them; JSON has no such number."""


def scaled(value: object, places: int, field: str, most: int = WHOLE_MAX) -> int:
    """`value` times 10**places as a whole number, at most `most`; refused unless that is exact. Numbers and decimal
    strings alike.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _PLAIN_DECIMAL.fullmatch(text):
            raise Refused("NUMBER_UNREADABLE", field)
        value = Decimal(text)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("NUMBER_UNREADABLE", field)
    if isinstance(value, int):
        return _in_range(value * 10**places, field, most) if abs(value) <= most else _too_large(field, most)
    if not value.is_finite():
        raise Refused("NUMBER_UNREADABLE", field)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if value.adjusted() + places > len(str(most)):  # before any power of ten is computed: 1e999999
        return _too_large(field, most)
    if not value:
        return 0
    if len(digits) > _DIGITS_MAX:
        raise Refused("NUMBER_TOO_PRECISE", field, places)
    whole = int("".join(map(str, digits)))
    shift = exponent + places
    if shift < 0:
        whole, rest = divmod(whole, 10 ** min(-shift, _DIGITS_MAX + 1))
        if rest:
            raise Refused("NUMBER_TOO_PRECISE", field, places)
    else:
        whole *= 10**shift
    return _in_range(-whole if sign else whole, field, most)


def _in_range(number: int, field: str, most: int) -> int:
    return number if abs(number) <= most else _too_large(field, most)


def _too_large(field: str, most: int) -> int:
    raise Refused("NUMBER_OUT_OF_RANGE", field, most)


def yuan_to_fen(value: object, field: str) -> int:
    """An amount in yuan as fen; negative ones are refused: a reversal is told by its transaction, never by a sign."""
    fen = scaled(value, 2, field, FEN_MAX)
    if fen < 0:
        raise Refused("NUMBER_NEGATIVE", field)
    return fen


class AmountProfile(NamedTuple):
    """How one source adds up. The defaults are the national wording (domain.md 2.3)."""

    acct_mulaid_in_acct: bool = True
    """acct_mulaid_pay (共济支付) is already inside acct_pay."""
    hosp_part_in_psn: bool = False
    """hosp_part_amt is inside psn_part_amt."""


class Shares(NamedTuple):
    """Who bears a bill, so that medfee = fund + psn_part + hosp_part and psn_part = acct + cash."""

    psn_part_fen: int
    acct_fen: int


def canonical_shares(
    profile: AmountProfile, *, psn_part_fen: int, acct_fen: int, mulaid_fen: int, hosp_fen: int
) -> Shares:
    """The source's psn_part and acct as the canonical identities mean them. A wrong profile shows as Q03 later."""
    if not profile.acct_mulaid_in_acct:
        acct_fen += mulaid_fen
    if profile.hosp_part_in_psn:
        psn_part_fen = max(0, psn_part_fen - hosp_fen)
    return Shares(psn_part_fen, acct_fen)


class AmountProfiles:
    """The profile of each source: by its fixmedins_code, else by its source name, else the default."""

    def __init__(self, by_source: Mapping[str, AmountProfile] | None = None) -> None:
        self._by_source = dict(by_source or {})

    def of(self, *names: str | None) -> AmountProfile:
        """The profile of the first name that has one."""
        for name in names:
            if name is not None and name in self._by_source:
                return self._by_source[name]
        return self._by_source.get("default", AmountProfile())


def parse_profiles(text: str) -> AmountProfiles:
    """Profiles from TOML: one table per source, `[default]` or `[H43050000001]`, keys as in AmountProfile."""
    profiles: dict[str, AmountProfile] = {}
    for name, table in tomllib.loads(text).items():
        if not isinstance(table, dict) or not table.keys() <= set(AmountProfile._fields):
            raise ValueError(
                f"amount profile [{name}] may only have {', '.join(AmountProfile._fields)}; correct the file"
            )
        if not all(isinstance(value, bool) for value in table.values()):
            raise ValueError(f"amount profile [{name}] takes true or false only; correct the file")
        profiles[name] = AmountProfile(**table)
    return AmountProfiles(profiles)
