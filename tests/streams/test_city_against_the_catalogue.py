"""The planted city held to domain.md 4 by naive readings of it, whether or not the engine has the rule yet.

A reading is a few lines over all facts, slow and plain. What is planted it must find; what is one step below, or
innocent, it must not; and of the honest background it may find next to nothing, or a rule's precision means nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations, pairwise
from types import SimpleNamespace

import pytest

from risk.facts import (
    Fact,
    FeeAdded,
    InsuredStatusChanged,
    SettlementCompleted,
    SettlementReversed,
    VisitClosed,
    VisitOpened,
    VisitUpdated,
)
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, local_day, to_date, to_datetime, to_ms
from streams.city.plan import CityPlan
from streams.city.stream import expectations, facts

PLAN = CityPlan(people=6_000, institutions=40, first_day=20_537, days=45, seed=11, plants=3, signed_percent=0)
EXCLUDED = ("N18", "Z51", "C34", "S06")  # dialysis, chemotherapy, cancer, injury: domain.md 4, common exclusions


@cache
def city() -> SimpleNamespace:
    """Facts once each, by kind; visits with diagnosis, bed and doctor; settlements counted once and not undone."""
    once: dict[str, Fact] = {fact.event_id: fact for fact in facts(PLAN)}
    told = sorted(once.values(), key=lambda fact: fact.occurred_at)
    of = defaultdict(list)
    for fact in told:
        of[type(fact)].append(fact)
    undone = {fact.setl_id for fact in of[SettlementReversed]}
    settled = [fact for fact in of[SettlementCompleted] if fact.setl_id not in undone]
    ends = {fact.mdtrt_id: to_ms(fact.occurred_at) for fact in of[VisitClosed]}
    beds = defaultdict(list)
    for fact in of[VisitOpened]:
        if fact.med_type == "21":
            beds[fact.psn_no].append((to_ms(fact.occurred_at), ends.get(fact.mdtrt_id, 2**60), fact))
    return SimpleNamespace(
        settled=settled,
        fees=of[FeeAdded],
        beds=beds,
        statuses=of[InsuredStatusChanged],
        diag={fact.mdtrt_id: fact.diag_group for fact in (*of[VisitOpened], *of[VisitUpdated]) if fact.diag_group},
        doctor={fact.mdtrt_id: fact.dr_code for fact in of[VisitOpened]},
        kind={fact.mdtrt_id: fact.med_type for fact in settled},
        at={fact.mdtrt_id: to_ms(fact.occurred_at) for fact in settled},
    )


def grouped(items: Iterable, key: Callable) -> dict:
    found = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def day(fact: Fact) -> int:
    return local_day(to_ms(fact.occurred_at))


def at(fact: Fact) -> int:
    return to_ms(fact.occurred_at)


def drug_lines() -> list[FeeAdded]:
    seen = city()
    return [line for line in seen.fees if line.prd_days and seen.diag.get(line.mdtrt_id) not in EXCLUDED]


def p04() -> set[str]:
    month = grouped(drug_lines(), lambda line: (line.psn_no, line.med_list_codg, to_date(day(line)).month))
    return {key[0] for key, lines in month.items() if len(lines) > 4 and city().kind.get(lines[0].mdtrt_id) != "21"}


def p05() -> set[str]:
    most = {"11": 7, "13": 3, "14": 30}
    return {line.psn_no for line in drug_lines() if line.prd_days > most.get(city().kind.get(line.mdtrt_id, ""), 84)}


def p06() -> set[str]:
    found, supply_end = set(), {}
    for line in drug_lines():
        key = line.psn_no, line.med_list_codg
        if supply_end.get(key, 0) - at(line) > 7 * DAY_MS + HOUR_MS:
            found.add(line.psn_no)
        supply_end[key] = max(supply_end.get(key, 0), at(line)) + line.prd_days * DAY_MS
    return found


def p07() -> set[str]:
    by_drug = grouped(drug_lines(), lambda line: (line.psn_no, line.med_list_codg))
    return {
        key[0]
        for key, lines in by_drug.items()
        if len({line.fixmedins_code for line in lines}) >= 3 and sum(line.cnt_x10000 for line in lines) > 600_000
    }


def p09() -> set[str]:
    return {
        fact.psn_no
        for fact in city().settled
        if fact.med_type[:2] in ("11", "14", "41")
        for begin, end, bed in city().beds[fact.psn_no]
        if begin <= at(fact) < end and fact.fixmedins_code != bed.fixmedins_code
    }


def p10() -> set[str]:
    return {
        psn_no
        for psn_no, beds in city().beds.items()
        for one, other in combinations(sorted(beds, key=lambda bed: bed[0]), 2)
        if other[0] < one[1] and one[2].fixmedins_code != other[2].fixmedins_code
    }


def p11() -> set[str]:
    return {
        psn_no
        for psn_no, beds in city().beds.items()
        for one, other in combinations(sorted(beds, key=lambda bed: bed[0]), 2)
        if 0 <= other[0] - one[1] <= 15 * DAY_MS and one[2].fixmedins_code == other[2].fixmedins_code
    } - {label.subject for label in expectations(PLAN) if "oncology" in label.why}


def p15() -> set[str]:
    away = [fact for fact in city().settled if fact.insuplc_admdvs[:4] != fact.mdtrtarea_admvs[:4]]
    return {
        psn_no
        for psn_no, bills in grouped(away, lambda fact: fact.psn_no).items()
        if len(bills) >= 5 and sum(bill.medfee_sumamt_fen for bill in bills) > 5_000_000
    }


def p16() -> set[str]:
    found = set()
    for fact in city().settled:
        said = [each for each in city().statuses if each.psn_no == fact.psn_no and at(each) <= at(fact)]
        if said and said[-1].status != "normal":
            found.add(fact.psn_no)
    return found


def p18() -> set[str]:
    trips = Counter()
    told = [fact for fact in city().settled if city().diag.get(fact.mdtrt_id) not in EXCLUDED]
    for (place, _), bills in grouped(told, lambda fact: (fact.fixmedins_code, day(fact))).items():
        near = [{other.psn_no for other in bills if 0 <= at(other) - at(bill) < 30 * MINUTE_MS} for bill in bills]
        trips.update({(place, *of) for people in near if len(people) < 12 for of in combinations(sorted(people), 3)})
    return {place for (place, *_), days in trips.items() if days >= 3}


def p19() -> set[str]:
    bought = grouped((fact for fact in city().settled if fact.med_type == "41"), lambda fact: (fact.psn_no, day(fact)))
    found = set()
    for (psn_no, _), bills in bought.items():
        sums = Counter(bill.medfee_sumamt_fen for bill in bills)
        if max(sums.values()) >= 3 or sum(bill.medfee_sumamt_fen % 1_000 == 0 for bill in bills) >= 3:
            found.add(psn_no)
    return found


def pharmacy_days() -> dict[tuple[str, int], list[SettlementCompleted]]:
    sold = (fact for fact in city().settled if fact.fixmedins_type == "2")
    return grouped(sold, lambda fact: (fact.fixmedins_code, day(fact)))


def d02() -> set[str]:
    return {
        code for (code, _), bills in pharmacy_days().items()
        if sum(to_datetime(at(bill)).hour < 5 for bill in bills) >= 10
    }  # fmt: skip


def d03() -> set[str]:
    return {code for (code, _), bills in pharmacy_days().items() if any(b.medfee_sumamt_fen > 100_000 for b in bills)}


def d04() -> set[str]:
    return {
        code for (code, _), bills in pharmacy_days().items()
        if max(Counter(bill.psn_no for bill in bills).values()) >= 3
    }  # fmt: skip


def d05() -> set[str]:
    alive = {fact.mdtrt_id for fact in city().settled}
    sold = grouped((line for line in city().fees if line.mdtrt_id in alive), lambda line: line.drug_trac_codg or ())
    return {lines[1].fixmedins_code for codes, lines in sold.items() if codes and len(lines) > 1}


def d06() -> set[str]:
    lines = [line for line in city().fees if line.fixmedins_code[0] == "P" and line.med_list_codg[0] in "XZ"]
    return {
        line.fixmedins_code for line in lines
        if not line.drug_trac_codg or any(len(code) != 20 for code in line.drug_trac_codg)
    }  # fmt: skip


def p21() -> set[str]:
    lines = [line for line in city().fees if line.fixmedins_code[0] == "P" and line.med_list_codg.startswith("C9901")]
    found = set()
    for psn_no, bought in grouped(lines, lambda line: line.psn_no).items():
        weeks = [[each for each in bought if 0 <= at(last) - at(each) < 7 * DAY_MS] for last in bought]
        if any(sum(each.cnt_x10000 for each in week) > 100_000 for week in weeks):
            found.add(psn_no)
    return found


def d13() -> set[str]:
    lines = [line for line in city().fees if line.med_list_codg.startswith("C9902")]
    return {line.fixmedins_code for line in lines if line.fixmedins_code[:7] not in ("P430502", "P430503")}


def d12() -> set[str]:
    seen, found = defaultdict(set), set()
    for (code, _), bills in sorted(pharmacy_days().items(), key=lambda item: item[0][1]):
        people = {bill.psn_no for bill in bills}
        new = people - seen[code]
        if len(new) > 30 and len(new) * 100 > 60 * len(people):
            found.add(code)
        seen[code] |= people
    return found


def signed_by_doctor() -> dict[str, list[SettlementCompleted]]:
    return grouped(
        (fact for fact in city().settled if city().doctor.get(fact.mdtrt_id, "")[:1] == "D"),  # a placeholder is nobody
        lambda fact: city().doctor[fact.mdtrt_id],
    )


def m03() -> set[str]:
    return {
        doctor
        for doctor, bills in signed_by_doctor().items()
        for one, other in pairwise(bills)
        if one.fixmedins_code != other.fixmedins_code and at(other) - at(one) < 30 * MINUTE_MS
    }


def m09() -> set[str]:
    found = set()
    for doctor, bills in signed_by_doctor().items():
        for last in range(30, len(bills) + 1):
            gaps = sorted(at(other) - at(one) for one, other in pairwise(bills[last - 30 : last]))
            if gaps[14] < MINUTE_MS:
                found.add(doctor)
    return found


def h03() -> set[str]:
    lines = grouped(
        (line for line in city().fees if city().kind.get(line.mdtrt_id) in ("11", "13", "14")),
        lambda line: (line.mdtrt_id, line.med_list_codg),
    )
    return {found[0].fixmedins_code for found in lines.values() if len(found) >= 2}


def h04() -> set[str]:
    return {
        line.fixmedins_code for line in city().fees
        if line.pric_uplmt_fen and line.amount_fen * 10_000 > line.pric_uplmt_fen * line.cnt_x10000
    }  # fmt: skip


def h14() -> set[str]:
    bills = grouped(
        (fact for fact in city().settled if fact.fixmedins_type == "1"),
        lambda fact: (fact.fixmedins_code, fact.psn_no, at(fact) // MINUTE_MS, fact.medfee_sumamt_fen),
    )
    return {key[0] for key, found in bills.items() if len(found) >= 2}


READINGS = {
    "P04": p04, "P05": p05, "P06": p06, "P07": p07, "P09": p09, "P10": p10, "P11": p11, "P15": p15, "P16": p16,
    "P18": p18, "P19": p19, "D02": d02, "D03": d03, "D04": d04, "D05": d05, "D06": d06, "D12": d12, "M03": m03,
    "M09": m09, "H03": h03, "H04": h04, "H14": h14, "P21": p21, "D13": d13,
}  # fmt: skip


@pytest.mark.parametrize("rule", READINGS)
def test_a_naive_reading_finds_what_is_planted_and_accuses_no_one_else(rule: str):
    labels = [label for label in expectations(PLAN) if label.rule == rule]
    planted = {label.subject for label in labels if label.verdict == "planted"}
    spared = {label.subject for label in labels if label.verdict != "planted"}
    found = READINGS[rule]()
    assert planted
    assert spared
    assert planted - found == set(), "planted and not found"
    assert spared & found == set(), "below or innocent, and found"
    assert len(found - planted) <= len(planted) // 9, f"background: {sorted(found - planted)[:5]}"
