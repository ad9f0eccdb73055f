"""An admission as bills ask for it: how it began, where its visit is forgotten, and whether it is over.

The visit goes some days after its end; its stay (care.py) waits for the settlement. Both are read here, never changed.
"""

from msgspec.structs import replace

from risk.activity import Activity, Visit, is_admission
from risk.care import stay_of, unpacked


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
