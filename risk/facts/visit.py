"""What happened in a visit: registered, recorded, ended, and each line of cost."""

from typing import Literal

from risk.facts.base import CountX10000, Fact, Fen, Whole


class VisitOpened(Fact, frozen=True, kw_only=True, tag="visit.opened"):
    """A patient registered (2201), was admitted (2401), or bought at a pharmacy whose bill carries its lines (2102)."""

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
    diag_group: str | None = None


class VisitUpdated(Fact, frozen=True, kw_only=True, tag="visit.updated"):
    """What the doctor recorded of the visit (2203)."""

    mdtrt_id: str
    med_type: str | None = None
    diag_group: str | None = None
    dr_code: str | None = None
    dept_code: str | None = None


class _VisitEnd(Fact, frozen=True, kw_only=True):
    """`mdtrt_id`, or the message id of the admission that 2601 undoes."""

    mdtrt_id: str | None = None
    original_msgid: str | None = None
    dscg_way: str | None = None


class VisitClosed(_VisitEnd, frozen=True, kw_only=True, tag="visit.closed"):
    """Discharge (2402)."""


class VisitReopened(_VisitEnd, frozen=True, kw_only=True, tag="visit.reopened"):
    """Discharge undone (2405)."""


class VisitCancelled(_VisitEnd, frozen=True, kw_only=True, tag="visit.cancelled"):
    """Registration or admission undone (2202, 2404, 2601)."""


class FeeAdded(Fact, frozen=True, kw_only=True, tag="fee.added"):
    """One line of cost (2204, 2301, within 2102)."""

    mdtrt_id: str
    feedetl_sn: str
    fixmedins_code: str
    med_list_codg: str
    cnt_x10000: CountX10000
    amount_fen: Fen
    ownpay_fen: Fen | None = None
    selfpay_prop_x10000: Whole | None = None
    chrg_bchno: str | None = None
    prd_days: Whole | None = None
    dr_code: str | None = None
    drug_trac_codg: tuple[str, ...] | None = None
    pric_uplmt_fen: Fen | None = None
    rxno: str | None = None
    rx_flag: bool | None = None
    phar_code: str | None = None
    trdn_flag: bool | None = None
    orders_dr_code: str | None = None


class FeeReversed(Fact, frozen=True, kw_only=True, tag="fee.reversed"):
    """A line, a batch, or all unsettled lines of a visit taken back: exactly one of the three is given."""

    mdtrt_id: str
    feedetl_sn: str | None = None
    chrg_bchno: str | None = None
    all_unsettled: bool | None = None
    cnt_x10000: CountX10000 | None = None
    amount_fen: Fen | None = None
    return_feedetl_sn: str | None = None
