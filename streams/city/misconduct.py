"""Planted misconduct (违规样例) and its innocent twins: which acts there are, and where and when each is played.

Every repetition plays each act of misconduct twice, from the threshold on and one step below it, and each twin once.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.city.acts import credit, people, second_hop
from streams.city.stage import Stage, first_day_of
from streams.city.world import World


class Act(NamedTuple):
    """One kind of misconduct, or a twin; how many days it needs; whether something less than it can be played."""

    play: Callable[[Stage], None]
    span_days: int = 1
    straddles: bool = False


ACTS = (
    Act(people.frequent_visits, 30, straddles=True),
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
    Act(second_hop.burst_at_a_pharmacy, straddles=True),
    Act(second_hop.flu_evening),
    Act(second_hop.beyond_human_capacity, straddles=True),
    Act(second_hop.shared_clinic),
    Act(second_hop.names_left_empty),
    Act(second_hop.names_all_there),
    Act(credit.over_the_limit),
    Act(credit.well_within_the_limit),
)


def stages(world: World, day: int | None = None) -> Iterator[Stage]:
    """Every play of the plan, in a fixed order; those that begin on one day of the plan where one is named.

    Only these are made: a city holds the acts that are under way, not all of them.
    """
    for ordinal in range(world.plan.plants):
        for number, act in enumerate(ACTS):
            for below in (False, True) if act.straddles else (False,):
                if day is None or first_day_of(world, 2 * number + below, ordinal, act.span_days) == day:
                    stage = Stage(world, number, ordinal, span_days=act.span_days, below=below)
                    act.play(stage)
                    yield stage
