"""What happened in a visit: registered, recorded, ended, and each line of cost."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from risk.facts.base import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOpened(Fact):
    """A patient registered (2201) or was admitted (2401)."""

    event_type: ClassVar[str] = "visit.opened"

    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: Literal["1", "2"]
    med_type: str | None = None
    insutype: str | None = None
    dr_code: str | None = None
    dept_code: str | None = None
    mdtrtarea_admvs: str | None = None
    insuplc_admdvs: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitUpdated(Fact):
    """What the doctor recorded of the visit (2203)."""

    event_type: ClassVar[str] = "visit.updated"

    mdtrt_id: str
    med_type: str | None = None
    diag_group: str | None = None
    dr_code: str | None = None
    dept_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _VisitEnd(Fact):
    """`mdtrt_id`, or the message id of the admission that 2601 undoes."""

    mdtrt_id: str | None = None
    original_msgid: str | None = None
    dscg_way: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitClosed(_VisitEnd):
    """Discharge (2402)."""

    event_type: ClassVar[str] = "visit.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitReopened(_VisitEnd):
    """Discharge undone (2405)."""

    event_type: ClassVar[str] = "visit.reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCancelled(_VisitEnd):
    """Registration or admission undone (2202, 2404, 2601)."""

    event_type: ClassVar[str] = "visit.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAdded(Fact):
    """One line of cost (2204, 2301)."""

    event_type: ClassVar[str] = "fee.added"

    mdtrt_id: str
    feedetl_sn: str
    fixmedins_code: str
    med_list_codg: str
    cnt_x10000: int
    amount_fen: int
    ownpay_fen: int | None = None
    selfpay_prop_x10000: int | None = None
    chrg_bchno: str | None = None
    prd_days: int | None = None
    dr_code: str | None = None
    drug_trac_codg: tuple[str, ...] | None = None
    pric_uplmt_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeReversed(Fact):
    """A line, a batch, or all unsettled lines of a visit taken back: exactly one of the three is given."""

    event_type: ClassVar[str] = "fee.reversed"

    mdtrt_id: str
    feedetl_sn: str | None = None
    chrg_bchno: str | None = None
    all_unsettled: bool | None = None
    cnt_x10000: int | None = None
    amount_fen: int | None = None
    return_feedetl_sn: str | None = None
