"""Shelves: more sold than there was, by the institution's own stock messages (H07 at hospitals, D07 at pharmacies)."""

from risk.facts import StockMoved
from risk.facts.stock import Movement
from risk.local_time import to_datetime
from streams.city.stage import Stage, paper

COUNTED, BOUGHT = 10, 5


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


def _told(stage: Stage, code: str, number: int, movement: Movement, *, hour: int, count: int, **days: int) -> str:
    """A movement of the act's drug on its `day`, told on `told_day`."""
    at_ms, told_ms = stage.at(hour, days.get("day", 0)), stage.at(hour, days.get("told_day", days.get("day", 0)))
    event = f"stock:{stage.serial}:{number}:{movement}:{at_ms}"
    fact = StockMoved(
        event_id=event,
        occurred_at=to_datetime(at_ms),
        fixmedins_code=code,
        movement=movement,
        med_list_codg=stage.drug(),
        cnt_x10000=count * 10_000,
    )
    stage.add(iter([paper(fact, told_ms)]))
    stage.times[event] = at_ms
    return event
