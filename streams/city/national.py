"""Happenings spelled as national messages: request envelope, `input`, and response, one JSON object each.

Field names and formats: domain.md 2.1-2.4. Names and certificate numbers are left out here as they are at every edge.
"""

from collections.abc import Callable
from typing import Any

import orjson

from risk.local_time import to_datetime
from streams.city.happenings import CALLS, Bill, Happening, Visit, diagnosis_of

Content = tuple[dict[str, Any], dict[str, Any]]
"""`input` and `output` of one transaction."""


def line_of(happening: Happening) -> bytes | None:
    """The message of one happening as a line without its newline; None for what the platform does not carry."""
    if happening.fact is not None or happening.infno in CALLS:
        return None
    visit = happening.visit
    at = to_datetime(happening.at_ms)
    given, answered = _SPELLINGS[happening.infno](happening, f"{at:%Y-%m-%d %H:%M:%S}")
    message = {
        "infno": happening.infno,
        "msgid": happening.msgid,
        "mdtrtarea_admvs": visit.fixmedins_code[1:7],
        "insuplc_admdvs": visit.insuplc_admdvs,
        "recer_sys_code": "YBXT",
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "0001",
        "inf_time": f"{at:%Y-%m-%d %H:%M:%S}",
        "fixmedins_code": visit.fixmedins_code,
        "input": given,
        "infcode": "0",
        "inf_refmsgid": f"430500{at:%Y%m%d%H%M%S}{visit.number % 10**10:010d}",
        "respond_time": f"{at:%Y%m%d%H%M%S}250",
        "err_msg": "",
        "output": answered,
    }
    return orjson.dumps(message)


