"""Who and where: persons, hospitals, pharmacies, doctors as functions of an index: 65 million people need no memory."""

from math import ceil
from typing import NamedTuple

from streams.city.plan import CityPlan

DISTRICTS = ("02", "03", "11", "22", "23", "24", "25", "27", "28", "29", "81", "82")
"""Districts and counties of Shaoyang (4305xx), in the order of their codes."""
DEPARTMENTS = ("0300", "0400", "0500", "0700", "1200", "1300", "5000")
LEVELS = ("A",) * 38 + ("B",) * 42 + ("C",) * 14 + ("D",) * 3 + ("UNRATED",) * 3
BANK_LINES_FEN = (100_000, 200_000, 300_000, 500_000, 1_000_000, 2_000_000)
BANKS = ("BCM", "ICBC", "ABC", "CCB")
_MASK = (1 << 64) - 1


def mix(number: int) -> int:
    """SplitMix64's finaliser: 64 well-stirred bits out of any integer."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Person(NamedTuple):
    """An insured person, as far as the city knows."""

    psn_no: str
    gend: str
    age: int
    insutype: str
    insuplc_admdvs: str
    home_hospital: int
    home_pharmacy: int
    signed: bool
    level: str
    funding_mode: str
    bank_code: str
    bank_line_fen: int
    agreement_no: str


def signed_person(psn_no: str, *, funding_mode: str = "card_withhold", bank_line_fen: int = 0) -> Person:
    """Somebody of level A, of no city in particular, who may pay on credit."""
    return Person(psn_no, "1", 40, "390", "430502", 0, 0, True, "A", funding_mode, "BCM", bank_line_fen, f"AG{psn_no}")


class World:
    """Codes and people of one plan."""

    def __init__(self, plan: CityPlan) -> None:
        self.plan = plan
        self.hospitals = max(1, round(plan.institutions * 0.35))
        self.pharmacies = plan.institutions - self.hospitals
        self.doctors = max(2, ceil(plan.visits_per_day / self.hospitals / 40))
        self._salt = mix(plan.seed)
        self._tag = plan.seed % 1000

    def hospital(self, index: int) -> str:
        """A hospital's code: H, place, serial number."""
        return f"H4305{DISTRICTS[index % len(DISTRICTS)]}{index + 1:05d}"

    def pharmacy(self, index: int) -> str:
        """A pharmacy's code: P, place, serial number."""
        return f"P4305{DISTRICTS[index % len(DISTRICTS)]}{index + 1:05d}"

    def doctor(self, hospital: int, number: int) -> str:
        """A doctor's national code: D, place, serial number."""
        return f"D4305{DISTRICTS[hospital % len(DISTRICTS)]}{hospital % 1000:03d}{number:03d}"

    def psn_no(self, index: int) -> str:
        """A person's number; the seed is in it, so that two cities do not share people."""
        return f"4305{self._tag:03d}{index:013d}"

    def person(self, index: int) -> Person:
        """Everything about one person; the same index gives the same person."""
        bits = mix(index ^ self._salt)
        more = mix(bits)
        number = self.psn_no(index)
        elsewhere = bits % 100 < 3
        return Person(
            psn_no=number,
            gend="12"[(bits >> 40) & 1],
            age=(bits >> 41) % 90,
            insutype="310" if (bits >> 8) % 100 < 30 else "390",
            insuplc_admdvs="440100" if elsewhere else f"4305{DISTRICTS[(bits >> 16) % len(DISTRICTS)]}",
            home_hospital=(bits >> 24) % self.hospitals,
            home_pharmacy=(bits >> 32) % max(1, self.pharmacies),
            signed=not elsewhere and more % 10_000 < self.plan.signed_percent * 100,
            level=LEVELS[(more >> 16) % len(LEVELS)],
            funding_mode="credit_line" if (more >> 24) & 1 else "card_withhold",
            bank_code=BANKS[(more >> 25) % len(BANKS)],
            bank_line_fen=BANK_LINES_FEN[(more >> 32) % len(BANK_LINES_FEN)],
            agreement_no=f"AG{number}",
        )
