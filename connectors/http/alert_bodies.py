"""What the bureau sends about alerts, and what it gets: the typed bodies of connectors/http/alert_acts.py."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from risk.facts.base import Instant
from risk.handling import Cause, Remark, Verdict

CodeOrNone = Annotated[str, Meta(max_length=64, pattern=r"^[!-9;-~]*$")]
PersonOrNone = Annotated[str, Meta(max_length=64, pattern=r"^[!-~]*$")]
Author = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Sentence = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]


class SuppressionBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Tell nobody of alerts of this rule, person or doctor, and institution until then; what is not given is any."""

    by: Author
    reason: Sentence
    until: Instant
    rule_id: CodeOrNone = ""
    psn_no: PersonOrNone = ""
    dr_code: CodeOrNone = ""
    institution: CodeOrNone = ""


class LiftBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """End the suppression now."""

    by: Author
    reason: Remark = ""


class AcknowledgementBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody looks after this alert."""

    by: Author
    note: Remark = ""


class VerdictBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the alert was found to be. It measures the rule; no credit record is written by it."""

    by: Author
    verdict: Verdict
    note: Remark = ""


class HandlingAnswer(Struct, frozen=True, kw_only=True):
    """The act as it stands in the log."""

    event_type: Literal["alert.suppressed", "alert.unsuppressed", "alert.acknowledged", "alert.judged"]
    at: str
    by: str
    source: str
    suppression_id: str | UnsetType = UNSET
    alert_id: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    verdict: Verdict | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    note: str | UnsetType = UNSET
    rule_id: str | UnsetType = UNSET
    subject_id: str | UnsetType = UNSET
    institution: str | UnsetType = UNSET


class MemberAnswer(Struct, frozen=True, kw_only=True):
    """One alert of a message; `escalated` is told again."""

    alert_id: str
    episode: Literal["opened", "escalated"]


class NoticeAnswer(Struct, frozen=True, kw_only=True):
    """A message that was sent to a route, and all of its members."""

    notice_id: str
    at: str
    route: str
    cause: Cause
    members: list[MemberAnswer]
