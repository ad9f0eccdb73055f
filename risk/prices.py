"""What an institution last paid and asked for an item, from its purchases and sales (3503, 3505): told to the market of
the drug (market.py) when it is another price, and once a month when it is the same.

The newest movement says it, in whatever order they come. One that was deleted leaves no price: what was paid before it
is no longer known. Sent again for the same instant, it is the newest once more, and is told to the market as a
millisecond later: what a worker that crashed tells twice must not undo it. An item sold by the unit (trdn_flag) has
another price than its box, and tells none.
"""

from msgspec.structs import replace

from risk.activity import Stored
from risk.facts import PriceTold, StockMoved, StockUndone
from risk.local_time import DAY_MS, to_datetime, to_ms
from risk.policy_counters import LETTERS
from risk.policy_rules import PriceRule
from risk.terms import Terms

TOLD_AGAIN_MS = 30 * DAY_MS
"""A market forgets an institution of which it hears nothing for three times as long (market.py)."""
PRICED = ("purchased", "sold")
PRICE_RULES = ("W01", "E01")
_PLACE_BYTES, _REGION_DIGITS = 12, 4


class Newest(Stored, frozen=True):
    """The newest movement with a price. `pric_x1000000` 0: none, or it was deleted. `told_ms`: the newest one that the
    market heard of. `after_ms`: how much later than its own instant it stands, behind a deleted one of that instant.
    """

    at_ms: int = 0
    pric_x1000000: int = 0
    told_ms: int = 0
    after_ms: int = 0

    @property
    def moved_ms(self) -> int:
        """The movement's own instant."""
        return self.at_ms - self.after_ms


class Prices(Stored, frozen=True):
    """One item of one institution."""

    purchased: Newest = Newest()
    sold: Newest = Newest()


NO_PRICES = Prices()


def region_of(fixmedins_code: str) -> str:
    """The prefecture in a national code (H43050200001: 4305); '' if it is none, and then nobody is beside it."""
    digits = fixmedins_code[1 : 1 + _REGION_DIGITS]
    is_code = fixmedins_code[:1] in LETTERS.values() and len(fixmedins_code) <= _PLACE_BYTES
    return digits if is_code and len(digits) == _REGION_DIGITS and digits.isascii() and digits.isdigit() else ""


def moved(prices: Prices, fact: StockMoved | StockUndone, terms: Terms) -> tuple[Prices, PriceTold | None] | None:
    """The prices after an applied movement, and what the market is told; None: it says nothing of a price."""
    if fact.movement not in PRICED:
        return None
    known: Newest = getattr(prices, fact.movement)
    after = _undone(known, fact) if isinstance(fact, StockUndone) else _newer(known, fact, terms)
    if after is None:
        return None
    told = _told(fact, after) if after.told_ms == after.at_ms else None
    return replace(prices, **{fact.movement: after}), told


def _newer(known: Newest, fact: StockMoved, terms: Terms) -> Newest | None:
    at_ms, price = to_ms(fact.occurred_at), fact.pric_x1000000
    is_newer = at_ms > known.moved_ms or (at_ms == known.moved_ms and not known.pric_x1000000)
    if not price or fact.trdn_flag or not is_newer or not _watched(fact, terms):
        return None
    stands_ms = max(at_ms, known.at_ms + 1)
    is_told = price != known.pric_x1000000 or stands_ms - known.told_ms >= TOLD_AGAIN_MS
    return Newest(stands_ms, price, stands_ms if is_told else known.told_ms, stands_ms - at_ms)


def _watched(fact: StockMoved, terms: Terms) -> bool:
    if not region_of(fact.fixmedins_code):
        return False
    rules = [clause.value for name in PRICE_RULES if (clause := terms.get(name)) is not None]
    return any(isinstance(rule, PriceRule) and rule.asks(fact.med_list_codg or "") for rule in rules)


def _undone(known: Newest, fact: StockUndone) -> Newest | None:
    if fact.trdn_flag or not known.pric_x1000000 or to_ms(fact.moved_at) != known.moved_ms:
        return None
    return replace(known, pric_x1000000=0, told_ms=known.at_ms)


def _told(fact: StockMoved | StockUndone, newest: Newest) -> PriceTold:
    assert fact.med_list_codg is not None, "the edge refuses a movement without its item"
    return PriceTold(
        event_id=fact.event_id,
        occurred_at=fact.occurred_at,
        source=fact.source,
        fixmedins_code=fact.fixmedins_code,
        med_list_codg=fact.med_list_codg,
        movement="sold" if fact.movement == "sold" else "purchased",
        moved_at=to_datetime(newest.at_ms),
        pric_x1000000=newest.pric_x1000000 or None,
    )
