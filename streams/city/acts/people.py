"""Insured persons: too many visits, places, bills, too much money, another face (P01, P02, P03, P12-P14, P17)."""

from typing import Literal

from risk.facts import IdentityChecked
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, local_day, to_date, to_datetime
from streams.city.stage import Stage, paper

VISITS_IN_30_DAYS = 15
HOSPITALS_A_DAY = 3
PHARMACY_BILLS_A_DAY = 3
TWO_PLACES_GAP_S = 1_800
LARGE_BILL_FEN = 200_000
CAP_PERCENT = (80, 90, 95)
SLOPE_PERCENT, SLOPE_FROM_DAY = 41, 91
ILLNESSES = ("J18", "K80", "I63", "S72")
"""None of them is left out, and no two stays for different ones are one cut in two."""


def frequent_visits(stage: Stage) -> None:
    """P01: fifteen visits within thirty days, one hospital."""
    person, count = stage.person(), VISITS_IN_30_DAYS + stage.excess
    step_ms = min(24 * HOUR_MS, stage.span_days * DAY_MS // (count + 3))
    first_ms = stage.at(9 if step_ms >= 12 * HOUR_MS else 1)
    events = [
        stage.settle(stage.visit(person, "11"), first_ms + n * step_ms - (n * step_ms) % 1000, 12_000 + n)
        for n in range(count)
    ]
    stage.label("P01", person.psn_no, events, crossing=VISITS_IN_30_DAYS - 1)


def dialysis_three_times_a_week(stage: Stage) -> None:
    """Twin of P01: dialysis (N18) each Monday, Wednesday, Friday, and four ordinary purchases: 17 visits in 30 days."""
    person, code = stage.person(), stage.hospital()
    days = [day for day in range(stage.span_days) if day % 7 in (0, 2, 4)][:13]
    events = [
        stage.settle(stage.visit(person, "14", code)._replace(diag="N18"), stage.at(9, day), 42_000, 90) for day in days
    ]
    bought = range(1, stage.span_days, 7)
    events += [stage.settle(stage.visit(person, "41", stage.pharmacy()), stage.at(16, day), 3_000) for day in bought]
    stage.innocent("P01", person.psn_no, "dialysis three times a week", events)


def many_hospitals(stage: Stage) -> None:
    """P02: three hospitals on one local date, two hours apart."""
    person, count = stage.person(), min(5, HOSPITALS_A_DAY + stage.excess)
    events = [
        stage.settle(stage.visit(person, "11", stage.hospital(n)), stage.at(8 + 2 * n), 15_000) for n in range(count)
    ]
    stage.label("P02", person.psn_no, events, crossing=HOSPITALS_A_DAY - 1)


def hospital_again_and_again(stage: Stage) -> None:
    """Twin of P02 and P17: consultation, examination and result at one hospital, a second opinion, two purchases."""
    person = stage.person()
    codes = [stage.hospital(), stage.hospital(), stage.hospital(), stage.hospital(1)]
    events = [
        stage.settle(stage.visit(person, "11", code), stage.at(8 + 2 * n), 15_000) for n, code in enumerate(codes)
    ]
    bought = [stage.settle(stage.visit(person, "41", stage.pharmacy(n)), stage.at(17 + n), 4_000, 20) for n in range(2)]
    stage.innocent("P02", person.psn_no, "three bills of one hospital and a second opinion", events)
    stage.innocent("P17", person.psn_no, "two purchases after a day in hospital", bought)


def two_places_at_once(stage: Stage) -> None:
    """P03: two hospitals within half an hour; just below, exactly half an hour apart."""
    person = stage.person()
    gap_s = TWO_PLACES_GAP_S - {-1: 0, 0: 1}.get(stage.excess, 150 * max(0, stage.excess))
    times = [stage.at(10), stage.at(10) + gap_s * 1000]
    events = [stage.settle(stage.visit(person, "11", stage.hospital(n)), at, 15_000) for n, at in enumerate(times)]
    stage.label("P03", person.psn_no, events)


def clinic_and_its_pharmacy(stage: Stage) -> None:
    """Twin of P03: the prescription is filled across the street ten minutes later."""
    person, at_ms = stage.person(), stage.at(10.5)
    events = [
        stage.settle(stage.visit(person, "11", stage.hospital()), at_ms, 15_000),
        stage.settle(stage.visit(person, "41", stage.pharmacy()), at_ms + 10 * MINUTE_MS, 6_000, 20),
    ]
    stage.innocent("P03", person.psn_no, "a clinic and the pharmacy across the street", events)


def near_the_cap(stage: Stage) -> None:
    """P12: admissions of which the fund pays just 80, then 90 and 95 percent of the annual cap.

    Below: one fen short of 80 percent.
    """
    person, cap_fen = stage.person(), stage.world.plan.annual_cap_fen
    events, paid_fen = [], 0
    for level, percent in enumerate(CAP_PERCENT, 1):
        goal_fen = cap_fen * percent // 100 + max(0, stage.excess) * cap_fen // 1_000
        goal_fen -= stage.excess < 0
        fund_fen, paid_fen = goal_fen - paid_fen, goal_fen
        visit = stage.visit(person, "21", stage.hospital())._replace(diag=ILLNESSES[level])
        events.append(stage.settle(visit, stage.at(20 + level), fund_fen, 100))
        stage.label("P12", person.psn_no, events, level=level)
        if stage.excess < 0:
            return
    if _is_slope(stage.at(23)):
        stage.must("P12", person.psn_no, events, level=len(CAP_PERCENT) + 1)


def _is_slope(at_ms: int) -> bool:
    """Before April most of any year is of its last month."""
    return to_date(local_day(at_ms)).timetuple().tm_yday >= SLOPE_FROM_DAY


def expensive_year_of_an_employee(stage: Stage) -> None:
    """Twin of P12: as much money, far from the higher cap of employees."""
    person, cap_fen = stage.person()._replace(insutype="310"), stage.world.plan.annual_cap_fen
    events = [stage.settle(stage.visit(person, "21", stage.hospital()), stage.at(22), cap_fen * 85 // 100, 100)]
    stage.innocent("P12", person.psn_no, "insured as an employee: the cap is higher", events)


def large_bill(stage: Stage) -> None:
    """P13: one outpatient bill of 2,000 yuan; below, of 1,999.99."""
    person = stage.person()
    medfee_fen = LARGE_BILL_FEN + stage.excess * (1 if stage.excess < 0 else 12_345)
    event = stage.settle(stage.visit(person, "11"), stage.at(15), medfee_fen)
    stage.label("P13", person.psn_no, [event])


def large_bill_of_an_admission(stage: Stage) -> None:
    """Twin of P13: three thousand yuan, but for two days in bed."""
    person = stage.person()
    event = stage.settle(stage.visit(person, "21", stage.hospital()), stage.at(22), 300_000, 70)
    stage.innocent("P13", person.psn_no, "an admission, not a prescription", [event])


def many_pharmacy_bills(stage: Stage) -> None:
    """P17: three purchases on one local date, an hour apart, each at another counter."""
    person, count = stage.person(), min(5, PHARMACY_BILLS_A_DAY + stage.excess)
    events = [
        stage.settle(stage.visit(person, "41", stage.pharmacy(n)), stage.at(10 + n), 6_000 + 700 * n, 20)
        for n in range(count)
    ]
    stage.label("P17", person.psn_no, events, crossing=PHARMACY_BILLS_A_DAY - 1)


def wrong_box_returned(stage: Stage) -> None:
    """Twin of P17: the wrong medicine is returned before the right one is bought, and one more thing later."""
    person = stage.person()
    visit = stage.visit(person, "41", stage.pharmacy())
    events = [stage.settle(visit, stage.at(10), 6_000, 20)]
    stage.undo(visit, stage.at(10.3), 6_000, 20)
    events += [
        stage.settle(stage.visit(person, "41", stage.pharmacy(n)), stage.at(11 + n), 5_500, 20) for n in range(2)
    ]
    stage.innocent("P17", person.psn_no, "one of three purchases was returned", events)


def another_face(stage: Stage) -> None:
    """P14: the face at the counter is not his, and it is settled all the same; below, a day later."""
    person, code = stage.person(), stage.hospital()
    checked_ms = stage.at(9) - stage.excess * 2 * HOUR_MS if stage.excess >= 0 else stage.at(15) - DAY_MS
    _checked(stage, checked_ms, code, "failed")
    event = stage.settle(stage.visit(person, "11", code), stage.at(15), 15_000)
    stage.label("P14", person.psn_no, [event])


def face_in_bad_light(stage: Stage) -> None:
    """Twin of P14: the camera takes an old woman for somebody else, and knows her at the window."""
    person, code = stage.person(), stage.hospital()
    _checked(stage, stage.at(9), code, "failed")
    _checked(stage, stage.at(9.1), code, "passed")
    event = stage.settle(stage.visit(person, "11", code), stage.at(10), 15_000)
    stage.innocent("P14", person.psn_no, "the second try passed", [event])


def _checked(stage: Stage, at_ms: int, code: str, result: Literal["passed", "failed"]) -> None:
    psn_no = stage.person().psn_no
    event_id = f"9601:{psn_no}:{at_ms}"
    fact = IdentityChecked(
        event_id=event_id, occurred_at=to_datetime(at_ms), psn_no=psn_no, fixmedins_code=code, result=result
    )
    stage.add(iter([paper(fact, at_ms)]))


def rush_to_the_cap(stage: Stage) -> None:
    """P12's slope: of what the fund pays in the year 41 percent come by three bills of five days; below, 40."""
    person, total_fen = stage.person(), stage.world.plan.annual_cap_fen * 52 // 100
    lately_fen = total_fen * (SLOPE_PERCENT + max(0, stage.excess)) // 100 - (stage.excess < 0)
    third_fen = lately_fen // 3
    sums = (total_fen - lately_fen, third_fen, third_fen, lately_fen - 2 * third_fen)
    events = [
        stage.settle(
            stage.visit(person, "21", stage.hospital(n))._replace(diag=ILLNESSES[n]), stage.at(20, day), fen, 100
        )
        for n, (day, fen) in enumerate(zip((0, 31, 33, 35), sums, strict=True))
    ]
    if _is_slope(stage.at(20, 35)):
        stage.label("P12", person.psn_no, events, level=len(CAP_PERCENT) + 1)
    else:
        stage.innocent("P12", person.psn_no, "the first quarter is most of any year", events)


def one_dear_operation(stage: Stage) -> None:
    """Twin of P12's slope: one operation is most of his year."""
    person, cap_fen = stage.person(), stage.world.plan.annual_cap_fen
    sums = ((0, cap_fen * 6 // 10), (4, cap_fen // 20))
    events = [
        stage.settle(stage.visit(person, "21", stage.hospital(n)), stage.at(20, day), fen, 100)
        for n, (day, fen) in enumerate(sums)
    ]
    stage.innocent("P12", person.psn_no, "one operation and its after-care", events)
