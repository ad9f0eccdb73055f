"""One drug in one prefecture, bought or sold: what each institution last paid or asked, the median and the spread of
it, and what the quartiles were on each of the last ninety days.

It is kept on the drug's own shard, from what the shards of institutions tell (prices.py): what a price is held against
is a matter of that log's order, so a replay judges by the same. An institution costs 28 bytes a drug until nothing is
heard of it for ninety days; days on which no quartile moved cost nothing.
"""

from bisect import bisect_left
from struct import Struct
from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import Episode, Stored
from risk.facts import PriceTold
from risk.local_time import local_day, to_ms

KNOWN_DAYS = 90
"""Of a price, and of the quartiles: a price that nobody renewed for so long is nobody's any more."""
_ENTRY = Struct(">12sqQ")  # institution, instant, price; 0: withdrawn
_POINT = Struct(">HIQQQ")  # local day, institutions, quartiles
_RANKS = (10, 25, 50, 75, 90)


class Market(Stored, frozen=True):
    """Institutions in the order of their codes; quartiles from their day on until the next one's."""

    newest_ms: int = 0
    prices: bytes = b""
    quartiles: bytes = b""
    episodes: tuple[Episode, ...] = ()


class Spread(NamedTuple):
    """Prices of institutions in millionths of a yuan, by nearest rank; all 0 where there is none."""

    members: int
    p10: int
    p25: int
    p50: int
    p75: int
    p90: int

    @property
    def quartiles(self) -> tuple[int, int, int]:
        """The middle, and the ends of the middle half."""
        return self.p25, self.p50, self.p75


NO_MARKET = Market()
NOBODY = Spread(0, 0, 0, 0, 0, 0)


def told(market: Market, fact: PriceTold) -> Market | None:
    """The market after one institution's price; None if something as new is known of it."""
    place, at_ms, price = fact.fixmedins_code.encode(), to_ms(fact.moved_at), fact.pric_x1000000 or 0
    market = _turned(market, at_ms)
    entries = list(_ENTRY.iter_unpack(market.prices))
    at = bisect_left(entries, place, key=lambda entry: entry[0].rstrip(b"\0"))
    entry = (place.ljust(12, b"\0"), at_ms, price)
    if at < len(entries) and entries[at][0] == entry[0]:
        _, known_ms, known_price = entries[at]
        if at_ms < known_ms or (at_ms == known_ms and (price or not known_price)):
            return None
        entries[at] = entry
    else:
        entries.insert(at, entry)
    newest_ms = max(market.newest_ms, at_ms)
    return replace(market, newest_ms=newest_ms, prices=b"".join(_ENTRY.pack(*each) for each in entries))


def _turned(market: Market, at_ms: int) -> Market:
    """A later date: what the quartiles were is written down, and what is too old leaves; by day, never by batch."""
    day, newest_day = local_day(at_ms), local_day(market.newest_ms)
    if day <= newest_day or not market.newest_ms:
        return market
    spread, points = spread_of(market), list(_POINT.iter_unpack(market.quartiles))
    if not points or points[-1][1:] != (spread.members, *spread.quartiles):
        points.append((newest_day, spread.members, *spread.quartiles))
    floor_day = day - KNOWN_DAYS
    kept = [each for n, each in enumerate(points) if n + 1 == len(points) or points[n + 1][0] > floor_day]
    prices = [each for each in _ENTRY.iter_unpack(market.prices) if local_day(each[1]) > floor_day]
    packed = b"".join(_ENTRY.pack(*each) for each in prices)
    return replace(market, prices=packed, quartiles=b"".join(_POINT.pack(*each) for each in kept))


def price_of(market: Market, fixmedins_code: str) -> int | None:
    """What one institution last paid or asked; 0: it was withdrawn; None: nothing is known of it."""
    place = fixmedins_code.encode().ljust(12, b"\0")
    return next((price for code, _, price in _ENTRY.iter_unpack(market.prices) if code == place), None)


def spread_of(market: Market, *, besides: str = "") -> Spread:
    """The middle of all institutions but one, and between what eight tenths of them lie."""
    left_out = besides.encode().ljust(12, b"\0")
    prices = sorted(price for code, _, price in _ENTRY.iter_unpack(market.prices) if price and code != left_out)
    if not prices:
        return NOBODY
    return Spread(len(prices), *(prices[-(-percent * len(prices) // 100) - 1] for percent in _RANKS))


def quartiles_before(market: Market, day: int, window_days: int, least: int) -> tuple[int, tuple[int, int, int]]:
    """How many of the `window_days` dates before `day` had prices of `least` institutions, and the sums of their
    quartiles.
    """
    points = list(_POINT.iter_unpack(market.quartiles))
    days, sums = 0, (0, 0, 0)
    for n, (since, members, *quartiles) in enumerate(points):
        until = points[n + 1][0] if n + 1 < len(points) else day
        lasted = min(until, day) - max(since, day - window_days)
        if members >= least and lasted > 0:
            days += lasted
            low, middle, high = (each + lasted * more for each, more in zip(sums, quartiles, strict=True))
            sums = low, middle, high
    return days, sums
