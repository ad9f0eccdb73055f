"""Prices of a drug at many institutions, by their own stock messages (W01 of one of them, E01 of all), and what one of
them asked beside what it paid (H07, D07, level 2).
"""

from risk.facts import StockMoved
from risk.facts.stock import Movement
from risk.local_time import to_datetime
from streams.city.stage import Stage, paper

USUAL_FEN, OTHERS = 1_000, 5
APART_FEN, DEARER_FEN = 1_500, 1_300
BUYERS, DEARER_BUYERS = 7, 6
BOXES, RATIOS = 20, {"H07": 150, "D07": 300}
_FEN_X1000000 = 10_000


def dear_counter(stage: Stage) -> None:
    """W01: a pharmacy asks half as much again as five others of the city; below, a fen less."""
    shop = stage.pharmacy(OTHERS)
    for other in range(OTHERS):
        _told(stage, stage.pharmacy(other), "sold", USUAL_FEN, hour=9 + 0.1 * other)
    stage.label("W01", shop, [_told(stage, shop, "sold", APART_FEN + stage.excess, hour=11)])


def sold_by_the_tablet(stage: Stage) -> None:
    """Twin of W01: a box is opened, and a strip of it sold for a twelfth of the box's price."""
    shop = stage.pharmacy(OTHERS)
    for other in range(OTHERS):
        _told(stage, stage.pharmacy(other), "sold", USUAL_FEN, hour=9 + 0.1 * other)
    strip = _told(stage, shop, "sold", USUAL_FEN // 12, hour=11, trdn_flag=True)
    stage.innocent("W01", shop, "sold by the unit", [strip])


def dearer_for_all(stage: Stage) -> None:
    """E01: after three weeks all hospitals but one pay 30 per cent more for a product; below, a fen less."""
    for buyer in range(BUYERS):
        _told(stage, stage.hospital(buyer), "purchased", USUAL_FEN, hour=9 + 0.1 * buyer)
    price_fen = DEARER_FEN + stage.excess
    events = [
        _told(stage, stage.hospital(buyer), "purchased", price_fen, hour=9 + 0.1 * buyer, day=22)
        for buyer in range(DEARER_BUYERS)
    ]
    stage.label("E01", _product(stage), events)


def urgent_order(stage: Stage) -> None:
    """Twin of E01: one hospital pays three times as much for an order by night; the others pay what they did."""
    for day in (0, 22):
        for buyer in range(1, BUYERS):
            _told(stage, stage.hospital(buyer), "purchased", USUAL_FEN, hour=9 + 0.1 * buyer, day=day)
    urgent = _told(stage, stage.hospital(), "purchased", 3 * USUAL_FEN, hour=23, day=22)
    stage.innocent("E01", _product(stage), "one hospital's urgent order", [urgent])
    for level in (1, 2):
        stage.must("W01", stage.hospital(), [urgent], level=level)


def sold_for_more_than_it_cost(stage: Stage) -> None:
    """H07, D07: all that was bought is sold, for more than 1.5 times as much, at a pharmacy three; below, for that."""
    for rule, code in (("H07", stage.hospital()), ("D07", stage.pharmacy())):
        events = _bought_and_sold(stage, code, USUAL_FEN * (RATIOS[rule] + 1 + stage.excess) // 100, BOXES)
        stage.label(rule, code, events, level=2)


def part_of_it_dearly(stage: Stage) -> None:
    """Twin of H07 and D07 in money: some of it is sold for four times as much, and most of it is there."""
    for rule, code in (("H07", stage.hospital()), ("D07", stage.pharmacy())):
        events = _bought_and_sold(stage, code, 4 * USUAL_FEN, BOXES // 4)
        stage.innocent(rule, code, "most of it was not sold", events)


def _bought_and_sold(stage: Stage, code: str, price_fen: int, count: int) -> list[str]:
    """Nothing is there, it is bought and sold; from the third day on no purchase can be late."""
    _told(stage, code, "counted", 0, hour=8, count=0)
    _told(stage, code, "purchased", USUAL_FEN, hour=8, day=1, count=BOXES)
    sold = _told(stage, code, "sold", price_fen, hour=12, day=1, count=count)
    return [sold, _told(stage, code, "purchased", USUAL_FEN, hour=9, day=4, count=0)]


def _product(stage: Stage) -> str:
    """Whose price it is: the drug's, in the prefecture."""
    return f"{stage.drug()}@{stage.hospital()[1:5]}"


def _told(
    stage: Stage,
    code: str,
    movement: Movement,
    price_fen: int,
    *,
    hour: float,
    day: int = 0,
    trdn_flag: bool | None = None,
    count: int = 1,
) -> str:
    """A box of the act's drug, bought or sold at a price."""
    at_ms = stage.at(hour, day)
    event = f"price:{stage.serial}:{code}:{movement}:{at_ms}"
    fact = StockMoved(
        event_id=event,
        occurred_at=to_datetime(at_ms),
        fixmedins_code=code,
        movement=movement,
        med_list_codg=stage.drug(),
        cnt_x10000=count * 10_000,
        pric_x1000000=price_fen * _FEN_X1000000,
        trdn_flag=trdn_flag,
    )
    stage.add(iter([paper(fact, at_ms)]))
    stage.times[event] = at_ms
    return event
