"""Items that are not for everybody: entered for the wrong patient and settled all the same (M06, P14)."""

from risk.local_time import MINUTE_MS
from streams.city.happenings import Line, Visit, event_id, happening
from streams.city.stage import Stage

OPERATION, CHILDRENS_DRIP, OF_AGE = "003313020010000", "001204000070000", 18


def item_for_somebody_else(stage: Stage) -> None:
    """M06, P14: a woman's operation on a man's bill, a child's drip on an adult's; below, on hers, on a child's."""
    code, doctor = stage.hospital(), stage.doctor()
    if stage.ordinal % 2:
        person, item = stage.person()._replace(age=OF_AGE + stage.excess), CHILDRENS_DRIP
    else:
        person, item = stage.person()._replace(gend="1" if stage.excess >= 0 else "2", age=40), OPERATION
    visit, at_ms = stage.visit(person, "11", code, doctor=doctor), stage.at(14)
    bill = stage.settle(visit, at_ms, 60_000, lines=[_line(visit, item)])
    estimated_ms = at_ms - MINUTE_MS // 2
    estimate = event_id("2206", happening(visit, estimated_ms, "2206").msgid)
    stage.times[estimate] = estimated_ms
    stage.label("M06", doctor, [estimate])
    stage.label("P14", person.psn_no, [bill], level=2)


def slip_of_the_keyboard(stage: Stage) -> None:
    """Twin of M06 and P14: the wrong line is taken back before anybody estimates the bill."""
    code, doctor, person = stage.hospital(), stage.doctor(), stage.person()._replace(gend="1", age=40)
    visit, at_ms = stage.visit(person, "11", code, doctor=doctor), stage.at(14)
    line = _line(visit, OPERATION)
    bill = stage.settle(visit, at_ms, 15_000, lines=[line])
    stage.add(iter([happening(visit, at_ms - 2 * MINUTE_MS, "2205", lines=(line,))]))
    stage.innocent("M06", doctor, "the line was corrected at once", [bill])
    stage.innocent("P14", person.psn_no, "the line was corrected at once", [bill])


def _line(visit: Visit, item: str) -> Line:
    return Line(f"{visit.mdtrt_id}0001", item, 10_000, 15_000)
