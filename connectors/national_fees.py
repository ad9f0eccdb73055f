"""Fee lines of the national interface: one fact for each line sent or taken back (2204, 2301, 2205, 2302).

A pharmacy's lines may stand inside its bill (2102 `drugdetail`). The bill's id is their batch, so that its undoing
(2103), which is all that can, takes back these lines and none that came as 2204: those are billed anew. An undoing
that comes before its bill waits for both. 2601 names no visit: of a 2102 that it undoes the lines that came before it
stay, and those of a 2103 that it undoes stay away.
"""

from contextlib import suppress
from functools import partial
from typing import Any

from connectors.national_fields import Fields, Making, Message, head, institution
from connectors.refusals import Refused
from risk.facts import Fact, FeeAdded, FeeReversed
from risk.facts.base import COUNT_X10000_MAX, FEN_MAX

_FLAGS = {"0": False, "1": True}
_EVERY_LINE = "0000"  # 2205, 2302: "all that is not settled yet"


def fees_added(message: Message) -> list[Making]:
    """One fact per line of `feedetail`; what the platform computed for a line is found by its serial number."""
    sent = message.lines(message.input, "feedetail", "fee_detail", "data")
    if not sent:
        raise Refused("MISSING_FIELD", "feedetail")
    computed = _computed(message, "result", "feedetail", "data")
    beside = message.input.blocks[:1]  # mdtrt_id stands beside the list in some systems
    return [partial(_fee_line, message, n, Fields(line, *beside), computed) for n, line in enumerate(sent)]


def fees_sold(message: Message) -> list[Making]:
    """One fact per line of a pharmacy's bill, numbered from 1: the bill itself is 0. The platform names the visit.

    The lines of an estimate (2101) are none: what is sold says them again, and what is not was never sold.
    """
    computed = _computed(message, "detlcutinfo", "result")
    batch = {"chrg_bchno": message.output.raw("setl_id")}
    visit = {"mdtrt_id": message.answered.raw("mdtrt_id"), "fee_ocur_time": message.output.raw("setl_time")}
    sold = message.lines(message.input, "drugdetail")
    return [partial(_fee_line, message, n, Fields(batch, line, visit), computed) for n, line in enumerate(sold, 1)]


def fees_unsold(message: Message) -> list[Making]:
    """The lines that stood in the bill; an undoing that names no visit takes none back."""
    if message.both.raw("mdtrt_id") is None:
        return []
    return [partial(_unsold, message)]


def _unsold(message: Message) -> Fact:
    common = head(message, message.output, "setl_time", n=1)
    return FeeReversed(
        **common, mdtrt_id=message.both.required("mdtrt_id"), chrg_bchno=message.input.required("setl_id")
    )


def _computed(message: Message, *names: str) -> dict[str | None, dict[str, Any]]:
    """What the platform answered of each line, by its serial number; one that is none is nobody's."""
    found: dict[str | None, dict[str, Any]] = {}
    for line in message.lines(message.output, *names):
        with suppress(Refused):
            found[Fields(line).text("feedetl_sn")] = line
    return found


def _fee_line(message: Message, n: int, line: Fields, computed: dict[str | None, dict[str, Any]]) -> Fact:
    common = head(message, line, "fee_ocur_time", n=n)
    serial = line.required("feedetl_sn")
    count = line.scaled("cnt", 4, signed=True, most=COUNT_X10000_MAX)
    amount_fen = line.scaled("det_item_fee_sumamt", 2, signed=True, most=FEN_MAX)
    if count is None or amount_fen is None:
        raise Refused("MISSING_FIELD", "cnt" if count is None else "det_item_fee_sumamt")
    original = line.text("init_feedetl_sn")
    if count < 0 or original is not None:
        return FeeReversed(
            **common,
            mdtrt_id=line.required("mdtrt_id"),
            feedetl_sn=original or serial,
            return_feedetl_sn=serial if original is not None else None,
            cnt_x10000=abs(count),
            amount_fen=abs(amount_fen),
        )
    if amount_fen < 0:
        raise Refused("NUMBER_NEGATIVE", "det_item_fee_sumamt")
    answer = Fields(computed.get(serial, {}), *line.blocks)
    return FeeAdded(
        **common,
        mdtrt_id=line.required("mdtrt_id"),
        feedetl_sn=serial,
        fixmedins_code=institution(message)["fixmedins_code"],
        med_list_codg=line.required("med_list_codg"),
        cnt_x10000=count,
        amount_fen=amount_fen,
        ownpay_fen=answer.fen("fulamt_ownpay_amt"),
        selfpay_prop_x10000=answer.scaled("selfpay_prop", 4),
        chrg_bchno=line.text("chrg_bchno"),
        prd_days=line.scaled("prd_days", 0),
        dr_code=line.text_as_sent("dr_code"),
        drug_trac_codg=trace_codes(line.raw("drug_trac_codg")),
        pric_uplmt_fen=_price_limit(answer),
        rxno=line.text("rxno"),
        rx_flag=_FLAGS.get(line.text("rx_flag") or ""),
        phar_code=line.text("phar_code"),
        trdn_flag=_FLAGS.get(line.text("trdn_flag") or ""),
        orders_dr_code=line.text("orders_dr_code"),
    )


def trace_codes(value: object) -> tuple[str, ...] | None:
    """追溯码: a list of codes or of objects that hold one, or one text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return None
    plain = (each.get("drug_trac_codg") if isinstance(each, dict) else each for each in value)
    found = (Fields({"drug_trac_codg": each}).text("drug_trac_codg") for each in plain)
    return tuple(code for code in found if code is not None) or None


def _price_limit(answer: Fields) -> int | None:
    """pric_uplmt_amt, which has six decimals, in fen: a part of one counts as a whole, so that nobody is told who kept
    to it. One that is no number is left out: it is not worth losing the line.
    """
    try:
        limit = answer.scaled("pric_uplmt_amt", 6, most=FEN_MAX * 10_000)
    except Refused:
        return None
    return None if limit is None else -(-limit // 10_000)


def fees_reversed(message: Message) -> list[Making]:
    """One fact per line, batch, or visit taken back."""
    named = message.lines(message.input, "data", "feedetail") or message.input.blocks[:1]
    return [partial(_fee_reversal, message, n, Fields(line)) for n, line in enumerate(named)]


def _fee_reversal(message: Message, n: int, line: Fields) -> Fact:
    common = head(message, line, n=n)
    serial, batch = line.text("feedetl_sn"), line.text("chrg_bchno")
    mdtrt_id = line.text("mdtrt_id") or message.both.required("mdtrt_id")
    if _EVERY_LINE in (serial, batch):
        return FeeReversed(**common, mdtrt_id=mdtrt_id, all_unsettled=True)
    if serial is None and batch is None:
        raise Refused("EXACTLY_ONE_OF", None, "feedetl_sn, chrg_bchno")
    return FeeReversed(**common, mdtrt_id=mdtrt_id, feedetl_sn=serial, chrg_bchno=None if serial else batch)