def yuan(amount_fen: int) -> str:
    """Fen as the platform's num(16,2)."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def _registered(happening: Happening, time: str) -> Content:
    visit = happening.visit
    data = {
        "psn_no": visit.psn_no,
        "insutype": visit.insutype,
        "begntime": time,
        "ipt_otp_no": str(visit.number),
        "atddr_no": visit.dr_code,
        "dept_code": visit.dept_code,
    }
    return {"data": data}, {"data": {"mdtrt_id": visit.mdtrt_id, "psn_no": visit.psn_no}}


def _admitted(happening: Happening, time: str) -> Content:
    visit = happening.visit
    info = {
        "psn_no": visit.psn_no,
        "insutype": visit.insutype,
        "begntime": time,
        "med_type": visit.med_type,
        "ipt_no": str(visit.number),
        "atddr_no": visit.dr_code,
        "adm_dept_codg": visit.dept_code,
    }
    diagnosis = _diagnosis(visit, time) | {"maindiag_flag": "1"}
    return {"mdtrtinfo": info, "diseinfo": [diagnosis]}, {"result": {"mdtrt_id": visit.mdtrt_id}}


def _recorded(happening: Happening, time: str) -> Content:
    visit = happening.visit
    info = {"mdtrt_id": visit.mdtrt_id, "psn_no": visit.psn_no, "med_type": visit.med_type, "begntime": time}
    return {"mdtrtinfo": info, "diseinfo": [_diagnosis(visit, time) | {"vali_flag": "1"}]}, {}


def _diagnosis(visit: Visit, time: str) -> dict[str, Any]:
    return {
        "diag_type": "1",
        "diag_srt_no": 1,
        "diag_code": f"{diagnosis_of(visit)}.900",
        "diag_dept": visit.dept_code,
        "dise_dor_no": visit.dr_code,
        "diag_time": time,
    }


def _undone_visit(happening: Happening, time: str) -> Content:
    visit = happening.visit
    return {"data": {"psn_no": visit.psn_no, "mdtrt_id": visit.mdtrt_id, "ipt_otp_no": str(visit.number)}}, {}


def _discharged(happening: Happening, time: str) -> Content:
    visit = happening.visit
    info = {"mdtrt_id": visit.mdtrt_id, "psn_no": visit.psn_no, "endtime": time, "dscg_way": "1"}
    return {"dscginfo": info}, {}


def _fees(happening: Happening, time: str) -> Content:
    visit = happening.visit
    details = [
        {
            "feedetl_sn": line.feedetl_sn,
            "mdtrt_id": visit.mdtrt_id,
            "psn_no": visit.psn_no,
            "fee_ocur_time": time,
            "med_list_codg": line.med_list_codg,
            "det_item_fee_sumamt": yuan(line.amount_fen),
            "cnt": f"{line.cnt_x10000 // 10000}.{line.cnt_x10000 % 10000:04d}",
            "pric": yuan(line.amount_fen * 10_000 // line.cnt_x10000),
            "bilg_dr_codg": visit.dr_code,
        }
        | ({} if line.prd_days is None else {"prd_days": f"{line.prd_days}.00"})
        | ({"drug_trac_codg": list(line.trace_codes)} if line.trace_codes else {})
        | ({"orders_dr_code": line.executed_by} if line.executed_by else {})
        for line in happening.lines
    ]
    limits = [
        {"feedetl_sn": line.feedetl_sn, "pric_uplmt_amt": f"{yuan(line.highest_price_fen)}0000"}
        for line in happening.lines
        if line.highest_price_fen is not None
    ]
    return {"feedetail": details}, {"result": limits}


def _fees_taken_back(happening: Happening, time: str) -> Content:
    visit = happening.visit
    data = [
        {"feedetl_sn": line.feedetl_sn, "mdtrt_id": visit.mdtrt_id, "psn_no": visit.psn_no} for line in happening.lines
    ]
    return {"data": data}, {}


def _amounts(bill: Bill) -> dict[str, str]:
    return {
        "medfee_sumamt": yuan(bill.medfee_fen),
        "fulamt_ownpay_amt": yuan(bill.own_fen),
        "fund_pay_sumamt": yuan(bill.fund_fen),
        "psn_part_amt": yuan(bill.acct_fen + bill.cash_fen),
        "acct_pay": yuan(bill.acct_fen),
        "psn_cash_pay": yuan(bill.cash_fen),
        "hosp_part_amt": "0.00",
    }


def _bill(happening: Happening, time: str) -> Content:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    final = happening.infno in {"2207", "2304", "2102"}
    asked = {
        "psn_no": visit.psn_no,
        "mdtrt_id": visit.mdtrt_id,
        "med_type": visit.med_type,
        "medfee_sumamt": yuan(bill.medfee_fen),
        "insutype": visit.insutype,
    }
    told = {
        "psn_no": visit.psn_no,
        "mdtrt_id": visit.mdtrt_id,
        "med_type": visit.med_type,
        "gend": visit.gend,
        "age": f"{visit.age}.0",
        "insutype": visit.insutype,
        "setl_time": time,
        **_amounts(bill),
    }
    if final:
        told |= {"setl_id": bill.setl_id, "medins_setl_id": happening.msgid}
    return {"drugdata" if visit.med_type == "41" else "data": asked}, {"setlinfo": told}


def _bill_undone(happening: Happening, time: str) -> Content:
    visit, bill = happening.visit, happening.bill
    assert bill is not None
    asked = {"psn_no": visit.psn_no, "mdtrt_id": visit.mdtrt_id, "setl_id": happening.original_setl_id}
    told = {"mdtrt_id": visit.mdtrt_id, "setl_id": f"{happening.original_setl_id}R", "setl_time": time} | _amounts(bill)
    return {"data": asked}, {"setlinfo": told}


_SPELLINGS: dict[str, Callable[[Happening, str], Content]] = {
    "2201": _registered,
    "2202": _undone_visit,
    "2203": _recorded,
    "2403": _recorded,
    "2204": _fees,
    "2205": _fees_taken_back,
    "2301": _fees,
    "2401": _admitted,
    "2402": _discharged,
    "2206": _bill,
    "2303": _bill,
    "2101": _bill,
    "2207": _bill,
    "2304": _bill,
    "2102": _bill,
    "2208": _bill_undone,
    "2305": _bill_undone,
    "2103": _bill_undone,
}
