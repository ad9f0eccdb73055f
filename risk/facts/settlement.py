"""What happened to a bill: estimated, settled, undone, and the undoing undone.

`gend` and `age` (whole years, on that day) are held against the items of the bill and forgotten: rules P14 and M06.
"""

from typing import Literal

from risk.facts.base import Fact, Fen, Gend, Years


class SettlementEstimated(Fact, frozen=True, kw_only=True, tag="settlement.estimated"):
    """A pre-settlement (2206, 2303, 2101): what the bill would be."""

    mdtrt_id: str
    fixmedins_code: str
    medfee_sumamt_fen: Fen
    fund_pay_sumamt_fen: Fen
    psn_part_amt_fen: Fen
    acct_pay_fen: Fen
    psn_cash_pay_fen: Fen
    hosp_part_amt_fen: Fen | None = None
    gend: Gend | None = None
    age: Years | None = None


class SettlementCompleted(Fact, frozen=True, kw_only=True, tag="settlement.completed"):
    """A bill was settled (2207, 2304, 2102): the fund paid its part, the patient owes or paid `psn_cash_pay_fen`."""

    setl_id: str
    mdtrt_id: str
    fixmedins_code: str
    fixmedins_type: Literal["1", "2"]
    med_type: str
    medfee_sumamt_fen: Fen
    fund_pay_sumamt_fen: Fen
    psn_part_amt_fen: Fen
    acct_pay_fen: Fen
    psn_cash_pay_fen: Fen
    medins_setl_id: str | None = None
    insutype: str | None = None
    dr_code: str | None = None
    hosp_part_amt_fen: Fen | None = None
    hifp_pay_fen: Fen | None = None
    fulamt_ownpay_amt_fen: Fen | None = None
    credit_fen: Fen | None = None
    authorization_id: str | None = None
    mid_setl_flag: str | None = None
    chrg_bchno: str | None = None
    mdtrtarea_admvs: str | None = None
    insuplc_admdvs: str | None = None
    emergency: bool = False
    gend: Gend | None = None
    age: Years | None = None


class SettlementReversed(Fact, frozen=True, kw_only=True, tag="settlement.reversed"):
    """A settlement was undone (2208, 2305, 2103, 2601): by its `setl_id`, or by the message id that made it."""

    setl_id: str | None = None
    medins_setl_id: str | None = None
    reversal_setl_id: str | None = None
    reason: str | None = None


class SettlementReinstated(Fact, frozen=True, kw_only=True, tag="settlement.reinstated"):
    """A reversal was itself undone (2601)."""

    setl_id: str | None = None
    original_msgid: str | None = None
