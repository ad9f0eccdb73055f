"""H01: a bed in which nothing was done (挂床). A stay's fee lines and bed checks, by day, and the days without any.

Judged once both are known: that the patient was discharged, and that the stay was settled, for lines may be uploaded
until then. Whole local days between the day of admission and the day of discharge count, and none up to the newest of
which something was told of this visit, or a bed check, before the admission was: they had no stay yet to stand on. What
is told of him elsewhere hides no day. A line taken back is no care; of several institutions none is accused under a
placeholder. The alert is about the institution.
"""

from functools import lru_cache
from struct import Struct

from msgspec.structs import replace

from risk.activity import Activity, hash32
from risk.bills import is_interim, settles_its_visit
from risk.care import Above, Care, Stay, packed, stay_of, unpacked, with_stay
from risk.facts import BedChecked, Fact, FeeAdded, FeeReversed, SettlementCompleted
from risk.heard import Heard, alert_of, exclusions_of, is_nobody, rules_of
from risk.local_time import DAY_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_measures import MeasuredRule
from risk.terms import Clause, Terms

SERVED = Struct(">qIIQ")  # at ms, feedetl_sn, chrg_bchno (hashes), what was not taken back; 0: a bed check


@lru_cache(maxsize=64)
def idle_rules(terms: Terms) -> tuple[tuple[str, Clause], ...]:
    """The rules of a day that look at a stay's idle days."""
    return tuple(each for each in rules_of(terms, "admission") if each[1].value.measure.kind == "idle_days")


def served(care: Care, fact: FeeAdded, moment: Moment) -> Care:
    """The care with one line more on its stay, which is remembered longer than its visit."""
    stay = stay_of(care, fact.mdtrt_id)
    if stay is None or not idle_rules(moment.terms):
        return care
    batch = hash32(fact.chrg_bchno) if fact.chrg_bchno else 0
    row = SERVED.pack(moment.occurred_ms, hash32(fact.feedetl_sn), batch, max(1, fact.cnt_x10000))
    return with_stay(care, replace(stay, served=stay.served + row))


def bed_checked(activity: Activity, fact: BedChecked, moment: Moment) -> Activity:
    """The activity in which the patient was found in his bed that day; not found is no care."""
    care = unpacked(activity.care)
    stay = stay_of(care, fact.mdtrt_id)
    if fact.result != "present" or not idle_rules(moment.terms):
        return activity
    if stay is None:
        return replace(activity, care=packed(replace(care, found_ms=max(care.found_ms, moment.occurred_ms))))
    row = SERVED.pack(moment.occurred_ms, 0, 0, 0)
    return replace(activity, care=packed(with_stay(care, replace(stay, served=stay.served + row))))


def unserved(care: Care, fact: FeeReversed, settled_ms: int) -> Care:
    """The care without the lines that were taken back, as care.py's `without_lines` names them."""
    stay = stay_of(care, fact.mdtrt_id)
    if stay is None or not stay.served:
        return care
    key, batch = hash32(fact.feedetl_sn or ""), hash32(fact.chrg_bchno or "")
    kept = bytearray()
    for at_ms, line, message, left in SERVED.iter_unpack(stay.served):
        named = line == key if fact.feedetl_sn else message == batch if fact.chrg_bchno else at_ms > settled_ms
        if named and left:
            part = fact.cnt_x10000 if fact.feedetl_sn else None
            left = max(0, left - part) if part is not None else 0
            if not left:
                continue
        kept += SERVED.pack(at_ms, line, message, left)
    return with_stay(care, replace(stay, served=bytes(kept)))


def idle_days(stay: Stay) -> int:
    """Whole local days between admission and discharge without a line or a check."""
    first, last = local_day(_since_ms(stay)) + 1, local_day(stay.ended_ms) - 1
    days = {local_day(at_ms) for at_ms, *_ in SERVED.iter_unpack(stay.served)}
    return max(0, last - first + 1) - len({day for day in days if first <= day <= last})


def _since_ms(stay: Stay) -> int:
    """From when on all that was done is known: some are admitted by a later record, some registrations are late."""
    return max(stay.opened_ms, stay.known_ms)


def stay_settled(activity: Activity, fact: SettlementCompleted, moment: Moment) -> tuple[Activity, list[Output]]:
    """A settlement of a stay that has ended already."""
    rules = idle_rules(moment.terms) if activity.care and not is_interim(fact) else ()
    if not any(each.value.admits_treatment(fact.med_type) for _, each in rules):
        return activity, []
    care = unpacked(activity.care)
    after, said = idle_judged(care, stay_of(care, fact.mdtrt_id), fact, moment)
    return (replace(activity, care=packed(after)) if said else activity), said


def is_settled(activity: Activity, mdtrt: int) -> bool:
    """Is a bill of this visit (the hash of its number) counted that is no interim one, as far as rows reach back?"""
    return any(row.mdtrt == mdtrt and settles_its_visit(row) for row in activity.rows)


def idle_judged(care: Care, stay: Stay | None, fact: Fact, moment: Moment) -> tuple[Care, list[Output]]:
    """H01 of a stay that is discharged and settled; it speaks once of a stay."""
    said: list[Output] = []
    if stay is None or stay.cancelled or not stay.ended_ms or is_nobody(stay.fixmedins_code, moment.terms):
        return care, said
    for name, clause in idle_rules(moment.terms):
        rule: MeasuredRule = clause.value
        excluded = any(each in rule.exclusions for each in exclusions_of(moment.terms, stay))
        long_enough = stay.ended_ms - _since_ms(stay) >= rule.stay_days * DAY_MS
        level, observed = rule.levels[0], idle_days(stay)
        if name in stay.told or excluded or not long_enough or not rule.admits_treatment(stay.med_type):
            continue
        if observed >= level.theta:
            above = Above(name, level.level, 0, 0, moment.event_id, 0, level.theta)
            heard = Heard(name, clause, fact, moment)
            said.append(alert_of(heard, above, observed, (stay.event_id,), place=stay.fixmedins_code))
            stay = replace(stay, told=(*stay.told, name))
    return (with_stay(care, stay) if said else care), said
