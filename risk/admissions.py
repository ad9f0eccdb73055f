"""An admission as bills ask for it: how it began, where its visit is forgotten, and whether it is over.

The visit goes some days after its end; its stay (care.py) waits for the settlement. Both are read here, never changed.
"""

from msgspec.structs import replace

from risk.activity import Activity, Row, Visit, hash64, is_admission
from risk.bills import settles_its_visit
from risk.care import STAYS_MOST, Stay, stay_of, unpacked


def admission_of(activity: Activity, visit: Visit | None, mdtrt_id: str | int, med_type: str) -> Visit | None:
    """The visit of a bill; where it is forgotten, or there by a line alone, with what its stay remembers."""
    if (visit is not None and visit.fixmedins_type) or not activity.care or not is_admission(med_type):
        return visit
    stay = stay_of(unpacked(activity.care), mdtrt_id)
    if stay is None:
        return visit
    return replace(
        visit or Visit("", stay.fixmedins_code, ""),
        fixmedins_type="1",
        med_type=stay.med_type,
        opened_ms=stay.opened_ms,
        diag_group=stay.diag_group,
        emergency=stay.emergency,
    )


def is_open(activity: Activity, stay: Visit | Stay, at_ms: int) -> bool:
    """Had he then neither been discharged nor finally been billed by the hospital he lies in?

    Not every hospital tells of its discharges. A bill that is undone, or one in the middle of a stay, ends nothing. Of
    a stay that nobody ended, and whose visit is forgotten, the bill is forgotten too.
    """
    ends = [end_ms for end_ms in (stay.ended_ms, settled_ms(activity, stay)) if end_ms]
    if not ends:
        return isinstance(stay, Visit) or is_remembered(activity, stay.mdtrt_id)
    return at_ms < min(ends)


def settled_ms(activity: Activity, stay: Visit | Stay) -> int:
    """When its hospital first settled it for good, as far as rows reach back; 0 if no such bill stands."""
    mdtrt = stay.mdtrt_id if isinstance(stay, Stay) else hash64(stay.mdtrt_id)
    return next((row.at_ms for row in activity.rows if _settled_by(row) == (mdtrt, stay.fixmedins_code)), 0)


def is_remembered(activity: Activity, mdtrt: int) -> bool:
    """Is the visit of that number (its hash) still known as an admission? A line that comes years later makes none."""
    return any(visit.admission and hash64(visit.mdtrt_id) == mdtrt for visit in activity.visits)


def without_settled(visits: tuple[Visit, ...], rows: tuple[Row, ...], floor_ms: int) -> tuple[Visit, ...]:
    """The visits without the admissions that nobody ended and whose last final bill is from before `floor_ms`, where
    rows begin; of more than `STAYS_MOST` others that nobody ended, first those go that a bill has settled, then those
    heard of longest ago.

    Not sooner: as long as the row is there the bill can be undone, and he lies there again; and his discharge may still
    be told, for which P11, H01 and H02 wait.
    """
    unended = [visit for visit in visits if visit.admission and not visit.ended_ms]
    if not unended:
        return visits
    newest_ms = {_settled_by(row): row.at_ms for row in rows if settles_its_visit(row)}  # in the order of their time
    billed_ms = {each.mdtrt_id: newest_ms.get((hash64(each.mdtrt_id), each.fixmedins_code)) for each in unended}
    over = {mdtrt_id for mdtrt_id, at_ms in billed_ms.items() if at_ms is not None and at_ms < floor_ms}
    left = [visit for visit in unended if visit.mdtrt_id not in over]
    if len(left) > STAYS_MOST:
        left.sort(key=lambda visit: (billed_ms[visit.mdtrt_id] is None, visit.newest_ms, visit.mdtrt_id))
        over.update(visit.mdtrt_id for visit in left[:-STAYS_MOST])
    return tuple(visit for visit in visits if visit.mdtrt_id not in over) if over else visits


def _settled_by(row: Row) -> tuple[int, str] | None:
    """The visit, and its hospital, that this bill settles for good."""
    return (row.mdtrt, row.fixmedins_code) if settles_its_visit(row) else None
