"""Shelves, by the institution's own stock messages: more sold than there was (H07 at hospitals, D07 at pharmacies), and
billed at a hospital what had not come in (H06).
"""

from risk.facts import StockMoved
from risk.facts.stock import Movement
from risk.local_time import to_datetime
from streams.city.stage import Stage, paper

COUNTED, BOUGHT = 10, 5
BILLED_FEN = 10_001
BILLED_DAY, STOCK_DAYS = 30, (0, 5, 10, 15, 20, 25, 30, 35)


def more_sold_than_there_was(stage: Stage) -> None:
    """H07, D07: ten counted, five bought, sixteen sold; below, fifteen. It shows once no purchase can be late."""
    for number, (rule, code) in enumerate((("H07", stage.hospital()), ("D07", stage.pharmacy()))):
        _told(stage, code, number, "counted", hour=8, count=COUNTED)
        _told(stage, code, number, "purchased", hour=9, count=BOUGHT)
        sold = _told(stage, code, number, "sold", hour=12, count=COUNTED + BOUGHT + 1 + stage.excess)
        after = _told(stage, code, number, "sold", hour=12, count=1, day=3)
        stage.label(rule, code, [sold, after])


def purchase_told_late(stage: Stage) -> None:
    """Twin of H07 and D07: more than the ten counted are sold; that five more had come in time is told a day late."""
    for number, (rule, code) in enumerate((("H07", stage.hospital()), ("D07", stage.pharmacy()))):
        _told(stage, code, number, "counted", hour=8, count=COUNTED)
        sold = _told(stage, code, number, "sold", hour=12, count=COUNTED + 3)
        _told(stage, code, number, "sold", hour=10, count=1, day=1)
        _told(stage, code, number, "purchased", hour=11, count=BOUGHT, told_day=1)
        after = _told(stage, code, number, "sold", hour=12, count=1, day=3)
        stage.innocent(rule, code, "the purchase was told a day late", [sold, after])


def billed_and_never_bought(stage: Stage) -> None:
    """H06: a month of purchases, and a line a cent beyond 100 yuan of a drug that never came in; below, 100."""
    code = stage.hospital()
    *_, after = _month_of_another(stage, code)
    stage.label("H06", code, [_billed(stage, code, BILLED_FEN + stage.excess), after])


def bought_and_told_late(stage: Stage) -> None:
    """Twin of H06: the box was bought that morning, which is told a day later."""
    code = stage.hospital()
    *_, after = _month_of_another(stage, code)
    bill = _billed(stage, code, 30_000)
    _told(stage, code, 0, "purchased", hour=8, count=BOUGHT, day=BILLED_DAY, told_day=BILLED_DAY + 1)
    stage.innocent("H06", code, "the purchase was told a day late", [bill, after])


def _month_of_another(stage: Stage, code: str) -> list[str]:
    """The hospital buys another drug all the while."""
    return [_told(stage, code, 1, "purchased", hour=12, count=1, day=day, drug=1) for day in STOCK_DAYS]


def _billed(stage: Stage, code: str, amount_fen: int) -> str:
    """An outpatient's bill with one line, of the act's drug."""
    visit = stage.visit(stage.person(), "11", code)
    line = stage.line(visit, stage.drug(), amount_fen)
    return stage.settle(visit, stage.at(10, BILLED_DAY), amount_fen, lines=[line])


def _told(stage: Stage, code: str, number: int, movement: Movement, *, hour: int, count: int, **when: int) -> str:
    """A movement on its `day`, told on `told_day`, of the act's drug of that number."""
    at_ms, told_ms = stage.at(hour, when.get("day", 0)), stage.at(hour, when.get("told_day", when.get("day", 0)))
    event = f"stock:{stage.serial}:{number}:{movement}:{at_ms}"
    fact = StockMoved(
        event_id=event,
        occurred_at=to_datetime(at_ms),
        fixmedins_code=code,
        movement=movement,
        med_list_codg=stage.drug(when.get("drug", 0)),
        cnt_x10000=count * 10_000,
    )
    stage.add(iter([paper(fact, told_ms)]))
    stage.times[event] = at_ms
    return event
