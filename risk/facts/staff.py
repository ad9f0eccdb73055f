"""What an authority says of a doctor, nurse or pharmacist: may his bills be paid, and which points were determined.

No insured person is in it; it stands in `subjects.v1`, on the doctor's own shard. Source: the national payment
qualification and its twelve points (医保发〔2024〕23号), domain.md 4.4 and 5.9.
"""

from typing import Literal, get_args

from risk.facts.base import Instant, StaffFact, Whole

POINTS_MOST = 12  # of one document; the edge refuses more (connectors/field_checks.py)
Status = Literal["suspended", "terminated", "on_leave", "admitted"]
"""支付资格暂停, 支付资格终止, 停诊休假, 本人住院."""
STATUSES: tuple[str, ...] = get_args(Status)


class StaffStatusChanged(StaffFact, frozen=True, kw_only=True, tag="staff.status_changed"):
    """From `since` until just before `until` (absent: until further word) the doctor has this status.

    A later word under the same `document_no` takes the place of the earlier one: so a status ends, or is extended.
    """

    status: Status
    since: Instant
    document_no: str
    until: Instant | None = None


class StaffPointsDetermined(StaffFact, frozen=True, kw_only=True, tag="staff.points_determined"):
    """Points (记分) as a document determines them, 1 to 12; `determined_at` names the calendar year they count in.

    A later word under the same `document_no` takes the place of the earlier one; 0 points: it was withdrawn (复核).
    """

    points: Whole
    document_no: str
    determined_at: Instant
