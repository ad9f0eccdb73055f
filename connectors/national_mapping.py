"""What each transaction of the national interface means as facts (contract.md, National messages)."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from connectors.amounts import canonical_shares
from connectors.national_fees import fees_added, fees_reversed, fees_sold, fees_unsold
from connectors.national_fields import Fields, Making, Message, head, institution
from connectors.national_stock import stock_moved, transfer_filed
from connectors.refusals import Refused
from risk.facts import (
    Fact,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReinstated,
    SettlementReversed,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitReopened,
    VisitUpdated,
)
from risk.facts.base import AGE_MOST

_EMERGENCY_TYPES = ("13", "24")  # 急诊, 急诊转住院
_PHARMACY_TYPE = "41"  # 定点药店购药: what 210x is when the message does not say
_IN_A_BED = ("2", "52")  # 住院, 生育住院: an admission, which only a discharge ends


def _place(message: Message) -> dict[str, Any]:
    everywhere = Fields(*message.envelope.blocks, *message.both.blocks)
    return {name: everywhere.text(name) for name in ("mdtrtarea_admvs", "insuplc_admdvs")}


def _is_emergency(med_type: str | None) -> bool:
    return med_type is not None and med_type.startswith(_EMERGENCY_TYPES)


def _illness(message: Message) -> str | None:
    """The group of the main diagnosis, which is enough for a rule: the disease is nobody's business. It is the row of
    `diseinfo` that is flagged, else the first, of those that are valid; where there is none, what the visit itself
    names.
    """
    told = message.lines(message.input, "diseinfo")
    valid = [each for each in told if Fields(each).raw("vali_flag") not in ("0", 0)]
    main = [each for each in valid if Fields(each).raw("maindiag_flag") in ("1", 1)] or valid
    visit = [block for block in message.both.blocks if block not in told]
    code = Fields(*main[:1], *visit).text("diag_code")
    return code and code[:3]


def _visit_opened(message: Message) -> Fact:
    med_type = message.both.text("med_type")
    illness = None
    with suppress(Refused):  # an admission is one, however its diagnosis is spelled
        illness = _illness(message)
    return VisitOpened(
        **head(message, message.input, "begntime"),
        **institution(message),
        **_place(message),
        mdtrt_id=message.answered.required("mdtrt_id"),
        med_type=med_type,
        insutype=message.both.text("insutype"),
        dr_code=message.both.text_as_sent("dr_code"),
        dept_code=message.both.text("dept_code"),
        emergency=_is_emergency(med_type),
        diag_group=illness,
    )


def _visit_sold(message: Message, n: int) -> Fact:
    """The visit of a bill that carries its lines, which nobody registers: a rule asks a line for its visit's kind. The
    doctor is each line's own; a mistyped kind puts nobody in bed at a pharmacy.
    """
    med_type = _kind_settled(message)
    return VisitOpened(
        **head(message, message.output, "setl_time", n=n),
        **institution(message),
        **_place(message),
        mdtrt_id=message.answered.required("mdtrt_id"),
        med_type=None if med_type.startswith(_IN_A_BED) else med_type,
        insutype=message.answered.text("insutype"),
        emergency=_is_emergency(med_type),
    )


def _visit_updated(message: Message) -> Fact:
    return VisitUpdated(
        **head(message, message.input, "begntime"),
        mdtrt_id=message.both.required("mdtrt_id"),
        med_type=message.both.text("med_type"),
        diag_group=_illness(message),
        dr_code=message.both.text_as_sent("dr_code"),
        dept_code=message.both.text("dept_code"),
    )


def _visit_ended(kind: type[VisitClosed] | type[VisitCancelled] | type[VisitReopened]) -> Callable[[Message], Fact]:
    def make(message: Message) -> Fact:
        times = ("endtime",) if kind is VisitClosed else ()
        return kind(
            **head(message, message.input, *times),
            mdtrt_id=message.both.required("mdtrt_id"),
            dscg_way=message.input.text("dscg_way") if kind is VisitClosed else None,
        )

    return make


def _whom(message: Message) -> dict[str, Any]:
    """Sex and age as the platform states them beside a bill; what it does not know, or nobody could be, is left out."""
    answer = message.answered
    known: dict[str, Any] = {}
    with suppress(Refused):
        known["gend"] = gend if (gend := answer.text("gend")) in ("1", "2") else None
    with suppress(Refused):
        tenths = answer.scaled("age", 1)
        known["age"] = tenths // 10 if tenths is not None and tenths // 10 <= AGE_MOST else None
    return known


def _amounts(message: Message) -> dict[str, int | None]:
    """The bill as the canonical identities have it."""
    answer = message.answered
    hosp_fen = answer.fen("hosp_part_amt")
    shares = canonical_shares(
        message.profile,
        psn_part_fen=answer.fen_required("psn_part_amt"),
        acct_fen=answer.fen("acct_pay") or 0,  # some provinces leave a zero out; the identities tell if it was none
        mulaid_fen=answer.fen("acct_mulaid_pay") or 0,
        hosp_fen=hosp_fen or 0,
    )
    return {
        "medfee_sumamt_fen": answer.fen_required("medfee_sumamt"),
        "fund_pay_sumamt_fen": answer.fen_required("fund_pay_sumamt"),
        "psn_part_amt_fen": shares.psn_part_fen,
        "acct_pay_fen": shares.acct_fen,
        "psn_cash_pay_fen": answer.fen_required("psn_cash_pay"),
        "hosp_part_amt_fen": hosp_fen,
    }


def _estimated(message: Message) -> Fact:
    amounts: dict[str, Any] = _amounts(message)
    return SettlementEstimated(
        **head(message, message.output, "setl_time"),
        **amounts,
        **_whom(message),
        mdtrt_id=message.answered.required("mdtrt_id"),
        fixmedins_code=institution(message)["fixmedins_code"],
    )


def _kind_settled(message: Message) -> str:
    """The kind of treatment; an empty one is filled from the visit by the lane."""
    return message.answered.text("med_type") or (_PHARMACY_TYPE if message.infno.startswith("210") else "")


def _settled(message: Message) -> Fact:
    answer = message.answered
    amounts: dict[str, Any] = _amounts(message)
    med_type = _kind_settled(message)
    return SettlementCompleted(
        **head(message, message.output, "setl_time"),
        **institution(message),
        **amounts,
        **_place(message),
        **_whom(message),
        setl_id=message.output.required("setl_id"),
        mdtrt_id=answer.required("mdtrt_id"),
        med_type=med_type,
        medins_setl_id=answer.text("medins_setl_id") or message.msgid,
        insutype=answer.text("insutype"),
        dr_code=answer.text_as_sent("dr_code"),
        hifp_pay_fen=answer.fen("hifp_pay"),
        fulamt_ownpay_amt_fen=answer.fen("fulamt_ownpay_amt"),
        mid_setl_flag=answer.text("mid_setl_flag"),
        chrg_bchno=answer.text("chrg_bchno"),
        emergency=_is_emergency(med_type),
    )


def _settlement_reversed(message: Message) -> Fact:
    original = message.input.required("setl_id")
    undone = message.output.text("setl_id")  # the reversal is a settlement of its own, with its own id
    return SettlementReversed(
        **head(message, message.output, "setl_time"),
        setl_id=original,
        reversal_setl_id=undone if undone != original else None,
    )


def _undone(message: Message) -> Fact:
    """2601 undoes a transaction whose outcome its sender does not know: by that transaction's message id."""
    common = head(message, message.input)
    original = message.input.required("omsgid")
    undone = (message.input.text("oinfno") or "")[:4]
    if undone in ("2103", "2208", "2305"):
        return SettlementReinstated(**common, original_msgid=original)
    if undone in ("2201", "2401"):
        return VisitCancelled(**common, original_msgid=original)
    if undone == "2402":
        return VisitReopened(**common, original_msgid=original)
    # The public lists of what 2601 may undo differ and misprint each other: the message id decides, not oinfno.
    return SettlementReversed(**common, medins_setl_id=original)


