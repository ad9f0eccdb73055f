"""What moves in and out of an institution's stock (3501-3507). It names no person: a sale's buyer stays in the HIS."""

from typing import Annotated, Literal

from msgspec import Meta

from risk.facts.base import CountX10000, Instant, InstitutionFact, Whole

Movement = Literal[
    "counted", "changed_in", "changed_out", "purchased", "purchase_returned", "sold", "sale_returned", "deleted"
]
"""3501 盘存, 3502 库存变更 (in, out), 3503 采购, 3504 采购退货, 3505 销售, 3506 销售退货, 3507 删除."""
Kind = Literal["counted", "changed", "purchased", "purchase_returned", "sold", "sale_returned"]
"""What a 3507 takes back (inv_data_type 1-6)."""


class StockMoved(InstitutionFact, frozen=True, kw_only=True, tag="stock.moved"):
    """One item moved. `pric_x1000000`: the price as sent, num(16,6), in millionths of a yuan: an amount would round.

    `deleted` takes back what was sent under the batch `fixmedins_bchno`, of the kind `deletes` or of any; every other
    movement names item and count.
    """

    movement: Movement
    fixmedins_code: Annotated[str, Meta(min_length=1)]
    med_list_codg: str | None = None
    cnt_x10000: CountX10000 | None = None
    pric_x1000000: Whole | None = None
    fixmedins_bchno: str | None = None
    rx_flag: bool | None = None
    trdn_flag: bool | None = None
    drug_trac_codg: tuple[str, ...] | None = None
    deletes: Kind | None = None


class StockUndone(InstitutionFact, frozen=True, kw_only=True, tag="stock.undone"):
    """A movement that was deleted, named in full: what a 3507 means once its batch was found. `moved_at`: its time."""

    movement: Movement
    med_list_codg: str
    cnt_x10000: CountX10000
    moved_at: Instant
    trdn_flag: bool | None = None


class CodeMoved(InstitutionFact, frozen=True, kw_only=True, tag="code.moved"):
    """One box, by its trace code (追溯码), was sold or came back: what a `stock.moved` says, on the code's own shard.

    `event_id` is that of the movement: both say the same thing, each to its own shard.
    """

    movement: Literal["sold", "sale_returned"]
    drug_trac_codg: str


def price_shard_key(med_list_codg: str) -> str:
    """All institutions' prices of an item stand together."""
    return f"price:{med_list_codg}"


class PriceTold(InstitutionFact, frozen=True, kw_only=True, tag="price.told"):
    """What an institution last paid or asked for an item, on the item's own shard. `moved_at`: the movement's time; no
    price: the movement was deleted, and `event_id` is then the deletion's.
    """

    med_list_codg: str
    movement: Literal["purchased", "sold"]
    moved_at: Instant
    pric_x1000000: Whole | None = None

    @property
    def shard_key(self) -> str:
        """The item's, not the institution's."""
        return price_shard_key(self.med_list_codg)


def codes_moved(fact: StockMoved) -> list[CodeMoved]:
    """The boxes of a movement that stand for themselves; of one opened and sold by the unit (拆零) the code repeats."""
    if fact.movement not in ("sold", "sale_returned") or fact.trdn_flag:
        return []
    return [
        CodeMoved(
            event_id=fact.event_id,
            occurred_at=fact.occurred_at,
            source=fact.source,
            fixmedins_code=fact.fixmedins_code,
            movement="sold" if fact.movement == "sold" else "sale_returned",
            drug_trac_codg=code,
        )
        for code in dict.fromkeys(fact.drug_trac_codg or ())
    ]
