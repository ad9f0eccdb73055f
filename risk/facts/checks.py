"""What somebody checked or filed about a patient: is he in his bed, is it he, was the transfer agreed."""

from typing import Literal

from risk.facts.base import Fact, Instant


class BedChecked(Fact, frozen=True, kw_only=True, tag="bed.checked"):
    """An inpatient was looked for in his bed from afar (9604 远程查床)."""

    mdtrt_id: str
    fixmedins_code: str
    result: Literal["present", "absent", "unanswered"]


class IdentityChecked(Fact, frozen=True, kw_only=True, tag="identity.checked"):
    """A face was compared with the insured person's (9601 人脸认证). No image and no score passes an edge."""

    result: Literal["passed", "failed"]
    fixmedins_code: str | None = None
    mdtrt_id: str | None = None


class TransferFiled(Fact, frozen=True, kw_only=True, tag="transfer.filed"):
    """A transfer to another institution was put on file (2501 转院备案): what follows there is expected."""

    fixmedins_code: str
    valid_from: Instant
    to_fixmedins_code: str | None = None
    valid_to: Instant | None = None
