"""Boxes and their trace codes at pharmacies, and one doctor's patients at one counter (D05, D06, D08, D09)."""

from msgspec.structs import replace

from risk.facts import FeeAdded, SettlementCompleted
from risk.local_time import MINUTE_MS, to_datetime
from streams.city.canonical import facts_of
from streams.city.happenings import happening
from streams.city.stage import Stage, paper
from streams.city.visits import bill_of
from streams.city.world import mix

PATIENTS_OF_ONE_DOCTOR = 10
UNSIGNED = 5
DEARER_PERCENT = 150


def box_sold_twice(stage: Stage) -> None:
    """D05: a box's code is sold again at another pharmacy three days later; below, another box of the same drug."""
    first, second = stage.pharmacy(), stage.pharmacy(1)
    code = _code(stage, 0)
    _sell(stage, first, stage.at(10), 0, codes=(code,))
    again = code if stage.excess >= 0 else _code(stage, 1)
    stage.label("D05", second, [_sell(stage, second, stage.at(10, 3), 1, codes=(again,))])


def box_returned_and_sold(stage: Stage) -> None:
    """Twin of D05: the customer brings the box back unopened, the sale is undone, and the box is sold once more."""
    shop, code = stage.pharmacy(), _code(stage, 0)
    _sell(stage, shop, stage.at(10), 0, codes=(code,), undone_ms=stage.at(10.5))
    stage.innocent("D05", shop, "returned unopened", [_sell(stage, shop, stage.at(16), 1, codes=(code,))])


def box_without_a_code(stage: Stage) -> None:
    """D06: sold without a trace code, or with one of nineteen digits; below, with one of twenty."""
    shop = stage.pharmacy()
    whole = _code(stage, 0)
    wrong: tuple[str, ...] = () if stage.ordinal % 2 else (whole[:-1],)
    event = _sell(stage, shop, stage.at(11), 0, codes=wrong if stage.excess >= 0 else (whole,))
    stage.label("D06", shop, [event])


def herbs_by_weight(stage: Stage) -> None:
    """Twin of D06: herbs weighed out of a drawer (T…: 中药饮片) have no box and no code."""
    shop = stage.pharmacy()
    event = _sell(stage, shop, stage.at(11), 0, codes=(), drug="T001700001")
    stage.innocent("D06", shop, "herbs have no box", [event])


def absent_pharmacist(stage: Stage) -> None:
    """D09: five prescriptions of a date are sold, and no pharmacist signs; below, four."""
    shop, count = stage.pharmacy(), UNSIGNED + stage.excess
    events = [
        _sell(stage, shop, stage.at(9) + n * 10 * MINUTE_MS, n, medfee_fen=5_500 + n, signed=("RX1", None))
        for n in range(count)
    ]
    stage.label("D09", shop, events, crossing=UNSIGNED - 1)


def pharmacist_signs(stage: Stage) -> None:
    """Twin of D09: of nine prescriptions one lacks its number."""
    shop = stage.pharmacy()
    events = [
        _sell(
            stage,
            shop,
            stage.at(9) + n * 10 * MINUTE_MS,
            n,
            medfee_fen=5_500 + n,
            signed=(f"RX{n}" if n else None, "PH1"),
        )
        for n in range(9)
    ]
    stage.innocent("D09", shop, "one slip", events)


def one_doctors_patients(stage: Stage) -> None:
    """D08: ten patients of one doctor at one pharmacy, at four times the price of other doctors'; below, nine."""
    shop, doctor, count = stage.pharmacy(), stage.doctor(), PATIENTS_OF_ONE_DOCTOR + stage.excess
    for n in range(20):
        others = stage.doctor(1 + n % 4)
        _sell(stage, shop, stage.at(8) + n * 10 * MINUTE_MS, 100 + n % 10, medfee_fen=5_000 + n, doctor=others)
    events = [
        _sell(stage, shop, stage.at(14) + n * 15 * MINUTE_MS, n, medfee_fen=20_000 + n, doctor=doctor)
        for n in range(count)
    ]
    stage.label("D08", shop, events, crossing=PATIENTS_OF_ONE_DOCTOR - 1)


def pharmacy_beside_the_clinic(stage: Stage) -> None:
    """Twin of D08: half the patients come from the clinic next door, at the prices everybody pays."""
    shop = stage.pharmacy()
    events = [
        _sell(stage, shop, stage.at(8) + n * 12 * MINUTE_MS, n % 20, medfee_fen=5_000 + n, doctor=stage.doctor(n % 2))
        for n in range(40)
    ]
    stage.innocent("D08", shop, "the pharmacy beside the clinic", events)


def _code(stage: Stage, box: int) -> str:
    return f"83{mix(stage.serial * 97 + box + stage.world.plan.seed * 1_000_003) % 10**18:018d}"


def _sell(
    stage: Stage,
    shop: str,
    at_ms: int,
    customer: int = 0,
    *,
    codes: tuple[str, ...] | None = None,
    medfee_fen: int = 6_000,
    doctor: str = "",
    drug: str = "",
    signed: tuple[str | None, str | None] | None = None,
    undone_ms: int = 0,
) -> str:
    """One box over the counter: its line and its bill, as canonical facts. `signed`: prescription and pharmacist."""
    visit = stage.visit(stage.person(customer), "41", shop)
    made = happening(visit, at_ms, "2102", bill=bill_of(visit, 1, medfee_fen, 20))
    settled = facts_of(made)[0]
    assert isinstance(settled, SettlementCompleted)
    line = FeeAdded(
        event_id=f"{settled.event_id[:-1]}1",
        occurred_at=to_datetime(at_ms - 30_000),
        psn_no=visit.psn_no,
        mdtrt_id=visit.mdtrt_id,
        feedetl_sn=f"{visit.mdtrt_id}0001",
        fixmedins_code=shop,
        med_list_codg=drug or stage.drug(),
        cnt_x10000=10_000,
        amount_fen=medfee_fen,
        prd_days=5,
        rx_flag=signed is not None or None,
        rxno=signed and signed[0],
        phar_code=signed and signed[1],
        drug_trac_codg=codes or None if codes is not None else (_code(stage, visit.number % 10_000),),
    )
    facts = ((line, at_ms - 30_000), (replace(settled, dr_code=doctor or None), at_ms))
    stage.add(paper(fact, fact_ms) for fact, fact_ms in facts)
    stage.times[settled.event_id] = at_ms
    if undone_ms:
        stage.undo(visit, undone_ms, medfee_fen, 20)
    return settled.event_id
