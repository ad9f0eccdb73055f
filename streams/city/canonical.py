"""Happenings spelled as canonical facts: the same facts that the national messages of the same city map to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from risk.facts import (
    AgreementSigned,
    CommitmentSigned,
    CreditLevelSet,
    Fact,
    FeeAdded,
    FeeReversed,
    InsuredStatusChanged,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReversed,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitUpdated,
)
from risk.local_time import to_datetime
from streams.city.happenings import CALLS, Happening, diagnosis_of, event_id
from streams.city.world import Person

AUTHORITY = "邵阳市医疗保障局"


def facts_of(happening: Happening) -> list[Fact]:
    """The facts of one happening; what a counter asks an API for is a call, not a fact, and has none."""
    if happening.fact is not None:
        return [happening.fact]
    if happening.infno in CALLS:
        return []
    return _SPELLINGS[happening.infno](happening, _common(happening), to_datetime(happening.at_ms))


def _common(happening: Happening) -> dict[str, Any]:
    return {
        "event_id": event_id(happening.infno, happening.msgid),
        "psn_no": happening.visit.psn_no,
    }


def _opened(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    visit = happening.visit
    admission = happening.infno == "2401"
    return [
        VisitOpened(
            occurred_at=occurred_at,
            **common,
            mdtrt_id=visit.mdtrt_id,
            fixmedins_code=visit.fixmedins_code,
            fixmedins_type="1",
            med_type=visit.med_type if admission else None,
            insutype=visit.insutype,
            dr_code=visit.dr_code,
            dept_code=visit.dept_code,
            mdtrtarea_admvs=visit.fixmedins_code[1:7],
            insuplc_admdvs=visit.insuplc_admdvs,
            diag_group=diagnosis_of(visit) if admission else None,
        )
    ]


def _updated(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    visit = happening.visit
    return [
        VisitUpdated(
            occurred_at=occurred_at,
            **common,
            mdtrt_id=visit.mdtrt_id,
            med_type=visit.med_type,
            diag_group=diagnosis_of(visit),
            dr_code=visit.dr_code,
            dept_code=visit.dept_code,
        )
    ]


def _cancelled(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    return [VisitCancelled(occurred_at=occurred_at, **common, mdtrt_id=happening.visit.mdtrt_id)]


def _closed(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    return [VisitClosed(occurred_at=occurred_at, **common, mdtrt_id=happening.visit.mdtrt_id, dscg_way="1")]


def _fees(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    visit = happening.visit
    return [
        FeeAdded(
            occurred_at=occurred_at,
            event_id=event_id(happening.infno, happening.msgid, number),
            psn_no=visit.psn_no,
            mdtrt_id=visit.mdtrt_id,
            feedetl_sn=line.feedetl_sn,
            fixmedins_code=visit.fixmedins_code,
            med_list_codg=line.med_list_codg,
            cnt_x10000=line.cnt_x10000,
            amount_fen=line.amount_fen,
            prd_days=line.prd_days,
            dr_code=visit.dr_code,
            drug_trac_codg=line.trace_codes or None,
            pric_uplmt_fen=line.highest_price_fen,
            orders_dr_code=line.executed_by or None,
        )
        for number, line in enumerate(happening.lines)
    ]


def _fee_reversed(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    return [
        FeeReversed(
            occurred_at=occurred_at,
            event_id=event_id(happening.infno, happening.msgid, number),
            psn_no=happening.visit.psn_no,
            mdtrt_id=happening.visit.mdtrt_id,
            feedetl_sn=line.feedetl_sn,
        )
        for number, line in enumerate(happening.lines)
    ]


def _estimated(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    return [
        SettlementEstimated(
            occurred_at=occurred_at,
            **common,
            mdtrt_id=visit.mdtrt_id,
            fixmedins_code=visit.fixmedins_code,
            medfee_sumamt_fen=bill.medfee_fen,
            fund_pay_sumamt_fen=bill.fund_fen,
            psn_part_amt_fen=bill.acct_fen + bill.cash_fen,
            acct_pay_fen=bill.acct_fen,
            psn_cash_pay_fen=bill.cash_fen,
            hosp_part_amt_fen=0,
            gend="1" if visit.gend == "1" else "2",
            age=visit.age,
        )
    ]


def _completed(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    return [
        SettlementCompleted(
            occurred_at=occurred_at,
            **common,
            setl_id=bill.setl_id,
            medins_setl_id=happening.msgid,
            mdtrt_id=visit.mdtrt_id,
            fixmedins_code=visit.fixmedins_code,
            fixmedins_type="2" if visit.fixmedins_type == "2" else "1",
            med_type=visit.med_type,
            insutype=visit.insutype,
            medfee_sumamt_fen=bill.medfee_fen,
            fund_pay_sumamt_fen=bill.fund_fen,
            psn_part_amt_fen=bill.acct_fen + bill.cash_fen,
            acct_pay_fen=bill.acct_fen,
            psn_cash_pay_fen=bill.cash_fen,
            hosp_part_amt_fen=0,
            gend="1" if visit.gend == "1" else "2",
            age=visit.age,
            credit_fen=bill.credit_fen,
            authorization_id=bill.authorization_id,
            fulamt_ownpay_amt_fen=bill.own_fen,
            mdtrtarea_admvs=visit.fixmedins_code[1:7],
            insuplc_admdvs=visit.insuplc_admdvs,
            emergency=visit.med_type == "13",
        )
    ]


def _reversed(happening: Happening, common: dict[str, Any], occurred_at: datetime) -> list[Fact]:
    return [
        SettlementReversed(
            occurred_at=occurred_at,
            **common,
            setl_id=happening.original_setl_id,
            reversal_setl_id=f"{happening.original_setl_id}R",
        )
    ]


_SPELLINGS: dict[str, Callable[[Happening, dict[str, Any], datetime], list[Fact]]] = {
    "2201": _opened,
    "2202": _cancelled,
    "2203": _updated,
    "2403": _updated,
    "2204": _fees,
    "2205": _fee_reversed,
    "2301": _fees,
    "2401": _opened,
    "2402": _closed,
    "2206": _estimated,
    "2303": _estimated,
    "2101": _estimated,
    "2207": _completed,
    "2304": _completed,
    "2102": _completed,
    "2208": _reversed,
    "2305": _reversed,
    "2103": _reversed,
}


def signed_up(person: Person, at_ms: int) -> list[Fact]:
    """What bank and authority say of a person who may pay on credit: status, commitment, level, agreement."""
    number = person.psn_no
    occurred_at = to_datetime(at_ms)
    common: dict[str, Any] = {"psn_no": number, "occurred_at": occurred_at}
    unrated = person.level == "UNRATED"
    return [
        InsuredStatusChanged(event_id=f"ins:{number}", **common, status="normal"),
        CommitmentSigned(
            event_id=f"com:{number}", **common, commitment_no=f"CN{number}", version="2024-1", channel="app"
        ),
        CreditLevelSet(
            event_id=f"lvl:{number}",
            **common,
            level=person.level,
            decided_by=AUTHORITY,
            unrated_reason="no_use" if unrated else None,
        ),
        AgreementSigned(
            event_id=f"agr:{number}",
            **common,
            agreement_no=person.agreement_no,
            bank_code=person.bank_code,
            funding_mode="credit_line" if person.funding_mode == "credit_line" else "card_withhold",
            services=("visit_first", "deposit_free"),
            line_kind="dedicated" if person.funding_mode == "credit_line" else None,
            bank_line_fen=person.bank_line_fen if person.funding_mode == "credit_line" else None,
        ),
    ]
