"""What every record of the person log carries, and the words several of them share."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

Service = Literal["visit_first", "deposit_free"]
Scope = Literal["settlement", "visit"]
FundingMode = Literal["card_withhold", "credit_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every record of the person log carries."""

    event_type: ClassVar[str]

    event_id: str
    occurred_at: datetime
    psn_no: str
    source: str = ""
    schema_minor: int = 0