def _sold(message: Message) -> list[Making]:
    """The bill is number 0, its lines follow from 1, and what opens their visit has the number after the last."""
    lines = fees_sold(message)
    opened = [partial(_visit_sold, message, len(lines) + 1)] if lines else []
    return [partial(_settled, message), *lines, *opened]


def _unsold(message: Message) -> list[Making]:
    return [partial(_settlement_reversed, message), *fees_unsold(message)]


def _one(make: Callable[[Message], Fact]) -> Callable[[Message], list[Making]]:
    return lambda message: [partial(make, message)]


HANDLERS: dict[str, Callable[[Message], list[Making]]] = {
    "2201": _one(_visit_opened),
    "2401": _one(_visit_opened),
    "2203": _one(_visit_updated),
    "2403": _one(
        _visit_updated
    ),  # the same of an admission (入院信息变更): whose diagnosis is known when he lies there
    "2402": _one(_visit_ended(VisitClosed)),
    "2405": _one(_visit_ended(VisitReopened)),
    "2202": _one(_visit_ended(VisitCancelled)),
    "2404": _one(_visit_ended(VisitCancelled)),
    "2204": fees_added,
    "2301": fees_added,
    "2205": fees_reversed,
    "2302": fees_reversed,
    "2206": _one(_estimated),
    "2303": _one(_estimated),
    "2101": _one(_estimated),
    "2207": _one(_settled),
    "2304": _one(_settled),
    "2102": _sold,
    "2208": _one(_settlement_reversed),
    "2305": _one(_settlement_reversed),
    "2103": _unsold,
    "2601": _one(_undone),
    "2501": _one(transfer_filed),
    "3501": stock_moved,
    "3502": stock_moved,
    "3503": stock_moved,
    "3504": stock_moved,
    "3505": stock_moved,
    "3506": stock_moved,
    "3507": stock_moved,
}
"""Transaction → the facts it makes, each made on its own: one bad fee line does not cost the others."""

