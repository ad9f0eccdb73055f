"""People who go about together, far from home, or with sums too round (P15, P18, P19)."""

from risk.local_time import MINUTE_MS
from streams.city.stage import Stage

AWAY_BILLS, AWAY_FEN = 5, 5_000_000
AWAY_ILLNESSES = ("J18", "K80", "I63", "S72", "N20")
COMPANIONS, COMPANION_DAYS = 3, 3
ROUND_BILLS_A_DAY = 3


def far_from_home(stage: Stage) -> None:
    """P15: five bills of more than 50,000 yuan together, insured elsewhere; below, exactly 50,000.

    The illnesses are named: oncology, which is in the city's draw, is held against nobody; and no two are one (P11).
    """
    person = stage.person()._replace(insuplc_admdvs="440100")
    sums = [AWAY_FEN // AWAY_BILLS] * AWAY_BILLS
    sums[AWAY_BILLS - 1] += 1 + 100_000 * stage.excess if stage.excess >= 0 else 0
    events = [
        stage.settle(stage.visit(person, "21", stage.hospital(n))._replace(diag=illness), stage.at(22, 2 * n), each, 60)
        for n, (each, illness) in enumerate(zip(sums, AWAY_ILLNESSES, strict=True))
    ]
    stage.label("P15", person.psn_no, events, crossing=AWAY_BILLS - 1)


def one_long_journey(stage: Stage) -> None:
    """Twin of P15: one operation away from home costs as much, with two check-ups after it."""
    person = stage.person()._replace(insuplc_admdvs="440100")
    events = [stage.settle(stage.visit(person, "21", stage.hospital()), stage.at(22, 1), AWAY_FEN + 100_000, 60)]
    events += [
        stage.settle(stage.visit(person, "11", stage.hospital()), stage.at(10, day), 30_000, 40) for day in (8, 15)
    ]
    stage.innocent("P15", person.psn_no, "one operation away from home", events)


def always_together(stage: Stage) -> None:
    """P18: the same three people settle at one pharmacy within minutes on three days; below, on two.

    The place is labelled: none of them is the leader.
    """
    code, days = stage.pharmacy(), COMPANION_DAYS + min(3, stage.excess)
    events = [
        stage.settle(stage.visit(stage.person(n), "41", code), stage.at(15, 5 * day) + n * 6 * MINUTE_MS, 9_000, 20)
        for day in range(days)
        for n in range(COMPANIONS)
    ]
    stage.label("P18", code, events, crossing=COMPANION_DAYS * COMPANIONS - 1)


def family_trip(stage: Stage) -> None:
    """Twin of P18: a family of four buys together once, and two of them twice more."""
    code = stage.pharmacy()
    events = [
        stage.settle(stage.visit(stage.person(n), "41", code), stage.at(18, day) + n * 2 * MINUTE_MS, 5_000 + n, 20)
        for day, family in ((0, 4), (4, 2), (8, 2))
        for n in range(family)
    ]
    stage.innocent("P18", code, "a family at the pharmacy", events)


def dialysis_shift(stage: Stage) -> None:
    """Twin of P18: the same four lie on dialysis in the same shift three times a week, and settle when it ends."""
    code = stage.hospital()
    events = [
        stage.settle(
            stage.visit(stage.person(n), "14", code)._replace(diag="N18"),
            stage.at(12, day) + n * 3 * MINUTE_MS,
            40_000,
            80,
        )
        for day in (0, 2, 4, 7, 9)
        for n in range(4)
    ]
    stage.innocent("P18", code, "one shift of dialysis", events)


def round_sums(stage: Stage) -> None:
    """P19, and P17: three purchases of exactly 100 yuan on one day; below, two of them, and one that is not round."""
    person, count = stage.person(), ROUND_BILLS_A_DAY + min(2, stage.excess)
    events = [
        stage.settle(stage.visit(person, "41", stage.pharmacy(n)), stage.at(9 + 2 * n), 10_000, 0) for n in range(count)
    ]
    stage.label("P19", person.psn_no, events, crossing=ROUND_BILLS_A_DAY - 1)
    stage.label("P17", person.psn_no, events, crossing=ROUND_BILLS_A_DAY - 1)


def odd_sums(stage: Stage) -> None:
    """Twin of P19: two purchases, of 37.80 and 112.50 yuan."""
    person = stage.person()
    events = [
        stage.settle(stage.visit(person, "41", stage.pharmacy()), stage.at(9 + 4 * n), each, 0)
        for n, each in enumerate((3_780, 11_250))
    ]
    stage.innocent("P19", person.psn_no, "two ordinary purchases", events)
