"""What was signed and said about a person: status, level, lists, suspensions, disputes, agreements. Types only."""

from typing import NamedTuple

CARD_WITHHOLD = "card_withhold"
CREDIT_LINE = "credit_line"


class Level(NamedTuple):
    """An official level. `unrated_reason` only with UNRATED."""

    code: str
    unrated_reason: str
    told_ms: int
    from_ms: int
    to_ms: int


class Listing(NamedTuple):
    """What was last told about one list."""

    list_name: str
    document_no: str
    since_ms: int
    until_ms: int
    told_ms: int
    listed: bool


class Suspension(NamedTuple):
    """What was last told about one scope, by the engine or by an authority's order; "" = the end of all its orders."""

    scope: str
    by: str
    document_no: str
    until_ms: int
    told_ms: int
    suspended: bool


class Dispute(NamedTuple):
    """An objection of the person, or a suspicion that a person confirmed (Standing.cases), while it is open."""

    dispute_id: str
    about: str
    told_ms: int
    is_open: bool


class Ahead(NamedTuple):
    """What a source told of an agreement whose signing has not come yet: its line, its end, the wish for it.

    `event_id`, `event_type`: its last word.
    """

    agreement_no: str
    source: str
    line_fen: int = 0
    line_ms: int = 0
    ended_ms: int = 0
    ending_ms: int = 0
    event_id: str = ""
    event_type: str = ""


class Standing(NamedTuple):
    """Who the person is to the scheme, as last told."""

    status: str = ""
    status_ms: int = 0
    commitment_no: str = ""
    commitment_ms: int = 0
    levels: tuple[Level, ...] = ()
    investigated_ms: int = 0
    listings: tuple[Listing, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    entitlements: tuple[str, ...] = ()
    entitlements_ms: int = 0
    cases: tuple[Dispute, ...] = ()
    ahead: tuple[Ahead, ...] = ()


class Agreement(NamedTuple):
    """A mandate with a bank. `line_fen` counts for credit_line only. `ending_ms`: the person wished it to end."""

    agreement_no: str
    bank_code: str
    mode: str
    services: tuple[str, ...]
    line_fen: int
    signed_ms: int
    line_ms: int
    valid_to_ms: int = 0
    ended_ms: int = 0
    overdue_ms: int = 0
    cured_ms: int = 0
    shared: bool = False
    ending_ms: int = 0

    def is_valid(self, now_ms: int) -> bool:
        """Neither ended nor past its last day: what is owed may be debited under it."""
        return not self.ended_ms and (not self.valid_to_ms or now_ms <= self.valid_to_ms)

    def lends(self, service: str, now_ms: int) -> bool:
        """May anything new be held under it for this service?"""
        return service in self.services and not self.ending_ms and self.is_valid(now_ms)
