"""Planted misconduct (违规样例) and its innocent twins: which acts there are, and where and when each is played.

Every repetition plays each act of misconduct twice, from the threshold on and one step below it, and each twin once.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.city.acts import (
    beside,
    codes,
    controlled,
    credit,
    drugs,
    groups,
    growth,
    hospitals,
    houses,
    items,
    peers,
    people,
    pharmacies,
    prices,
    records,
    second_hop,
    shelves,
    staff,
    stays,
    wards,
    years,
)
from streams.city.stage import Stage, first_day_of
from streams.city.world import World


class Act(NamedTuple):
    """One kind of misconduct, or a twin; how many days it needs; whether something less than it can be played."""

    play: Callable[[Stage], None]
    span_days: int = 1
    straddles: bool = False
    shrinks: bool = False
    """True when it can be played in less time than it takes in earnest."""

    def fits(self, days: int) -> bool:
        """Is there room for it in so many days?"""
        return self.shrinks or self.span_days <= days


ACTS = (
    Act(people.frequent_visits, 30, straddles=True, shrinks=True),
    Act(people.dialysis_three_times_a_week, 30),
    Act(people.many_hospitals, straddles=True),
    Act(people.hospital_again_and_again),
    Act(people.two_places_at_once, straddles=True),
    Act(people.clinic_and_its_pharmacy),
    Act(people.near_the_cap, straddles=True),
    Act(people.expensive_year_of_an_employee),
    Act(people.large_bill, straddles=True),
    Act(people.large_bill_of_an_admission),
    Act(people.many_pharmacy_bills, straddles=True),
    Act(people.wrong_box_returned),
    Act(people.another_face, straddles=True),
    Act(people.face_in_bad_light),
    Act(second_hop.burst_at_a_pharmacy, straddles=True),
    Act(second_hop.flu_evening),
    Act(second_hop.beyond_human_capacity, straddles=True),
    Act(second_hop.shared_clinic),
    Act(second_hop.names_left_empty),
    Act(second_hop.names_all_there),
    Act(drugs.same_drug_again_and_again, 31, straddles=True),
    Act(drugs.chemotherapy_cycles, 31),
    Act(drugs.too_much_at_once, straddles=True),
    Act(drugs.chronic_month),
    Act(drugs.next_box_too_early, 31, straddles=True),
    Act(drugs.next_box_in_time, 31),
    Act(drugs.hoard_of_many_hospitals, 20, straddles=True),
    Act(drugs.long_treatment_at_one_hospital, 20),
    Act(drugs.generous_doctor, 12, straddles=True),
    Act(drugs.careful_doctor, 8),
    Act(stays.clinic_while_in_bed, 6, straddles=True),
    Act(stays.clinic_before_the_bed, 4),
    Act(stays.two_beds_at_once, 10, straddles=True),
    Act(stays.moved_to_the_city, 10),
    Act(stays.stay_cut_in_two, 22, straddles=True),
    Act(stays.fallen_down_the_stairs, 20),
    Act(stays.oncology_cycles_in_bed, 18),
    Act(stays.empty_bed, 8, straddles=True),
    Act(stays.short_stay, 3),
    Act(stays.bills_of_the_dead, straddles=True),
    Act(stays.insurance_resumed),
    Act(groups.far_from_home, 24, straddles=True),
    Act(groups.one_long_journey, 17),
    Act(groups.always_together, 28, straddles=True),
    Act(groups.family_trip, 9),
    Act(groups.round_sums, straddles=True),
    Act(groups.odd_sums),
    Act(pharmacies.night_trade, straddles=True),
    Act(pharmacies.night_duty),
    Act(pharmacies.large_sale, straddles=True),
    Act(pharmacies.large_sale_undone),
    Act(pharmacies.one_card_again, straddles=True),
    Act(pharmacies.couple_at_the_counter),
    Act(pharmacies.only_strangers, 32, straddles=True),
    Act(pharmacies.regulars, 8),
    Act(hospitals.charged_twice, straddles=True),
    Act(hospitals.line_corrected),
    Act(hospitals.above_the_limit_price, straddles=True),
    Act(hospitals.price_that_changed),
    Act(hospitals.split_bill, straddles=True),
    Act(hospitals.two_departments),
    Act(hospitals.coach_of_patients, 4, straddles=True),
    Act(hospitals.bus_accident, 4),
    Act(hospitals.boxes_without_codes, straddles=True),
    Act(hospitals.consultation_without_a_box),
    Act(staff.two_hospitals_in_half_an_hour, straddles=True),
    Act(staff.guest_doctor),
    Act(codes.box_sold_twice, 4, straddles=True),
    Act(codes.box_returned_and_sold),
    Act(codes.box_without_a_code, straddles=True),
    Act(codes.herbs_by_weight),
    Act(codes.absent_pharmacist, straddles=True),
    Act(codes.pharmacist_signs),
    Act(codes.one_doctors_patients, straddles=True),
    Act(codes.pharmacy_beside_the_clinic),
    Act(wards.revolving_door, 16, straddles=True),
    Act(wards.quiet_ward, 10),
    Act(wards.dear_month, 34, straddles=True),
    Act(wards.one_dear_operation, 33),
    Act(wards.dear_rooms, 10, straddles=True),
    Act(wards.one_private_room, 10),
    Act(wards.blank_doctors, straddles=True),
    Act(wards.one_slip),
    Act(growth.pharmacy_doubles, 28, straddles=True),
    Act(growth.pharmacy_does_well, 28),
    Act(growth.rush_at_the_end, 14, straddles=True),
    Act(growth.busy_week, 14),
    Act(growth.clinic_doubles, 28, straddles=True),
    Act(growth.clinic_does_well, 28),
    Act(growth.weekend_ward, 16, straddles=True),
    Act(growth.accident_ward, 16),
    Act(houses.beds_in_the_corridor, 12, straddles=True),
    Act(houses.full_house, 16),
    Act(records.place_unknown),
    Act(records.place_with_nines),
    Act(records.doctor_left_empty),
    Act(records.sum_that_does_not_add_up, straddles=True),
    Act(records.hospital_bears_a_part),
    Act(records.same_bill_another_sum),
    Act(records.same_bill_sent_twice),
    Act(credit.over_the_limit),
    Act(credit.well_within_the_limit),
    Act(credit.asks_again_and_again, straddles=True),
    Act(credit.three_bills_of_a_morning),
    Act(credit.spends_the_line_at_once, straddles=True),
    Act(credit.always_at_the_limit, 7, straddles=True),
    Act(credit.one_large_bill_on_credit, 3),
    Act(credit.captured_and_undone, 4, straddles=True),
    Act(credit.one_bill_corrected, 2),
    Act(credit.left_without_paying, 4, straddles=True),
    Act(credit.paid_the_next_morning, 3),
    Act(staff.one_patient_a_minute, straddles=True),
    Act(staff.quick_clinic),
    Act(staff.bills_while_suspended, 3, straddles=True),
    Act(staff.rescued_while_on_leave, 4),
    Act(staff.points_to_nine, 5, straddles=True),
    Act(staff.points_withdrawn, 3),
    Act(shelves.more_sold_than_there_was, 4, straddles=True),
    Act(shelves.purchase_told_late, 4),
    Act(items.item_for_somebody_else, straddles=True),
    Act(items.slip_of_the_keyboard),
    Act(houses.dialysis_by_night, straddles=True),
    Act(houses.dialysis_in_three_shifts, 2),
    Act(houses.masseur_of_a_hundred, straddles=True),
    Act(houses.busy_nurse),
    Act(credit.patients_do_not_pay, 11, straddles=True),
    Act(credit.patients_pay_when_reminded, 12),
    Act(prices.dear_counter, straddles=True),
    Act(prices.sold_by_the_tablet),
    Act(prices.dearer_for_all, 23, straddles=True),
    Act(prices.urgent_order, 23),
    Act(people.rush_to_the_cap, 36, straddles=True),
    Act(people.one_dear_operation, 5),
    Act(stays.handed_on, 8, straddles=True),
    Act(stays.handed_on_by_paper, 8),
    Act(shelves.billed_and_never_bought, 36, straddles=True),
    Act(shelves.bought_and_told_late, 36),
    Act(controlled.masks_to_hoard, straddles=True),
    Act(controlled.masks_for_a_couple),
    Act(controlled.masks_outside_their_channel),
    Act(controlled.masks_for_everybody),
    Act(prices.sold_for_more_than_it_cost, 5, straddles=True),
    Act(prices.part_of_it_dearly, 5),
    Act(groups.dialysis_shift, 10),
    Act(credit.owes_on_every_line, 5, straddles=True),
    Act(credit.changes_his_bank, 3),
    Act(peers.key_drug_by_the_load, 2, straddles=True),
    Act(peers.endocrinologist, 2),
    Act(peers.dearer_than_nine_tenths, 9, straddles=True),
    Act(peers.one_transplant, 9),
    Act(peers.pharmacy_grows_slowly, 60, straddles=True),
    Act(peers.pharmacy_of_a_new_estate, 60),
    Act(years.clinic_beside_last_year, years.SPAN_DAYS, straddles=True),
    Act(years.clinic_new_last_year, years.SPAN_DAYS),
    Act(years.rush_of_december, years.SPAN_DAYS, straddles=True),
    Act(years.rush_of_may, years.SPAN_DAYS),
    Act(credit.two_bills_made_one, straddles=True),
    Act(credit.two_bills_made_anew),
    Act(beside.captured_another_sum, straddles=True),
    Act(beside.captured_and_made_anew),
    Act(beside.left_at_the_end_of_the_calendar, beside.ANY_DAY, straddles=True, shrinks=True),
    Act(beside.settled_at_the_end_of_the_calendar, beside.ANY_DAY, shrinks=True),
    Act(beside.closed_account, 3, straddles=True),
    Act(beside.bank_out_of_order, 3),
    Act(beside.asks_about_many, straddles=True),
    Act(beside.asks_where_he_may_not, straddles=True),
    Act(beside.busy_counter),
)


def stages(world: World, day: int | None = None) -> Iterator[Stage]:
    """Every play of the plan, in a fixed order; those that begin on one day of the plan where one is named.

    Only these are made: a city holds the acts that are under way, not all of them.
    """
    for ordinal in range(world.plan.plants):
        for number, act in enumerate(ACTS):
            if not act.fits(world.plan.days):
                continue
            for below in (False, True) if act.straddles else (False,):
                if day is None or first_day_of(world, 2 * number + below, ordinal, act.span_days) == day:
                    stage = Stage(world, number, ordinal, span_days=act.span_days, below=below)
                    act.play(stage)
                    yield stage
