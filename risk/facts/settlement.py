"""What happened to a bill: estimated, settled, undone, and the undoing undone."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from risk.facts.base import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementEstimated(Fact):
    """A pre-settlement (2206, 2303, 2101): what the bill would be."""

    event_type: ClassVar[str] = "settlement.estimated"

    mdtrt_id: str
    fixmedins_code: str
    medfee_sumamt_fen: int
    fund_pay_sumamt_fen: int
    psn_part_amt_fen: int
    acct_pay_fen: int
    psn_cash_pay_fen: int
    hosp_part_amt_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementCompleted(Fact):
    """A bill was settled (2207, 2304, 2102): the fund paid its part, the patient owes or paid `psn_cash_pay_fen`."""

    event_type: ClassVar[str] = "settlement.completed"

    setl_id: str
    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: Literal["1", "2"]
    med_type: str
    medfee_sumamt_fen: int
    fund_pay_sumamt_fen: int
    psn_part_amt_fen: int
    acct_pay_fen: int
    psn_cash_pay_fen: int
    medins_setl_id: str | None = None
    insutype: str | None = None
    dr_code: str | None = None
    hosp_part_amt_fen: int | None = None
    hifp_pay_fen: int | None = None
    credit_fen: int | None = None
    authorization_id: str | None = None
    mid_setl_flag: str | None = None
    chrg_bchno: str | None = None
    mdtrtarea_admvs: str | None = None
    insuplc_admdvs: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReversed(Fact):
    """A settlement was undone (2208, 2305, 2103, 2601): by its `setl_id`, or by the message id that made it."""

    event_type: ClassVar[str] = "settlement.reversed"

    setl_id: str | None = None
    medins_setl_id: str | None = None
    reversal_setl_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReinstated(Fact):
    """A reversal was itself undone (2601)."""

    event_type: ClassVar[str] = "settlement.reinstated"

    setl_id: str | None = None
    original_msgid: str | None = None
