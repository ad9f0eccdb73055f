"""Stock movements (3501-3507) and transfers on file (2501) of the national interface as facts.

3505 and 3506 name the buyer; he is not asked for: nothing of him goes to the log of institutions. 9601 and 9604 have no
public field list; until a customer shows theirs, face and bed checks come as canonical events only.
"""

from functools import partial
from typing import Any

from connectors.amounts import scaled
from connectors.national_fees import trace_codes
from connectors.national_fields import Fields, Making, Message, head, institution
from connectors.refusals import Refused
from risk.facts import Fact, StockMoved, TransferFiled
from risk.facts.base import COUNT_X10000_MAX, WHOLE_MAX
from risk.facts.stock import Kind, Movement

_MOVEMENTS: dict[str, Movement] = {
    "3501": "counted",
    "3503": "purchased",
    "3504": "purchase_returned",
    "3505": "sold",
    "3506": "sale_returned",
    "3507": "deleted",
}
_KINDS: dict[str, Kind] = {
    "1": "counted",
    "2": "changed",
    "3": "purchased",
    "4": "purchase_returned",
    "5": "sold",
    "6": "sale_returned",
}  # inv_data_type: 盘存, 库存变更, 采购, 采购退货, 销售, 销售退货
_INTO = frozenset({"101", "103", "106", "108"})  # inv_chg_type: 调拨入库, 盘盈, 其他入库, 初始化入库
_OUT_OF = frozenset({"102", "104", "105", "107"})  # 调拨出库, 盘损, 销毁, 其他出库
_TIMES = ("sel_retn_time", "purc_retn_stoin_time", "inv_chg_time", "invdate")
_COUNTS = ("sel_retn_cnt", "purc_retn_cnt", "inv_cnt", "cnt")
_PRICES = ("finl_trns_pric", "pric")
_FLAGS = {"0": False, "1": True}


def stock_moved(message: Message) -> list[Making]:
    """One fact per line; most systems send one line a message."""
    blocks = ("invinfo", "purcinfo", "selinfo", "data", "feedetail")
    lines = message.lines(message.input, *blocks) or message.input.blocks[:1]
    if not lines:
        raise Refused("MISSING_FIELD", "input")
    return [partial(_movement, message, n, Fields(line)) for n, line in enumerate(lines)]


def _movement(message: Message, n: int, line: Fields) -> Fact:
    common: dict[str, Any] = head(message, line, *_TIMES, n=n) | {"psn_no": ""}
    code = institution(message)["fixmedins_code"]
    if not code:
        raise Refused("MISSING_FIELD", "fixmedins_code")
    movement = _changed(line) if message.infno.startswith("3502") else _MOVEMENTS[message.infno[:4]]
    if movement == "deleted":
        batch = line.required("fixmedins_bchno")
        kind = _KINDS.get(line.text("inv_data_type") or "")
        return StockMoved(**common, fixmedins_code=code, movement=movement, fixmedins_bchno=batch, deletes=kind)
    return StockMoved(
        **common,
        fixmedins_code=code,
        movement=movement,
        med_list_codg=line.required("med_list_codg"),
        cnt_x10000=_first_scaled(line, _COUNTS, 4, most=COUNT_X10000_MAX, required=True),
        pric_x1000000=_first_scaled(line, _PRICES, 6),
        fixmedins_bchno=line.text("fixmedins_bchno"),
        rx_flag=flag(line, "rx_flag"),
        trdn_flag=flag(line, "trdn_flag"),
        drug_trac_codg=trace_codes(line.raw("drug_trac_codg")),
    )


def _changed(line: Fields) -> Movement:
    """3502 says by its type whether the item came or went."""
    kind = line.required("inv_chg_type")
    if kind in _INTO:
        return "changed_in"
    if kind in _OUT_OF:
        return "changed_out"
    raise Refused("BAD_VALUE", "inv_chg_type", ", ".join(sorted(_INTO | _OUT_OF)))


def _first_scaled(
    line: Fields, names: tuple[str, ...], places: int, *, most: int = WHOLE_MAX, required: bool = False
) -> int | None:
    """The first of these numbers that is there, times 10**places, exactly. The transaction says which way it went: a
    sign beside it could mean the same or the opposite.
    """
    for name in names:
        value = line.raw(name)
        if value is not None:
            number = scaled(value, places, name, most)
            if number < 0:
                raise Refused("NUMBER_NEGATIVE", name)
            return number
    if required:
        raise Refused("MISSING_FIELD", names[0])
    return None


def flag(line: Fields, name: str) -> bool | None:
    """A national flag: 1 yes, 0 no; absent or another word: not known."""
    return _FLAGS.get(line.text(name) or "")


def transfer_filed(message: Message) -> Fact:
    """2501: the stay elsewhere that follows is expected; who is called, and where he lives, is asked for by nobody."""
    common = head(message, message.input, "refl_date")
    return TransferFiled(
        **common,
        fixmedins_code=institution(message)["fixmedins_code"],
        to_fixmedins_code=message.input.text("reflin_medins_no"),
        valid_from=message.input.instant("begndate") or common["occurred_at"],
        valid_to=message.input.instant("enddate"),
    )
