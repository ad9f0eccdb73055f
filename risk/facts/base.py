"""What every record of the person log carries, and the words several of them share."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

WHOLE_MAX = 10**16 - 1
"""The largest whole number of any field."""
FEN_MAX = 10**11
"""The largest amount of one event, a thousand million yuan: no bill comes near it, though num(16,2) could hold it. What
is added up has 63 bits (design.md 2), which 900 of num(16,2) would fill, and 92 million of these.
"""
COUNT_X10000_MAX = 10**12
"""The largest count of one line or movement, a hundred million units, for the same reason."""
SUM_MAX = 2**63 - 1
"""Where a stored sum of amounts stays, whatever is told."""
PSN_NO_LENGTH_MAX = 64

Whole = Annotated[int, Meta(ge=0, le=WHOLE_MAX)]
Fen = Annotated[int, Meta(ge=0, le=FEN_MAX)]
CountX10000 = Annotated[int, Meta(ge=0, le=COUNT_X10000_MAX)]
Instant = Annotated[datetime, Meta(tz=True)]

Service = Literal["visit_first", "deposit_free"]
Scope = Literal["settlement", "visit"]
Gend = Literal["1", "2"]
"""Sex as the platform codes it: 1 male, 2 female (GB/T 2261.1); 0 and 9 are unknown, and unknown is absent."""
AGE_MOST = 150
Years = Annotated[int, Meta(ge=0, le=AGE_MOST)]
FundingMode = Literal["card_withhold", "credit_line"]


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event_type"):
    """What every record of the person log carries; `event_type` is the tag it is told by on the wire."""

    event_type: ClassVar[str]

    event_id: str
    occurred_at: Instant
    psn_no: Annotated[str, Meta(max_length=PSN_NO_LENGTH_MAX)]
    source: str = ""
    schema_minor: Whole = 0


class SubjectFact(Fact, frozen=True, kw_only=True):
    """A fact about no insured person: it stands in `subjects.v1`, on its subject's own shard."""

    psn_no: Annotated[str, Meta(max_length=0)] = ""

    @property
    def shard_key(self) -> str:
        """The code by which its shard is chosen."""
        raise NotImplementedError(self.event_type)


class InstitutionFact(SubjectFact, frozen=True, kw_only=True):
    """What an institution tells of itself."""

    fixmedins_code: str

    @property
    def shard_key(self) -> str:
        """The institution's own."""
        return self.fixmedins_code


class StaffFact(SubjectFact, frozen=True, kw_only=True):
    """What an authority says of one member of staff."""

    dr_code: Annotated[str, Meta(min_length=1)]

    @property
    def shard_key(self) -> str:
        """The doctor's own: contributions to him stand there too."""
        return self.dr_code
