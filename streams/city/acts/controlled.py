"""Items under control: more masks than one person may buy (P21), and sold outside their special channel (D13)."""

from risk.local_time import MINUTE_MS
from streams.city.happenings import Line, happening
from streams.city.stage import Stage

MASKS, PROTECTIVE_MASKS = "C990101", "C990201"
MASKS_MOST = 10
CHANNEL = ("P430502", "P430503")
MASK_FEN = 210


def masks_to_hoard(stage: Stage) -> None:
    """P21: eleven masks of two brands from two pharmacies within a day; below, ten."""
    first = 6
    rest = MASKS_MOST - first + 1 + stage.excess
    events = [
        _bought(stage, stage.pharmacy(), stage.at(10), f"{MASKS}01", count=first),
        _bought(stage, stage.pharmacy(1), stage.at(16), f"{MASKS}02", count=rest),
    ]
    stage.label("P21", stage.person().psn_no, events)


def masks_for_a_couple(stage: Stage) -> None:
    """Twin of P21: a couple buys twenty masks, ten of them hers."""
    events = [
        _bought(stage, stage.pharmacy(), stage.at(10 + n / 60), MASKS, count=MASKS_MOST, customer=n) for n in range(2)
    ]
    for n, event in enumerate(events):
        stage.innocent("P21", stage.person(n).psn_no, "each of a couple has his own", [event])


def masks_outside_their_channel(stage: Stage) -> None:
    """D13: a pharmacy that was not named sells protective masks."""
    code = next(code for code in map(stage.pharmacy, range(5)) if not code.startswith(CHANNEL))
    stage.label("D13", code, [_bought(stage, code, stage.at(11), PROTECTIVE_MASKS, count=2)])


def masks_for_everybody(stage: Stage) -> None:
    """Twin of D13: ordinary masks at a pharmacy that was not named."""
    code = next(code for code in map(stage.pharmacy, range(5)) if not code.startswith(CHANNEL))
    events = [_bought(stage, code, stage.at(11), MASKS, count=2)]
    stage.innocent("D13", code, "masks that anybody may sell", events)


def _bought(stage: Stage, code: str, at_ms: int, item: str, *, count: int, customer: int = 0) -> str:
    visit = stage.visit(stage.person(customer), "41", code)
    line = Line(f"{visit.mdtrt_id}0001", item, count * 10_000, count * MASK_FEN)
    stage.add(iter([happening(visit, at_ms - MINUTE_MS, "2204", lines=(line,))]))
    return stage.settle(visit, at_ms, count * MASK_FEN, 20)