_TELL_NOTHING = (
    ((1101, 1101), (1201, 1201), (1301, 1327), (1901, 1901), (2001, 2001)),  # persons, institutions, catalogues
    ((2161, 2181), (2406, 2407), (2502, 2507)),  # buying elsewhere, marks of a stay, filings
    ((3101, 3103), (3201, 3209), (3301, 3302), (3401, 3403), (3508, 3513), (3592, 3592)),  # checks, accounts, stores
    ((3601, 3611), (3701, 3704)),  # grouped payment, appeals
    ((4101, 4105), (4201, 4209), (4301, 4302), (4401, 4402), (4501, 4512), (4601, 4602), (4701, 4701), (4901, 4905)),
    ((5101, 5102), (5201, 5206), (5301, 5304), (5401, 5402), (5461, 5461), (5501, 5501)),  # queries
    ((6101, 6101), (6201, 6204), (6301, 6302), (6401, 6401), (7101, 7109), (7201, 7211)),  # payments and recipes online
    ((9001, 9002), (9101, 9102), (9601, 9605), (100001, 100001)),  # signing in, files, faces, policy items
    # What provinces added, as far as public systems send it.
    ((1602, 1603), (2562, 2563), (2579, 2579), (2699, 2699), (3260, 3262), (3660, 3661), (3691, 3698)),
    ((4261, 4263), (5260, 5270), (5364, 5364), (5368, 5369), (8101, 8102), (8201, 8202), (8501, 8510), (9162, 9162)),
    ((13203, 13203),),
)
NOTHING_TO_RECORD = frozenset(
    str(number) for row in _TELL_NOTHING for first, last in row for number in range(first, last + 1)
)
"""The other numbers of the interface (domain.md 2.2), which make no fact; what is not among them is no number of it."""
