"""What a day's peers had in common: institutions or staff of one measure, published so that each can be held beside
them. It names nobody.
"""

from typing import Literal

from risk.facts.base import Fact, Whole


class PeersPublished(Fact, frozen=True, kw_only=True, tag="peers.published"):
    """One measure over all `members` of a kind, on the `window_days` local days before `occurred_at`, a local midnight.

    The measure: the first counter (for each of the second, if there is one), in millionths, of whoever has `least` of
    the last; where both are one, for each of itself in as many days before. The
    values are those of the member in the middle and of the one below which nine tenths are (nearest rank).
    """

    subject: Literal["institution", "staff"]
    counters: tuple[str, ...]
    window_days: Whole
    least: Whole
    members: Whole
    p50_x1000000: Whole
    p90_x1000000: Whole
